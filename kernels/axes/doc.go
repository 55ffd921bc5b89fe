// Package axes holds kernels for tensors of any number of axes: views and what is read through
// them, reductions along an axis, softmax.
//
// A tensor lies in memory row by row, its last axis along a row. A View says how another's elements
// are picked for that: transposes, slices and repetitions are views, and differ in strides alone.
package axes
