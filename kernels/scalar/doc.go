// Package scalar holds the elementary functions that kernels share: exp, log, tanh,
// the logistic sigmoid and others, each as a fixed sequence of IEEE operations.
//
// Package math picks an algorithm, and fuses multiply and add, by architecture,
// so that its last bit is not the same everywhere. The functions here are: no
// product is fused, and nothing but + - × ÷ √ and bit operations occurs. A vector
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
// uses where it has no assembly. [Log1p], [Log2], [Expm1], [Sin], [Cos] and [Pow] take
// and return float64 only; all but Pow have the bits of package math on machines on which
// that fuses nothing.
//
// # Implementations
//
// [Sigmoid], [Tanh] and [ExpRows] have kernels for AVX2 and AVX-512, in either type
// (vector_amd64.go, written by internal/gen; the build tag noasm leaves them out)
// that follow the same sequences, tails and NaN included; the sequences themselves
// are in kernels/internal/vec, for kernels that contain an exponential. On a Xeon
// of 2023, nanoseconds an element in the first-level cache (those of float64 while
// other programs used the machine, which made float32 half as fast):
//
//	         float32                  float64
//	         plain Go  AVX2  AVX-512  plain Go  AVX2  AVX-512
//	ExpRows  6.6       0.6   0.3      13        1.8   1.2
//	Sigmoid  6.2       0.8   0.45     26        3.0   1.4
//	Tanh     7.0       1.2   0.7      24        4.6   2.3
//
// Results that are subnormal are slow on such processors, as in plain Go.
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
