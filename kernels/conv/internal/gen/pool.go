package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"

	"driftless/kernels/internal/vec"
)

// places are the four positions of a window of 2×2, row by row.
var places = []string{"0", "1", "2", "3"}

// spans emits body for the vectors of a row of d channels; store stores one of the last vector's lanes too.
type spans struct {
	vec.V
	cols *vec.Columns
	rest Mem
}

func newSpans(v vec.V) spans {
	d, rest := vec.Arg("d"), GP64()
	s := spans{V: v, cols: v.Columns(d), rest: AllocLocal(8)}
	MOVQ(d, rest)
	ANDQ(Imm(uint64(v.Lanes()-1)), rest)
	MOVQ(rest, s.rest)
	return s
}

func (p spans) store(s vec.Span, x vec.Reg, base vec.GP) {
	if s.Mask == nil {
		s.Store(x, base)
	} else {
		p.StoreFirst(x, *s.Mask, p.rest, Mem{Base: base, Index: s.At, Scale: uint8(p.Size)})
	}
}

// maximum is Go's max: NaN is larger than any number, and +0 than -0.
func maximum(v vec.V, a, b vec.Reg) vec.Reg {
	return v.SpoilWhere(v.Compare(vec.Unordered, a, b), v.And(v.Max(a, b), v.Max(b, a)))
}

// pools writes the poolings of windows of 2×2 that are side by side.
func pools(v vec.V) {
	pool(v, "maxPool", "takes the largest number", func(x [4]vec.Reg) vec.Reg {
		return maximum(v, maximum(v, x[0], x[1]), maximum(v, x[2], x[3]))
	})
	pool(v, "averagePool", "takes the mean", func(x [4]vec.Reg) vec.Reg {
		return v.Mul(v.Add(v.Add(v.Add(x[0], x[1]), x[2]), x[3]), quarter(v))
	})
	maxPoolGrad(v)
	averagePoolGrad(v)
}

// quarter divides by 4, exactly.
func quarter(v vec.V) vec.Const { return v.Const("quarter", 0.25) }

// pool writes the pooling that makes one number of four.
func pool(v vec.V, name, does string, of func(x [4]vec.Reg) vec.Reg) {
	vec.Text(name+v.Name, v.Signature("func(n, d int, x0, x1, x2, x3 *T, xStep int, y *T, yStep int)"),
		name+v.Name+" "+does+" of n windows of four positions each, of d channels: those of the first are at x0 to x3,",
		"those of the next xStep bytes further on.")
	n, y := vec.Arg("n"), vec.Arg("y")
	var x []vec.GP
	rows := []vec.Row{{At: y, Step: vec.Step("yStep")}}
	for _, p := range places {
		x = append(x, vec.Arg("x"+p))
		rows = append(rows, vec.Row{At: x[len(x)-1], Step: vec.Step("xStep")})
	}
	p := newSpans(v)
	vec.Rows(n, rows, func() {
		p.cols.Each(func(s vec.Span) {
			p.store(s, of([4]vec.Reg{s.Load(x[0]), s.Load(x[1]), s.Load(x[2]), s.Load(x[3])}), y)
		})
	})
	vec.End()
}

// maxPoolGrad writes its gradient.
func maxPoolGrad(v vec.V) {
	vec.Text("maxPoolGrad"+v.Name, v.Signature("func(n, d int, x0, x1, x2, x3 *T, xStep int, y *T, yStep int, up *T, upStep int, dx0, dx1, dx2, dx3 *T, dxStep int)"),
		"maxPoolGrad"+v.Name+" gives each of n windows' gradients, at up, to the first of its positions that holds the largest number, at y, and 0 to the",
		"others. See maxPool"+v.Name+".")
	n, y, up := vec.Arg("n"), vec.Arg("y"), vec.Arg("up")
	rows := []vec.Row{{At: y, Step: vec.Step("yStep")}, {At: up, Step: vec.Step("upStep")}}
	var x, dx []vec.GP
	for _, p := range places {
		x, dx = append(x, vec.Arg("x"+p)), append(dx, vec.Arg("dx"+p))
		rows = append(rows, vec.Row{At: x[len(x)-1], Step: vec.Step("xStep")}, vec.Row{At: dx[len(dx)-1], Step: vec.Step("dxStep")})
	}
	p := newSpans(v)
	vec.Rows(n, rows, func() {
		p.cols.Each(func(s vec.Span) {
			best := s.Load(y)
			left := v.Add(s.Load(up), v.Zero()) // what no position has yet: -0 becomes +0, as in a sum
			for i := range places[:3] {
				// A number that is not NaN is the largest only where that is none.
				at := s.Load(x[i])
				mine := v.Keep(v.OrMask(v.Compare(vec.EQ, at, best), v.Compare(vec.Unordered, at, at)), left)
				left = v.Xor(left, mine)
				p.store(s, mine, dx[i])
			}
			p.store(s, left, dx[3])
		})
	})
	vec.End()
}

// averagePoolGrad writes the gradient of averagePool.
func averagePoolGrad(v vec.V) {
	vec.Text("averagePoolGrad"+v.Name, v.Signature("func(n, d int, up *T, upStep int, dx0, dx1, dx2, dx3 *T, dxStep int)"),
		"averagePoolGrad"+v.Name+" gives a quarter of each of n windows' gradients, at up, to each of its positions. See averagePool"+v.Name+".")
	n, up := vec.Arg("n"), vec.Arg("up")
	rows := []vec.Row{{At: up, Step: vec.Step("upStep")}}
	var dx []vec.GP
	for _, p := range places {
		dx = append(dx, vec.Arg("dx"+p))
		rows = append(rows, vec.Row{At: dx[len(dx)-1], Step: vec.Step("dxStep")})
	}
	p := newSpans(v)
	vec.Rows(n, rows, func() {
		p.cols.Each(func(s vec.Span) {
			g := v.Mul(v.Add(s.Load(up), v.Zero()), quarter(v))
			for _, to := range dx {
				p.store(s, g, to)
			}
		})
	})
	vec.End()
}
