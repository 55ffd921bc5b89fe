package eigen

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// with returns a symmetric matrix of those eigenvalues, in a random basis.
func with(seed uint64, values ...float64) []float64 {
	n := len(values)
	rng := rand.New(rand.NewPCG(seed, 1))
	g := mat.NewDense(n, n, nil)
	g.Apply(func(int, int, float64) float64 { return rng.NormFloat64() }, g)
	var qr mat.QR
	qr.Factorize(g)
	var q, a mat.Dense
	qr.QTo(&q)
	a.Product(&q, mat.NewDiagDense(n, values), q.T())
	for i := range n {
		for j := range i {
			a.Set(j, i, a.At(i, j))
		}
	}
	return a.RawMatrix().Data
}

func spread(n int, f func(i int) float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = f(i)
	}
	return out
}

func matrices() map[string][]float64 {
	all := map[string][]float64{
		"one":          {3},
		"negative one": {-3},
		"two":          {2, 1, 1, 2},
		"zero":         make([]float64, 25),
		"identity":     {1, 0, 0, 0, 1, 0, 0, 0, 1},
		"diagonal":     {3, 0, 0, 0, -1, 0, 0, 0, 2},
		"repeated":     with(1, 2, 2, 2, 5, 5, 7),
		"all equal":    with(2, spread(12, func(int) float64 { return 4 })...),
		"nearly equal": with(3, spread(9, func(i int) float64 { return 1 + 1e-14*float64(i) })...),
		"rank one":     with(4, 0, 0, 0, 0, 0, 3),
		"graded":       with(5, spread(14, func(i int) float64 { return math.Pow(10, float64(-i)) })...),
		"far apart":    {1e-12, 1e-7, 0, 1e-7, 1, 1e5, 0, 1e5, 1e12},
		"huge":         with(6, 1e300, 2e300, -3e300),
		"tiny":         with(7, 1e-300, 2e-300, 5e-300),
		"subnormal":    {5e-324, 0, 0, 5e-324},
	}
	for _, n := range []int{2, 3, 10, 33, 100, 200} {
		rng := rand.New(rand.NewPCG(uint64(n), 9))
		a := make([]float64, n*n)
		for i := range n {
			for j := range i + 1 {
				a[i*n+j] = rng.NormFloat64()
				a[j*n+i] = a[i*n+j]
			}
		}
		all[fmt.Sprint("random ", n)] = a
		if n >= 10 { // of fewer rows than columns
			const rows = 7
			x := mat.NewDense(rows, n, nil)
			x.Apply(func(int, int, float64) float64 { return rng.NormFloat64() }, x)
			var c mat.Dense
			c.Mul(x.T(), x)
			all[fmt.Sprint("deficient ", n)] = c.RawMatrix().Data
		}
	}
	for n := 2; n <= 20; n += 3 { // the tridiagonal matrix of Wilkinson, with close pairs
		a := make([]float64, n*n)
		for i := range n {
			a[i*n+i] = math.Abs(float64(i) - float64(n-1)/2)
			if i > 0 {
				a[i*n+i-1], a[(i-1)*n+i] = 1, 1
			}
		}
		all[fmt.Sprint("Wilkinson ", n)] = a
	}
	return all
}

// TestSymmetric: eigenvalues ascend and are gonum's, vectors are orthonormal, and the matrix
// is made of them again.
func TestSymmetric(t *testing.T) {
	for name, a := range matrices() {
		t.Run(name, func(t *testing.T) {
			n := int(math.Sqrt(float64(len(a))))
			values, vectors := make([]float64, n), make([]float64, n*n)
			if !Symmetric(n, a, values, vectors, make([]float64, Work(n))) {
				t.Fatal("not found")
			}
			size := 0.0
			for _, x := range a {
				size = max(size, math.Abs(x))
			}
			tol := 4 * float64(n) * 0x1p-52
			if !slices.IsSorted(values) {
				t.Errorf("eigenvalues %v do not ascend", values)
			}
			for k, want := range gonums(t, n, a, size) {
				if !(math.Abs(values[k]-want) <= tol*size*float64(n)) {
					t.Errorf("eigenvalue %d is %v, want %v", k, values[k], want)
				}
			}
			for i := range n {
				for j := range n {
					inner, again := 0.0, 0.0
					for k := range n {
						inner += vectors[i*n+k] * vectors[j*n+k]
						again += vectors[k*n+i] * (values[k] / max(size, 1e-320) * vectors[k*n+j])
					}
					want := 0.0
					if i == j {
						want = 1
					}
					if !(math.Abs(inner-want) <= 4*tol) {
						t.Fatalf("vectors %d and %d have the product %v", i, j, inner)
					}
					if size > 1e-320 && !(math.Abs(again-a[i*n+j]/size) <= 4*tol) {
						t.Fatalf("element [%d %d] is made again as %v, want %v", i, j, again*size, a[i*n+j])
					}
				}
			}
		})
	}
}

// gonums returns the eigenvalues that gonum finds. It cannot scale what is nearly 0.
func gonums(t *testing.T, n int, a []float64, size float64) []float64 {
	if size < 1e-280 && size > 0 {
		return nil
	}
	sym := mat.NewSymDense(n, nil)
	for i := range n {
		for j := range i + 1 {
			sym.SetSym(i, j, a[i*n+j])
		}
	}
	var e mat.EigenSym
	if !e.Factorize(sym, false) {
		t.Fatal("gonum found none")
	}
	return e.Values(nil)
}

// TestInPlace: vectors may be the matrix, only the lower triangle is read, and the bits are
// those of the first time.
func TestInPlace(t *testing.T) {
	const n = 10
	a := matrices()["random 10"]
	values, vectors, work := make([]float64, n), make([]float64, n*n), make([]float64, Work(n))
	Symmetric(n, a, values, vectors, work)
	own := slices.Clone(a)
	for i := range n {
		for j := i + 1; j < n; j++ {
			own[i*n+j] = math.NaN()
		}
	}
	again := make([]float64, n)
	if !Symmetric(n, own, again, own, work) || !slices.Equal(again, values) || !slices.Equal(own, vectors) {
		t.Error("in place, without the upper triangle, it differs")
	}
}

// TestNotFinite: what is not finite ends at once, in NaN.
func TestNotFinite(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for at := range 9 {
			if at/3 < at%3 {
				continue
			}
			a := []float64{1, 2, 3, 2, 5, 6, 3, 6, 9}
			a[at] = bad
			values, vectors := make([]float64, 3), make([]float64, 9)
			if Symmetric(3, a, values, vectors, make([]float64, Work(3))) {
				t.Errorf("%v at %d: found %v", bad, at, values)
			}
			for _, x := range append(values, vectors...) {
				if x == x {
					t.Errorf("%v at %d: %v %v", bad, at, values, vectors)
				}
			}
		}
	}
}

func TestAllocatesNothing(t *testing.T) {
	const n = 30
	a, values, vectors, work := with(1, spread(n, func(i int) float64 { return float64(i) })...), make([]float64, n), make([]float64, n*n), make([]float64, Work(n))
	if k := testing.AllocsPerRun(5, func() { Symmetric(n, a, values, vectors, work) }); k > 0 {
		t.Errorf("%v allocations", k)
	}
}

func BenchmarkSymmetric(b *testing.B) {
	for _, n := range []int{2, 10, 100} {
		a, values, vectors, work := with(1, spread(n, func(i int) float64 { return 1 + float64(i) })...), make([]float64, n), make([]float64, n*n), make([]float64, Work(n))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				Symmetric(n, a, values, vectors, work)
			}
		})
	}
}
