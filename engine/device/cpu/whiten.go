package cpu

import (
	"unsafe"

	"driftless/engine/program"
	"driftless/kernels/whiten"
)

// groupProduct binds products with blocks. A share is rows.
func (b *binder[T]) groupProduct(in *program.Instr) do {
	a := argsOf[T](in)
	n := in.In[1].Cols
	pack := b.pack(whiten.ProductScratch(in.In[0].Rows, n))
	return func(e *env, lo, hi int) {
		q := a.cut(lo, hi)
		whiten.Product(a.Take, q.m, q.d, n, a.x[0].in(e, q), a.x[0].ld, a.x[1].of(e), a.x[1].ld, T(a.Scale), a.y[0].in(e, q), a.y[0].ld, pack(e))
	}
}

// groupOuter binds sums of outer products. A share is rows of blocks.
func (b *binder[T]) groupOuter(in *program.Instr) do {
	a := argsOf[T](in)
	m, n := in.In[0].Rows, in.Out[0].Cols
	pack := b.pack(whiten.OuterScratch(m, n))
	return func(e *env, lo, hi int) {
		q := a.cut(lo, hi)
		whiten.Outer(m, n, q.i, q.i+q.m, a.x[0].of(e), a.x[0].ld, a.x[1].of(e), a.x[1].ld, T(a.Scale), a.y[0].of(e), a.y[0].ld, pack(e))
	}
}

// inverseRoot binds roots of blocks. A share is blocks.
func (b *binder[T]) inverseRoot(in *program.Instr) do {
	a, work := argsOf[T](in), b.room(in.Root.Work())
	c, root, kept, n := a.x[0], a.y[0], a.w[1], in.Root.N
	return func(e *env, lo, hi int) {
		q := a.cut(lo, hi)
		for i := q.i; i < q.i+q.m; i++ {
			whiten.Of(a.Root, c.of(e)[i*n*c.ld:], c.ld, root.of(e)[i*n*root.ld:], root.ld, kept.of(e)[i*kept.ld:][:kept.cols], work(e))
		}
	}
}

func (b *binder[T]) inverseRootGrad(in *program.Instr) do {
	a, kept, work := argsOf[T](in), refOf[float64](in.In[1]), b.room(in.Root.Work())
	c, g, out, n := a.x[0], a.x[2], a.y[0], in.Root.N
	return func(e *env, lo, hi int) {
		q := a.cut(lo, hi)
		for i := q.i; i < q.i+q.m; i++ {
			whiten.Grad(a.Root, c.of(e)[i*n*c.ld:], c.ld, kept.of(e)[i*kept.ld:][:kept.cols], g.of(e)[i*n*g.ld:], g.ld, out.of(e)[i*n*out.ld:], out.ld, work(e))
		}
	}
}

// room asks for a packing buffer of n float64, and returns how to get a worker's.
func (b *binder[T]) room(n int) func(e *env) []float64 {
	b.packing = max(b.packing, n*8/int(unsafe.Sizeof(T(0))))
	return func(e *env) []float64 { return at[float64](e.packing, 0, n) }
}
