package cpu

import (
	"time"
	"unsafe"

	"driftless/engine/program"
	"driftless/kernels/norm"
)

// A normalization of few columns, the channels of images, is nothing that workers can share by
// columns as the schedule has it, in whole cache lines. Its statistics, which take all rows in
// order, they share by a few columns each; what is then done to each row they share by rows. They
// meet in between, and after it.

// parted is an item in such parts: as a team does it in place of its do.
type parted struct {
	sums do  // of all rows, by columns
	rows do  // of what is left, by rows
	m, d int // rows and columns of the main operand
}

// partCols is the most columns that one worker would have to itself, and partSize the fewest
// elements for which it meets twice more: some 10 µs of work, which is a guess.
const (
	partCols = 16
	partSize = 16 << 10
)

// parted returns how a team does an instruction in parts, nil if it does not.
func (b *binder[T]) parted(in *program.Instr) *parted {
	main := in.Main()
	if in.Axis != program.ByCols || main == nil || main.Cols > partCols || main.Len() < partSize {
		return nil
	}
	a := argsOf[T](in)
	cols, rows := cutter{program.ByCols, main.Rows, main.Cols}, cutter{program.ByRows, main.Rows, main.Cols}
	size := int(unsafe.Sizeof(T(0)))
	told := func(e *env, k, j int) []T { return at[T](e.common, k*partCols*size, main.Cols)[j:] }
	x, y := a.x, a.y
	switch in.Op {
	case program.OpStandardizeAffine:
		b.common = 3 * partCols * size
		return &parted{m: main.Rows, d: main.Cols, sums: func(e *env, lo, hi int) {
			q := cols.cut(lo, hi)
			norm.Statistics(q.m, q.d, x[0].in(e, q), x[0].ld, a.Eps, y[1].cols1(e, q), told(e, 0, lo), y[2].cols1(e, q), y[3].cols1(e, q))
		}, rows: func(e *env, lo, hi int) {
			q := rows.cut(lo, hi)
			norm.StandardizeAffineBy(q.m, q.d, x[0].in(e, q), x[0].ld, y[1].of(e), told(e, 0, 0), y[3].of(e), x[1].of(e), x[2].of(e),
				y[0].in(e, q), y[0].ld, y[4].in(e, q), y[4].ld)
		}}
	case program.OpAffineGrad:
		b.common = 3 * partCols * size
		return &parted{m: main.Rows, d: main.Cols, sums: func(e *env, lo, hi int) {
			q := cols.cut(lo, hi)
			norm.AffineGradSums(q.m, q.d, x[0].in(e, q), x[0].ld, x[1].in(e, q), x[1].ld, x[2].cols1(e, q), told(e, 0, lo), told(e, 1, lo), told(e, 2, lo),
				y[1].cols1(e, q), y[2].cols1(e, q))
		}, rows: func(e *env, lo, hi int) {
			q := rows.cut(lo, hi)
			norm.AffineGradBy(q.m, q.d, x[0].in(e, q), x[0].ld, x[1].in(e, q), x[1].ld, x[2].of(e), x[3].of(e), told(e, 0, 0), told(e, 1, 0), told(e, 2, 0), y[0].in(e, q), y[0].ld)
		}}
	}
	return nil
}

// share is a worker's part of the columns, by fours, and of the rows.
func (p *parted) share(size, worker int) (cols, rows span) {
	lo, hi := program.Schedule{Axis: program.ByRows, Extent: p.m}.Share(size, worker)
	n := (p.d + 3) / 4
	return span{n * worker / size * 4, min(p.d, n*(worker+1)/size*4)}, span{lo, hi}
}

// run is a worker's part of an item, of which i is the instruction, in a team.
func (p *parted) run(e *env, cols, rows span, i int) {
	part := func(f do, s span) {
		if s.lo >= s.hi {
			return
		}
		if e.clock == nil {
			f(e, s.lo, s.hi)
			return
		}
		begin := time.Now()
		f(e, s.lo, s.hi)
		e.clock.spent[e.clock.block][i] += time.Since(begin)
	}
	part(p.sums, cols)
	e.meet()
	part(p.rows, rows)
	e.meet()
}
