package models_test

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"driftless/engine/device/cpu"
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
