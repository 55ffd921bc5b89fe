// Package kerneltest is the conformance suite of the kernels: a table with one
// row a kernel, which every implementation of every kernel passes.
//
// # What is checked
//
// Each row runs in float32 and float64, for every size of a list of odd shapes,
// with leading dimensions equal to and larger than the width, on ordinary
// numbers, numbers far from 0 compared with their spread, denormals, zeros of
// both signs, and numbers among which NaN and infinities are strewn. It checks
// that
//
//   - results agree with an independent reference in float64, whose sums are
//     compensated, within a bound on rounding errors; NaN and infinities stand
//     exactly where the reference has them;
//   - nothing is read between the rows or beyond a slice (both hold NaN, and
//     slices end at their last element), nothing is written there, and no
//     operand that is only read changes;
//   - outputs do not depend on what they held;
//   - where an output may be an operand's own slice, that gives the same bits;
//   - every other implementation gives the bits of the first, the specification;
//   - nothing is allocated.
//
// # A new kernel
//
// It gets a row in the table of its family (table_<family>.go): operands, the call, the
// reference. Package kernels lists what else.
//
// # A new implementation
//
// Add an [Implementation] to [Implementations]: its name and how to make the
// kernels' public functions use it. Kernels that it does not have stay with the
// specification.
package kerneltest
