package elem

import (
	"fmt"
	"math"

	"driftless/kernels"
	"driftless/kernels/scalar"
)

// Binary names an operation on two numbers.
type Binary uint8

// The binary operations. A comparison gives 1 where it holds and 0 where not;
// with a NaN only Ne holds.
const (
	Add Binary = iota // a + b
	Sub               // a − b
	Mul               // a · b
	Div               // a / b
	Gt                // a > b
	Gte               // a ≥ b
	Lt                // a < b
	Lte               // a ≤ b
	Eq                // a = b
	Ne                // a ≠ b
	Min               // b where b < a, else a
	Max               // b where b > a, else a
	Pow               // a to the power of b in float64, for float32 of package scalar, for float64 of package math
)

var binaryNames = [...]string{"add", "sub", "mul", "div", "gt", "gte", "lt", "lte", "eq", "ne", "min", "max", "pow"}

// String returns the operation's lower-case name.
func (op Binary) String() string {
	if int(op) < len(binaryNames) {
		return binaryNames[op]
	}
	return fmt.Sprintf("binary(%d)", uint8(op))
}

// span is the number of elements that a scalar operand is repeated for, in an
// array on the stack.
const span = 64

// Apply computes out = a op b elementwise. a and b have the length of out, or
// length 1, which is a scalar paired with every element of the other. out may
// be a or b itself. Each element is one IEEE operation in T, but for Pow.
func Apply[T kernels.Float](op Binary, a, b []T, out []T) {
	n := len(out)
	if (len(a) != 1 && len(a) != n) || (len(b) != 1 && len(b) != n) {
		panic("elem: operands have neither length 1 nor the length of the output")
	}
	if vectorApply(op, a, b, out) {
		return
	}
	if len(a) == n && len(b) == n {
		apply(op, a, b, out)
		return
	}
	// Scalars are copied before the first element is written: out may hold them.
	var as, bs [span]T
	if len(a) == 1 {
		fill(as[:], a[0])
	}
	if len(b) == 1 {
		fill(bs[:], b[0])
	}
	for i := 0; i < n; i += span {
		w := min(span, n-i)
		x, y := as[:w], bs[:w]
		if len(a) == n {
			x = a[i:][:w]
		}
		if len(b) == n {
			y = b[i:][:w]
		}
		apply(op, x, y, out[i:][:w])
	}
}

func fill[T kernels.Float](dst []T, v T) {
	for i := range dst {
		dst[i] = v
	}
}

// apply is Apply for slices of one length.
func apply[T kernels.Float](op Binary, a, b, out []T) {
	b, out = b[:len(a)], out[:len(a)]
	switch op {
	case Add:
		for i, v := range a {
			out[i] = v + b[i]
		}
	case Sub:
		for i, v := range a {
			out[i] = v - b[i]
		}
	case Mul:
		for i, v := range a {
			out[i] = v * b[i]
		}
	case Div:
		for i, v := range a {
			out[i] = v / b[i]
		}
	case Gt:
		for i, v := range a {
			out[i] = indicator[T](v > b[i])
		}
	case Gte:
		for i, v := range a {
			out[i] = indicator[T](v >= b[i])
		}
	case Lt:
		for i, v := range a {
			out[i] = indicator[T](v < b[i])
		}
	case Lte:
		for i, v := range a {
			out[i] = indicator[T](v <= b[i])
		}
	case Eq:
		for i, v := range a {
			out[i] = indicator[T](v == b[i])
		}
	case Ne:
		for i, v := range a {
			out[i] = indicator[T](v != b[i])
		}
	case Min:
		for i, v := range a {
			if b[i] < v {
				v = b[i]
			}
			out[i] = v
		}
	case Max:
		for i, v := range a {
			if b[i] > v {
				v = b[i]
			}
			out[i] = v
		}
	case Pow:
		for i, v := range a {
			out[i] = pow(v, b[i])
		}
	default:
		panic("elem: unknown binary operation")
	}
}

func pow[T kernels.Float](x, y T) T {
	if kernels.IsFloat32[T]() {
		return T(scalar.Pow(float64(x), float64(y)))
	}
	return T(math.Pow(float64(x), float64(y)))
}

// indicator goes through an integer, which needs no branch.
func indicator[T kernels.Float](holds bool) T {
	var n int32
	if holds {
		n = 1
	}
	return T(n)
}
