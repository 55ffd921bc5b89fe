package ngsgd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"driftless/kernels"

	"gonum.org/v1/gonum/mat"
)

// filter is a factor of rank k for rows of d numbers, and what it needs to work.
type filter[T kernels.Float] struct {
	rule    Rule
	m, d, k int
	v       []T // the factor
	room    Room[T]
}

func newFilter[T kernels.Float](r Rule, m, d, k int) *filter[T] {
	elements, sums := r.Work(m, d, k)
	return &filter[T]{r, m, d, k, make([]T, (r.Dim(d)+Tail)*k),
		Room[T]{make([]T, elements), make([]float64, sums), make([]T, r.Pack(m, d, k))}}
}

func (f *filter[T]) start(x []T) { Start(f.rule, f.m, f.d, f.k, x, f.d, f.v, f.k, f.v, f.k, f.room) }

// next moves the factor; from is not to, which keeps its rows further apart.
func (f *filter[T]) next(x []T) {
	to := make([]T, (f.rule.Dim(f.d)+Tail)*(f.k+3))
	Next(f.rule, f.m, f.d, f.k, x, f.d, f.v, f.k, to, f.k+3, f.room)
	for i := range f.rule.Dim(f.d) + Tail {
		copy(f.v[i*f.k:][:f.k], to[i*(f.k+3):])
	}
}

// basis, spectrum and rho are what the factor says.
func (f *filter[T]) basis() *mat.Dense {
	b := mat.NewDense(f.rule.Dim(f.d), f.k, nil)
	b.Apply(func(i, j int, _ float64) float64 { return float64(f.v[i*f.k+j]) }, b)
	return b
}

func (f *filter[T]) spectrum() (q []float64, rho float64) {
	dim := f.rule.Dim(f.d)
	for _, v := range f.v[dim*f.k:][:f.k] {
		q = append(q, float64(v))
	}
	return q, float64(f.v[(dim+1)*f.k])
}

// covariance is F.
func (f *filter[T]) covariance() *mat.Dense {
	b := f.basis()
	q, rho := f.spectrum()
	out := new(mat.Dense)
	out.Product(b, mat.NewDiagDense(f.k, q), b.T())
	for i := range f.rule.Dim(f.d) {
		out.Set(i, i, out.At(i, i)+rho)
	}
	return out
}

// offBasis is how far the basis is from orthonormal ones.
func (f *filter[T]) offBasis() float64 {
	b, g := f.basis(), new(mat.Dense)
	g.Mul(b.T(), b)
	off := 0.0
	for i := range f.k {
		for j := range f.k {
			want := 0.0
			if i == j {
				want = 1
			}
			off = max(off, math.Abs(g.At(i, j)-want))
		}
	}
	return off
}

// samples are rows whose columns have scales and means of their own and depend on each other.
func samples[T kernels.Float](rng *rand.Rand, m, d int) []T {
	x := make([]T, m*d)
	for i := range m {
		common := rng.NormFloat64()
		for j := range d {
			x[i*d+j] = T((rng.NormFloat64()+common+0.5)/float64(1+j) + 0.1)
		}
	}
	return x
}

// whole are the rows with their ones, scaled.
func whole[T kernels.Float](r Rule, x []T, m, d int) *mat.Dense {
	out := mat.NewDense(m, r.Dim(d), nil)
	out.Apply(func(i, j int, _ float64) float64 {
		if j < d {
			return r.Scale * float64(x[i*d+j])
		}
		return r.Scale
	}, out)
	return out
}

func equal(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol*math.Max(math.Abs(want), 1e-300)) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func alike(t *testing.T, what string, got, want mat.Matrix, tol float64) {
	t.Helper()
	var diff mat.Dense
	diff.Sub(got, want)
	if off := mat.Norm(&diff, 2) / mat.Norm(want, 2); !(off <= tol) {
		t.Errorf("%s is off by %g", what, off)
	}
}

var rules = []Rule{{Scale: 1, Alpha: 4, History: 200, Period: 1, Ones: true}, {Scale: 20, Alpha: 0.5, History: 200, Period: 1}}

// TestWoodbury: what is left of rows is beta times them, times the inverse of the smoothed
// covariance, and Norm gives it the rows' norm.
func TestWoodbury(t *testing.T) {
	const m, d, k = 20, 12, 5
	rng := rand.New(rand.NewPCG(1, 2))
	for _, r := range rules {
		f := newFilter[float64](r, m, d, k)
		f.start(samples[float64](rng, m, d))
		for step := range 5 {
			x := samples[float64](rng, m, d)
			dim := r.Dim(d)
			plain := whole(Rule{Scale: 1, Ones: r.Ones}, x, m, d)
			h := mat.NewDense(m, k, nil)
			h.Mul(plain, f.basis())
			y := make([]float64, m*k)
			Shrink(r.Alpha, m, dim, k, h.RawMatrix().Data, k, f.v, k, y, k)
			var taken, left mat.Dense
			taken.Mul(mat.NewDense(m, k, y), f.basis().T())
			left.Sub(plain, &taken)

			cov := f.covariance()
			_, rho := f.spectrum()
			smooth := r.Alpha / float64(dim) * mat.Trace(cov)
			for i := range dim {
				cov.Set(i, i, cov.At(i, i)+smooth)
			}
			var inverse, want mat.Dense
			if err := inverse.Inverse(cov); err != nil {
				t.Fatal(err)
			}
			want.Mul(plain, &inverse)
			want.Scale(rho+smooth, &want)
			alike(t, fmt.Sprintf("%+v, step %d: the product with the inverse", r, step), &left, &want, 1e-10)

			s := Norm(r.Ones, m, d, k, x, d, h.RawMatrix().Data, k, y, k, make([]float64, d))
			equal(t, "the norm given back", s*mat.Norm(&want, 2), mat.Norm(plain, 2), 1e-12)
			f.next(x)
		}
	}
}

// TestUpdate: an update keeps the basis orthonormal; its directions are those of the products
// of the old ones with eta·XᵀX/m + (1 − eta)·F, and its eigenvalues the square roots of those
// of the products' products; and it has that matrix's trace, where no floor acts.
func TestUpdate(t *testing.T) {
	const m, d, k = 20, 12, 5
	rng := rand.New(rand.NewPCG(3, 4))
	for _, r := range rules {
		f := newFilter[float64](r, m, d, k)
		f.start(samples[float64](rng, m, d))
		eta, traces := 1-math.Exp(-m/r.History), 0
		for step := range 30 {
			x := samples[float64](rng, m, d)
			target, old, y := new(mat.Dense), f.covariance(), new(mat.Dense)
			rows := whole(r, x, m, d)
			target.Mul(rows.T(), rows)
			target.Scale(eta/m, target)
			old.Scale(1-eta, old)
			target.Add(target, old)
			y.Mul(target, f.basis())
			_, before := f.spectrum()

			f.next(x)
			what := fmt.Sprintf("%+v, step %d: ", r, step)
			if off := f.offBasis(); off > 1e-10 {
				t.Errorf("%sthe basis is off by %g", what, off)
			}
			var inside, again mat.Dense // y lies in the span of the new basis
			b := f.basis()
			inside.Mul(b.T(), y)
			again.Mul(b, &inside)
			alike(t, what+"the span", &again, y, 1e-10)
			// Bᵀ·(Y·Yᵀ)·B is the diagonal of the squared eigenvalues.
			var squares mat.Dense
			squares.Mul(&inside, inside.T())
			q, rho := f.spectrum()
			floored := rho <= max(epsilon, delta*(q[0]+rho))*(1+1e-9)
			for j, v := range q {
				floored = floored || v <= epsilon || v+rho <= before*(1-eta)*(1+1e-9)
				if v > epsilon {
					equal(t, what+"an eigenvalue", v+rho, math.Sqrt(squares.At(j, j)), 1e-9)
				}
				for i := range j {
					if off := squares.At(i, j) / math.Sqrt(squares.At(i, i)*squares.At(j, j)); math.Abs(off) > 1e-6 {
						t.Errorf("%sdirections %d and %d are no eigenvectors: %g", what, i, j, off)
					}
				}
			}
			if !floored {
				traces++
				equal(t, what+"the trace", mat.Trace(f.covariance()), mat.Trace(target), 1e-10)
			}
		}
		if traces < 10 {
			t.Errorf("%+v: floors acted in all but %d of 30 updates", r, traces)
		}
	}
}

// TestWhenUpdated: a factor moves at each of the first ten calls, then at every Period-th.
func TestWhenUpdated(t *testing.T) {
	const m, d, k = 6, 5, 2
	rng := rand.New(rand.NewPCG(5, 6))
	f := newFilter[float32](Rule{Scale: 1, Alpha: 4, History: 200, Period: 4}, m, d, k)
	f.start(samples[float32](rng, m, d))
	var moved []int
	for call := range 30 {
		before := slices.Clone(f.v[:(d+2)*k])
		f.start(samples[float32](rng, m, d)) // leaves alone what has seen something
		if f.next(samples[float32](rng, m, d)); !slices.Equal(before, f.v[:(d+2)*k]) {
			moved = append(moved, call)
		}
	}
	if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 20, 24, 28}; !slices.Equal(moved, want) {
		t.Errorf("moved at calls %v, want %v", moved, want)
	}
}

// TestDegenerate: of fewer directions than the basis has, of one, of none, and of numbers far apart,
// the basis stays orthonormal and all is finite; numbers that are not finite leave it as it is.
func TestDegenerate(t *testing.T) {
	t.Run("float32", func(t *testing.T) { degenerate[float32](t, 2e-6) })
	t.Run("float64", func(t *testing.T) { degenerate[float64](t, 1e-10) })
}

func degenerate[T kernels.Float](t *testing.T, tol float64) {
	const m, d, k = 4, 12, 6
	rng := rand.New(rand.NewPCG(7, 8))
	for name, change := range map[string]func(i, j int, v T) T{
		"four rows":  func(_, _ int, v T) T { return v },
		"one row":    func(_, j int, _ T) T { return T(j) },
		"zeros":      func(int, int, T) T { return 0 },
		"tiny":       func(_, _ int, v T) T { return 1e-15 * v },
		"large":      func(_, _ int, v T) T { return 1e6 * v },
		"two scales": func(_, j int, v T) T { return v * T(math.Pow(10, float64(j%2*4))) },
	} {
		f := newFilter[T](Rule{Scale: 1, Alpha: 4, History: 50, Period: 1}, m, d, k)
		for step := range 40 {
			x := samples[T](rng, m, d)
			for i := range x {
				x[i] = change(i/d, i%d, x[i])
			}
			f.start(x)
			f.next(x)
			if off := f.offBasis(); !(off <= tol) {
				t.Fatalf("%s, step %d: the basis is off by %g", name, step, off)
			}
			for _, v := range f.v[d*k : (d+2)*k] {
				if v-v != 0 || v < 0 {
					t.Fatalf("%s, step %d: an eigenvalue is %v", name, step, v)
				}
			}
		}
		before := slices.Clone(f.v[:(d+2)*k])
		x := samples[T](rng, m, d)
		x[d+1] = T(math.NaN())
		if f.next(x); !slices.Equal(before, f.v[:(d+2)*k]) {
			t.Errorf("%s: NaN moved the factor", name)
		}
	}
}

// TestLeaveOneOut: each row has the inverse of a covariance of all others; together they have
// the rows' norm.
func TestLeaveOneOut(t *testing.T) {
	const m, d = 9, 6
	rng := rand.New(rand.NewPCG(9, 10))
	for _, ones := range []bool{false, true} {
		x := samples[float64](rng, m, d)
		rows := whole(Rule{Scale: 1, Ones: ones}, x, m, d)
		_, dim := rows.Dims()
		alpha := 0.7
		lambda := alpha * math.Pow(mat.Norm(rows, 2), 2) / float64(m*dim)
		want := mat.NewDense(m, dim, nil)
		for n := range m {
			cov := mat.NewSymDense(dim, nil)
			for j := range m {
				if j != n {
					cov.SymRankOne(cov, 1.0/(m-1), rows.RowView(j))
				}
			}
			for i := range dim {
				cov.SetSym(i, i, cov.At(i, i)+lambda)
			}
			var inverse, p mat.Dense
			if err := inverse.Inverse(cov); err != nil {
				t.Fatal(err)
			}
			p.Mul(&inverse, rows.RowView(n))
			want.SetRow(n, p.RawMatrix().Data)
		}
		want.Scale(mat.Norm(rows, 2)/mat.Norm(want, 2), want)

		plain := mat.NewDense(m, d, x)
		gram, k, got := mat.NewDense(m, m, nil), make([]float64, m*m), new(mat.Dense)
		gram.Mul(plain, plain.T())
		LeaveOneOut(alpha, ones, m, dim, gram.RawMatrix().Data, m, k, m, make([]float64, m*m))
		got.Mul(mat.NewDense(m, m, k), rows)
		alike(t, fmt.Sprintf("ones=%v: the natural gradient", ones), got, want, 1e-12)
	}
	for name, v := range map[string]float64{"zeros": 0, "NaN": math.NaN(), "infinities": math.Inf(1)} {
		k, gram := make([]float64, m*m), make([]float64, m*m)
		for i := range gram {
			gram[i] = v
		}
		LeaveOneOut(4, false, m, d, gram, m, k, m, make([]float64, m*m))
		for i, v := range k {
			if i%(m+1) == 0 && v != 1 || i%(m+1) != 0 && v != 0 {
				t.Fatalf("%s: element %d is %v, want the identity", name, i, v)
			}
		}
	}
}

// TestInstructionSets: bits do not depend on the instruction set, and nothing is allocated.
func TestInstructionSets(t *testing.T) {
	const m, d, k = 24, 37, 9
	run := func(isa kernels.ISA) ([]float32, float64) {
		defer kernels.UseISA(isa)()
		rng := rand.New(rand.NewPCG(11, 12))
		f := newFilter[float32](rules[0], m, d, k)
		x := samples[float32](rng, m, d)
		f.start(x)
		for range 12 {
			f.next(samples[float32](rng, m, d))
		}
		return f.v, testing.AllocsPerRun(3, func() {
			Next(f.rule, m, d, k, x, d, f.v, k, f.v, k, f.room)
		})
	}
	want, _ := run(kernels.Go)
	for _, isa := range kernels.ISAs() {
		got, allocs := run(isa)
		if !slices.Equal(got, want) {
			t.Errorf("%v has other bits than plain Go", isa)
		}
		if allocs != 0 {
			t.Errorf("%v: %v allocations an update", isa, allocs)
		}
	}
}
