// Package elem holds elementwise arithmetic on contiguous slices, with scalars
// broadcast, and the few shape helpers around it: add a row to each row, take
// an outer product from a matrix, repeat a row or a column, transpose, sum a vector or each row. It is the engine's fallback for
// whatever is not fused.
//
// # Bits
//
// The arithmetic operations are one IEEE operation in T. The functions are package
// scalar's, fixed sequences of such operations; Log1p, Expm1, Softplus, Sin, Cos, Log2
// and the Pow of float32 compute in float64 and round once to T. The Pow of float64 is
// package math's, whose last bit may differ between architectures. Sums take their
// terms in order in a float64 accumulator.
//
// # Special values
//
// NaN gives NaN, except in comparisons: there it holds only for [Ne]. A
// comparison gives 1 where it holds, 0 where not. Division by zero and overflow
// give what IEEE 754 says.
//
// # Implementations
//
// The plain Go is the specification. On amd64 internal/gen writes [Apply], the arithmetic
// functions of [Map] (Neg, Square, Sqrt, Abs, Inverse, InverseSqrt, Cube) and Log, AddRow, SubOuter
// and Transpose for AVX2 and AVX-512, in either type; Exp, Sigmoid and Tanh have package
// scalar's vectors. Sums are chains by contract, which vectors cannot shorten.
package elem
