package models_test

import (
	"context"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"driftless/engine/device/cpu"
	"driftless/engine/ops"
	"driftless/models"
	"driftless/models/norm"

	"gonum.org/v1/gonum/mat"
)

// virtual returns the rows of virtual batch c of k, and puts back those of another matrix.
func virtual(x *mat.Dense, c, k int) (part *mat.Dense, back func(to, part *mat.Dense)) {
	rows, cols := x.Dims()
	part = mat.NewDense(rows/k, cols, nil)
	for i := range rows / k {
		part.SetRow(i, x.RawRowView(i*k+c))
	}
	return part, func(to, part *mat.Dense) {
		for i := range rows / k {
			to.SetRow(i*k+c, part.RawRowView(i))
		}
	}
}

// testGhost: each virtual batch is normalized as a batch of its own is, so that the sum of dx
// over it is 0; the running statistics take a step towards each in turn; a batch that the rows
// do not divide is refused.
func testGhost(t *testing.T) {
	const rows, cols, k = 12, 5, 3
	rng := rand.New(rand.NewPCG(1, 2))
	x, g := normal(rng, rows, cols), normal(rng, rows, cols)
	y, dx := through(t, norm.Must("ghost:rows=4:eps=0.01"), x, g, nil)
	wantY, wantDX := mat.NewDense(rows, cols, nil), mat.NewDense(rows, cols, nil)
	for c := range k {
		px, back := virtual(x, c, k)
		pg, _ := virtual(g, c, k)
		py, pdx := through(t, norm.Must("batchnorm:eps=0.01"), px, pg, nil)
		back(wantY, py)
		back(wantDX, pdx)
		own, _ := virtual(dx, c, k)
		for j, s := range columnSums(own).RawVector().Data {
			if math.Abs(s) > 1e-13*float64(rows)/math.Sqrt(0.01) {
				t.Errorf("the sum of dx over virtual batch %d is %g in column %d", c, s, j)
			}
		}
	}
	alike(t, "x̂", y, wantY, 1e-12)
	alike(t, "dx", dx, wantDX, 1e-12)

	r := newRig(t, small(norm.Must("ghost:running-momentum=0.3")), cpu.New(), 1) // 2 virtual batches of 6
	before := newRig(t, small(norm.Must("ghost:running-momentum=0.3")), cpu.New(), 1)
	must(t, r.session.Run(context.Background(), r.train, 1))
	batch, _ := r.batch(t)
	mean, variance := make([]float64, 6), []float64{1, 1, 1, 1, 1, 1}
	for c := range 2 {
		part, _ := virtual(batch, c, 2)
		mu, v := moments(before.linear(t, part.RawMatrix().Data), 6)
		for j := range mean {
			mean[j] = 0.7*mean[j] + 0.3*mu[j]
			variance[j] = 0.7*variance[j] + 0.3*v[j]*6/5
		}
	}
	close(t, "running_mean", r.read(t, "norm1.running_mean", 0), mean, 1e-12)
	close(t, "running_var", r.read(t, "norm1.running_var", 0), variance, 1e-12)

	m := small(norm.Must("none"))
	m.Norm = norm.Must("ghost:rows=7")
	if _, err := m.Build(norm.Training, 60); err == nil || !strings.Contains(err.Error(), "cannot divide a batch of 60 rows into virtual batches of 7") {
		t.Errorf("rows that do not divide the batch: %v", err)
	}
	if _, err := m.Build(norm.Evaluating, 60); err != nil {
		t.Errorf("evaluation takes any number of rows: %v", err)
	}
}

// shard is what one of several machines knows of a batch: its rows' number, mean, and sum of
// squared deviations from that.
type shard struct {
	n        float64
	mean, m2 *mat.VecDense
}

func shardOf(x *mat.Dense) shard {
	rows, _ := x.Dims()
	s := shard{n: float64(rows), mean: columnMeans(x)}
	square := less(x, s.mean)
	square.MulElem(square, square)
	s.m2 = columnSums(square)
	return s
}

// with merges two (Chan, Golub & LeVeque 1979).
func (s shard) with(o shard) shard {
	n := s.n + o.n
	out := shard{n, mat.NewVecDense(s.mean.Len(), nil), mat.NewVecDense(s.mean.Len(), nil)}
	for j := range s.mean.Len() {
		delta := o.mean.AtVec(j) - s.mean.AtVec(j)
		out.mean.SetVec(j, s.mean.AtVec(j)+delta*o.n/n)
		out.m2.SetVec(j, s.m2.AtVec(j)+o.m2.AtVec(j)+delta*delta*s.n*o.n/n)
	}
	return out
}

// TestShardsMakeABatch: shards of a batch that exchange their statistics, and in the backward
// pass their sums of g and g·x̂, normalize as the whole batch does; shards that do not are
// virtual batches, and differ.
func TestShardsMakeABatch(t *testing.T) {
	const cols, eps = 5, 0.01
	sizes := []int{1, 2, 5}
	rng := rand.New(rand.NewPCG(3, 4))
	x, g := normal(rng, 8, cols), normal(rng, 8, cols)
	y, dx := through(t, norm.Must("batchnorm:eps=0.01"), x, g, nil)
	cut := func(m *mat.Dense, at, n int) *mat.Dense { return m.Slice(at, at+n, 0, cols).(*mat.Dense) }

	all, at := shard{}, 0
	for _, n := range sizes {
		if own := shardOf(cut(x, at, n)); at == 0 {
			all = own
		} else {
			all = all.with(own)
		}
		at += n
	}
	scale := func(_, j int, v float64) float64 { return v / math.Sqrt(all.m2.AtVec(j)/all.n+eps) }
	sumG, sumGX := mat.NewVecDense(cols, nil), mat.NewVecDense(cols, nil)
	var xhat []*mat.Dense
	at = 0
	for _, n := range sizes { // each its part of the sums
		xh, along := less(cut(x, at, n), all.mean), new(mat.Dense)
		xh.Apply(scale, xh)
		along.MulElem(cut(g, at, n), xh)
		sumG.AddVec(sumG, columnSums(cut(g, at, n)))
		sumGX.AddVec(sumGX, columnSums(along))
		xhat = append(xhat, xh)
		at += n
	}
	sumG.ScaleVec(1/all.n, sumG)
	at = 0
	for i, n := range sizes {
		own := less(cut(g, at, n), sumG)
		own.Apply(func(r, j int, v float64) float64 { return scale(r, j, v-xhat[i].At(r, j)*sumGX.AtVec(j)/all.n) }, own)
		alike(t, "x̂ of a shard", mat.DenseCopyOf(cut(y, at, n)), xhat[i], 1e-12)
		alike(t, "dx of a shard", mat.DenseCopyOf(cut(dx, at, n)), own, 1e-12)
		at += n
	}

	apart, _ := through(t, norm.Must("ghost:rows=4:eps=0.01"), x, g, nil)
	apart.Sub(apart, y)
	if d := mat.Norm(apart, 2); d < 0.1 {
		t.Errorf("virtual batches differ from the whole batch by %g only", d)
	}
}

// testBRN: before the ramp opens it is batchnorm; when nothing is held its result is that of
// the running statistics, and where it is held that of r and d at their limits; the gradient
// is batchnorm's times r, whose sum over a batch is 0, in every case.
func testBRN(t *testing.T) {
	const rows, cols, eps = 9, 5, 0.01
	rng := rand.New(rand.NewPCG(5, 6))
	x, g := normal(rng, rows, cols), normal(rng, rows, cols)
	mean, variance := moments(x.RawMatrix().Data, cols)
	state := map[string][]float64{"norm1.running_mean": {0.3, -2, 0.1, 4, -0.2}, "norm1.running_var": {1, 30, 0.01, 2, 0.5}}
	of := func(name string, steps float64, opts ...models.Option) (y, dx *mat.Dense) {
		values := map[string][]float64{"norm1.steps": {steps}}
		maps.Copy(values, state)
		return through(t, norm.Must(name), x, g, values, opts...)
	}
	plainY, plainDX := of("batchnorm:eps=0.01", 0)
	evalY, _ := of("batchnorm:eps=0.01", 0, models.Evaluation())

	y, dx := of("brn:eps=0.01:ramp=80", 10) // an eighth of it
	alike(t, "x̂ before the ramp", y, plainY, 1e-12)
	alike(t, "dx before the ramp", dx, plainDX, 1e-12)
	y, _ = of("brn:eps=0.01:ramp=1:rmax=1e6:dmax=1e6", 1)
	alike(t, "x̂ of which nothing is held", y, evalY, 1e-12)

	for _, c := range []struct{ steps, rmax, dmax float64 }{{10, 1, 0}, {30, 1 + 2.0*20/70, 5 * 20.0 / 40}, {50, 1 + 2*40.0/70, 5}, {80, 3, 5}, {1000, 3, 5}} {
		y, dx := of("brn:eps=0.01:ramp=80", c.steps)
		wantY, wantDX := mat.DenseCopyOf(plainY), mat.DenseCopyOf(plainDX)
		held := 0
		for j := range cols {
			s := math.Sqrt(state["norm1.running_var"][j] + eps)
			ratio, shift := math.Sqrt(variance[j]+eps)/s, (mean[j]-state["norm1.running_mean"][j])/s
			r, d := min(max(ratio, 1/c.rmax), c.rmax), min(max(shift, -c.dmax), c.dmax)
			if r != ratio || d != shift {
				held++
			}
			for i := range rows {
				wantY.Set(i, j, plainY.At(i, j)*r+d)
				wantDX.Set(i, j, plainDX.At(i, j)*r)
			}
		}
		alike(t, "x̂", y, wantY, 1e-12)
		alike(t, "dx", dx, wantDX, 1e-12)
		if held == 0 || held == cols && c.steps == 1000 {
			t.Errorf("after %v steps %d of %d features are held: the test wants some and not all", c.steps, held, cols)
		}
		for j, sum := range columnSums(dx).RawVector().Data {
			if math.Abs(sum) > 1e-13*rows*c.rmax/math.Sqrt(eps) {
				t.Errorf("the sum of dx is %g in column %d", sum, j)
			}
		}
	}

	// A training of fewer steps than the paper's ramp has a ramp of its length, unless one is given.
	for _, c := range []struct {
		arm     string
		planned int
		want    float64
	}{{"brn", 0, 40000}, {"brn", 3000, 3000}, {"brn", 50000, 40000}, {"brn:ramp=8000", 3000, 8000}, {"brn:ramp=16", 3000, 16}} {
		m := small(norm.Must("none"))
		m.Norm, m.Steps = norm.Must(c.arm), c.planned
		b, err := m.Build(norm.Training, 4)
		must(t, err)
		found := 0
		for _, n := range b.Graph.AllNodes() {
			switch op := n.Op().(type) {
			case ops.RenormScaleOp:
				if found++; op.Ramp != (ops.Ramp{Max: 3, From: c.want / 8, To: c.want}) {
					t.Errorf("%s, %d steps: the ramp of rmax is %v", c.arm, c.planned, op.Ramp)
				}
			case ops.RenormShiftOp:
				if found++; op.Ramp != (ops.Ramp{Max: 5, From: c.want / 8, To: c.want * 5 / 8}) {
					t.Errorf("%s, %d steps: the ramp of dmax is %v", c.arm, c.planned, op.Ramp)
				}
			}
		}
		if found != 4 {
			t.Errorf("%s: %d ramps in two layers, want 4", c.arm, found)
		}
	}
	r := newRig(t, small(norm.Must("brn")), cpu.New(), 1)
	must(t, r.session.Run(context.Background(), r.train, 7))
	close(t, "steps", r.read(t, "norm2.steps", 0), []float64{7}, 0)
}
