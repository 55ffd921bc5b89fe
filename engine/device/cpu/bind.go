package cpu

import (
	"fmt"
	"slices"
	"unsafe"

	"driftless/engine/program"
	"driftless/kernels"
)

// bind turns a Program's instructions into closures for its element type.
func bind(p *program.Program) (*bound, error) {
	if p.Layout.DType == program.Float64 {
		return bindAs[float64](p)
	}
	return bindAs[float32](p)
}

func bindAs[T kernel](p *program.Program) (*bound, error) {
	b := &bound{p: p, counts: p.Counts()}
	binder, made := newBinder[T](p.Layout), map[*program.Instr]do{} // blocks may share instructions
	joins := func(it *item, in *program.Instr) bool { return it.Strip == in.Strip && it.parts == nil }
	for _, blk := range p.Blocks {
		k := boundBlock{every: int64(blk.Every), rounds: int64(blk.Rounds), batch: blk.Batch, total: blk.Total, consts: newArena(len(blk.Consts) * program.Align)}
		for i, v := range blk.Consts {
			at[T](k.consts, i*program.Align, 1)[0] = T(v)
		}
		for i, in := range blk.Instrs {
			run := made[in]
			if run == nil {
				var err error
				if run, err = binder.instr(in); err != nil {
					return nil, fmt.Errorf("block %s: %w", blk.Name, err)
				}
				made[in] = run
			}
			b.serial = b.serial || in.Serial
			for _, t := range slices.Concat(in.In, in.Out) {
				if t.Slot > 0 {
					b.strips = max(b.strips, t.Slot*in.Room)
				}
			}
			parts := binder.parted(in)
			if n := len(k.items); in.Strip > 0 && n > 0 && parts == nil && joins(&k.items[n-1], in) {
				it := &k.items[n-1]
				it.do = append(it.do, run)
				if in.Width == 0 {
					it.strip = min(it.strip, strip[T](in))
				}
				continue
			}
			it := item{Schedule: in.Schedule, every: int64(in.Every), host: in.Op == program.OpHost, ends: in.Op == program.OpTick, do: []do{run}, parts: parts, first: i}
			it.Wait = it.Wait || parts != nil // it is shared otherwise than the schedule has it
			if in.Width > 0 {
				it.strip = in.Width
			} else if in.Strip > 0 {
				it.strip = strip[T](in)
			}
			k.items = append(k.items, it)
			if it.Wait {
				b.meets += float64(k.rounds) / float64(max(1, k.every)*max(1, it.every))
			}
		}
		if k.feeds = feeds(blk); len(k.feeds) > 0 {
			b.ahead = max(b.ahead, blk.Batch)
			k.perItem = blk.Batch/max(1, len(k.items)-4) + 1
		}
		b.blocks = append(b.blocks, k)
	}
	b.common = binder.common
	size := int(unsafe.Sizeof(T(0)))
	b.packing = binder.packing * size
	b.flops = p.Flops() * float64(size) / 4 // those of float64 take twice as long
	return b, nil
}

// strip is the width of strips for an instruction's matrices.
func strip[T kernel](in *program.Instr) int {
	rows := in.Out[0].Rows
	for _, t := range in.In {
		if t.Space != program.SpaceShared {
			rows = max(rows, t.Rows)
		}
	}
	var z T
	return stripWidth(rows, int(unsafe.Sizeof(z)))
}

// kernel is the set of types that Programs compute in.
type kernel interface {
	kernels.Float
	element
}

// ref is a tensor of elements T, ready to be viewed.
type ref[T element] struct {
	space      program.Space
	off, n     int
	rows, cols int
	ld         int
	slot       program.Axis // of a strip of a chain, whose first row or column the environment knows
}

func refOf[T element](t *program.Tensor) ref[T] {
	n := 0
	if t.Rows > 0 {
		n = (t.Rows-1)*t.LD + t.Cols
	}
	return ref[T]{space: t.Space, off: t.Off, n: n, rows: t.Rows, cols: t.Cols, ld: t.LD}
}

// of returns all elements, and what lies between the rows.
func (r ref[T]) of(e *env) []T {
	if r.slot != program.Alone {
		return at[T](e.strips, r.off, r.n)
	}
	return at[T](e.mem(r.space, r.off), 0, r.n)
}

// offset returns where in them the element (i, j) is.
func (r ref[T]) offset(e *env, i, j int) int {
	switch r.slot {
	case program.ByRows:
		i -= e.first
	case program.ByCols:
		j -= e.first
	}
	return i*r.ld + j
}

// from returns the elements from (i, j) on.
func (r ref[T]) from(e *env, i, j int) []T { return r.of(e)[r.offset(e, i, j):] }

// in returns the elements from the first of a rectangle on.
func (r ref[T]) in(e *env, q rect) []T { return r.from(e, q.i, q.j) }

// run returns n elements from row i of a rectangle on, 0 its first.
func (r ref[T]) run(e *env, q rect, i, n int) []T { return r.from(e, q.i+i, q.j)[:n] }

// lines returns runs of n elements that begin with the rows of a rectangle.
func (r ref[T]) lines(e *env, q rect, n int) lines[T] { return lines[T]{r.in(e, q), r.ld, n} }

// lines are runs of n elements, each of which begins ld after the one before.
type lines[T element] struct {
	v     []T
	ld, n int
}

func (l lines[T]) at(i int) []T { return l.v[i*l.ld:][:l.n] }

// cols1 returns the elements of a vector that go with a rectangle's columns.
func (r ref[T]) cols1(e *env, q rect) []T { return r.from(e, 0, q.j)[:q.d] }

// rows1 returns the elements of a vector that go with a rectangle's rows.
func (r ref[T]) rows1(e *env, q rect) []T { return r.of(e)[q.i:][:q.m] }

// rowsOrOne is rows1, or the one element that all rows have.
func (r ref[T]) rowsOrOne(e *env, q rect) []T {
	if r.n == 1 {
		return r.of(e)
	}
	return r.rows1(e, q)
}

// rect is a part of a matrix: m×d elements from (i, j) on.
type rect struct{ i, j, m, d int }

// cutter makes rectangles of a matrix's shares.
type cutter struct {
	axis       program.Axis
	rows, cols int
}

func (c cutter) cut(lo, hi int) rect {
	switch c.axis {
	case program.ByRows:
		return rect{lo, 0, hi - lo, c.cols}
	case program.ByCols:
		return rect{0, lo, c.rows, hi - lo}
	}
	return rect{0, 0, c.rows, c.cols}
}

// runs returns how an elementwise operation goes over a rectangle, as so many runs
// of n elements: its rows, or in one where all operands have the leading dimension
// ld and rows are whole. Then it goes over what lies between the rows as well,
// which is nobody's.
func (c cutter) runs(q rect, same bool, ld int) (runs, n int) {
	if same && (c.axis != program.ByCols || q.d == c.cols) && q.m > 0 {
		return 1, (q.m-1)*ld + q.d
	}
	return q.m, q.d
}

// sameLD reports whether all operands have one shape and leading dimension.
func sameLD[T element](rs ...ref[T]) bool {
	for _, r := range rs {
		if r.rows != rs[0].rows || r.cols != rs[0].cols || r.ld != rs[0].ld {
			return false
		}
	}
	return true
}
