package whiten

import (
	"math"

	"driftless/kernels"
)

// Grad computes the gradient of [Of] in the block c from that in its root, dr [n,n]: dc [n,n],
// which is symmetric. An eigenvalue below 0 counts as one above. Where eigenvalues are equal
// ZCA's gradient is what it is elsewhere; PCA has none there, and this leaves out what would be
// a division by 0.
func Grad[T kernels.Float](r Root, c []T, ldc int, kept []float64, dr []T, lddr int, dc []T, lddc int, work []float64) {
	var s, g, u, x, y, z, cube, sum square
	squares(r.N, work, &s, &g, &u, &x, &y, &z, &cube, &sum)
	for i := range r.N {
		to := g.row(i)
		for j, v := range dr[i*lddr:][:r.N] {
			to[j] = float64(v)
		}
	}
	switch r.Form {
	case Newton:
		g.symmetrize()
		read(s, c, ldc)
		newtonGrad(r, s, g, kept, u, x, y, z, cube, sum)
		write(dc, lddc, sum)
		return
	case ZCA: // divided differences of 1/√l, without a difference
		g.symmetrize()
		vectors(r, kept, x)
		y.setTransposed(x)
		z.setProduct(x, g)
		s.setProduct(z, y)
		roots := u.x[:r.N]
		for k := range roots {
			roots[k] = math.Sqrt(r.level(kept[k]))
		}
		for a, p := range roots {
			row := s.row(a)
			for b, q := range roots {
				row[b] /= -float64(p*q) * (p + q)
			}
		}
	case PCA:
		vectors(r, kept, x)
		y.setTransposed(x)
		s.setProduct(x, g) // [a,b]: vector a with the gradient of column b, the largest first
		gaps(r, kept, s, z)
		s.symmetrize()
	}
	z.setProduct(y, s)
	sum.setProduct(z, x)
	sum.symmetrize()
	write(dc, lddc, sum)
}

// vectors sets s to the eigenvectors, a row each.
func vectors(r Root, kept []float64, s square) {
	for k := range r.N {
		copy(s.row(k), kept[r.N+k*r.N:][:r.N])
	}
}

// gaps turns, in the basis of the eigenvectors, the gradient in PCA's columns into that in the
// matrix. z is room.
func gaps(r Root, kept []float64, s, z square) {
	n := r.N
	least := 1e-12 * math.Abs(kept[n-1])
	for a := range n {
		for b := range n {
			v, l := s.row(a)[n-1-b], r.level(kept[b])
			gap := kept[b] - kept[a]
			switch {
			case a == b:
				v *= -0.5 / (l * math.Sqrt(l))
			case !(math.Abs(gap) > least):
				v = 0
			default:
				v /= math.Sqrt(l) * gap
			}
			z.row(a)[b] = v
		}
	}
	copy(s.x, z.x)
}

// newtonGrad goes back over the steps. All P and S commute and are symmetric, and only the
// symmetric part of a gradient in them counts.
func newtonGrad(r Root, s, g square, kept []float64, u, x, y, z, cube, sum square) {
	t := r.scaled(s)
	root := math.Sqrt(t)
	dt := -0.5 * inner(g, r.iterate(kept, r.Steps-1)) / (t * root)
	for i := range g.x {
		g.x[i] /= root
	}
	clear(sum.x)
	ld := stride(r.N)
	for k := r.Steps - 1; k > 0; k-- {
		p := r.iterate(kept, k-1)
		x.setProduct(p, g)
		u.setProduct(p, x)    // p²·g
		cube.setProduct(p, u) // p³·g, of which the gradient in S has −½
		// 1.5·g − ½·sym(g·S·p² + p·g·S·p + p²·g·S), of which the first and the last are one
		u.symmetrize()
		y.setProduct(s, u)
		u.setProduct(p, s)
		z.setProduct(x, u)
		for i := range r.N {
			for j := range i + 1 {
				a, b := i*ld+j, j*ld+i
				v := float64(1.5*g.x[a]) - float64(0.5*(y.x[a]+y.x[b])) - float64(0.25*(z.x[a]+z.x[b]))
				g.x[a], g.x[b] = v, v
				sum.x[a] -= 0.25 * (cube.x[a] + cube.x[b])
			}
		}
	}
	for i := range r.N {
		for j := range i + 1 {
			v := sum.x[i*ld+j] - float64(0.5*g.x[i*ld+j])
			sum.x[i*ld+j], sum.x[j*ld+i] = v, v
		}
	}
	dt -= inner(sum, s) / t
	for i := range s.n {
		row := sum.row(i)
		for j, v := range row {
			row[j] = v / t
		}
		row[i] += dt
	}
}

// inner returns the sum of the products of the elements of x and y.
func inner(x, y square) (sum float64) {
	for i, v := range x.x {
		sum += float64(v * y.x[i])
	}
	return sum
}
