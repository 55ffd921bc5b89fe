package models_test

import (
	"context"
	"testing"

	"driftless/engine/device/cpu"
	"driftless/models/norm"

	"gonum.org/v1/gonum/mat"
)

// identities holds what is true of each method beside its gradient. A method without an
// entry fails.
var identities = map[string]func(t *testing.T){
	"none":        trains("none", formula(func(z *mat.Dense) (*mat.Dense, func(*mat.Dense) *mat.Dense) { return z, same1 })),
	"center":      both(trains("center:naive", formula(batchCentred(false))), trains("center:graph", formula(batchCentred(true)))),
	"standardize": both(trains("standardize:naive:eps=0.01", formula(batchStandardized(0.01, false))), trains("standardize:graph:eps=0.01", formula(batchStandardized(0.01, true)))),
	"whiten":      trains("whiten:naive:interval=1000", givenWhitened),
	"mnsgd":       testMNSGD,
	"prong":       testPRONG,
	"prong+":      trains("prong+:T=1000:rows=2000", formula(batchStandardized(1e-5, true))),
	"batchnorm":   trains("batchnorm", formula(batchStandardized(1e-5, true))),
	"meanonly":    trains("meanonly", formula(batchCentred(true))),
	"frozen":      trains("frozen:rows=2000", givenStandardized(1e-5)),
	"ngsgd":       testNGSGD,
	"raiko":       testRaiko,
	"dbn":         testDBN,
	"iternorm":    testIterNorm,
	"pca":         testPCA,
	"layernorm":   testLayerNorm,
	"groupnorm":   testGroupNorm,
	"rmsnorm":     testRMSNorm,
	"ghost":       testGhost,
	"brn":         testBRN,
	"weightnorm":  testWeightNorm,
}

func both(a, b func(*testing.T)) func(*testing.T) { return func(t *testing.T) { a(t); b(t) } }

func TestIdentities(t *testing.T) {
	if testing.Short() {
		t.Skip("the team of a device has tests of its own")
	}
	for _, name := range norm.Names() {
		test := identities[name]
		if test == nil {
			t.Errorf("method %s has no identity here", name)
			continue
		}
		t.Run(name, test)
	}
}

// centred is a layer that takes its input less a mean, whitened by u: z = (h − c)·u·v + d.
type centred struct {
	u, v *mat.Dense
	c, d *mat.VecDense
}

// of writes a plain layer so.
func (l *centred) of(w *mat.Dense, b *mat.VecDense) {
	l.v, l.d = new(mat.Dense), new(mat.VecDense)
	if err := l.v.Solve(l.u, w); err != nil {
		panic(err)
	}
	l.d.MulVec(w.T(), l.c)
	l.d.AddVec(b, l.d)
}

// plain is the layer in its ordinary parameters.
func (l *centred) plain() (w *mat.Dense, b *mat.VecDense) {
	w, b = new(mat.Dense), new(mat.VecDense)
	w.Mul(l.u, l.v)
	b.MulVec(w.T(), l.c)
	b.SubVec(l.d, b)
	return w, b
}

// step is one of SGD on v and d.
func (l *centred) step(h, delta *mat.Dense, lr float64) {
	in, g := new(mat.Dense), new(mat.Dense)
	in.Mul(less(h, l.c), l.u)
	g.Mul(in.T(), delta)
	g.Scale(lr, g)
	l.v.Sub(l.v, g)
	l.d.AddScaledVec(l.d, -lr, columnSums(delta))
}

func eye(n int) *mat.Dense {
	out := mat.NewDense(n, n, nil)
	for i := range n {
		out.Set(i, i, 1)
	}
	return out
}

// testMNSGD: what is trained is a network of layers that take centred inputs, whose
// biases absorb every change of the mean.
func testMNSGD(t *testing.T) {
	const rho = 0.3
	r := newRig(t, small(norm.Must("mnsgd:rho=0.3")), cpu.New(), 1)
	p := readPlain(t, r)
	layers := make([]centred, len(p.w))
	for k := range layers {
		in, _ := p.w[k].Dims()
		layers[k] = centred{u: eye(in), c: mat.NewVecDense(in, nil)}
		layers[k].of(p.w[k], p.b[k])
	}
	for range 20 {
		must(t, r.session.Run(context.Background(), r.train, 1))
		x, labels := r.batch(t)
		h := p.forward(x)
		deltas := p.deltas(h, labels)
		for k := range layers {
			l := &layers[k]
			l.step(h[k], deltas[k], rigLR)
			now, moved := columnMeans(h[k]), new(mat.VecDense)
			now.SubVec(now, l.c)
			now.ScaleVec(rho, now) // by which the mean moves
			moved.MulVec(l.v.T(), now)
			l.d.AddVec(l.d, moved)
			l.c.AddVec(l.c, now)
			p.w[k], p.b[k] = l.plain()
		}
	}
	same(t, r, p)
}

// testPRONG: what is trained is a network of layers that take whitened inputs, whose
// weights and biases absorb every change of the whitening.
func testPRONG(t *testing.T) {
	for _, arm := range []string{"prong:T=3:eps=0.01:rows=2000", "prong:T=3:eps=0.01:rows=2000:input=on:output=on"} {
		m := norm.Must(arm).(*norm.PRONG)
		r := newRig(t, small(m), cpu.New(), 1)
		p := readPlain(t, r)
		layers := make([]centred, len(p.w))
		refresh := func(sample []*mat.Dense) {
			for k := range layers {
				l := &layers[k]
				in, _ := p.w[k].Dims()
				if l.u, l.c = eye(in), mat.NewVecDense(in, nil); (k > 0 || m.First) && (k < len(layers)-1 || m.Last) {
					cov := new(mat.Dense)
					l.c = columnMeans(sample[k])
					q := less(sample[k], l.c)
					rows, _ := q.Dims()
					cov.Mul(q.T(), q)
					cov.Scale(1/float64(rows), cov)
					l.u = symmetricPower(t, cov, m.Eps, -0.5)
				}
				l.of(p.w[k], p.b[k])
			}
		}
		sample := mat.NewDense(rigRows, r.mlp.Inputs, r.x) // all rows
		refresh(p.forward(sample))
		for step := range 12 {
			must(t, r.session.Run(context.Background(), r.train, 1))
			x, labels := r.batch(t)
			h := p.forward(x)
			deltas := p.deltas(h, labels)
			for k := range layers {
				layers[k].step(h[k], deltas[k], rigLR)
				p.w[k], p.b[k] = layers[k].plain()
			}
			if (step+1)%m.T == 0 {
				refresh(p.forward(sample))
			}
		}
		same(t, r, p)
	}
}

// same compares a rig's parameters with a plain network's.
func same(t *testing.T, r *rig, p *plain) {
	t.Helper()
	within(t, r, p, 1e-11)
}

func within(t *testing.T, r *rig, p *plain, tol float64) {
	t.Helper()
	for k, layer := range r.mlp.Layers() {
		close(t, layer+".weight", r.read(t, layer+".weight", 0), p.w[k].RawMatrix().Data, tol)
		close(t, layer+".bias", r.read(t, layer+".bias", 0), p.b[k].RawVector().Data, tol)
	}
}
