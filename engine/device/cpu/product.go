package cpu

import (
	"driftless/engine/program"
	"driftless/kernels/gemm"
)

// gemm binds a matrix product. A share is rows of the result, with those of
// op(A), or columns, with those of op(B).
func (b *binder[T]) gemm(in *program.Instr) do {
	a, m, c := refOf[T](in.In[0]), refOf[T](in.In[1]), refOf[T](in.Out[0])
	k := a.cols
	if in.TransA {
		k = a.rows
	}
	var bias ref[T]
	hasBias := len(in.In) > 2
	if hasBias {
		bias = refOf[T](in.In[2])
	}
	tA, tB, act, update := in.TransA, in.TransB, in.Act, in.Update
	cut := cutter{in.Axis, c.rows, c.cols}
	pack := b.pack(gemm.Scratch(tA, tB, c.rows, c.cols, k))
	return func(e *env, lo, hi int) {
		q := cut.cut(lo, hi)
		ep := gemm.Epilogue[T]{Act: act}
		if hasBias {
			ep.Bias = bias.cols1(e, q)
		}
		alpha := T(1)
		if update {
			alpha = -T(e.lr[0])
		}
		as, bs := a.of(e), m.of(e)
		if tA {
			as = as[q.i:]
		} else {
			as = as[q.i*a.ld:]
		}
		if tB {
			bs = bs[q.j*m.ld:]
		} else {
			bs = bs[q.j:]
		}
		gemm.Gemm(tA, tB, q.m, q.d, k, alpha, as, a.ld, bs, m.ld, update, c.in(e, q), c.ld, ep, pack(e))
	}
}

// batched binds products of pairs of matrices. A share is some of the pairs.
func (b *binder[T]) batched(in *program.Instr) do {
	x := argsOf[T](in)
	a, m, c := x.x[0], x.x[1], x.y[0]
	k, tA, tB := in.Sum, in.TransA, in.TransB
	rows, cols := a.cols/k, m.cols/k
	lda, ldb := k, cols
	if tA {
		lda = rows
	}
	if tB {
		ldb = k
	}
	pack := b.pack(gemm.Scratch(tA, tB, rows, cols, k))
	return func(e *env, lo, hi int) {
		for i := lo; i < hi; i++ {
			gemm.Gemm(tA, tB, rows, cols, k, 1, a.of(e)[i*a.ld:], lda, m.of(e)[i*m.ld:], ldb, false, c.of(e)[i*c.ld:], cols, gemm.Epilogue[T]{}, pack(e))
		}
	}
}

// pack asks for a packing buffer of n elements, and returns how to get a worker's.
func (b *binder[T]) pack(n int) func(e *env) []T {
	b.packing = max(b.packing, n)
	return func(e *env) []T {
		if n == 0 {
			return nil
		}
		return at[T](e.packing, 0, n)
	}
}

// masked binds a matrix product whose first operand a mask describes. A share is
// rows of the result.
func (b *binder[T]) masked(in *program.Instr) do {
	mask, m, c := refOf[uint64](in.In[0]), refOf[T](in.In[1]), refOf[T](in.Out[0])
	rest := in.In[2:]
	var values, bias ref[T]
	rowStep, kStep := 1, 0
	if in.Values {
		values, rest = refOf[T](rest[0]), rest[1:]
		rowStep, kStep = values.ld, 1
		if in.TransA {
			rowStep, kStep = 1, values.ld
		}
	}
	hasBias := len(rest) > 0
	if hasBias {
		bias = refOf[T](rest[0])
	}
	k, act, update, has := m.rows, in.Act, in.Update, in.Values
	cut := cutter{in.Axis, c.rows, c.cols}
	return func(e *env, lo, hi int) {
		q := cut.cut(lo, hi)
		ep := gemm.Epilogue[T]{Act: act}
		if hasBias {
			ep.Bias = bias.of(e)
		}
		alpha := T(1)
		if update {
			alpha = -T(e.lr[0])
		}
		var x []T
		if has {
			x = values.of(e)[q.i*rowStep:]
		}
		gemm.Masked(q.m, q.d, k, alpha, mask.of(e)[q.i:], mask.ld, x, rowStep, kStep, m.of(e), m.ld, update, c.in(e, q), c.ld, ep)
	}
}
