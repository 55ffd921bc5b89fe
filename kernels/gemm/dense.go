package gemm

import "driftless/kernels"

// dense computes every product. Both operands are brought into rows that are
// contiguous along k: op(A) two rows at a time, B as a whole.
func dense[T kernels.Float](transA, transB bool, m, n, k int, a []T, lda int, b []T, ldb int, o output[T], scratch []T) {
	sums0, sums1, scratch := scratch[:n], scratch[n:2*n], scratch[2*n:]
	if k == 0 {
		a, b, lda, ldb = nil, nil, 0, 0
	}
	if !transB {
		bt := scratch[:n*k]
		scratch = scratch[n*k:]
		transpose(k, n, b, ldb, bt)
		b, ldb = bt, k
	}
	for i := 0; i < m; i += 2 {
		i1 := min(i+1, m-1) // the last of an odd number of rows is its own partner
		var a0, a1 []T
		if transA {
			a0, a1 = scratch[:k], scratch[k:2*k]
			columns(i, i1, a, lda, a0, a1)
		} else {
			a0, a1 = a[i*lda:][:k], a[i1*lda:][:k]
		}
		twoRows(a0, a1, b, ldb, sums0, sums1)
		o.row(i, sums0)
		if i1 > i {
			o.row(i1, sums1)
		}
	}
}

// twoRows computes the sums of two rows of op(A) with every row of b, in
// register tiles of 2×3. The Go compiler places the additions of a loop last,
// so that a tile needs a register for each sum, each product and each loaded
// value: 2×3 is the largest that does not spill on amd64, and was up to twice
// as fast as 2×4, 3×3, 4×2 and 1×8.
func twoRows[T kernels.Float](a0, a1, b []T, ldb int, sums0, sums1 []T) {
	n := len(sums0)
	a1, sums1 = a1[:len(a0)], sums1[:n]
	for j := 0; j < n; j += 3 {
		// The last column stands in for those beyond it.
		j1, j2 := min(j+1, n-1), min(j+2, n-1)
		b0, b1, b2 := b[j*ldb:][:len(a0)], b[j1*ldb:][:len(a0)], b[j2*ldb:][:len(a0)]
		var s00, s01, s02, s10, s11, s12 T
		for p := range a0 {
			x, y := a0[p], a1[p]
			v := b0[p]
			s00 += T(x * v)
			s10 += T(y * v)
			v = b1[p]
			s01 += T(x * v)
			s11 += T(y * v)
			v = b2[p]
			s02 += T(x * v)
			s12 += T(y * v)
		}
		sums0[j], sums0[j1], sums0[j2] = s00, s01, s02
		sums1[j], sums1[j1], sums1[j2] = s10, s11, s12
	}
}

// columns copies columns i0 and i1 of a to x0 and x1.
func columns[T kernels.Float](i0, i1 int, a []T, lda int, x0, x1 []T) {
	x1 = x1[:len(x0)]
	for p := range x0 {
		x0[p], x1[p] = a[p*lda+i0], a[p*lda+i1]
	}
}

// transpose writes the transpose of the k×n matrix b to bt, without gaps.
func transpose[T kernels.Float](k, n int, b []T, ldb int, bt []T) {
	p := 0
	for ; p+4 <= k; p += 4 {
		b0, b1, b2, b3 := b[p*ldb:][:n], b[(p+1)*ldb:][:n], b[(p+2)*ldb:][:n], b[(p+3)*ldb:][:n]
		at := p
		for j, v := range b0 {
			out := bt[at : at+4 : at+4]
			out[0], out[1], out[2], out[3] = v, b1[j], b2[j], b3[j]
			at += k
		}
	}
	for ; p < k; p++ {
		at := p
		for _, v := range b[p*ldb:][:n] {
			bt[at] = v
			at += k
		}
	}
}
