package models_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"driftless/engine/device/cpu"
	"driftless/engine/program"
	"driftless/models"
	"driftless/models/norm"

	"gonum.org/v1/gonum/mat"
)

// whitener is what a group of columns c, which are centred, is multiplied by, and how the
// gradient in that becomes one in the covariance.
type whitener func(t *testing.T, cov *mat.Dense, eps float64) (a *mat.Dense, back func(da *mat.Dense) *mat.Dense)

// ownGroup is the group of n columns from column at on.
func ownGroup(x *mat.Dense, at, n int) *mat.Dense {
	rows, _ := x.Dims()
	return mat.DenseCopyOf(x.Slice(0, rows, at, at+n))
}

func covarianceOf(c *mat.Dense) *mat.Dense {
	rows, _ := c.Dims()
	out := new(mat.Dense)
	out.Mul(c.T(), c)
	out.Scale(1/float64(rows), out)
	return out
}

func symmetricPart(a *mat.Dense) *mat.Dense {
	out := new(mat.Dense)
	out.Add(a, a.T())
	out.Scale(0.5, out)
	return out
}

// whitened normalizes groups of n columns, written down as the formula says.
func whitened(t *testing.T, x, g *mat.Dense, n int, eps float64, by whitener) (y, dx *mat.Dense) {
	rows, cols := x.Dims()
	y, dx = mat.NewDense(rows, cols, nil), mat.NewDense(rows, cols, nil)
	for at := 0; at < cols; at += n {
		c, dy := ownGroup(x, at, n), ownGroup(g, at, n)
		c = less(c, columnMeans(c))
		a, back := by(t, covarianceOf(c), eps)
		var out, da, dc, through mat.Dense
		out.Mul(c, a)
		da.Mul(c.T(), dy)
		dc.Mul(dy, a.T())
		through.Mul(c, symmetricPart(back(&da)))
		through.Scale(2/float64(rows), &through)
		dc.Add(&dc, &through)
		y.Slice(0, rows, at, at+n).(*mat.Dense).Copy(&out)
		dx.Slice(0, rows, at, at+n).(*mat.Dense).Copy(less(&dc, columnMeans(&dc)))
	}
	return y, dx
}

// byZCA is the symmetric inverse root A = R⁻¹, R² = Cov + eps·I. Its gradient is found without
// eigenvalues: dR = −A·dA·A, and dCov solves R·dCov + dCov·R = dR.
func byZCA(t *testing.T, cov *mat.Dense, eps float64) (*mat.Dense, func(*mat.Dense) *mat.Dense) {
	n, _ := cov.Dims()
	a, r := symmetricPower(t, cov, eps, -0.5), symmetricPower(t, cov, eps, 0.5)
	return a, func(da *mat.Dense) *mat.Dense {
		var dr mat.Dense
		dr.Product(a, symmetricPart(da), a)
		sum := mat.NewDense(n*n, n*n, nil) // R⊗I + I⊗R
		for i := range n {
			for j := range n {
				for k := range n {
					sum.Set(i*n+j, k*n+j, sum.At(i*n+j, k*n+j)+r.At(i, k))
					sum.Set(i*n+j, i*n+k, sum.At(i*n+j, i*n+k)+r.At(k, j))
				}
			}
		}
		var solved mat.VecDense
		must(t, solved.SolveVec(sum, mat.NewVecDense(n*n, dr.RawMatrix().Data)))
		return scaled(-1, mat.NewDense(n, n, solved.RawVector().Data))
	}
}

// byNewton is the root after so many steps, with the published gradient.
func byNewton(steps int) whitener {
	return func(_ *testing.T, cov *mat.Dense, eps float64) (*mat.Dense, func(*mat.Dense) *mat.Dense) {
		n, _ := cov.Dims()
		identity := mat.NewDense(n, n, nil)
		for i := range n {
			identity.Set(i, i, 1)
		}
		sigma, s := new(mat.Dense), new(mat.Dense)
		sigma.Add(cov, scaled(eps, identity))
		trace := mat.Trace(sigma)
		s.Scale(1/trace, sigma)
		p := []*mat.Dense{identity}
		for k := range steps {
			next := new(mat.Dense)
			next.Product(p[k], p[k], p[k], s)
			next.Scale(-0.5, next)
			next.Add(next, scaled(1.5, p[k]))
			p = append(p, next)
		}
		return scaled(1/math.Sqrt(trace), p[steps]), func(da *mat.Dense) *mat.Dense {
			inner := func(x, y mat.Matrix) float64 { var m mat.Dense; m.Mul(x.T(), y); return mat.Trace(&m) }
			dt := -0.5 * math.Pow(trace, -1.5) * inner(da, p[steps])
			dp, ds := scaled(1/math.Sqrt(trace), da), mat.NewDense(n, n, nil)
			for k := steps; k > 0; k-- {
				q := p[k-1]
				var square, cube, e, part, first, second, third mat.Dense
				square.Mul(q, q)
				cube.Mul(&square, q)
				part.Mul(cube.T(), dp)
				ds.Sub(ds, scaled(0.5, &part))
				e.Mul(dp, s.T())
				first.Mul(&e, square.T())
				second.Product(q.T(), &e, q.T())
				third.Mul(square.T(), &e)
				first.Add(&first, &second)
				first.Add(&first, &third)
				dp.Scale(1.5, dp)
				dp.Sub(dp, scaled(0.5, &first))
			}
			dt -= inner(ds, sigma) / (trace * trace)
			out := scaled(1/trace, ds)
			out.Add(out, scaled(dt, identity))
			return out
		}
	}
}

// blockIdentities holds what is true of every whitening of groups of three columns.
func blockIdentities(t *testing.T, name string, by whitener) {
	const rows, cols, n = 20, 6, 3
	rng := rand.New(rand.NewPCG(1, 2))
	x, g := normal(rng, rows, cols), normal(rng, rows, cols)
	mix := normal(rng, cols, cols)
	mixed := new(mat.Dense)
	mixed.Mul(x, mix)
	mixed.Apply(func(_, j int, v float64) float64 { return v + float64(j) }, mixed)
	equal := mat.NewDense(rows, cols, nil) // a column is 1 and −1 in a row each: Cov is a multiple of I
	for j := range cols {
		for i := range 2 {
			equal.Set(2*j+i, j, float64(1-2*i))
		}
	}
	for what, x := range map[string]*mat.Dense{"correlated": mixed, "equal eigenvalues": equal, "constant columns": mat.NewDense(rows, cols, nil)} {
		for _, eps := range []float64{0.5, 1e-3} {
			m := norm.Must(fmt.Sprintf("%s:noaffine:groups=%d:eps=%v", name, n, eps))
			y, dx := through(t, m, x, g, nil)
			wantY, wantDX := whitened(t, x, g, n, eps, by)
			alike(t, what+", x̂", y, wantY, 1e-10)
			size := mat.Norm(wantDX, 2)
			alike(t, what+", dx", scaled(1/size, dx), scaled(1/size, wantDX), 1e-10)
			for j, s := range columnSums(dx).RawVector().Data {
				if !(math.Abs(s) <= 1e-12*size) {
					t.Errorf("%s: the sum of dx over column %d is %g", what, j, s)
				}
			}
		}
	}
}

// blockState: the running matrix takes a step towards each batch's, and is that of the
// covariance of all rows where it is re-estimated; groups must divide the width.
func blockState(t *testing.T, name string, by whitener) {
	const n, eps, rate = 3, 0.01, 0.3
	m := models.MLP{Inputs: 7, Hidden: []int{6, 9}, Classes: 4, Activation: "tanh", InitSD: 0.5, DType: program.Float64,
		Norm: norm.Must(fmt.Sprintf("%s:groups=%d:eps=%v:running-momentum=%v", name, n, eps, rate))}.Network()
	r := newRig(t, m, cpu.New(), 1)
	rootOf := func(z []float64) (mean *mat.VecDense, blocks []float64) {
		all := mat.NewDense(len(z)/6, 6, z)
		c := less(all, columnMeans(all))
		for at := 0; at < 6; at += n {
			a, _ := by(t, covarianceOf(ownGroup(c, at, n)), eps)
			blocks = append(blocks, a.RawMatrix().Data...)
		}
		return columnMeans(all), blocks
	}
	w, b := r.read(t, "fc1.weight", 0), r.read(t, "fc1.bias", 0)
	must(t, r.session.Run(context.Background(), r.train, 1))
	batch, _ := r.batch(t)
	mean, blocks := rootOf(affine(batch.RawMatrix().Data, w, b, 7))
	for i := range blocks {
		blocks[i] *= rate
		if i/n%n == i%n {
			blocks[i] += 1 - rate
		}
	}
	mean.ScaleVec(rate, mean)
	close(t, "running_mean", r.read(t, "norm1.running_mean", 0), mean.RawVector().Data, 1e-11)
	close(t, "running_whitening", r.read(t, "norm1.running_whitening", 0), blocks, 1e-10)

	estimate, err := m.Statistics(r.layout, models.Source{Images: "x", Labels: "y", Total: rigRows, Batch: rigBatch})
	must(t, err)
	s, err := cpu.New().Open(r.layout, 1)
	must(t, err)
	defer s.Close()
	must(t, m.Initialize(s, 0, 5))
	r.session = s
	must(t, s.Run(context.Background(), estimate, 1))
	mean, blocks = rootOf(r.linear(t, r.x))
	close(t, "re-estimated mean", r.read(t, "norm1.running_mean", 0), mean.RawVector().Data, 1e-11)
	close(t, "re-estimated whitening", r.read(t, "norm1.running_whitening", 0), blocks, 1e-10)

	m.Norm = norm.Must(name + ":groups=4")
	if _, err := m.Build(norm.Training, 60); err == nil || !strings.Contains(err.Error(), "cannot divide a layer of 6 units into groups of 4") {
		t.Errorf("groups that do not divide the width: %v", err)
	}
}

// refusesFewRows: a group's covariance needs twice as many rows as it has units.
func refusesFewRows(t *testing.T, name string) {
	m := models.MLP{Inputs: 7, Hidden: []int{6}, Classes: 4, Activation: "tanh", InitSD: 0.5, DType: program.Float64, Norm: norm.Must(name + ":groups=6")}.Network()
	if _, err := m.Build(norm.Training, 11); err == nil || !strings.Contains(err.Error(), "at least 12 rows, and the batch has 11") {
		t.Errorf("a batch of 11 rows for groups of 6: %v", err)
	}
	if _, err := m.Build(norm.Evaluating, 11); err != nil {
		t.Errorf("evaluation takes any number of rows: %v", err)
	}
}

// testDBN: besides, along an eigenvector e of the covariance the gradient leaves of
// Γ = Σ (e·g)(e·x̂) the share eps/(λ + eps), where a naive one leaves all of it.
func testDBN(t *testing.T) {
	blockIdentities(t, "dbn", byZCA)
	blockState(t, "dbn", byZCA)
	refusesFewRows(t, "dbn")

	const rows, n, eps = 20, 4, 0.3
	rng := rand.New(rand.NewPCG(3, 4))
	x, g, mix := normal(rng, rows, n), normal(rng, rows, n), normal(rng, n, n)
	x.Mul(x, mix)
	y, dx := through(t, norm.Must("dbn:noaffine:groups=4:eps=0.3"), x, g, nil)
	c := less(x, columnMeans(x))
	var e mat.EigenSym
	cov := covarianceOf(c)
	if !e.Factorize(mat.NewSymDense(n, symmetricPart(cov).RawMatrix().Data), true) {
		t.Fatal("no eigenvalues")
	}
	var vectors, got, gamma mat.Dense
	e.VectorsTo(&vectors)
	got.Product(vectors.T(), dx.T(), c, &vectors)
	gamma.Product(vectors.T(), g.T(), y, &vectors)
	for k, l := range e.Values(nil) {
		if want := gamma.At(k, k) * eps / (l + eps); !(math.Abs(got.At(k, k)-want) <= 1e-10) {
			t.Errorf("along eigenvector %d the gradient is %v, want %v", k, got.At(k, k), want)
		}
	}
}

// testIterNorm: besides, more steps come nearer to ZCA.
func testIterNorm(t *testing.T) {
	blockIdentities(t, "iternorm", byNewton(5))
	blockState(t, "iternorm", byNewton(5))
	rng := rand.New(rand.NewPCG(5, 6))
	x, g := normal(rng, 12, 5), normal(rng, 12, 5)
	zca, _ := through(t, norm.Must("dbn:noaffine:groups=5"), x, g, nil)
	last := math.Inf(1)
	for _, steps := range []int{3, 5, 9} {
		y, _ := through(t, norm.Must(fmt.Sprintf("iternorm:noaffine:groups=5:T=%d", steps)), x, g, nil)
		y.Sub(y, zca)
		gap := mat.Norm(y, math.Inf(1))
		if !(gap < last/2) {
			t.Errorf("after %d steps x̂ is %g from ZCA's, before %g", steps, gap, last)
		}
		last = gap
	}
	if !(last < 1e-2) {
		t.Errorf("after 9 steps x̂ is still %g from ZCA's", last)
	}
}

// testPCA: x̂ is white, along the axes of the largest variance first; the gradient is that of
// central differences; and two batches of nearly the same covariance give units of another
// meaning, where ZCA's stay.
func testPCA(t *testing.T) {
	const rows, n, eps = 24, 3, 0.01
	rng := rand.New(rand.NewPCG(7, 8))
	x, g := normal(rng, rows, n), normal(rng, rows, n)
	x.Apply(func(_, j int, v float64) float64 { return v * float64(1+j) }, x)
	pca, dbn := norm.Must("pca:noaffine:groups=3:eps=0.01"), norm.Must("dbn:noaffine:groups=3:eps=0.01")
	y, dx := through(t, pca, x, g, nil)
	white := covarianceOf(y)
	before := 0.0
	for j := range n {
		for k := range n {
			if v := white.At(j, k); j != k && !(math.Abs(v) <= 1e-12) {
				t.Errorf("units %d and %d have covariance %g", j, k, v)
			}
		}
		l := eps * white.At(j, j) / (1 - white.At(j, j)) // white is l/(l + eps)
		if j > 0 && !(l < before) {
			t.Errorf("unit %d is of variance %v, the one before it of %v", j, l, before)
		}
		before = l
	}
	value := func() float64 {
		y, _ := through(t, pca, x, g, nil)
		y.MulElem(y, g)
		return mat.Sum(y)
	}
	for i := range rows {
		for j := range n {
			const h = 1e-5
			at := x.At(i, j)
			x.Set(i, j, at+h)
			up := value()
			x.Set(i, j, at-h)
			down := value()
			x.Set(i, j, at)
			if want := (up - down) / (2 * h); !(math.Abs(dx.At(i, j)-want) <= 1e-7*(1+math.Abs(want))) {
				t.Errorf("dx[%d,%d] is %v, differences give %v", i, j, dx.At(i, j), want)
			}
		}
	}

	moved := func(m norm.Method) float64 { // of x̂, as the larger variance passes from one column to the other
		var out [2]*mat.Dense
		for k := range out {
			z := mat.DenseCopyOf(x)
			z.Apply(func(_, j int, v float64) float64 { return v / float64(1+j) * []float64{1, 1, 0.1}[j] }, z)
			c := less(z, columnMeans(z))
			z.Mul(c, symmetricPower(t, covarianceOf(c), 0, -0.5))
			z.Apply(func(_, j int, v float64) float64 { return v * (1 + 0.01*float64([]int{1 - k, k, -50}[j])) }, z)
			out[k], _ = through(t, m, z, g, nil)
		}
		out[0].Sub(out[0], out[1])
		return mat.Norm(out[0], 2)
	}
	if p, z := moved(pca), moved(dbn); !(p > 100*z) || !(p > 1) {
		t.Errorf("axes that change places move PCA's x̂ by %v, ZCA's by %v", p, z)
	}
	blockState(t, "pca", byAxes)
	refusesFewRows(t, "pca")
}

// byAxes is the root along the axes, without its gradient.
func byAxes(t *testing.T, cov *mat.Dense, eps float64) (*mat.Dense, func(*mat.Dense) *mat.Dense) {
	n, _ := cov.Dims()
	var e mat.EigenSym
	if !e.Factorize(mat.NewSymDense(n, symmetricPart(cov).RawMatrix().Data), true) {
		t.Fatal("no eigenvalues")
	}
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	a := mat.NewDense(n, n, nil)
	for k, l := range e.Values(nil) {
		most := 0.0
		for j := range n {
			if v := vectors.At(j, k); math.Abs(v) > math.Abs(most) {
				most = v
			}
		}
		for j := range n {
			a.Set(j, n-1-k, math.Copysign(1, most)*vectors.At(j, k)/math.Sqrt(l+eps))
		}
	}
	return a, nil
}
