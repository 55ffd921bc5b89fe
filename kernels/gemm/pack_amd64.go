//go:build !noasm

package gemm

import "driftless/kernels"

// packPanel copies cols columns of a chunk of op(B), from column j on, into a
// panel with rows as long as the shape has columns.
//
//go:noinline
func (d *plan[T]) packPanel(x *product[T], q part, j int, s *shape[T], cols int, panel []T) {
	k, size := q.end-q.p, kernels.SizeOf[T]()
	if !x.transB {
		n := divUp(cols, s.lanes)
		d.u.copyRows[n](k, &panel[0], size*s.cols, &x.b[q.p*x.ldb+j], size*x.ldb, cols-(n-1)*s.lanes, size*cols) // the next panel
		return
	}
	for c := 0; c < cols; c += s.lanes {
		d.u.transpose(divUp(k, s.lanes), &panel[c], size*s.cols, &x.b[(j+c)*x.ldb+q.p], size*x.ldb, min(s.lanes, cols-c), (k-1)%s.lanes+1)
	}
}

// packRows copies rows of a chunk of op(A), k contiguous. It returns the copy and
// its steps.
//
//go:noinline
func (d *plan[T]) packRows(x *product[T], q part, i, rows int) (a []T, rowStep, kStep int) {
	k, size := q.end-q.p, kernels.SizeOf[T]()
	ld := k + rowGap
	if x.kStep == 1 {
		for r := range rows {
			copy(d.block[r*ld:][:k], x.a[(i+r)*x.rowStep+q.p:])
		}
		return d.block, ld, 1
	}
	ld = roundUp(k, maxLanes) + rowGap
	lanes := d.u.lanes
	for p := 0; p < k; p += lanes {
		d.u.transpose(divUp(rows, lanes), &d.block[p], size*ld, &x.a[i+(q.p+p)*x.kStep], size*x.kStep, min(lanes, k-p), (rows-1)%lanes+1)
	}
	return d.block, ld, 1
}

// packPanels copies rows of a chunk of a transposed A into panels for tiles, each with its rows side by
// side. It goes through all panels every packDepth rows of A, for long runs of A.
//
//go:noinline
func (d *plan[T]) packPanels(x *product[T], q part, i, rows int) {
	k, size := q.end-q.p, kernels.SizeOf[T]()
	for p := 0; p < k; p += packDepth {
		n, r := min(packDepth, k-p), 0
		for _, run := range bands(rows, d.panelRows) {
			h := run.height
			vectors := divUp(h, d.u.lanes)
			for range run.panels {
				d.u.copyRows[vectors](n, &d.block[r*k+p*h], size*h, &x.a[i+r+(q.p+p)*x.kStep], size*x.kStep, h-(vectors-1)*d.u.lanes, 0)
				r += h
			}
		}
	}
}

const packDepth = 16
