package whiten

import (
	"fmt"
	"math"

	"driftless/kernels"
	"driftless/kernels/eigen"
)

// Form says which inverse root of C + eps·I a block becomes.
type Form uint8

// The forms. With eigenpairs (λ, e) of C, ascending, and l = max(λ, 0) + eps:
//
//	ZCA     Σ e·eᵀ/√l, in which the signs and the order of the e do not matter
//	PCA     the columns e/√l, of the largest λ first, each with its element of the largest
//	        magnitude (the first of those) positive
//	Newton  what so many steps of Newton and Schulz make of it: with S = (C + eps·I)/t,
//	        t = trace(C + eps·I), and P = I,
//	            P ← 1.5·P − 0.5·P³·S     each step
//	            P/√t                     at the end
const (
	ZCA Form = iota
	PCA
	Newton
)

func (f Form) String() string { return name(int(f), "zca", "pca", "newton") }

// Root is an inverse root of blocks of n rows.
type Root struct {
	Form  Form
	N     int
	Eps   float64
	Steps int // of Newton, at least 1
}

// Check returns an error for numbers that make no root.
func (r Root) Check() error {
	switch {
	case r.N < 1:
		return fmt.Errorf("blocks of %d rows are none", r.N)
	case !(r.Eps >= 0) || math.IsInf(r.Eps, 1):
		return fmt.Errorf("eps is %v; want a finite number that is not negative", r.Eps)
	case r.Form > Newton:
		return fmt.Errorf("form %d is not known", r.Form)
	case r.Form == Newton && r.Steps < 1:
		return fmt.Errorf("%d steps of Newton are too few; want at least 1", r.Steps)
	}
	return nil
}

// Kept is how many numbers [Root.Grad] needs of what [Root.Of] found: the eigenvalues and the
// vectors, a row each; or P after each step.
func (r Root) Kept() int {
	if r.Form == Newton {
		return r.Steps * room(r.N)
	}
	return r.N + r.N*r.N
}

// Flops returns about how many operations one root takes, and GradFlops its gradient.
func (r Root) Flops() float64 { return r.cubes(12, 6) }

// GradFlops: see Flops.
func (r Root) GradFlops() float64 { return r.cubes(8, 12) }

func (r Root) cubes(decomposed, step float64) float64 {
	if r.Form == Newton {
		decomposed = step * float64(r.Steps-1)
	}
	return decomposed * math.Pow(float64(r.N), 3)
}

// Work is how many numbers of room both need.
func (r Root) Work() int { return 8*room(r.N) + eigen.Work(r.N) }

// read sets s to the symmetric part of a block.
func read[T kernels.Float](s square, from []T, ld int) {
	for i := range s.n {
		to := s.row(i)
		for j, v := range from[i*ld:][:s.n] {
			to[j] = float64(v)
		}
	}
	s.symmetrize()
}

func write[T kernels.Float](to []T, ld int, s square) {
	for i := range s.n {
		row := to[i*ld:][:s.n]
		for j, v := range s.row(i) {
			row[j] = T(v)
		}
	}
}

// Of computes the root of a block c [n,n], of which it takes the symmetric part, and keeps what
// the gradient needs. If c is not finite the root is NaN.
func Of[T kernels.Float](r Root, c []T, ldc int, root []T, ldr int, kept, work []float64) {
	if r.Form == Newton {
		newton(r, c, ldc, root, ldr, kept, work)
		return
	}
	n := r.N
	var s, t, out square
	work = squares(n, work, &s, &t, &out)
	values, vectors := kept[:n], kept[n:][:n*n]
	read(s, c, ldc)
	for i := range n {
		copy(vectors[i*n:][:n], s.row(i))
	}
	eigen.Symmetric(n, vectors, values, vectors, work)
	if r.Form == PCA {
		for k := range n {
			orient(vectors[k*n:][:n])
			f := r.factor(values[k])
			for j, v := range vectors[k*n:][:n] {
				root[j*ldr+n-1-k] = T(v * f)
			}
		}
		return
	}
	for k := range n {
		f := r.factor(values[k])
		from, to := vectors[k*n:][:n], s.row(k)
		for j, v := range from {
			to[j] = v * f
			t.x[j*stride(n)+k] = v
		}
	}
	out.setProduct(t, s)
	out.symmetrize()
	write(root, ldr, out)
}

// level is what takes the place of an eigenvalue, factor what that becomes.
func (r Root) level(value float64) float64  { return max(value, 0) + r.Eps }
func (r Root) factor(value float64) float64 { return 1 / math.Sqrt(r.level(value)) }

// orient gives a vector its sign.
func orient(v []float64) {
	most := 0
	for j, x := range v {
		if math.Abs(x) > math.Abs(v[most]) {
			most = j
		}
	}
	if v[most] < 0 {
		for j, x := range v {
			v[j] = -x
		}
	}
}

// scaled sets s to (C + eps·I)/t, and returns the trace t.
func (r Root) scaled(s square) (t float64) {
	for i := range r.N {
		s.row(i)[i] += r.Eps
		t += s.row(i)[i]
	}
	for i := range r.N {
		for j, v := range s.row(i) {
			s.row(i)[j] = v / t
		}
	}
	return t
}

// iterate is P after step k, counted from 0.
func (r Root) iterate(kept []float64, k int) square {
	size := room(r.N)
	return square{r.N, kept[k*size:][:size]}
}

func newton[T kernels.Float](r Root, c []T, ldc int, root []T, ldr int, kept, work []float64) {
	var s, a, b square
	squares(r.N, work, &s, &a, &b)
	read(s, c, ldc)
	t := r.scaled(s)
	for k := range r.Steps {
		p := r.iterate(kept, k)
		clear(p.x)
		if k == 0 { // of I
			for i := range r.N {
				to := p.row(i)
				for j, v := range s.row(i) {
					to[j] = -0.5 * v
				}
				to[i] += 1.5
			}
			continue
		}
		old := r.iterate(kept, k-1)
		a.setProduct(old, old)
		b.setProduct(a, old)
		a.setProduct(b, s)
		for i := range r.N {
			to, cube := p.row(i), a.row(i)
			for j, v := range old.row(i) {
				to[j] = float64(1.5*v) - float64(0.5*cube[j])
			}
		}
	}
	f := 1 / math.Sqrt(t)
	for i := range r.N {
		to := root[i*ldr:][:r.N]
		for j, v := range r.iterate(kept, r.Steps-1).row(i) {
			to[j] = T(v * f)
		}
	}
}
