// Package kernels is the numeric ground floor of Driftless: plain loops over
// slices, one folder a family, that know nothing of graphs, devices or files.
//
// # Conventions
//
// Matrices are row major: element (i, j) of x with leading dimension ldx is
// x[i*ldx+j], and ldx is at least the number of columns. Sizes come first, then
// operands with their leading dimensions, outputs last; scratch is planned by
// the caller and never allocated here. Kernels panic with a constant message on
// programmer error (short slices, unequal lengths, unknown operations) and return
// no errors. Which operands an output may share its slice with is stated kernel
// by kernel; no other overlap is allowed.
//
// # Bits
//
// The plain Go of each kernel is its specification: the order of its IEEE
// operations is part of the contract, so that a faster implementation can be
// compared with ==. Products that are not meant to be fused are written
// T(x*y)+z, because Go fuses multiply and add on some architectures. Column
// reductions take rows in order in a float64 accumulator. Exponentials and
// logarithms are those of package scalar. Package kerneltest holds every
// implementation to all of this.
//
// # To add a kernel
//
//	<family>/x.go                    its specification: plain generic Go, and what it computes
//	kerneltest/table_<family>.go     a row: operands, the call, an independent reference
//
// That is a kernel. To make it fast on amd64:
//
//	<family>/internal/gen            writes it for AVX2 and AVX-512, in either type (go generate)
//	<family>/vector_amd64.go         calls that, and reports whether it did the work
//	<family>/vector_other.go         says no
//
// The suite then runs it under every instruction set. For CUDA (package cuda):
//
//	<family>/x.cu                    the kernel; make ptx writes x.ptx
//	<family>/ptx.go                  its line: arguments, and how threads share them
//	cuda/<family>_test.go            a test against x.go on the virtual device
//
// A new family is a line in package cuda/all too, and one in kerneltest/table.go.
package kernels

// Float is the set of element types that kernels are written for. A vector holds half as many
// float64, which take twice the time.
type Float interface{ ~float32 | ~float64 }
