package activation

import (
	"driftless/kernels"
	"math"
)

type Kind uint8

const (
	Identity Kind = iota
	Sigmoid
	Tanh
	ReLU
)

func (k Kind) String() string { return [...]string{"identity", "sigmoid", "tanh", "relu"}[k] }
func Forward[T kernels.Float](k Kind, m, d int, x []T, ldx int, y []T, ldy int) {
	for i := 0; i < m; i++ {
		for j := 0; j < d; j++ {
			v := x[i*ldx+j]
			switch k {
			case Sigmoid:
				v = T(1 / (1 + math.Exp(-float64(v))))
			case Tanh:
				v = T(math.Tanh(float64(v)))
			case ReLU:
				if v < 0 {
					v = 0
				}
			}
			y[i*ldy+j] = v
		}
	}
}
func Backward[T kernels.Float](k Kind, m, d int, y []T, ldy int, g []T, ldg int, dx []T, ld int) {
	for i := 0; i < m; i++ {
		for j := 0; j < d; j++ {
			a := y[i*ldy+j]
			v := g[i*ldg+j]
			switch k {
			case Sigmoid:
				v *= a * (1 - a)
			case Tanh:
				v *= 1 - a*a
			case ReLU:
				if a <= 0 {
					v = 0
				}
			}
			dx[i*ld+j] = v
		}
	}
}
