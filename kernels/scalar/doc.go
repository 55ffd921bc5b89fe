// Package scalar holds the elementary functions that several kernels share: exp,
// log, tanh and the logistic sigmoid, each as a fixed sequence of IEEE
// operations.
//
// Package math picks an algorithm, and fuses multiply and add, by architecture,
// so that its last bit is not the same everywhere. The functions here are: no
// product is fused, and nothing but + - × ÷ and bit operations occurs. A vector
// or GPU implementation that follows the same sequence gives the same bits.
//
// # float32
//
// [Exp], [Sigmoid] and [Tanh] compute in float32 throughout, so that a vector
// register holds as many as it can. Cephes' coefficients (Moshier, 1989); the
// polynomials are evaluated in Estrin's order, whose chain is half as long as
// Horner's. [Log] rounds the float64 result once.
//
// # float64
//
// The algorithms are those of FreeBSD's msun and of Cephes, which package math
// uses where it has no assembly.
//
// avx2_amd64.go computes Sigmoid's float32 with AVX2, eight at a time, by a kernel
// that internal/gen writes; groups with a NaN or a tail value stay with the plain
// Go. The build tag noasm leaves it out.
//
// # Errors
//
// Largest errors found, in units in the last place of the result: for float32
// over one in 37 of all 2^32 arguments, for float64 over 300000 random ones.
//
//	            float32   float64
//	Exp          0.98      0.94
//	Log          0.51      0.77
//	Sigmoid      2.32      2.10
//	Tanh         1.31      1.29
//
// Results below the smallest normal number lose digits gradually and are never
// flushed to 0. NaN gives NaN, infinities give the limits.
package scalar
