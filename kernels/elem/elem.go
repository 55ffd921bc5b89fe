package elem

import (
	"driftless/kernels"
	"math"
)

type Binary uint8

const (
	Add Binary = iota
	Sub
	Mul
	Div
	Gt
	Gte
	Lt
	Lte
	Eq
	Ne
)

func (b Binary) String() string {
	return [...]string{"add", "sub", "mul", "div", "gt", "gte", "lt", "lte", "eq", "ne"}[b]
}

type Unary uint8

const (
	Neg Unary = iota
	Square
	Sqrt
	Exp
	Log
	Log1p
	Abs
	Sign
	Inverse
	InverseSqrt
	Cube
	Expm1
	Softplus
	Sigmoid
	Tanh
)

func (b Unary) String() string { return "unary" }
func Apply[T kernels.Float](op Binary, a, b, out []T) {
	for i := range out {
		x := a[0]
		if len(a) > 1 {
			x = a[i]
		}
		y := b[0]
		if len(b) > 1 {
			y = b[i]
		}
		t := func(c bool) T {
			if c {
				return 1
			}
			return 0
		}
		switch op {
		case Add:
			out[i] = x + y
		case Sub:
			out[i] = x - y
		case Mul:
			out[i] = x * y
		case Div:
			out[i] = x / y
		case Gt:
			out[i] = t(x > y)
		case Gte:
			out[i] = t(x >= y)
		case Lt:
			out[i] = t(x < y)
		case Lte:
			out[i] = t(x <= y)
		case Eq:
			out[i] = t(x == y)
		case Ne:
			out[i] = t(x != y)
		}
	}
}
func Map[T kernels.Float](op Unary, x, out []T) {
	for i, v := range x {
		f := float64(v)
		switch op {
		case Neg:
			f = -f
		case Square:
			f = f * f
		case Sqrt:
			f = math.Sqrt(f)
		case Exp:
			f = math.Exp(f)
		case Log:
			f = math.Log(f)
		case Inverse:
			f = 1 / f
		case Sigmoid:
			f = 1 / (1 + math.Exp(-f))
		case Tanh:
			f = math.Tanh(f)
		}
		out[i] = T(f)
	}
}
func AddRow[T kernels.Float](m, d int, x []T, ldx int, row []T, y []T, ldy int) {
	for i := 0; i < m; i++ {
		for j := 0; j < d; j++ {
			y[i*ldy+j] = x[i*ldx+j] + row[j]
		}
	}
}
func RepeatRows[T kernels.Float](m, d int, row []T, y []T, ldy int) {
	for i := 0; i < m; i++ {
		copy(y[i*ldy:i*ldy+d], row)
	}
}
func RepeatColumns[T kernels.Float](m, d int, col []T, y []T, ldy int) {
	for i := 0; i < m; i++ {
		for j := 0; j < d; j++ {
			y[i*ldy+j] = col[i]
		}
	}
}
func Sum[T kernels.Float](x []T) T {
	s := 0.
	for _, v := range x {
		s += float64(v)
	}
	return T(s)
}
func RowSum[T kernels.Float](m, d int, x []T, ldx int, out []T) {
	for i := 0; i < m; i++ {
		s := 0.
		for j := 0; j < d; j++ {
			s += float64(x[i*ldx+j])
		}
		out[i] = T(s)
	}
}
