package gemm

import "driftless/kernels"

// sparse adds up only the rows of b that meet a nonzero of op(A). All of b must
// be finite.
func sparse[T kernels.Float](transA bool, m, n, k int, a []T, lda int, b []T, ldb int, o output[T], scratch []T) {
	row, step := lda, 1 // from row to row of op(A), and along one
	if transA {
		row, step = 1, lda
	}
	sums := scratch[:n]
	var list [listLen]int32
	for i := range m {
		clear(sums)
		for p := 0; p < k; p += listLen {
			x := a[i*row+p*step:]
			found := list[:nonzeros(&list, x, step, min(listLen, k-p))]
			addRows(found, x, step, b[p*ldb:], ldb, sums)
		}
		o.row(i, sums)
	}
}

// sparseWidth is the number of columns from which sparse can win over plain Go.
// Below it, the search for nonzeros takes longer than the sums. Vectors make the
// sums cheaper, not the search: over them it wins from wideWidth on.
const sparseWidth, wideWidth = 32, 256

// sparseFrom is the width that holds for the instruction set in use.
func sparseFrom() int {
	if kernels.CurrentISA() == kernels.Go {
		return sparseWidth
	}
	return wideWidth
}

// listLen is how much of a row of op(A) is searched at a time. A power of two.
const listLen = 1024

// nonzeros lists the p below k with x[p*step] ≠ 0, in order, and returns their
// number. A NaN is not zero. Inlined into sparse it would run short of
// registers.
//
//go:noinline
func nonzeros[T kernels.Float](list *[listLen]int32, x []T, step, k int) int {
	n, at := 0, 0
	for p := range k {
		list[n&(listLen-1)] = int32(p) // overwritten unless it counts: no branch to mispredict
		if x[at] != 0 {
			n++
		}
		at += step
	}
	return n
}

// addRows adds x[p*step] times row p of b to the sums, for the listed p in turn.
func addRows[T kernels.Float](list []int32, x []T, step int, b []T, ldb int, sums []T) {
	at := func(p int32) []T { return b[int(p)*ldb:][:len(sums)] }
	if allOnes(list, x, step) {
		for ; len(list) >= 8; list = list[8:] {
			q := (*[8]int32)(list)
			add8(sums, at(q[0]), at(q[1]), at(q[2]), at(q[3]), at(q[4]), at(q[5]), at(q[6]), at(q[7]))
		}
	}
	for ; len(list) > 0; list = list[min(4, len(list)):] {
		// Zero times the first row fills up the last group.
		q := [4]int32{list[0], list[0], list[0], list[0]}
		var v [4]T
		for r, p := range list[:min(4, len(list))] {
			q[r], v[r] = p, x[int(p)*step]
		}
		axpy4(sums, v[0], v[1], v[2], v[3], at(q[0]), at(q[1]), at(q[2]), at(q[3]))
	}
}

func allOnes[T kernels.Float](list []int32, x []T, step int) bool {
	for _, p := range list {
		if x[int(p)*step] != 1 {
			return false
		}
	}
	return true
}

// add8 adds eight rows to the sums, one after the other.
func add8[T kernels.Float](sums, b0, b1, b2, b3, b4, b5, b6, b7 []T) {
	j := add8Fast(sums, b0, b1, b2, b3, b4, b5, b6, b7)
	if j == len(sums) {
		return
	}
	sums, b0, b1, b2, b3 = sums[j:], b0[j:], b1[j:], b2[j:], b3[j:]
	b4, b5, b6, b7 = b4[j:], b5[j:], b6[j:], b7[j:]
	b0 = b0[:len(sums)]
	b1 = b1[:len(sums)]
	b2 = b2[:len(sums)]
	b3 = b3[:len(sums)]
	b4 = b4[:len(sums)]
	b5 = b5[:len(sums)]
	b6 = b6[:len(sums)]
	b7 = b7[:len(sums)]
	for j, s := range sums {
		sums[j] = s + b0[j] + b1[j] + b2[j] + b3[j] + b4[j] + b5[j] + b6[j] + b7[j]
	}
}

// axpy4 adds four multiples of rows to the sums, one after the other.
func axpy4[T kernels.Float](sums []T, x0, x1, x2, x3 T, b0, b1, b2, b3 []T) {
	b0 = b0[:len(sums)]
	b1 = b1[:len(sums)]
	b2 = b2[:len(sums)]
	b3 = b3[:len(sums)]
	for j, s := range sums {
		sums[j] = s + T(x0*b0[j]) + T(x1*b1[j]) + T(x2*b2[j]) + T(x3*b3[j])
	}
}

// mostlyZero reports whether more than half of a is zero, judged by every eighth
// of its stored rows or by eight of them. At one half of nonzeros sparse is still
// a little faster than dense, at two thirds it is not.
func mostlyZero[T kernels.Float](rows, cols int, a []T, lda int) bool {
	looks := min(8, (rows+7)/8)
	found := 0
	for t := range looks {
		for _, v := range a[t*rows/looks*lda:][:cols] {
			if v != 0 {
				found++
			}
		}
	}
	return 2*found < looks*cols
}

// finite reports whether all of b is finite, by a sum that NaN and Inf would
// spoil. So would an overflow, which merely sends huge numbers the slower way.
func finite[T kernels.Float](rows, cols int, b []T, ldb int) bool {
	var s0, s1, s2, s3 T
	for p := range rows {
		row := b[p*ldb:][:cols]
		for ; len(row) >= 4; row = row[4:] {
			s0 += row[0]
			s1 += row[1]
			s2 += row[2]
			s3 += row[3]
		}
		for _, v := range row {
			s0 += v
		}
	}
	s := s0 + s1 + s2 + s3
	return s-s == 0
}
