package whiten

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"driftless/kernels"

	"gonum.org/v1/gonum/mat"
)

func normals(rng *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

// covariances are blocks of n rows with all kinds of spectra.
func covariances(n int) map[string][]float64 {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	sample := func(rows int) []float64 {
		x := mat.NewDense(rows, n, normals(rng, rows*n))
		var c mat.Dense
		c.Mul(x.T(), x)
		c.Scale(1/float64(rows), &c)
		return c.RawMatrix().Data
	}
	equal, constant := make([]float64, n*n), sample(4*n)
	for i := range n {
		equal[i*n+i] = 2
		constant[i], constant[i*n] = 0, 0
	}
	return map[string][]float64{"full": sample(4 * n), "deficient": sample(1 + n/2), "equal": equal, "zero": make([]float64, n*n), "a constant": constant}
}

func roots(n int) []Root {
	return []Root{{ZCA, n, 1e-2, 0}, {PCA, n, 1e-2, 0}, {Newton, n, 1e-2, 5}, {Newton, n, 1e-2, 1}, {Newton, n, 1e-2, 9}}
}

// of and grad call the kernels in memory of their own.
func of[T kernels.Float](r Root, c []T) (root []T, kept []float64) {
	root, kept = make([]T, r.N*r.N), make([]float64, r.Kept())
	Of(r, c, r.N, root, r.N, kept, make([]float64, r.Work()))
	return root, kept
}

func grad[T kernels.Float](r Root, c, dr []T) []T {
	_, kept := of(r, c)
	dc := make([]T, r.N*r.N)
	Grad(r, c, r.N, kept, dr, r.N, dc, r.N, make([]float64, r.Work()))
	return dc
}

func alike(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	size := 1.0
	for _, v := range want {
		size = max(size, math.Abs(v))
	}
	for i, v := range want {
		if !(math.Abs(got[i]-v) <= tol*size) {
			t.Fatalf("%s[%d] is %v, want %v", what, i, got[i], v)
		}
	}
}

// TestRoots: R·(C + εI)·Rᵀ, for PCA RᵀCR, is the identity; ZCA and a Newton of enough steps are
// symmetric; of few it is what the formula says.
func TestRoots(t *testing.T) {
	for _, n := range []int{1, 2, 5, 10, 13, 30} {
		for name, c := range covariances(n) {
			for _, r := range roots(n) {
				t.Run(fmt.Sprintf("%v %d/%d %s", r.Form, r.Steps, n, name), func(t *testing.T) {
					root, _ := of(r, c)
					if r.Form == Newton {
						alike(t, "root", root, newtonByHand(r, c), rounding(r))
						if r.Steps < 9 || name != "equal" {
							return
						}
					}
					ridged := mat.NewDense(n, n, slices.Clone(c))
					for i := range n {
						ridged.Set(i, i, ridged.At(i, i)+r.Eps)
					}
					var white mat.Dense
					m := mat.NewDense(n, n, root)
					white.Product(m.T(), ridged, m)
					eye := make([]float64, n*n)
					for i := range n {
						eye[i*n+i] = 1
						for j := range n {
							if r.Form != PCA && root[i*n+j] != root[j*n+i] && math.Abs(root[i*n+j]-root[j*n+i]) > 1e-12 {
								t.Errorf("[%d %d] is %v, [%d %d] %v", i, j, root[i*n+j], j, i, root[j*n+i])
							}
						}
					}
					alike(t, "white", white.RawMatrix().Data, eye, 1e-10)
				})
			}
		}
	}
}

// rounding bounds the relative error of a root. Newton's roundings grow from step to step.
func rounding(r Root) float64 {
	if r.Steps > 5 {
		return 1e-8
	}
	return 1e-12
}

// newtonByHand is the iteration as it is written.
func newtonByHand(r Root, c []float64) []float64 {
	n := r.N
	s := mat.NewDense(n, n, slices.Clone(c))
	for i := range n {
		s.Set(i, i, s.At(i, i)+r.Eps)
	}
	t := mat.Trace(s)
	s.Scale(1/t, s)
	p := mat.NewDense(n, n, nil)
	for i := range n {
		p.Set(i, i, 1)
	}
	for range r.Steps {
		var cube, next mat.Dense
		cube.Product(p, p, p, s)
		cube.Scale(-0.5, &cube)
		next.Scale(1.5, p)
		next.Add(&next, &cube)
		p = &next
	}
	p.Scale(1/math.Sqrt(t), p)
	return p.RawMatrix().Data
}

// TestGradients holds them against central differences, also where all eigenvalues are equal,
// and where some are 0. PCA has no derivative there.
func TestGradients(t *testing.T) {
	for _, n := range []int{1, 2, 5, 10} {
		for name, c := range covariances(n) {
			for _, r := range roots(n) {
				if r.Form == PCA && name != "full" {
					continue
				}
				t.Run(fmt.Sprintf("%v %d/%d %s", r.Form, r.Steps, n, name), func(t *testing.T) {
					if r.Form != Newton && name != "full" && name != "equal" {
						r.Eps = 0.1
						for i := range n { // below 0 an eigenvalue does not count, and 0 is where that begins
							c[i*n+i] += 0.05
						}
					}
					dr := normals(rand.New(rand.NewPCG(5, 6)), n*n)
					got := grad(r, c, dr)
					value := func(i int, h float64) (sum float64) {
						x := slices.Clone(c)
						x[i] += h
						root, _ := of(r, x)
						for k, v := range root {
							sum += v * dr[k]
						}
						return sum
					}
					want := make([]float64, n*n)
					for i := range want {
						const h = 1e-5
						want[i] = (value(i, h) - value(i, -h)) / (2 * h)
					}
					alike(t, "gradient", got, want, 1e-7+1e3*rounding(r))
				})
			}
		}
	}
}

// TestBasis: ZCA of a matrix with equal eigenvalues, however it is turned, turns along, and its
// gradient is finite; PCA's gradient there is finite, too.
func TestBasis(t *testing.T) {
	const n = 6
	rng := rand.New(rand.NewPCG(3, 3))
	var qr mat.QR
	var q mat.Dense
	qr.Factorize(mat.NewDense(n, n, normals(rng, n*n)))
	qr.QTo(&q)
	values := mat.NewDiagDense(n, []float64{1, 1, 1, 4, 4, 9})
	var c, want mat.Dense
	c.Product(&q, values, q.T())
	r := Root{ZCA, n, 0, 0}
	want.Product(&q, mat.NewDiagDense(n, []float64{1, 1, 1, 0.5, 0.5, 1.0 / 3}), q.T())
	root, _ := of(r, c.RawMatrix().Data)
	alike(t, "root", root, want.RawMatrix().Data, 1e-14)
	for _, form := range []Form{ZCA, PCA} {
		for i, v := range grad(Root{form, n, 1e-5, 0}, c.RawMatrix().Data, normals(rng, n*n)) {
			if v-v != 0 {
				t.Errorf("%v: gradient %d is %v", form, i, v)
			}
		}
	}
}

// TestNotFinite: what is not finite gives NaN, and ends.
func TestNotFinite(t *testing.T) {
	for _, r := range roots(3) {
		c := []float64{1, 0, 0, 0, math.NaN(), 0, 0, 0, 1}
		root, _ := of(r, c)
		if !slices.ContainsFunc(root, math.IsNaN) {
			t.Errorf("%v: %v", r.Form, root)
		}
		grad(r, c, []float64{1, 2, 3, 4, 5, 6, 7, 8, 9})
	}
}

// TestBits: every instruction set has the bits of the plain Go, in both types, and rows of
// outer products may be computed by themselves.
func TestBits(t *testing.T) {
	t.Run("float32", testBits[float32])
	t.Run("float64", testBits[float64])
}

func testBits[T kernels.Float](t *testing.T) {
	for _, n := range []int{1, 2, 4, 7, 10, 12, 25, 50} {
		const m = 33
		d := 2 * n
		rng := rand.New(rand.NewPCG(uint64(n), 2))
		narrow := func(x []float64) []T {
			out := make([]T, len(x))
			for i, v := range x {
				out[i] = T(v)
			}
			return out
		}
		x, g, a := narrow(normals(rng, m*(d+3))), narrow(normals(rng, m*d)), narrow(normals(rng, d*(n+1)))
		c := narrow(covariances(n)["full"])
		results := func() (out []T) {
			for _, f := range []Factor{Block, Transposed, Both} {
				y := make([]T, m*d)
				Product(f, m, d, n, x, d+3, a, n+1, 0.5, y, d, make([]T, ProductScratch(m, n)))
				out = append(out, y...)
			}
			s := make([]T, d*n)
			for lo := 0; lo < d; lo += 3 {
				Outer(m, n, lo, min(lo+3, d), x, d+3, g, d, 0.25, s, n, make([]T, OuterScratch(m, n)))
			}
			out = append(out, s...)
			for _, r := range roots(n) {
				root, kept := of(r, c)
				out = append(append(append(out, root...), grad(r, c, g[:n*n])...), narrow(kept)...)
			}
			return out
		}
		var want []T
		for i, isa := range kernels.ISAs() {
			restore := kernels.UseISA(isa)
			got := results()
			restore()
			if i == 0 {
				want = got
			}
			for k := range want {
				if got[k] != want[k] && (got[k] == got[k] || want[k] == want[k]) {
					t.Fatalf("%d, %v: result %d is %v, want %v", n, isa, k, got[k], want[k])
				}
			}
		}
		for _, f := range []Factor{Block, Transposed, Both} {
			for i := range m {
				for j := range d {
					sum, first := 0.0, j/n*n
					for p := range n {
						b, bt := float64(a[(first+p)*(n+1)+j-first]), float64(a[j*(n+1)+p])
						sum += 0.5 * float64(x[i*(d+3)+first+p]) * []float64{b, bt, b + bt}[f]
					}
					if got := float64(want[int(f)*m*d+i*d+j]); math.Abs(got-sum) > 1e-4 {
						t.Fatalf("product with %v [%d %d] is %v, want %v", f, i, j, got, sum)
					}
				}
			}
		}
		for j := range d {
			for l := range n {
				sum := 0.0
				for i := range m {
					sum += 0.25 * float64(x[i*(d+3)+j]) * float64(g[i*d+j/n*n+l])
				}
				if got := float64(want[3*m*d+j*n+l]); math.Abs(got-sum) > 1e-4 {
					t.Fatalf("outer product [%d %d] is %v, want %v", j, l, got, sum)
				}
			}
		}
	}
}

func BenchmarkRoot(b *testing.B) {
	const n = 10
	for _, r := range []Root{{ZCA, n, 1e-5, 0}, {Newton, n, 1e-5, 5}} {
		c, root, kept, work := make([]float32, n*n), make([]float32, n*n), make([]float64, r.Kept()), make([]float64, r.Work())
		for i, v := range covariances(n)["full"] {
			c[i] = float32(v)
		}
		b.Run(fmt.Sprint(r.Form), func(b *testing.B) {
			for b.Loop() {
				Of(r, c, n, root, n, kept, work)
			}
		})
		b.Run(fmt.Sprint(r.Form, " grad"), func(b *testing.B) {
			for b.Loop() {
				Grad(r, c, n, kept, root, n, root, n, work)
			}
		})
	}
	m := make([]square, 3)
	squares(n, make([]float64, 3*room(n)), &m[0], &m[1], &m[2])
	b.Run("product", func(b *testing.B) {
		for b.Loop() {
			m[0].setProduct(m[1], m[2])
		}
	})
}
