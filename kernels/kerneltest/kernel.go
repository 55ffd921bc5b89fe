package kerneltest

import (
	"math"
	"math/rand/v2"
	"unsafe"

	"driftless/kernels"
)

// kernel is a row of the table.
type kernel[T kernels.Float] struct {
	name     string
	operands []operand
	// run calls the kernel.
	run func(s size, a []arg[T])
	// ref computes the results into a, which holds the operands as float64.
	ref func(s size, a []*dense)
	// tol bounds the error of a result: tol roundings of its magnitude in T, and
	// one in float64 for every row, column and k. 0 demands equality.
	tol float64
	// alias lists the pairs of results and operands that may share a slice.
	alias [][2]int
}

// role says whether a kernel reads an operand, writes it, or both.
type role uint8

const (
	lost role = 0 // scratch: only the guards around it are checked
	in   role = 1
	out  role = 2
)

// operand describes an argument that is a slice.
type operand struct {
	name string
	role role
	// shape returns its rows and columns.
	shape func(s size) (rows, cols int)
	// fill draws an element of an operand that is read; nil draws from the mode.
	fill func(r *rand.Rand, s size, m mode) float64
	// wide is set for float64 whatever T is.
	wide bool
}

// Shapes of operands.
func matrix(s size) (int, int) { return s.m, s.d }
func perCol(s size) (int, int) { return 1, s.d }
func perRow(s size) (int, int) { return 1, s.m }
func scalar(size) (int, int)   { return 1, 1 }

func read(name string, shape func(size) (int, int)) operand {
	return operand{name: name, role: in, shape: shape}
}
func written(name string, shape func(size) (int, int)) operand {
	return operand{name: name, role: out, shape: shape}
}
func updated(name string, shape func(size) (int, int)) operand {
	return operand{name: name, role: in | out, shape: shape}
}

func scratch(shape func(size) (int, int)) operand { return operand{name: "scratch", shape: shape} }

// of makes the operand draw its elements from fill.
func (o operand) of(fill func(r *rand.Rand, s size, m mode) float64) operand {
	o.fill = fill
	return o
}

// float64 makes the operand one of float64 for every T.
func (o operand) float64() operand {
	o.wide = true
	return o
}

// positive draws what can be a variance.
func positive(r *rand.Rand, _ size, m mode) float64 {
	if m == special {
		m = ordinary
	}
	return math.Abs(m.draw(r, 0x1p-140))
}

// arg is an operand as the kernel sees it: x, or wide, and a leading dimension.
type arg[T kernels.Float] struct {
	x    []T
	wide []float64
	ld   int
}

// dense is an operand as the reference sees it, with no gaps.
type dense struct {
	rows, cols int
	v          []float64
	// mag is the magnitude that rounding errors are relative to; where it is 0
	// that of v itself counts.
	mag []float64
}

func (x *dense) at(i, j int) float64 { return x.v[i*x.cols+j] }

// set sets a result and the magnitude of the terms that it is a sum of.
func (x *dense) set(i, j int, v, mag float64) {
	x.v[i*x.cols+j], x.mag[i*x.cols+j] = v, mag
}

// sum returns the sum of f(0)…f(n-1), compensated (Neumaier, 1974), and the sum
// of the magnitudes.
func sum(n int, f func(i int) float64) (s, mag float64) {
	var low float64
	for i := range n {
		v := f(i)
		t := s + v
		if math.Abs(s) >= math.Abs(v) {
			low += (s - t) + v
		} else {
			low += (v - t) + s
		}
		s = t
		mag += math.Abs(v)
	}
	if math.IsNaN(low) { // an infinity or NaN among the terms
		return s, mag
	}
	return s + low, mag
}

// Constants of the format T.
func unitRoundoff[T kernels.Float]() float64 {
	var z T
	if unsafe.Sizeof(z) == 4 {
		return 0x1p-24
	}
	return 0x1p-53
}

func leastDenormal[T kernels.Float]() float64 {
	var z T
	if unsafe.Sizeof(z) == 4 {
		return 0x1p-149
	}
	return 0x1p-1074
}

func largest[T kernels.Float]() float64 {
	var z T
	if unsafe.Sizeof(z) == 4 {
		return math.MaxFloat32
	}
	return math.MaxFloat64
}

// each sets every element of a result.
func (x *dense) each(f func(i, j int) (v, mag float64)) {
	for i := range x.rows {
		for j := range x.cols {
			v, mag := f(i, j)
			x.set(i, j, v, mag)
		}
	}
}
