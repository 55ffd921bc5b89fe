package elem

import (
	"fmt"
	"math"

	"driftless/kernels"
	"driftless/kernels/scalar"
)

// Unary names a function of one number.
type Unary uint8

// The unary functions, as Gorgonia's operators of these names compute them on
// tensors. (Its Sign of a lone scalar is -1 or 1, by the sign bit.)
const (
	Neg         Unary = iota // -x
	Square                   // x·x
	Sqrt                     // √x, correctly rounded; NaN below 0
	Exp                      // e**x, of package scalar
	Log                      // ln x, of package scalar; NaN below 0, -Inf at 0
	Log1p                    // ln(1+x), of package scalar in float64
	Abs                      // |x|
	Sign                     // -1 or 1; ±0 and NaN stay
	Inverse                  // 1/x
	InverseSqrt              // 1/√x, two roundings
	Cube                     // T(x·x)·x
	Expm1                    // e**x - 1, of package scalar in float64
	Softplus                 // ln(1+e**x) = max(x, 0) + Log1p(e**-|x|), in float64
	Sigmoid                  // 1/(1+e**-x), of package scalar
	Tanh                     // tanh x, of package scalar
	Sin                      // of package scalar in float64
	Cos                      // likewise
	Log2                     // log₂ x, of package scalar in float64; exact for powers of 2
	Ceil                     // the least integer that is not below x
	Floor                    // the greatest integer that is not above x
)

var unaryNames = [...]string{"neg", "square", "sqrt", "exp", "log", "log1p", "abs", "sign", "inverse",
	"inversesqrt", "cube", "expm1", "softplus", "sigmoid", "tanh", "sin", "cos", "log2", "ceil", "floor"}

// String returns the function's lower-case name.
func (op Unary) String() string {
	if int(op) < len(unaryNames) {
		return unaryNames[op]
	}
	return fmt.Sprintf("unary(%d)", uint8(op))
}

// Map computes out = op(x) elementwise. x and out have one length; out may be x
// itself.
func Map[T kernels.Float](op Unary, x, out []T) {
	if len(out) != len(x) {
		panic("elem: x and out differ in length")
	}
	if vectorMap(op, x, out) {
		return
	}
	switch op {
	case Neg:
		for i, v := range x {
			out[i] = -v
		}
	case Square:
		for i, v := range x {
			out[i] = v * v
		}
	case Sqrt:
		for i, v := range x {
			out[i] = T(math.Sqrt(float64(v)))
		}
	case Exp:
		scalar.ExpRows(1, len(x), x, len(x), out, len(x))
	case Log:
		for i, v := range x {
			out[i] = scalar.Log(v)
		}
	case Log1p:
		through(scalar.Log1p, x, out)
	case Abs:
		for i, v := range x {
			out[i] = T(math.Abs(float64(v)))
		}
	case Sign:
		for i, v := range x {
			out[i] = sign(v)
		}
	case Inverse:
		for i, v := range x {
			out[i] = 1 / v
		}
	case InverseSqrt:
		for i, v := range x {
			out[i] = 1 / T(math.Sqrt(float64(v)))
		}
	case Cube:
		for i, v := range x {
			out[i] = T(v*v) * v
		}
	case Expm1:
		through(scalar.Expm1, x, out)
	case Softplus:
		through(softplus, x, out)
	case Sigmoid:
		scalar.Sigmoid(x, out)
	case Tanh:
		scalar.Tanh(x, out)
	case Sin:
		through(scalar.Sin, x, out)
	case Cos:
		through(scalar.Cos, x, out)
	case Log2:
		through(scalar.Log2, x, out)
	case Ceil:
		through(math.Ceil, x, out)
	case Floor:
		through(math.Floor, x, out)
	default:
		panic("elem: unknown unary operation")
	}
}

// through evaluates f in float64 and rounds to T.
func through[T kernels.Float](f func(float64) float64, x, out []T) {
	for i, v := range x {
		out[i] = T(f(float64(v)))
	}
}

func sign[T kernels.Float](x T) T {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x
}

func softplus(x float64) float64 {
	return max(x, 0) + scalar.Log1p(scalar.Exp(-math.Abs(x)))
}
