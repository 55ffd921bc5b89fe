package ngsgd

import (
	"fmt"
	"math"

	"driftless/kernels"
	"driftless/kernels/cholesky"
	"driftless/kernels/eigen"
	"driftless/kernels/gemm"
	"driftless/kernels/norm"
)

// Tail is the number of rows of a factor behind those of its basis.
const Tail = 3

// Rows of the tail: eigenvalues above rho, rho, calls.
const (
	rowSpectrum = iota
	rowRho
	rowCalls
)

const (
	epsilon = 1e-10 // least eigenvalue, in the units of Scale²·X²
	delta   = 5e-4  // rho's least share of the largest eigenvalue
	always  = 10    // so many calls update whatever Period says
	warm    = 3     // updates at the start
	least   = 0.1   // of a column's square, what the columns before must leave
	oblique = 0.01  // the squared cosine of two columns that are far from orthogonal
)

// Rule is what a factor is of, and how it moves.
type Rule struct {
	Scale   float64 // of X, since epsilon is absolute
	Alpha   float64 // share of the mean eigenvalue that F is smoothed with
	History float64 // samples after which e⁻¹ of what was seen is left
	Period  int     // calls from an update to the next, after the first ten
	Ones    bool    // a 1 stands behind each row of X
}

// Validate reports a number that cannot work, in a sentence that begins with its name.
func (r Rule) Validate() error {
	switch {
	case !(r.Scale > 0) || math.IsInf(r.Scale, 1):
		return fmt.Errorf("scale %v is not a positive number", r.Scale)
	case !(r.Alpha > 0) || math.IsInf(r.Alpha, 1):
		return fmt.Errorf("alpha %v is not a positive number", r.Alpha)
	case !(r.History > 0) || math.IsInf(r.History, 1):
		return fmt.Errorf("history %v is not a positive number of samples", r.History)
	case r.Period < 1:
		return fmt.Errorf("period %d is not a positive number of steps", r.Period)
	}
	return nil
}

// Dim returns D for X of d columns.
func (r Rule) Dim(d int) int {
	if r.Ones {
		return d + 1
	}
	return d
}

// Work returns how many elements, and how many float64, Start and Next need to work in.
func (r Rule) Work(m, d, k int) (elements, sums int) { return (m+r.Dim(d)+k)*k + d, k*k + 4*k }

// Pack returns how many elements of packing buffer Start and Next need.
func (r Rule) Pack(m, d, k int) int {
	return max(gemm.Scratch(false, false, m, k, d), gemm.Scratch(true, false, d, k, m),
		gemm.Scratch(true, false, k, k, r.Dim(d)), gemm.Scratch(false, false, r.Dim(d), k, k))
}

// Room is memory to work in, of the sizes that Work and Pack say.
type Room[T kernels.Float] struct {
	Work []T
	Sums []float64
	Pack []T
}

// factor is a view of a factor's tensor.
type factor[T kernels.Float] struct {
	dim, k, ld int
	v          []T
}

func (f factor[T]) row(i int) []T  { return f.v[i*f.ld:][:f.k] }
func (f factor[T]) tail(i int) []T { return f.row(f.dim + i) }

// smoothing returns beta: F + alpha·tr(F)/D·I has eigenvalues q + beta and beta.
func (f factor[T]) smoothing(alpha float64) float64 {
	sum := 0.0
	for _, q := range f.tail(rowSpectrum) {
		sum += float64(q)
	}
	return float64(f.tail(rowRho)[0])*(1+alpha) + alpha/float64(f.dim)*sum
}

func view[T kernels.Float](dim, k int, v []T, ld int) factor[T] {
	kernels.CheckMatrix(dim+Tail, k, len(v), ld, "ngsgd: factor")
	return factor[T]{dim, k, ld, v}
}

func (f factor[T]) copyTo(to factor[T]) {
	if f.ld == to.ld {
		n := (f.dim+Tail-1)*f.ld + f.k
		copy(to.v[:n], f.v[:n])
		return
	}
	for i := range f.dim + Tail {
		copy(to.row(i), f.row(i))
	}
}

// Start copies a factor of rank k, and gives one that has seen nothing its start from X [m,d].
func Start[T kernels.Float](r Rule, m, d, k int, x []T, ldx int, from []T, ldf int, to []T, ldt int, room Room[T]) {
	dim := r.Dim(d)
	f := view(dim, k, to, ldt)
	view(dim, k, from, ldf).copyTo(f)
	if f.tail(rowRho)[0] != 0 {
		return
	}
	for i := range dim { // column j of the basis is constant at rows j, j+k, … and else 0
		clear(f.row(i))
		f.row(i)[i%k] = T(1 / math.Sqrt(float64((dim-i%k+k-1)/k)))
	}
	for j := range k {
		f.tail(rowSpectrum)[j] = epsilon
	}
	f.tail(rowRho)[0] = epsilon
	for range warm {
		update(r, m, d, x, ldx, f, room)
	}
}

// Next copies a factor, and where an update is due moves it towards the covariance of X.
func Next[T kernels.Float](r Rule, m, d, k int, x []T, ldx int, from []T, ldf int, to []T, ldt int, room Room[T]) {
	f := view(r.Dim(d), k, to, ldt)
	view(f.dim, k, from, ldf).copyTo(f)
	calls := int(f.tail(rowCalls)[0])
	if calls < always || calls%r.Period == 0 {
		update(r, m, d, x, ldx, f, room)
	}
	if calls++; calls >= always+2*r.Period { // it need not grow: float32 counts to 2²⁴
		calls -= r.Period
	}
	f.tail(rowCalls)[0] = T(calls)
}

// update is a step of the power method on eta·XᵀX/m + (1 − eta)·F. A factor that meets numbers
// that are not finite stays as it is.
func update[T kernels.Float](r Rule, m, d int, x []T, ldx int, f factor[T], room Room[T]) {
	dim, k := f.dim, f.k
	h, y, w, spare := room.Work[:m*k], room.Work[m*k:][:dim*k], room.Work[(m+dim)*k:][:k*k], room.Work[(m+dim+k)*k:]
	z, c, work := room.Sums[:k*k], room.Sums[k*k:][:k], room.Sums[k*k+k:]
	q, rho := f.tail(rowSpectrum), float64(f.tail(rowRho)[0])
	eta := -math.Expm1(-float64(m) / r.History)
	share := eta / float64(m) * r.Scale * r.Scale
	ep := gemm.Epilogue[T]{}
	if r.Ones {
		ep.Bias = f.row(d)
	}
	gemm.Gemm(false, false, m, k, d, 1, x, ldx, f.v, f.ld, false, h, k, ep, room.Pack)
	gemm.Gemm(true, false, d, k, m, T(share), x, ldx, h, k, false, y, k, gemm.Epilogue[T]{}, room.Pack)
	trace := sumSquares(m, d, x, ldx, spare)
	if r.Ones {
		trace += float64(m)
		for j := range k {
			s := 0.0
			for i := range m {
				s += float64(h[i*k+j])
			}
			y[d*k+j] = T(share * s)
		}
	}
	total, keep := 0.0, w[:k] // of the spectrum, and how much of its directions stays
	for j := range k {
		total += float64(q[j])
		keep[j] = T((1 - eta) * (float64(q[j]) + rho))
	}
	for i := range dim {
		to := y[i*k:][:k]
		for j, v := range f.row(i) {
			to[j] += keep[j] * v
		}
	}
	gemm.Gemm(true, false, k, k, dim, 1, y, k, y, k, false, w, k, gemm.Epilogue[T]{}, room.Pack)
	for i, v := range w {
		if v-v != 0 {
			return
		}
		z[i] = float64(v)
	}
	if trace-trace != 0 || !eigen.Symmetric(k, z, c, z, work) {
		return
	}
	roots := 0.0
	for j := range k {
		c[j] = max(c[j], rho*(1-eta)*rho*(1-eta))
		roots += math.Sqrt(c[j])
	}
	for j := range k { // the largest first
		scale := 1 / math.Sqrt(c[k-1-j])
		for i := range k {
			w[i*k+j] = T(z[(k-1-j)*k+i] * scale)
		}
	}
	gemm.Gemm(false, false, dim, k, k, 1, y, k, w, k, false, f.v, f.ld, gemm.Epilogue[T]{}, room.Pack)
	f.orthonormalize(y, w, z, room.Pack) // rounding is as large as c's ratios
	rho = (share*trace + (1-eta)*(float64(dim)*rho+total) - roots) / float64(dim-k)
	rho = max(rho, epsilon, delta*math.Sqrt(c[k-1]))
	for j := range k {
		q[j] = T(max(math.Sqrt(c[k-1-j])-rho, epsilon))
	}
	f.tail(rowRho)[0] = T(rho)
}

// orthonormalize makes the basis orthonormal by a triangular matrix, which Cholesky's method finds
// from the products of its columns [k,k]: again if they were far from orthogonal, or by the method
// of Gram and Schmidt if too far. It works in y [dim,k], w and z [k,k].
func (f factor[T]) orthonormalize(y, w []T, z []float64, pack []T) {
	k := f.k
	for far, passes := true, 0; far && passes < 3; passes++ {
		gemm.Gemm(true, false, k, k, f.dim, 1, f.v, f.ld, f.v, f.ld, false, w, k, gemm.Epilogue[T]{}, pack)
		for i, v := range w {
			z[i] = float64(v)
		}
		far = false
		for i := range k {
			for j := range i {
				far = far || z[i*k+j]*z[i*k+j] > oblique*z[i*k+i]*z[j*k+j]
			}
		}
		if !cholesky.InverseRoot(k, z, least) {
			f.gramSchmidt()
			return
		}
		for i := range k {
			for j := range k {
				w[i*k+j] = 0
				if j >= i {
					w[i*k+j] = T(z[i*k+j])
				}
			}
		}
		gemm.Gemm(false, false, f.dim, k, k, 1, f.v, f.ld, w, k, false, y, k, gemm.Epilogue[T]{}, pack)
		for i := range f.dim {
			copy(f.row(i), y[i*k:][:k])
		}
	}
}

// gramSchmidt does so twice, since once leaves rounding. A column that depends on those before
// it, which nothing but rounding is left of, gives way to an axis.
func (f factor[T]) gramSchmidt() {
	at := func(i, j int) *T { return &f.v[i*f.ld+j] }
	dot := func(a, b int) (s float64) {
		for i := range f.dim {
			s += float64(*at(i, a)) * float64(*at(i, b))
		}
		return s
	}
	axis := 0
	for j := range f.k {
		for pass := 0; pass < 2; {
			before := dot(j, j)
			for b := range j {
				s := T(dot(b, j))
				for i := range f.dim {
					*at(i, j) -= s * *at(i, b)
				}
			}
			after := dot(j, j)
			if !(after > 1e-4*before) {
				for i := range f.dim {
					*at(i, j) = 0
				}
				*at(axis%f.dim, j) = 1
				axis, pass = axis+1, 0
				continue
			}
			scale := T(1 / math.Sqrt(after))
			for i := range f.dim {
				*at(i, j) *= scale
			}
			pass++
		}
	}
}

// Shrink takes H = X·B [m,k] to H·diag(e), e = q/(q + beta), for the factor of D rows and its Tail.
func Shrink[T kernels.Float](alpha float64, m, dim, k int, h []T, ldh int, from []T, ldf int, y []T, ldy int) {
	f := view(dim, k, from, ldf)
	beta := f.smoothing(alpha)
	var e [32]T
	for j := 0; j < k; j += len(e) {
		n := min(len(e), k-j)
		for c, q := range f.tail(rowSpectrum)[j:][:n] {
			e[c] = T(float64(q) / (float64(q) + beta))
		}
		for i := range m {
			to := y[i*ldy+j:][:n]
			for c, v := range h[i*ldh+j:][:n] {
				to[c] = e[c%len(e)] * v
			}
		}
	}
}

// Norm returns ‖X‖/‖X − Y·Bᵀ‖ for H = X·B and Y = H·diag(e) [m,k], 1 where that is no number. It
// relies on BᵀB = I: ‖X − Y·Bᵀ‖² = ‖X‖² − Σ y·(2h − y). It works in work [d].
func Norm[T kernels.Float](ones bool, m, d, k int, x []T, ldx int, h []T, ldh int, y []T, ldy int, work []T) T {
	whole := sumSquares(m, d, x, ldx, work)
	if ones {
		whole += float64(m)
	}
	var taken [4]float64 // of columns 0, 4, 8, …; of 1, 5, …
	for i := range m {
		a, b := h[i*ldh:][:k], y[i*ldy:][:k]
		for len(a) >= 4 && len(b) >= 4 {
			for c := range taken {
				taken[c] += float64(b[c]) * (2*float64(a[c]) - float64(b[c]))
			}
			a, b = a[4:], b[4:]
		}
		for c := range a {
			taken[c&3] += float64(b[c]) * (2*float64(a[c]) - float64(b[c]))
		}
	}
	rest := whole - (taken[0] + taken[1] + (taken[2] + taken[3]))
	if s := math.Sqrt(whole / rest); s > 0 && !math.IsInf(s, 1) {
		return T(s)
	}
	return 1
}

// sumSquares is ‖X‖² of X [m,d], each column's as package norm sums it, in work [d].
func sumSquares[T kernels.Float](m, d int, x []T, ldx int, work []T) float64 {
	norm.ColumnDot(m, d, x, ldx, x, ldx, work[:d])
	total := 0.0
	for _, v := range work[:d] {
		total += float64(v)
	}
	return total
}
