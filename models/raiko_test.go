package models_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"driftless/engine/device/cpu"
	"driftless/engine/program"
	"driftless/models"
	"driftless/models/norm"

	"gonum.org/v1/gonum/mat"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// bent is the tests' own network of units h = gamma (f(z) + alpha z + beta) with weights from
// every layer to every later one.
type bent struct {
	f, slope           func(z float64) float64
	w                  [][]*mat.Dense // w[k][i]: of what layer i gives in linear layer k, 0 being the input
	b                  []*mat.VecDense
	alpha, beta, gamma []*mat.VecDense // of hidden layers
	scaled             bool
}

var bentActivations = map[string][2]func(z float64) float64{
	"tanh": {math.Tanh, func(z float64) float64 { return 1 - math.Tanh(z)*math.Tanh(z) }},
	"sigmoid": {func(z float64) float64 { return 1 / (1 + math.Exp(-z)) },
		func(z float64) float64 { return math.Exp(-z) / (1 + math.Exp(-z)) / (1 + math.Exp(-z)) }},
	"relu": {func(z float64) float64 { return max(z, 0) }, func(z float64) float64 { return math.Max(0, math.Copysign(1, z)) }},
}

// readBent copies the parameters and state of a rig's replica 0.
func readBent(t *testing.T, r *rig) *bent {
	t.Helper()
	act := bentActivations[r.mlp.Hidden[0].Activation]
	p := &bent{f: act[0], slope: act[1], scaled: r.mlp.Norm.(*norm.Raiko).Gamma}
	widths := []int{r.mlp.Inputs}
	for k, layer := range r.mlp.Layers() {
		b := r.read(t, layer+".bias", 0)
		p.b = append(p.b, mat.NewVecDense(len(b), b))
		var w []*mat.Dense
		for i := range k {
			w = append(w, mat.NewDense(widths[i], len(b), r.read(t, fmt.Sprintf("%s.shortcut%d.weight", layer, i), 0)))
		}
		p.w = append(p.w, append(w, mat.NewDense(widths[k], len(b), r.read(t, layer+".weight", 0))))
		widths = append(widths, len(b))
		if k == len(r.mlp.Hidden) {
			return p
		}
		vector := func(name string) *mat.VecDense {
			return mat.NewVecDense(len(b), r.read(t, fmt.Sprintf("norm%d.%s", k+1, name), 0))
		}
		p.alpha, p.beta = append(p.alpha, vector("alpha")), append(p.beta, vector("beta"))
		if p.gamma = append(p.gamma, mat.NewVecDense(len(b), nil)); p.scaled {
			p.gamma[k] = vector("gamma")
		} else {
			p.gamma[k].CopyVec(ones(len(b)))
		}
	}
	return p
}

func ones(n int) *mat.VecDense {
	v := mat.NewVecDense(n, nil)
	for i := range n {
		v.SetVec(i, 1)
	}
	return v
}

// forward returns each linear layer's result, the logits last, and what the layers give, the
// input first.
func (p *bent) forward(x *mat.Dense) (z, h []*mat.Dense) {
	h = []*mat.Dense{x}
	for k := range p.w {
		rows, _ := x.Dims()
		sum := mat.NewDense(rows, p.b[k].Len(), nil)
		for i, w := range p.w[k] {
			part := new(mat.Dense)
			part.Mul(h[i], w)
			sum.Add(sum, part)
		}
		sum.Apply(func(_, j int, v float64) float64 { return v + p.b[k].AtVec(j) }, sum)
		z = append(z, sum)
		if k < len(p.alpha) {
			h = append(h, p.outputs(k, sum, p.gamma[k]))
		}
	}
	return z, h
}

// outputs and slopes are those of layer k's units.
func (p *bent) outputs(k int, z *mat.Dense, gamma *mat.VecDense) *mat.Dense {
	out := new(mat.Dense)
	out.Apply(func(_, j int, v float64) float64 {
		return gamma.AtVec(j) * (p.f(v) + p.alpha[k].AtVec(j)*v + p.beta[k].AtVec(j))
	}, z)
	return out
}

func (p *bent) slopes(k int, z *mat.Dense, gamma *mat.VecDense) *mat.Dense {
	out := new(mat.Dense)
	out.Apply(func(_, j int, v float64) float64 { return gamma.AtVec(j) * (p.slope(v) + p.alpha[k].AtVec(j)) }, z)
	return out
}

// step is one of SGD.
func (p *bent) step(x *mat.Dense, labels []int, lr float64) {
	z, h := p.forward(x)
	last := len(z) - 1
	rows, _ := x.Dims()
	softmax := mat.NewDense(rows, p.b[last].Len(), nil)
	for i := range rows {
		sum := 0.0
		for _, v := range z[last].RawRowView(i) {
			sum += math.Exp(v)
		}
		for j, v := range z[last].RawRowView(i) {
			softmax.Set(i, j, math.Exp(v)/sum/float64(rows))
		}
		softmax.Set(i, labels[i], softmax.At(i, labels[i])-1/float64(rows))
	}
	deltas := make([]*mat.Dense, len(z))
	deltas[last] = softmax
	for k := last - 1; k >= 0; k-- {
		deltas[k] = new(mat.Dense)
		for later := k + 1; later <= last; later++ {
			part := new(mat.Dense)
			part.Mul(deltas[later], p.w[later][k+1].T())
			if later == k+1 {
				deltas[k].CloneFrom(part)
			} else {
				deltas[k].Add(deltas[k], part)
			}
		}
		deltas[k].MulElem(deltas[k], p.slopes(k, z[k], p.gamma[k]))
	}
	for k, d := range deltas {
		for i, w := range p.w[k] {
			g := new(mat.Dense)
			g.Mul(h[i].T(), d)
			g.Scale(lr, g)
			w.Sub(w, g)
		}
		p.b[k].AddScaledVec(p.b[k], -lr, columnSums(d))
	}
}

// means are the averages of a layer.
type means struct{ z, f, slope, square, slopeSquare *mat.VecDense }

func squareMeans(x *mat.Dense) *mat.VecDense {
	sq := new(mat.Dense)
	sq.MulElem(x, x)
	return columnMeans(sq)
}

func (p *bent) means(k int, z *mat.Dense) means {
	f, slope := new(mat.Dense), new(mat.Dense)
	f.Apply(func(_, _ int, v float64) float64 { return p.f(v) }, z)
	slope.Apply(func(_, _ int, v float64) float64 { return p.slope(v) }, z)
	one := ones(p.b[k].Len())
	return means{columnMeans(z), columnMeans(f), columnMeans(slope), squareMeans(p.outputs(k, z, one)), squareMeans(p.slopes(k, z, one))}
}

// set changes a layer's units and nothing else.
func (p *bent) set(k int, m means, most float64) {
	for j := range m.z.Len() {
		p.alpha[k].SetVec(j, -m.slope.AtVec(j))
		p.beta[k].SetVec(j, -(m.f.AtVec(j) + p.alpha[k].AtVec(j)*m.z.AtVec(j)))
		if p.scaled {
			p.gamma[k].SetVec(j, min(most, math.Pow(m.square.AtVec(j)*m.slopeSquare.AtVec(j), -0.25)))
		}
	}
}

// absorb finds the weights and biases that give what the network gave before the units of
// the layers changed: each layer's z as a linear function of what the layers give, by way of
// the old units, f(z) = h'/gamma' − alpha' z − beta'.
func (p *bent) absorb(old *bent) {
	for k := range p.w {
		for i := range p.w[k] {
			p.w[k][i].Copy(old.w[k][i])
		}
		p.b[k].CopyVec(old.b[k])
		for j := range k { // h_j = gamma (h'/gamma' − (alpha'−alpha) z_j − (beta'−beta)), z_j of the new layers
			w := new(mat.Dense)
			w.CloneFrom(p.w[k][j+1])
			w.Apply(func(r, _ int, v float64) float64 { return v * old.gamma[j].AtVec(r) }, w)
			slope := new(mat.Dense)
			slope.Apply(func(r, _ int, v float64) float64 { return v * (old.alpha[j].AtVec(r) - p.alpha[j].AtVec(r)) }, w)
			for i := range p.w[j] {
				part := new(mat.Dense)
				part.Mul(p.w[j][i], slope)
				p.w[k][i].Add(p.w[k][i], part)
			}
			part, by := new(mat.VecDense), new(mat.VecDense)
			part.MulVec(slope.T(), p.b[j])
			p.b[k].AddVec(p.b[k], part)
			by.SubVec(old.beta[j], p.beta[j])
			part.MulVec(w.T(), by)
			p.b[k].AddVec(p.b[k], part)
			p.w[k][j+1].Apply(func(r, _ int, v float64) float64 { return v / p.gamma[j].AtVec(r) }, w)
		}
	}
}

// raikoRig has three hidden layers.
func raikoRig(t *testing.T, arm, act string, dt program.DType) *rig {
	m := models.MLP{Inputs: 7, Hidden: []int{24, 20, 20}, Classes: 4, Activation: act, InitSD: 0.5, Norm: norm.Must(arm), DType: dt}.Network()
	return newRig(t, m, cpu.New(), 1)
}

// testRaiko: what is trained is a network of bent units, whose averages set them anew every K
// steps and whose weights absorb that; at the start outputs and slopes are 0 on average and,
// with gamma, of size 1.
func testRaiko(t *testing.T) {
	for _, arm := range []string{"raiko:K=3:rho=0.3:rows=2000", "raiko:K=3:rho=0.3:rows=2000:gamma=off", "raiko:K=2:rho=0.3:rows=2000:cap=1.1"} {
		for _, act := range models.Activations {
			r := raikoRig(t, arm, act, program.Float64)
			m := r.mlp.Norm.(*norm.Raiko)
			plain := newRig(t, models.MLP{Inputs: 7, Hidden: []int{24, 20, 20}, Classes: 4, Activation: act, InitSD: 0.5, Norm: norm.Must("none"), DType: program.Float64}.Network(), cpu.New(), 1)
			p, x := readBent(t, r), mat.NewDense(rigRows, r.mlp.Inputs, r.x)
			z, h := p.forward(x)
			// The start: the function is that of a network without the method.
			at := x
			for k, layer := range plain.mlp.Layers() {
				rows := affine(at.RawMatrix().Data, plain.read(t, layer+".weight", 0), plain.read(t, layer+".bias", 0), p.inputs(k))
				close(t, fmt.Sprintf("%s %s: z of %s at the start", arm, act, layer), z[k].RawMatrix().Data, rows, 1e-11)
				at = mat.NewDense(rigRows, len(rows)/rigRows, rows)
				at.Apply(func(_, _ int, v float64) float64 { return p.f(v) }, at)
			}
			averages := make([]means, len(p.alpha))
			for k := range averages {
				averages[k] = p.means(k, z[k])
				slopes := p.slopes(k, z[k], p.gamma[k])
				zero := make([]float64, p.b[k].Len())
				close(t, arm+" "+act+": mean output", columnMeans(h[k+1]).RawVector().Data, zero, 1e-11)
				close(t, arm+" "+act+": mean slope", columnMeans(slopes).RawVector().Data, zero, 1e-11)
				for j, size := range squareMeans(h[k+1]).RawVector().Data {
					size *= squareMeans(slopes).AtVec(j)
					if p.scaled && !(math.Abs(size-1) <= 1e-9) && !(p.gamma[k].AtVec(j) == m.Cap && size < 1) {
						t.Errorf("%s %s: outputs and slopes of unit %d of layer %d have size %v, gamma is %v", arm, act, j, k, size, p.gamma[k].AtVec(j))
					}
				}
			}
			for step := range 12 {
				must(t, r.session.Run(context.Background(), r.train, 1))
				rows, labels := r.batch(t)
				z, _ := p.forward(rows)
				for k := range averages {
					now, old := p.means(k, z[k]), averages[k]
					for _, v := range [][2]*mat.VecDense{{old.z, now.z}, {old.f, now.f}, {old.slope, now.slope}, {old.square, now.square}, {old.slopeSquare, now.slopeSquare}} {
						v[0].ScaleVec(1-m.Rho, v[0])
						v[0].AddScaledVec(v[0], m.Rho, v[1])
					}
				}
				p.step(rows, labels, rigLR)
				if (step+1)%m.K == 0 {
					old := readBent(t, r) // for its shapes
					old.copyFrom(p)
					for k := range averages {
						p.set(k, averages[k], m.Cap)
					}
					p.absorb(old)
				}
				got := readBent(t, r)
				for k := range p.w {
					what := fmt.Sprintf("%s %s, step %d: layer %d's ", arm, act, step, k)
					for i := range p.w[k] {
						close(t, what+"weights", got.w[k][i].RawMatrix().Data, p.w[k][i].RawMatrix().Data, 1e-10)
					}
					close(t, what+"bias", got.b[k].RawVector().Data, p.b[k].RawVector().Data, 1e-10)
					if k < len(p.alpha) {
						close(t, what+"alpha", got.alpha[k].RawVector().Data, p.alpha[k].RawVector().Data, 1e-10)
						close(t, what+"beta", got.beta[k].RawVector().Data, p.beta[k].RawVector().Data, 1e-10)
						close(t, what+"gamma", got.gamma[k].RawVector().Data, p.gamma[k].RawVector().Data, 1e-10)
					}
				}
			}
		}
	}
}

// inputs is the number of inputs of layer k's last weights.
func (p *bent) inputs(k int) int { n, _ := p.w[k][k].Dims(); return n }

func (p *bent) copyFrom(q *bent) {
	for k := range p.w {
		for i := range p.w[k] {
			p.w[k][i].Copy(q.w[k][i])
		}
		p.b[k].CopyVec(q.b[k])
	}
	for k := range p.alpha {
		p.alpha[k].CopyVec(q.alpha[k])
		p.beta[k].CopyVec(q.beta[k])
		p.gamma[k].CopyVec(q.gamma[k])
	}
}

// TestCompensationKeepsTheFunction: a change of all units leaves the logits as they were, up
// to the rounding of the weights.
func TestCompensationKeepsTheFunction(t *testing.T) {
	if testing.Short() {
		t.Skip("the team of a device has tests of its own")
	}
	for _, c := range []struct {
		dt  program.DType
		tol float64
	}{{program.Float64, 1e-12}, {program.Float32, 1e-5}} {
		for _, act := range models.Activations {
			for _, gamma := range []string{"on", "off"} {
				arm := "raiko:rho=0.5:K=1000000:gamma=" + gamma
				r := raikoRig(t, arm, act, c.dt)
				must(t, r.session.Run(context.Background(), r.train, 30))
				before := readBent(t, r)
				soon := *r.mlp
				soon.Norm = norm.Must("raiko:rho=0.5:K=1:gamma=" + gamma)
				_, every, err := soon.Refresh(r.layout, models.Source{Images: "x", Labels: "y", Total: rigRows, Batch: rigBatch})
				must(t, err)
				must(t, r.session.Run(context.Background(), every, 1))
				after := readBent(t, r)
				x := mat.NewDense(rigRows, r.mlp.Inputs, r.x)
				was, _ := before.forward(x)
				is, _ := after.forward(x)
				for k := range was {
					a, b := was[k].RawMatrix().Data, is[k].RawMatrix().Data
					if d := distance(a, b); !(d <= c.tol*length(a)) {
						t.Errorf("%v %s %s: layer %d changes by %g of %g", c.dt, act, arm, k, d, length(a))
					}
				}
				if k := len(before.alpha) - 1; distance(before.alpha[k].RawVector().Data, after.alpha[k].RawVector().Data) < 1e-3 {
					t.Errorf("%v %s %s: the units hardly changed", c.dt, act, arm)
				}
			}
		}
	}
}

// TestShortcutsAreKept: the weights of shortcuts and the units are in a weights file, as
// another replica gets them.
func TestShortcutsAreKept(t *testing.T) {
	m := models.MLP{Inputs: 7, Hidden: []int{6, 5}, Classes: 4, Activation: "tanh", InitSD: 0.5, Norm: norm.Must("raiko:K=3"), DType: program.Float64}.Network()
	r := newRig(t, m, cpu.New(), 1, 2)
	must(t, r.session.Run(context.Background(), r.train, 20))
	ts, err := m.Save(r.session, 0)
	must(t, err)
	var got []string
	for _, k := range ts {
		got = append(got, fmt.Sprint(k.Name, k.Shape))
	}
	want := []string{"fc1.weight[6 7]", "fc1.bias[6]", "norm1.alpha[6]", "norm1.beta[6]", "norm1.gamma[6]",
		"fc2.weight[5 6]", "fc2.bias[5]", "fc2.shortcut0.weight[5 7]", "norm2.alpha[5]", "norm2.beta[5]", "norm2.gamma[5]",
		"fc3.weight[4 5]", "fc3.bias[4]", "fc3.shortcut0.weight[4 7]", "fc3.shortcut1.weight[4 6]"}
	if !slices.Equal(got, want) {
		t.Errorf("kept are %v, want %v", got, want)
	}
	if n := m.Weights(); n != 7*6+(7+6)*5+(7+6+5)*4 {
		t.Errorf("the network has %d weights", n)
	}
	must(t, m.Load(r.session, 1, ts))
	for _, k := range ts {
		close(t, k.Name, r.read(t, k.Name, 1), r.read(t, k.Name, 0), 0)
	}
}

// TestActivatorsNeedANetwork: a layer alone has no shortcuts and no activation.
func TestActivatorsNeedANetwork(t *testing.T) {
	x := G.NewMatrix(G.NewGraph(), tensor.Float32, G.WithShape(4, 2), G.WithName("x"))
	if _, err := models.Normalize(x, norm.Must("raiko")); err == nil || !strings.Contains(err.Error(), "use models.Network") {
		t.Errorf("Normalize: %v", err)
	}
}

// TestDepthOfShortcuts: a network too deep for shortcuts is refused.
func TestDepthOfShortcuts(t *testing.T) {
	m := small(norm.Must("raiko"))
	for len(m.Hidden) < 33 {
		m.Hidden = append(m.Hidden, models.Layer{Width: 3, Activation: "tanh"})
	}
	if _, err := m.Build(norm.Training, 12); err == nil || !strings.Contains(err.Error(), "32 hidden layers at most, and these are 33") {
		t.Errorf("33 hidden layers: %v", err)
	}
	m.Norm = norm.Must("batchnorm")
	if _, err := m.Build(norm.Training, 12); err != nil {
		t.Error(err)
	}
}
