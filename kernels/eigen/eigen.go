package eigen

import (
	"math"

	"driftless/kernels"
)

// Work returns how many numbers of room [Symmetric] needs for an n×n matrix.
func Work(n int) int { return 2 * n }

// most is how often an eigenvalue is looked for; two or three times are usual.
const most = 60

// Symmetric computes the eigenvalues of a symmetric matrix a [n,n], ascending, and
// orthonormal eigenvectors: row k of vectors [n,n] is that of values[k]. It reads a's lower
// triangle, without gaps between rows; vectors may be a itself. It reports whether it found
// them, which it does not where an element is NaN or infinite: then values and vectors are NaN.
//
// The error of an eigenvalue is some units in the last place of the largest.
func Symmetric(n int, a, values, vectors, work []float64) bool {
	kernels.CheckMatrix(n, n, len(a), n, "eigen: a is shorter than n×n")
	kernels.CheckMatrix(n, n, len(vectors), n, "eigen: vectors is shorter than n×n")
	kernels.CheckVector(n, len(values), "eigen: values is shorter than n")
	kernels.CheckVector(Work(n), len(work), "eigen: work is too short")
	if n == 0 {
		return true
	}
	d, v := values[:n], vectors[:n*n]
	back, ok := load(n, a, v)
	if ok {
		reduce(n, v, d, work[:n], work[n:2*n])
		ok = iterate(n, v, d, work[:n])
	}
	if !ok {
		fill(d, math.NaN())
		fill(v, math.NaN())
		return false
	}
	sort(n, v, d)
	for i := range d {
		d[i] *= back
	}
	return true
}

func fill(x []float64, v float64) {
	for i := range x {
		x[i] = v
	}
}

// load copies the lower triangle to v, times a power of two that makes the largest element
// about 1, so that squares neither overflow nor vanish. It returns what takes that back, and
// reports whether all elements are finite.
func load(n int, a, v []float64) (back float64, ok bool) {
	largest := 0.0
	for i := range n {
		for _, x := range a[i*n:][:i+1] {
			if x-x != 0 {
				return 0, false
			}
			largest = max(largest, math.Abs(x))
		}
	}
	scale, back := 1.0, 1.0
	if _, e := math.Frexp(largest); e < -400 || e > 400 {
		e = min(max(e, -1000), 1000)
		scale, back = math.Ldexp(1, -e), math.Ldexp(1, e)
	}
	for i := range n {
		row := v[i*n:][:i+1]
		for j, x := range a[i*n:][:i+1] {
			row[j] = x * scale
		}
	}
	return back, true
}

// reduce makes the lower triangle of v tridiagonal, with the diagonal d and e[i] between i and
// i+1, and leaves in v's rows the basis in which it is. p is room.
func reduce(n int, v, d, e, p []float64) {
	for i := n - 1; i > 0; i-- {
		u := v[i*n:][:i]
		h, off := reflection(u)
		d[i], e[i-1] = h, off
		if h == 0 {
			continue
		}
		symmetricTimes(n, v, u, p[:i])
		f := 0.0
		for j, x := range u {
			p[j] /= h
			f += float64(p[j] * x)
		}
		f /= h + h
		for j, x := range u {
			p[j] -= float64(f * x)
		}
		for j, x := range u { // the triangle less u·pᵀ + p·uᵀ
			y, row := p[j], v[j*n:][:j+1]
			for k, q := range p[:len(row)] {
				row[k] -= float64(x*q) + float64(y*u[k])
			}
		}
	}
	for i := range n { // the product of the reflections, in the rows above their vectors
		u := v[i*n:][:i]
		h := d[i]
		d[i] = v[i*n+i]
		if i > 0 && h != 0 {
			for r := range i {
				row := v[r*n:][:i]
				addTimes(row, -dot(row, u)/h, u)
			}
		}
		clear(u)
		for r := range i {
			v[r*n+i] = 0
		}
		v[i*n+i] = 1
	}
}

// reflection makes of x the u of a reflection 1 − u·uᵀ/h that takes x to a multiple of its
// last element's direction, which is off. It returns h = 0 where x is that already.
func reflection(x []float64) (h, off float64) {
	last := len(x) - 1
	f := x[last]
	rest := 0.0
	for _, v := range x[:last] {
		rest += float64(v * v)
	}
	if rest == 0 {
		return 0, f
	}
	h = rest + float64(f*f)
	off = -math.Copysign(math.Sqrt(h), f)
	x[last] = f - off
	return h - float64(f*off), off
}

// symmetricTimes sets p to the leading part of a symmetric matrix, of which v has the lower
// triangle, times u.
func symmetricTimes(n int, v, u, p []float64) {
	for j, x := range u {
		row := v[j*n:][:j]
		p[j] = dot(row, u) + float64(v[j*n+j]*x)
		addTimes(p[:j], x, row)
	}
}

// dot returns the sum of the products of x and as many elements of y, in order.
func dot(x, y []float64) (s float64) {
	y = y[:len(x)]
	for i, v := range x {
		s += float64(v * y[i])
	}
	return s
}

// addTimes adds f·y to x.
func addTimes(x []float64, f float64, y []float64) {
	y = y[:len(x)]
	for i, v := range y {
		x[i] += float64(f * v)
	}
}

// iterate finds the eigenvalues of a tridiagonal matrix, and turns the rows of v with it. It
// reports whether it did.
func iterate(n int, v, d, e []float64) bool {
	e[n-1] = 0
	for l := range n {
		for try := 0; ; try++ {
			m := l
			for ; m < n-1; m++ {
				if math.Abs(e[m]) <= 0x1p-53*(math.Abs(d[m])+math.Abs(d[m+1])) || math.Abs(e[m]) < 0x1p-500 {
					break
				}
			}
			if m == l {
				break
			}
			if try == most {
				return false
			}
			step(n, l, m, v, d, e)
		}
	}
	return true
}

// step is one of QL with a shift, on rows l to m.
func step(n, l, m int, v, d, e []float64) {
	g := (d[l+1] - d[l]) / (2 * e[l])
	r := math.Sqrt(float64(g*g) + 1)
	if r > math.MaxFloat64 { // g is far larger than 1
		r = math.Abs(g)
	}
	g = d[m] - d[l] + e[l]/(g+math.Copysign(r, g))
	s, c, p := 1.0, 1.0, 0.0
	for i := m - 1; i >= l; i-- {
		f, b := float64(s*e[i]), float64(c*e[i])
		r = math.Sqrt(float64(f*f) + float64(g*g))
		e[i+1] = r
		if r == 0 { // it falls into two
			d[i+1] -= p
			e[m] = 0
			return
		}
		s, c = f/r, g/r
		g = d[i+1] - p
		r = float64((d[i]-g)*s) + float64(2*float64(c*b))
		p = float64(s * r)
		d[i+1] = g + p
		g = float64(c*r) - b
		turn(v[i*n:][:n], v[(i+1)*n:][:n], c, s)
	}
	d[l] -= p
	e[l] = g
	e[m] = 0
}

// turn rotates two rows.
func turn(x, y []float64, c, s float64) {
	y = y[:len(x)]
	for k, a := range x {
		b := y[k]
		y[k] = float64(s*a) + float64(c*b)
		x[k] = float64(c*a) - float64(s*b)
	}
}

// sort puts eigenvalues in order, and their vectors.
func sort(n int, v, d []float64) {
	for i := 1; i < n; i++ {
		for k := i; k > 0 && d[k] < d[k-1]; k-- {
			d[k], d[k-1] = d[k-1], d[k]
			x, y := v[k*n:][:n], v[(k-1)*n:][:n]
			for j, a := range x {
				x[j], y[j] = y[j], a
			}
		}
	}
}
