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
			return product(s.k, func(p int) float64 {
				return x[0].index(trans.tA, i, p) * x[1].index(trans.tB, p, j)
			})
		}
		mul := func(s size, alpha T, x []arg[T], add bool, ep gemm.Epilogue[T]) {
			gemm.Gemm(trans.tA, trans.tB, s.m, s.d, s.k, alpha, x[0].x, x[0].ld, x[1].x, x[1].ld, add, x[2].x, x[2].ld, ep, x[3].x)
		}
		rows = append(rows, variants("gemm.Gemm/"+trans.name, []operand{a, b, written("C", matrix), space}, dot, mul)...)
	}
	b := read("B", func(s size) (int, int) { return s.k, s.d })
	for _, ones := range []bool{false, true} {
		name, fill := "gemm.Masked/values", mostlyZeros
		if ones {
			name, fill = "gemm.Masked/ones", zeroOrOne
		}
		a := read("A", func(s size) (int, int) { return s.m, s.k }).of(fill)
		unused := scratch(func(size) (int, int) { return 1, 1 })
		dot := func(s size, x []*dense, i, j int) (v, mag float64) {
			return product(s.k, func(p int) float64 { return x[0].at(i, p) * x[1].at(p, j) })
		}
		mask := make([]uint64, 64) // every m and k of the suite fits
		mul := func(s size, alpha T, x []arg[T], add bool, ep gemm.Epilogue[T]) {
			clear(mask)
			for i := range s.m {
				for p := range s.k {
					if x[0].x[i*x[0].ld+p] != 0 {
						mask[i] |= 1 << p
					}
				}
			}
			values := x[0].x
			if ones {
				values = nil
			}
			gemm.Masked(s.m, s.d, s.k, alpha, mask, s.m, values, x[0].ld, 1, x[1].x, x[1].ld, add, x[2].x, x[2].ld, ep)
		}
		rows = append(rows, variants(name, []operand{a, b, written("C", matrix), unused}, dot, mul)...)
	}
	return rows
}

// variants are the rows of a product: by itself, added to C with an alpha, and with
// bias and activation. C is the third operand.
func variants[T kernels.Float](name string, operands []operand, dot func(s size, x []*dense, i, j int) (v, mag float64),
	mul func(s size, alpha T, x []arg[T], add bool, ep gemm.Epilogue[T])) []kernel[T] {
	rows := []kernel[T]{{
		name:     name,
		operands: operands,
		run:      func(s size, x []arg[T]) { mul(s, 1, x, false, gemm.Epilogue[T]{}) },
		ref: func(s size, x []*dense) {
			x[2].each(func(i, j int) (v, mag float64) { return dot(s, x, i, j) })
		},
		tol: 2,
	}, {
		name:     name + "/alpha, add",
		operands: append([]operand(nil), operands...),
		run:      func(s size, x []arg[T]) { mul(s, -0.75, x, true, gemm.Epilogue[T]{}) },
		ref: func(s size, x []*dense) {
			x[2].each(func(i, j int) (v, mag float64) {
				v, mag = dot(s, x, i, j)
				c := x[2].at(i, j)
				return -0.75*v + c, mag + math.Abs(c)
			})
		},
		tol: 3,
	}}
	rows[1].operands[2] = updated("C", matrix)
	for _, act := range []struct {
		kind  activation.Kind
		f     func(x float64) float64
		slope float64
		tol   float64
	}{{activation.Sigmoid, sigmoid, 0.25, 6}, {activation.ReLU, relu, 1, 3}} {
		rows = append(rows, kernel[T]{
			name:     name + "/bias, " + act.kind.String(),
			operands: append(append([]operand(nil), operands...), read("bias", perCol)),
			run: func(s size, x []arg[T]) {
				mul(s, 1, x, false, gemm.Epilogue[T]{Bias: x[4].x, Act: act.kind})
			},
			ref: func(s size, x []*dense) {
				x[2].each(func(i, j int) (v, mag float64) {
					v, mag = dot(s, x, i, j)
					bias := x[4].at(0, j)
					return act.f(v + bias), 1 + act.slope*(mag+math.Abs(bias))
				})
			},
			tol: act.tol,
		})
	}
	return rows
}

// product is sum with the magnitude that k additions in T round relative to.
func product(k int, f func(p int) float64) (v, mag float64) {
	v, mag = sum(k, f)
	return v, mag * float64(k+1)
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

// mostlyZeros draws a number in one case of ten, and a 1 in another.
func mostlyZeros(r *rand.Rand, _ size, m mode) float64 {
	switch r.IntN(10) {
	case 0:
		return 1
	case 1:
		return m.draw(r, 0x1p-140)
	}
	return 0
}

// zeroOrOne draws a 1 in one case of five, else 0.
func zeroOrOne(r *rand.Rand, _ size, _ mode) float64 {
	if r.IntN(5) == 0 {
		return 1
	}
	return 0
}
