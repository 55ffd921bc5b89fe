//go:build !noasm

package gemm

import (
	"driftless/kernels"
	"driftless/kernels/activation"
)

//go:generate go run ./internal/gen -family tile512 -out tile512_amd64.s -stubs tile512_amd64.go -pkg gemm
//go:generate go run ./internal/gen -family tile256 -out tile256_amd64.s -stubs tile256_amd64.go -pkg gemm
//go:generate go run ./internal/gen -family tile512f64 -out tile512f64_amd64.s -stubs tile512f64_amd64.go -pkg gemm
//go:generate go run ./internal/gen -family tile256f64 -out tile256f64_amd64.s -stubs tile256f64_amd64.go -pkg gemm
//go:generate go run ./internal/gen -family quad -out quad_amd64.s -stubs quad_amd64.go -pkg gemm
//go:generate go run ./internal/gen -family masked -out maskedrows_amd64.s -stubs maskedrows_amd64.go -pkg gemm
//go:generate go run ./internal/gen -family pack -out packrows_amd64.s -stubs packrows_amd64.go -pkg gemm
//go:generate go run ./internal/gen -family bits -out transposebits_amd64.s -stubs transposebits_amd64.go -pkg gemm
//go:generate go run ./internal/gen -family peak -out burst_amd64.s -stubs burst_amd64.go -pkg gemm

// Bits of the argument flags of the kernels. internal/gen has the same.
const (
	flagAdd  = 1 << iota // C is added to
	flagReLU             // negative elements become 0
	flagFrom             // masked sums go on from s
	flagMore             // masked sums are not complete and go to s
	flagSkip             // rows without a bit in the mask leave C as it is
)

// vectorGemm computes a product with vectors and reports whether it could.
func vectorGemm[T kernels.Float](x *product[T], scratch []T) bool {
	u := unitInUse[T]()
	if u == nil || x.k == 0 {
		return false
	}
	if x.kStep != 1 && !x.transB && x.n > 4 && x.n <= maxLanes && large(x.m, x.k, kernels.SizeOf[T]()) {
		turned(x, u, scratch)
		return true
	}
	d := newPlan(x, u, scratch)
	d.blocked(x)
	return true
}

// turned computes a narrow C = Aᵀ·B by its transpose Bᵀ·A, part by part of k, whose vectors run over the long
// rows of A. An element's sum has the same products in the same order.
func turned[T kernels.Float](x *product[T], u *unit[T], scratch []T) {
	d, ld := plan[T]{u: u, rows: x.n, cols: x.m}, roundUp(x.m, maxLanes)+rowGap
	sums := scratch[:x.n*ld]
	for q := range parts(x.k) {
		y := product[T]{m: x.n, n: x.m, k: q.end - q.p, a: x.b[q.p*x.ldb:], rowStep: 1, kStep: x.ldb, b: x.a[q.p*x.kStep:], ldb: x.kStep,
			out: output[T]{alpha: 1, c: sums, ld: ld}}
		d.blocked(&y)
		for i := range x.m {
			var row [maxLanes]T
			for j := range x.n {
				row[j] = sums[j*ld+i]
			}
			x.out.row(q, i, 0, row[:x.n])
		}
	}
}

// badStride says whether the rows of a matrix fall into few sets of the caches.
func badStride[T kernels.Float](ld int) bool { return ld*kernels.SizeOf[T]()%1024 == 0 }

// plan is how a product is computed.
type plan[T kernels.Float] struct {
	u     *unit[T]
	packA bool // copy blocks of A
	packB bool // copy panels of B
	// ahead means that the panels of a block of B are packed before they are used,
	// because several blocks of A meet them, else each just before it is.
	ahead bool
	// panelRows is how many rows the panels have that a block of a transposed A is
	// packed into, at most, where B is large; 0 if its rows are packed one by one.
	panelRows int
	rows      int // of a block of A
	cols      int // of a block of B
	panels    []T // scratch for panels of B
	block     []T // scratch for a block of A
}

func newPlan[T kernels.Float](x *product[T], u *unit[T], scratch []T) plan[T] {
	size := kernels.SizeOf[T]()
	d := plan[T]{u: u, rows: blockRows[T](x.m, x.k, blocks.small), cols: x.n}
	d.packB = x.transB || packsB(x.m, x.n, x.k, size) || x.m >= 24 && x.k > 32 && badStride[T](x.ldb)
	transA := x.kStep != 1
	if worthPackingA(x.m, x.n, x.k) {
		d.packA = badStride[T](max(x.rowStep, x.kStep)) || transA && x.m*x.k*size > 512<<10
	}
	if d.packA && transA {
		d.rows = blockRows[T](x.m, x.k, blocks.large)
	}
	if x.k <= shallow && x.m*x.n*size > blocks.large {
		d.rows = min(d.rows, rowsOf[T](x.m, x.n, blocks.small))
	}
	if d.packB && x.m > d.rows {
		block := blocks.large
		if d.packA && transA {
			d.panelRows, block = len(u.full.tiles)-1, blocks.far
		}
		d.ahead, d.cols = true, blockCols[T](x.n, x.k, block)
	}
	split := scratchB(transA, x.m, x.n, x.k)
	d.panels, d.block = scratch[:split], scratch[split:]
	return d
}

// blocked computes a product block by block.
func (d *plan[T]) blocked(x *product[T]) {
	for j := 0; j < x.n; j += d.cols {
		cols := min(d.cols, x.n-j)
		for q := range parts(x.k) {
			if d.ahead {
				for at := 0; at < cols; {
					s, w := d.shape(x.m, cols-at)
					d.packPanel(x, q, j+at, s, w, d.panels[at*d.depth(q):])
					at += w
				}
			}
			for i := 0; i < x.m; i += d.rows {
				d.block1(x, q, i, min(d.rows, x.m-i), j, cols)
			}
		}
	}
}

// shape returns the tiles for the next panel of so many columns left, and how many of them
// they do. Where A is packed into panels, tiles are as high as those.
func (d *plan[T]) shape(m, left int) (s *shape[T], cols int) {
	u := d.u
	switch {
	case d.panelRows == 0:
		return u.shape(m, left)
	case left < u.full.cols:
		return &u.part[divUp(left, u.lanes)], left
	}
	return &u.full, u.full.cols
}

// depth is the number of rows of a packed panel.
func (d *plan[T]) depth(q part) int { return roundUp(q.end-q.p, d.u.lanes) }

// block1 computes a block of C for one chunk of k.
func (d *plan[T]) block1(x *product[T], q part, i, rows, j, cols int) {
	o := &x.out
	t := task[T]{rows: rows, k: q.end - q.p, a: x.a[i*x.rowStep+q.p*x.kStep:], rowStep: x.rowStep, kStep: x.kStep, ldc: o.ld, alpha: o.alpha}
	switch {
	case d.panelRows > 0:
		d.packPanels(x, q, i, rows)
		t.a, t.panelRows = d.block, d.panelRows
	case d.packA:
		t.a, t.rowStep, t.kStep = d.packRows(x, q, i, rows)
	}
	if !o.over(q) {
		t.flags |= flagAdd
	}
	act := activation.Identity
	if q.last {
		act = o.act
	}
	if act == activation.ReLU {
		t.flags |= flagReLU
	}
	for at := 0; at < cols; {
		s, w := d.shape(x.m, cols-at)
		t.fetch, t.spread = 0, false
		switch {
		case d.ahead:
			t.b, t.ldb = d.panels[at*d.depth(q):], s.cols
			if d.panelRows > 0 && at+w < cols {
				t.fetch, t.spread = s.cols*d.depth(q), true
			}
		case d.packB:
			d.packPanel(x, q, j+at, s, w, d.panels)
			t.b, t.ldb = d.panels, s.cols
		default:
			t.b, t.ldb = x.b[q.p*x.ldb+j+at:], x.ldb
			if large(x.n, x.k, kernels.SizeOf[T]()) && at+w < cols {
				t.fetch = s.cols
			}
		}
		t.c = o.c[i*o.ld+j+at:]
		t.bias = nil
		if q.last && o.bias != nil {
			t.bias = &o.bias[j+at]
		}
		t.column(d.u, s, w)
		at += w
	}
	if act == activation.Sigmoid || act == activation.Tanh {
		c := o.c[i*o.ld+j:]
		activation.Forward(act, rows, cols, c, o.ld, c, o.ld)
	}
}

// task is a panel of C: rows of A times a panel of B.
type task[T kernels.Float] struct {
	rows, k        int
	a              []T
	rowStep, kStep int
	panelRows      int // see plan: A is in panels, and has no steps
	b              []T
	ldb            int
	c              []T
	ldc            int
	bias           *T
	alpha          T
	flags          int
	fetch          int  // how far beyond b the next panel is, if it is to be fetched
	spread         bool // rows of the next panel lie side by side: each tile fetches a part of them
}

// column computes a panel.
func (t *task[T]) column(u *unit[T], s *shape[T], cols int) {
	if u.quad == nil || s != &u.quad[alongK] {
		t.tiles(s, 1, 0, t.rows, cols)
		return
	}
	whole := t.rows / 4 * 4
	switch {
	case t.kStep != 1:
		s = &u.quad[alongRows]
	case whole < t.rows && whole > 8:
		whole -= 8 // rows left over are too few to keep the units busy
	}
	t.tiles(s, 4, 0, whole, cols)
	t.tiles(&u.part[1], 1, whole, t.rows-whole, cols)
}

// callWork is the most FMAs of a call of assembly, in bytes of their results: 100 µs on a
// slow core.
const callWork = 12 << 20

// fetchRows is how many rows of a block of A share the fetching of the next panel of B: fewer would ask
// for it faster than it comes, more would ask for what has come.
const fetchRows = 48

// tiles computes rows of a panel from row i on, in tiles of equal height or nearly
// so, where heights count by so many rows.
func (t *task[T]) tiles(s *shape[T], by, i, rows, cols int) {
	units := rows / by
	if units == 0 {
		return
	}
	high := len(s.tiles) - 1
	if t.panelRows > 0 {
		high = t.panelRows
	}
	for _, run := range bands(units, high) {
		rows := run.height * by
		most := max(1, callWork/(kernels.SizeOf[T]()*rows*s.cols*t.k))
		for left := run.panels; left > 0; {
			n, ahead := min(left, most), prefetch{}
			switch {
			case t.fetch > 0 && t.spread:
				n = 1
				ahead.step = divUp(s.cols, divUp(t.rows, rows)) // elements, of which a panel has k times as many
				ahead.at = t.fetch + i/rows*ahead.step*t.k
			case t.fetch > 0 && i < fetchRows:
				n = min(n, divUp(fetchRows-i, rows))
				ahead = prefetch{t.fetch, t.ldb, s.cols - s.lanes}
			}
			t.call(s, n, run.height, by, i, cols, ahead)
			i += n * rows
			left -= n
		}
	}
}

// prefetch is what a tile asks for while it goes along k: element at of b and the one that is gap
// behind it, and from one k to the next those that are step further on.
type prefetch struct{ at, step, gap int }

// band is so many panels of the same height.
type band struct{ panels, height int }

// bands cuts so many rows, at least one, into panels of at most high rows: of equal height, or nearly so.
func bands(rows, high int) [2]band {
	panels := divUp(rows, high)
	height, more := rows/panels, rows%panels
	return [2]band{{more, height + 1}, {panels - more, height}}
}

// call computes panels of so many times by rows, from row i on. It is not inlined,
// for the stack check at its head: assembly cannot be preempted, and a loop around
// it hardly ever is.
//
//go:noinline
func (t *task[T]) call(s *shape[T], panels, height, by, i, cols int, ahead prefetch) {
	size := kernels.SizeOf[T]()
	at, rowStep, kStep, panelStep := i*t.rowStep, t.rowStep, t.kStep, t.rowStep*height*by
	if t.panelRows > 0 {
		at, rowStep, kStep, panelStep = i*t.k, 1, height, height*t.k
	}
	s.tiles[height](panels, t.k, &t.a[at], size*rowStep, size*kStep, size*panelStep,
		&t.b[0], size*t.ldb, &t.c[i*t.ldc], size*t.ldc, t.bias, t.alpha, (cols-1)%s.lanes+1, t.flags, &t.b[min(ahead.at, len(t.b)-1)], size*ahead.step, size*ahead.gap)
}
