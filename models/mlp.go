package models

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"driftless/engine/device"
	"driftless/engine/ops"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
)

// Activations are the names that MLP takes.
var Activations = []string{"sigmoid", "relu", "tanh"}

// MLP is a multi-layer perceptron: linear layers, each hidden one followed by the
// normalization and the activation, the last one giving logits for softmax
// cross-entropy. The bias before a normalization is kept, so that what happens to
// it can be seen; it starts at 0, weights at N(0, InitSD²).
//
// State names are fc1.weight (in × out; PyTorch keeps out × in), fc1.bias,
// norm1.…, with the output layer last.
type MLP struct {
	Inputs     int
	Hidden     []int
	Classes    int
	Activation string // one of Activations
	InitSD     float64
	Norm       Norm
	DType      program.DType // Float32 or Float64
}

// maxWidth bounds layer sizes, so that a typing error is not an allocation.
const maxWidth = 1 << 16

// Validate reports the first setting that cannot work.
func (m MLP) Validate() error {
	if m.DType != program.Float32 && m.DType != program.Float64 {
		return fmt.Errorf("element type %v cannot be trained: use float32 or float64", m.DType)
	}
	if len(m.Hidden) == 0 {
		return fmt.Errorf("no hidden layer: give sizes such as 100,100,100")
	}
	for _, d := range m.sizes() {
		if d < 1 || d > maxWidth {
			return fmt.Errorf("layer size %d is outside 1 … %d", d, maxWidth)
		}
	}
	if m.parameters() > 1<<28 {
		return fmt.Errorf("layers %s have %d weights, more than the limit of %d: use smaller layers", m, m.parameters(), 1<<28)
	}
	if !(m.InitSD >= 0) || math.IsInf(m.InitSD, 0) {
		return fmt.Errorf("init-sd %v is not a number of at least 0", m.InitSD)
	}
	ok := false
	for _, a := range Activations {
		ok = ok || a == m.Activation
	}
	if !ok {
		return unknown("activation", m.Activation, Activations)
	}
	return m.Norm.Validate()
}

// String returns the layer sizes, such as "784-100-100-100-10"; of a deep net the first
// and the last.
func (m MLP) String() string {
	const most, ends = 12, 3
	var s []string
	for _, d := range m.sizes() {
		s = append(s, fmt.Sprint(d))
	}
	if n := len(s); n > most {
		return fmt.Sprintf("%s-…-%s (%d layers)", strings.Join(s[:ends], "-"), strings.Join(s[n-ends:], "-"), n-1)
	}
	return strings.Join(s, "-")
}

func (m MLP) sizes() []int {
	return append(append([]int{m.Inputs}, m.Hidden...), m.Classes)
}

func (m MLP) parameters() int {
	n, s := 0, m.sizes()
	for i := range s[1:] {
		n += s[i] * s[i+1]
	}
	return n
}

// Layers returns the names of the linear layers, fc1 first.
func (m MLP) Layers() []string {
	out := make([]string, len(m.Hidden)+1)
	for i := range out {
		out[i] = fmt.Sprintf("fc%d", i+1)
	}
	return out
}

// Built is one graph of the network.
type Built struct {
	Graph     *G.ExprGraph
	X, Labels *G.Node   // [batch, inputs] and [batch]: class indices
	Linear    []*G.Node // output of each hidden linear layer, before the normalization
	Before    []*G.Node // input of each activation
	Logits    *G.Node
	Loss      *G.Node // mean cross-entropy
	RowLoss   *G.Node // cross-entropy of each row
	Correct   *G.Node // 1 for each row whose largest logit is its label's
	Params    []*G.Node
	scopes    []*Scope
}

// Build returns the network's graph for batches of that size.
func (m MLP) Build(mode Mode, batch int) (*Built, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	if batch < 1 {
		return nil, fmt.Errorf("batch %d is not positive", batch)
	}
	dt := m.DType.Dtype()
	g := G.NewGraph()
	b := &Built{Graph: g}
	b.X = G.NewMatrix(g, dt, G.WithShape(batch, m.Inputs), G.WithName("x"))
	b.Labels = G.NewVector(g, dt, G.WithShape(batch), G.WithName("labels"))
	h, sizes := b.X, m.sizes()
	for i, layer := range m.Layers() {
		z, err := b.linear(layer, h, sizes[i+1])
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", layer, err)
		}
		if i == len(m.Hidden) {
			b.Logits = z
			break
		}
		b.Linear = append(b.Linear, z)
		s := &Scope{Name: fmt.Sprintf("norm%d", i+1), Mode: mode, Norm: m.Norm}
		if z, err = s.normalize(z); err != nil {
			return nil, err
		}
		b.scopes = append(b.scopes, s)
		if m.Norm.Affine {
			b.Params = append(b.Params, s.Parameter("weight", 1), s.Parameter("bias", 0))
		}
		b.Before = append(b.Before, z)
		if h, err = m.activate(z); err != nil {
			return nil, fmt.Errorf("layer %s: %w", layer, err)
		}
	}
	var err error
	if b.Loss, err = ops.CrossEntropy(b.Logits, b.Labels); err != nil {
		return nil, err
	}
	if b.RowLoss, err = ops.CrossEntropyRows(b.Logits, b.Labels); err != nil {
		return nil, err
	}
	b.Correct, err = ops.Correct(b.Logits, b.Labels)
	return b, err
}

// linear adds h·W + b.
func (b *Built) linear(layer string, h *G.Node, out int) (*G.Node, error) {
	g, dt := h.Graph(), h.Dtype()
	w := G.NewMatrix(g, dt, G.WithShape(h.Shape()[1], out), G.WithName(layer+".weight"))
	bias := G.NewVector(g, dt, G.WithShape(out), G.WithName(layer+".bias"))
	b.Params = append(b.Params, w, bias)
	z, err := G.Mul(h, w)
	if err != nil {
		return nil, err
	}
	return G.BroadcastAdd(z, bias, nil, []byte{0})
}

func (m MLP) activate(z *G.Node) (*G.Node, error) {
	switch m.Activation {
	case "relu":
		return ops.ReLU(z)
	case "tanh":
		return G.Tanh(z)
	}
	return G.Sigmoid(z)
}

// AddState registers the parameters in a layout, so that graphs need not carry
// their values.
func (m MLP) AddState(l *program.Layout) error {
	sizes := m.sizes()
	for i, layer := range m.Layers() {
		in, out := sizes[i], sizes[i+1]
		for _, s := range []program.State{
			{Name: layer + ".weight", DType: m.DType, Rows: in, Cols: out, Shape: []int{in, out}},
			{Name: layer + ".bias", DType: m.DType, Rows: 1, Cols: out, Shape: []int{out}},
		} {
			if _, err := l.Add(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// Initialize draws a replica's weights. They depend on the seed and the layer
// sizes alone, so arms of an experiment start alike.
func (m MLP) Initialize(s device.Session, replica int, seed int64) error {
	sizes := m.sizes()
	for i, layer := range m.Layers() {
		rng := rand.New(rand.NewPCG(uint64(seed), uint64(i)))
		n := sizes[i] * sizes[i+1]
		var w any
		if m.DType == program.Float64 {
			v := make([]float64, n)
			for j := range v {
				v[j] = m.InitSD * rng.NormFloat64()
			}
			w = v
		} else {
			v := make([]float32, n)
			for j := range v {
				v[j] = float32(m.InitSD * rng.NormFloat64())
			}
			w = v
		}
		if err := s.Write(layer+".weight", replica, w); err != nil {
			return err
		}
	}
	return nil
}
