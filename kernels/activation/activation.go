package activation

import (
	"fmt"
	"math"

	"driftless/kernels"
	"driftless/kernels/scalar"
)

// Kind is a nonlinearity. The zero value is the identity.
type Kind uint8

// The nonlinearities.
const (
	Identity Kind = iota
	Sigmoid
	Tanh
	ReLU
)

var names = [...]string{Identity: "identity", Sigmoid: "sigmoid", Tanh: "tanh", ReLU: "relu"}

// String returns the lower-case name.
func (k Kind) String() string {
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("activation(%d)", uint8(k))
}

const unknown = "activation: unknown kind"

// Forward sets y = f(x) for x [m,d]; y may be x.
//
//	identity: x
//	sigmoid, tanh: of package scalar
//	relu: 0 where x ≤ 0, else x
func Forward[T kernels.Float](k Kind, m, d int, x []T, ldx int, y []T, ldy int) {
	kernels.CheckMatrix(m, d, len(x), ldx, "activation: x is too short for its shape")
	kernels.CheckMatrix(m, d, len(y), ldy, "activation: y is too short for its shape")
	if k > ReLU {
		panic(unknown)
	}
	if m == 0 || d == 0 {
		return
	}
	switch k {
	case Sigmoid:
		scalar.SigmoidRows(m, d, x, ldx, y, ldy)
		return
	case Tanh:
		scalar.TanhRows(m, d, x, ldx, y, ldy)
		return
	case ReLU:
		if vectorReLU(m, d, x, ldx, y, ldy) {
			return
		}
	}
	for i := range m {
		from, to := x[i*ldx:][:d], y[i*ldy:][:d]
		if k == Identity {
			copy(to, from)
		} else {
			relu(from, to)
		}
	}
}

func relu[T kernels.Float](x, y []T) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = max(v, 0) // keeps NaN
	}
}

// Backward sets dx = g·f'(x) from the output y = f(x) and the gradient g of y,
// all [m,d]; dx may be g or y.
//
//	identity: g
//	sigmoid:  g·T(y·T(1-y))
//	tanh:     g·T(1 - T(y·y))
//	relu:     0 where y ≤ 0, else g
func Backward[T kernels.Float](k Kind, m, d int, y []T, ldy int, g []T, ldg int, dx []T, lddx int) {
	kernels.CheckMatrix(m, d, len(y), ldy, "activation: y is too short for its shape")
	kernels.CheckMatrix(m, d, len(g), ldg, "activation: g is too short for its shape")
	kernels.CheckMatrix(m, d, len(dx), lddx, "activation: dx is too short for its shape")
	if k > ReLU {
		panic(unknown)
	}
	if m == 0 || d == 0 {
		return
	}
	if k != Identity && vectorGrad(k, m, d, y, ldy, g, ldg, dx, lddx) {
		return
	}
	for i := range m {
		out, in, to := y[i*ldy:][:d], g[i*ldg:][:d], dx[i*lddx:][:d]
		switch k {
		case Identity:
			copy(to, in)
		case Sigmoid:
			sigmoidGrad(out, in, to)
		case Tanh:
			tanhGrad(out, in, to)
		case ReLU:
			reluGrad(out, in, to)
		}
	}
}

func sigmoidGrad[T kernels.Float](y, g, dx []T) {
	g, dx = g[:len(y)], dx[:len(y)]
	for i, v := range y {
		dx[i] = g[i] * (v * (1 - v))
	}
}

func tanhGrad[T kernels.Float](y, g, dx []T) {
	g, dx = g[:len(y)], dx[:len(y)]
	for i, v := range y {
		dx[i] = g[i] * (1 - T(v*v))
	}
}

// reluGrad selects among bits, because a branch on the sign of an activation is
// mispredicted half of the time.
func reluGrad[T kernels.Float](y, g, dx []T) {
	g, dx = g[:len(y)], dx[:len(y)]
	if kernels.IsFloat32[T]() {
		for i, v := range y {
			b := math.Float32bits(float32(g[i]))
			if v <= 0 {
				b = 0
			}
			dx[i] = T(math.Float32frombits(b))
		}
		return
	}
	for i, v := range y {
		b := math.Float64bits(float64(g[i]))
		if v <= 0 {
			b = 0
		}
		dx[i] = T(math.Float64frombits(b))
	}
}
