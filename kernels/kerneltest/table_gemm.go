package kerneltest

import (
	"math"
	"math/rand/v2"

	"driftless/kernels"
	"driftless/kernels/activation"
	"driftless/kernels/gemm"
)

// products are the kernels of package gemm: C [m,d] from a sum over k.
func products[T kernels.Float]() []kernel[T] {
	var rows []kernel[T]
	for _, trans := range []struct {
		name   string
		tA, tB bool
	}{{"AB", false, false}, {"AᵀB", true, false}, {"ABᵀ", false, true}, {"AᵀBᵀ", true, true}} {
		a := read("A", transposable(trans.tA, func(s size) (int, int) { return s.m, s.k }))
		b := read("B", transposable(trans.tB, func(s size) (int, int) { return s.k, s.d }))
		space := scratch(func(s size) (int, int) { return 1, gemm.Scratch(trans.tA, trans.tB, s.m, s.d, s.k) })
		dot := func(s size, x []*dense, i, j int) (v, mag float64) {
			v, mag = sum(s.k, func(p int) float64 {
				u, w := x[0].index(trans.tA, i, p), x[1].index(trans.tB, p, j)
				return u * w
			})
			return v, mag * float64(s.k+1) // each addition rounds to T
		}
		plain := kernel[T]{
			name:     "gemm.Gemm/" + trans.name,
			operands: []operand{a, b, written("C", matrix), space},
			run: func(s size, x []arg[T]) {
				gemm.Gemm(trans.tA, trans.tB, s.m, s.d, s.k, 1, x[0].x, x[0].ld, x[1].x, x[1].ld, false, x[2].x, x[2].ld, gemm.Epilogue[T]{}, x[3].x)
			},
			ref: func(s size, x []*dense) {
				x[2].each(func(i, j int) (v, mag float64) { return dot(s, x, i, j) })
			},
			tol: 2,
		}
		sparse := plain
		sparse.name += "/mostly zeros"
		sparse.operands = []operand{a.of(mostlyZeros), b, written("C", matrix), space}
		rows = append(rows, plain, sparse, kernel[T]{
			name:     "gemm.Gemm/" + trans.name + "/alpha, add",
			operands: []operand{a, b, updated("C", matrix), space},
			run: func(s size, x []arg[T]) {
				gemm.Gemm(trans.tA, trans.tB, s.m, s.d, s.k, -0.75, x[0].x, x[0].ld, x[1].x, x[1].ld, true, x[2].x, x[2].ld, gemm.Epilogue[T]{}, x[3].x)
			},
			ref: func(s size, x []*dense) {
				x[2].each(func(i, j int) (v, mag float64) {
					v, mag = dot(s, x, i, j)
					c := x[2].at(i, j)
					return -0.75*v + c, mag + math.Abs(c)
				})
			},
			tol: 3,
		}, kernel[T]{
			name:     "gemm.Gemm/" + trans.name + "/bias, sigmoid",
			operands: []operand{a, b, written("C", matrix), space, read("bias", perCol)},
			run: func(s size, x []arg[T]) {
				ep := gemm.Epilogue[T]{Bias: x[4].x, Act: activation.Sigmoid}
				gemm.Gemm(trans.tA, trans.tB, s.m, s.d, s.k, 1, x[0].x, x[0].ld, x[1].x, x[1].ld, false, x[2].x, x[2].ld, ep, x[3].x)
			},
			ref: func(s size, x []*dense) {
				x[2].each(func(i, j int) (v, mag float64) {
					v, mag = dot(s, x, i, j)
					bias := x[4].at(0, j)
					return sigmoid(v + bias), 1 + (mag+math.Abs(bias))/4 // the slope is at most 1/4
				})
			},
			tol: 6,
		})
	}
	return rows
}

func transposable(trans bool, shape func(size) (int, int)) func(size) (int, int) {
	if !trans {
		return shape
	}
	return func(s size) (int, int) {
		rows, cols := shape(s)
		return cols, rows
	}
}

// index returns element (i, j) of x or of its transpose.
func (x *dense) index(trans bool, i, j int) float64 {
	if trans {
		return x.at(j, i)
	}
	return x.at(i, j)
}

// mostlyZeros draws like pixels: few are not 0, and half of those are 1.
func mostlyZeros(r *rand.Rand, _ size, m mode) float64 {
	switch r.IntN(10) {
	case 0:
		return 1
	case 1:
		return m.draw(r, 0x1p-140)
	}
	return 0
}
