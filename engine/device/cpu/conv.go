package cpu

import (
	"driftless/engine/program"
	"driftless/kernels/conv"
	"driftless/kernels/elem"
	"driftless/kernels/gemm"
)

// conv binds a product of patches. A share is rows of the result: of a forward product
// windows, of a gradient numbers of a window.
func (b *binder[T]) conv(in *program.Instr) do {
	a, w := argsOf[T](in), in.Window
	x, m, c := a.x[0], a.x[1], a.y[0]
	if in.TransA {
		windows := m.rows
		pack := b.pack(conv.GradScratch(w, windows, c.rows, c.cols))
		return func(e *env, lo, hi int) {
			q := a.cut(lo, hi)
			conv.Gradient(w, windows, q.i, q.m, q.d, x.of(e), x.ld, m.of(e), m.ld, c.in(e, q), c.ld, pack(e))
		}
	}
	pack := b.pack(conv.ProductScratch(w, c.rows, c.cols))
	return func(e *env, lo, hi int) {
		q := a.cut(lo, hi)
		ep := gemm.Epilogue[T]{Act: in.Act}
		if len(a.x) > 2 {
			ep.Bias = a.x[2].cols1(e, q)
		}
		conv.Product(w, q.i, q.m, q.d, x.of(e), x.ld, m.of(e), m.ld, c.in(e, q), c.ld, ep, pack(e))
	}
}

// convGrad binds a convolution's gradient for its images, whose rows are shared.
func (b *binder[T]) convGrad(in *program.Instr) do {
	a := argsOf[T](in)
	g, m, dx := a.x[0], a.x[1], a.y[0]
	pack := b.pack(conv.InputGradScratch(in.Window, g.cols))
	return func(e *env, lo, hi int) {
		q := a.cut(lo, hi)
		conv.InputGrad(in.Window, q.i, q.m, g.cols, g.of(e), g.ld, m.of(e), m.ld, dx.in(e, q), dx.ld, pack(e))
	}
}

// planeProduct binds a convolution of images whose channels lie one after another, its gradient for the images, or that for
// its filters. A share is images, or filters.
func (b *binder[T]) planeProduct(in *program.Instr) do {
	a, p := argsOf[T](in), in.Planes
	x, w, y := a.x[0], a.x[1], a.y[0]
	pack := b.pack(conv.PlaneProductScratch(p))
	return func(e *env, lo, hi int) {
		conv.PlaneProduct(p, w.rows, lo, hi-lo, x.of(e), w.of(e), y.of(e)[lo*y.cols:hi*y.cols], pack(e))
	}
}

func (b *binder[T]) planeInputGrad(in *program.Instr) do {
	a, p := argsOf[T](in), in.Planes
	g, w, dx := a.x[0], a.x[1], a.y[0]
	pack := b.pack(conv.PlaneInputGradScratch(p, w.rows))
	return func(e *env, lo, hi int) {
		conv.PlaneInputGrad(p, w.rows, lo, hi-lo, g.of(e), w.of(e), dx.of(e)[lo*dx.cols:hi*dx.cols], pack(e))
	}
}

func (b *binder[T]) planeFilterGrad(in *program.Instr) do {
	a, p := argsOf[T](in), in.Planes
	x, g, dw := a.x[0], a.x[1], a.y[0]
	pack := b.pack(conv.PlaneGradientScratch(p, x.rows, dw.rows))
	return func(e *env, lo, hi int) {
		conv.PlaneGradient(p, dw.rows, x.rows, lo, hi-lo, x.of(e), g.of(e), dw.of(e)[lo*dw.cols:hi*dw.cols], pack(e))
	}
}

// transpose transposes blocks below one another: rows of the result are of several.
func transpose[T kernel](a *args[T], e *env, q rect) {
	x, y := a.x[0], a.y[0]
	for i := q.i; i < q.i+q.m; {
		block, at := i/x.cols, i%x.cols
		n := min(x.cols-at, q.i+q.m-i)
		elem.Transpose(q.d, n, x.from(e, block*y.cols+q.j, at), x.ld, y.from(e, i, q.j), y.ld)
		i += n
	}
}
