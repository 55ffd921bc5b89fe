package kerneltest

import (
	"math"

	"driftless/kernels"
	"driftless/kernels/elem"
)

// elementwise are the kernels of package elem.
func elementwise[T kernels.Float]() []kernel[T] {
	rows := shapes[T]()
	for op, f := range binary {
		for _, operands := range []struct {
			name  string
			a, b  func(size) (int, int)
			alias [][2]int
		}{
			{"vectors", perCol, perCol, [][2]int{{2, 0}, {2, 1}}},
			{"vector, scalar", perCol, scalar, [][2]int{{2, 0}}},
			{"scalar, vector", scalar, perCol, [][2]int{{2, 1}}},
		} {
			rows = append(rows, kernel[T]{
				name:     "elem.Apply/" + op.String() + "/" + operands.name,
				operands: []operand{read("a", operands.a), read("b", operands.b), written("out", perCol)},
				run:      func(s size, a []arg[T]) { elem.Apply(op, a[0].x, a[1].x, a[2].x) },
				ref: func(s size, a []*dense) {
					a[2].each(func(i, j int) (v, mag float64) {
						return f.value(a[0].at(0, min(j, a[0].cols-1)), a[1].at(0, min(j, a[1].cols-1))), 0
					})
				},
				tol:   f.tol,
				alias: operands.alias,
			})
		}
	}
	for op, f := range unary {
		rows = append(rows, kernel[T]{
			name:     "elem.Map/" + op.String(),
			operands: []operand{read("x", perCol).of(wideSpread), written("out", perCol)},
			run:      func(s size, a []arg[T]) { elem.Map(op, a[0].x, a[1].x) },
			ref: func(s size, a []*dense) {
				a[1].each(func(i, j int) (v, mag float64) { return f.value(a[0].at(i, j)), 0 })
			},
			tol:   f.tol,
			alias: [][2]int{{1, 0}},
		})
	}
	return rows
}

var binary = map[elem.Binary]struct {
	value func(a, b float64) float64
	tol   float64
}{
	elem.Add: {func(a, b float64) float64 { return a + b }, 2},
	elem.Sub: {func(a, b float64) float64 { return a - b }, 2},
	elem.Mul: {func(a, b float64) float64 { return a * b }, 2},
	elem.Div: {func(a, b float64) float64 { return a / b }, 2},
	elem.Gt:  {func(a, b float64) float64 { return truth(a > b) }, 0},
	elem.Gte: {func(a, b float64) float64 { return truth(a >= b) }, 0},
	elem.Lt:  {func(a, b float64) float64 { return truth(a < b) }, 0},
	elem.Lte: {func(a, b float64) float64 { return truth(a <= b) }, 0},
	elem.Eq:  {func(a, b float64) float64 { return truth(a == b) }, 0},
	elem.Ne:  {func(a, b float64) float64 { return truth(a != b) }, 0},
	elem.Min: {func(a, b float64) float64 {
		if b < a {
			return b
		}
		return a
	}, 0},
	elem.Max: {func(a, b float64) float64 {
		if b > a {
			return b
		}
		return a
	}, 0},
	elem.Pow: {math.Pow, 2},
}

func truth(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

var unary = map[elem.Unary]struct {
	value func(x float64) float64
	tol   float64
}{
	elem.Neg:    {func(x float64) float64 { return -x }, 0},
	elem.Square: {square, 2},
	elem.Sqrt:   {math.Sqrt, 2},
	elem.Exp:    {math.Exp, 4},
	elem.Log:    {math.Log, 4},
	elem.Log1p:  {math.Log1p, 4},
	elem.Abs:    {math.Abs, 0},
	elem.Sign: {func(x float64) float64 {
		if x == 0 || x != x {
			return x
		}
		return math.Copysign(1, x)
	}, 0},
	elem.Inverse:     {func(x float64) float64 { return 1 / x }, 2},
	elem.InverseSqrt: {func(x float64) float64 { return 1 / math.Sqrt(x) }, 4},
	elem.Cube:        {func(x float64) float64 { return x * x * x }, 4},
	elem.Expm1:       {math.Expm1, 4},
	elem.Softplus: {func(x float64) float64 {
		if x > 0 {
			return x + math.Log1p(math.Exp(-x))
		}
		return math.Log1p(math.Exp(x))
	}, 4},
	elem.Sigmoid: {sigmoid, 6},
	elem.Tanh:    {math.Tanh, 4},
	elem.Sin:     {math.Sin, 2},
	elem.Cos:     {math.Cos, 2},
	elem.Log2:    {math.Log2, 2},
	elem.Ceil:    {math.Ceil, 0},
	elem.Floor:   {math.Floor, 0},
}

// shapes are the kernels of package elem that repeat and sum.
func shapes[T kernels.Float]() []kernel[T] {
	x, y := read("x", matrix), written("y", matrix)
	return []kernel[T]{{
		name:     "elem.AddRow",
		operands: []operand{x, read("row", perCol), y},
		run: func(s size, a []arg[T]) {
			elem.AddRow(s.m, s.d, a[0].x, a[0].ld, a[1].x, a[2].x, a[2].ld)
		},
		ref: func(s size, a []*dense) {
			a[2].each(func(i, j int) (v, mag float64) { return a[0].at(i, j) + a[1].at(0, j), 0 })
		},
		tol:   2,
		alias: [][2]int{{2, 0}},
	}, {
		name:     "elem.SubOuter",
		operands: []operand{x, read("rows", perRow), read("cols", perCol), y},
		run: func(s size, a []arg[T]) {
			elem.SubOuter(s.m, s.d, a[0].x, a[0].ld, a[1].x, a[2].x, a[3].x, a[3].ld)
		},
		ref: func(s size, a []*dense) {
			a[3].each(func(i, j int) (v, mag float64) {
				outer := a[1].at(0, i) * a[2].at(0, j)
				return a[0].at(i, j) - outer, math.Abs(a[0].at(i, j)) + math.Abs(outer)
			})
		},
		tol:   2,
		alias: [][2]int{{3, 0}},
	}, {
		name:     "elem.RepeatRows",
		operands: []operand{read("row", perCol), y},
		run:      func(s size, a []arg[T]) { elem.RepeatRows(s.m, s.d, a[0].x, a[1].x, a[1].ld) },
		ref: func(s size, a []*dense) {
			a[1].each(func(i, j int) (v, mag float64) { return a[0].at(0, j), 0 })
		},
	}, {
		name:     "elem.RepeatColumns",
		operands: []operand{read("col", perRow), y},
		run:      func(s size, a []arg[T]) { elem.RepeatColumns(s.m, s.d, a[0].x, a[1].x, a[1].ld) },
		ref: func(s size, a []*dense) {
			a[1].each(func(i, j int) (v, mag float64) { return a[0].at(0, i), 0 })
		},
	}, {
		name:     "elem.Transpose",
		operands: []operand{x, written("y", func(s size) (int, int) { return s.d, s.m })},
		run:      func(s size, a []arg[T]) { elem.Transpose(s.m, s.d, a[0].x, a[0].ld, a[1].x, a[1].ld) },
		ref: func(s size, a []*dense) {
			a[1].each(func(i, j int) (v, mag float64) { return a[0].at(j, i), 0 })
		},
	}, {
		name:     "elem.Sum",
		operands: []operand{read("x", perCol), written("sum", scalar)},
		run:      func(s size, a []arg[T]) { a[1].x[0] = elem.Sum(a[0].x) },
		ref: func(s size, a []*dense) {
			v, mag := sum(s.d, func(j int) float64 { return a[0].at(0, j) })
			a[1].set(0, 0, v, mag)
		},
		tol: 2,
	}, {
		name:     "elem.RowSum",
		operands: []operand{x, written("out", perRow)},
		run:      func(s size, a []arg[T]) { elem.RowSum(s.m, s.d, a[0].x, a[0].ld, a[1].x) },
		ref: func(s size, a []*dense) {
			for i := range s.m {
				v, mag := sum(s.d, func(j int) float64 { return a[0].at(i, j) })
				a[1].set(0, i, v, mag)
			}
		},
		tol: 2,
	}}
}
