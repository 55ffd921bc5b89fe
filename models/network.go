package models

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/ops"
	"driftless/engine/program"
	"driftless/models/norm"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Network is a feed-forward network: hidden layers, each a linear map, the normalization
// and an activation, then a linear layer that gives logits for softmax cross-entropy. The
// bias before a normalization is kept, so that what happens to it can be seen.
//
// State names are fc1.weight (in × out; PyTorch keeps out × in), fc1.bias, norm1.…, with
// the output layer last; convolution layers come before and are conv1.weight
// (height·width·channels of the kernel × out; PyTorch keeps out × channels × height × width),
// conv1.bias, and norm1.… counts both. Weights start at N(0, InitSD²), biases at 0. Where the method has
// shortcuts, fc3.shortcut0.weight is of the network's input and fc3.shortcut1.weight of what
// hidden layer 1 gives; they start at 0.
type Network struct {
	Inputs  int   // numbers of an example
	Image   Image // of an example, where convolution layers take it
	Hidden  []Layer
	Classes int
	InitSD  float64
	Norm    norm.Method
	DType   program.DType // Float32 or Float64
	Steps   int           // that the training is to take, for methods that go by it; 0: not known
}

// Layer is a hidden layer: a linear map, the normalization, an activation.
type Layer struct {
	Width      int    // units, or channels of a convolution
	Activation string // one of Activations
	Conv       *Conv  // nil: fully connected
}

// maxWidth bounds layer sizes, so that a typing error is not an allocation.
const maxWidth = 1 << 16

// Validate reports the first setting that cannot work.
func (n *Network) Validate() error {
	if n.DType != program.Float32 && n.DType != program.Float64 {
		return fmt.Errorf("element type %v cannot be trained: use float32 or float64", n.DType)
	}
	if len(n.Hidden) == 0 {
		return fmt.Errorf("no hidden layer: give sizes such as 100,100,100")
	}
	for _, d := range n.sizes() {
		if d < 1 || d > maxWidth {
			return fmt.Errorf("layer size %d is outside 1 … %d", d, maxWidth)
		}
	}
	if p := n.Weights(); p > 1<<28 {
		return fmt.Errorf("layers %s have %d weights, more than the limit of %d: use smaller layers", n, p, 1<<28)
	}
	if !(n.InitSD >= 0) || math.IsInf(n.InitSD, 0) {
		return fmt.Errorf("init-sd %v is not a number of at least 0", n.InitSD)
	}
	if _, err := n.images(); err != nil {
		return err
	}
	for _, l := range n.Hidden {
		if !slices.Contains(Activations, l.Activation) {
			return norm.Unknown("activation", l.Activation, Activations)
		}
	}
	if n.Hidden[0].Conv != nil && norm.HasShortcuts(n.Norm) {
		return fmt.Errorf("%s links every layer to all before it, which convolution layers cannot be: use another norm, or a net of fully connected layers", norm.String(n.Norm))
	}
	if k := len(n.Hidden); k > maxShortcuts && norm.HasShortcuts(n.Norm) {
		return fmt.Errorf("%s links every layer to all before it, which is for %d hidden layers at most, and these are %d: use fewer, or another norm",
			norm.String(n.Norm), maxShortcuts, k)
	}
	return n.Norm.Validate()
}

// maxShortcuts bounds the depth of networks with shortcuts: what a refresh changes grows with
// its third power.
const maxShortcuts = 32

// String returns the layer sizes, such as "784-100-100-100-10", or
// "28×28-conv5×5×6-pool2-120-10" where images are convolved; of a deep net the first and the
// last.
func (n *Network) String() string {
	const most, ends = 12, 3
	s := []string{fmt.Sprint(n.Inputs)}
	if len(n.Hidden) > 0 && n.Hidden[0].Conv != nil {
		s[0] = n.Image.String()
	}
	for _, l := range n.Hidden {
		s = append(s, l.names()...)
	}
	s = append(s, fmt.Sprint(n.Classes))
	if k := len(s); k > most {
		return fmt.Sprintf("%s-…-%s (%d layers)", strings.Join(s[:ends], "-"), strings.Join(s[k-ends:], "-"), k-1)
	}
	return strings.Join(s, "-")
}

// sizes are the numbers of units, the inputs first and the classes last.
func (n *Network) sizes() []int {
	out := []int{n.Inputs}
	for _, l := range n.Hidden {
		out = append(out, l.Width)
	}
	return append(out, n.Classes)
}

// Weights returns the number of weights of the linear layers, without biases and what a
// normalization adds to a layer.
func (n *Network) Weights() int {
	count, s := 0, n.sizes()
	for k, width := range s[1:] {
		for i := n.firstInput(k); i < k; i++ {
			count += s[i] * width
		}
		count += n.inputs(k) * width
	}
	return count
}

// Units returns the numbers that all layers give for an example.
func (n *Network) Units() int {
	count := 0
	for k, width := range n.sizes()[1:] {
		count += width * n.positions(k)
	}
	return count
}

// firstInput is the first of what linear layer k takes, up to what the layer before it gives:
// 0 is the network's input, i what hidden layer i gives.
func (n *Network) firstInput(k int) int {
	if norm.HasShortcuts(n.Norm) {
		return 0
	}
	return k
}

// Layers returns the names of the linear layers: conv1, … and then fc1, ….
func (n *Network) Layers() []string {
	convs := n.convs()
	out := make([]string, len(n.Hidden)+1)
	for i := range out {
		if out[i] = fmt.Sprintf("fc%d", i-convs+1); i < convs {
			out[i] = fmt.Sprintf("conv%d", i+1)
		}
	}
	return out
}

// Matrices returns the names of the matrices that the linear layers train, the first layer's
// first: fc1.weight, unless the method computes the weights from others.
func (n *Network) Matrices() ([]string, error) {
	b, err := n.Build(norm.Evaluating, 1)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, fc := range b.linears {
		states := fc.States()
		i := slices.IndexFunc(states, func(t norm.State) bool { return t.Trained && t.Init.Random })
		if i < 0 {
			return nil, fmt.Errorf("layer %s trains no matrix that starts at random", fc.Name)
		}
		out = append(out, states[i].Name)
	}
	return out, nil
}

// Built is one graph of the network.
type Built struct {
	Graph     *G.ExprGraph
	X, Labels *G.Node   // [batch, inputs] and [batch]: class indices
	Taken     []*G.Node // what each linear layer takes: of the output layer what the last hidden one gives
	Linear    []*G.Node // output of each hidden linear layer, before the normalization; of a convolution a row a position
	// Normalized is what each hidden layer's normalization gives, before a trained gamma and
	// beta of ops.Affine; without one, Linear.
	Normalized []*G.Node
	Before     []*G.Node // input of each activation
	Logits     *G.Node
	Loss       *G.Node // mean cross-entropy
	RowLoss    *G.Node // cross-entropy of each row
	Correct    *G.Node // 1 for each row whose largest logit is its label's
	Params     []*G.Node
	linears    []*norm.Scope // of every linear layer
	layers     []norm.Linear // these
	norms      []*norm.Scope // of every hidden layer
}

// Build returns the network's graph for batches of that size.
func (n *Network) Build(mode norm.Mode, batch int) (*Built, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	if batch < 1 {
		return nil, fmt.Errorf("batch %d is not positive", batch)
	}
	return n.build(G.NewGraph(), "", mode, batch)
}

// build adds the network to a graph, in which its inputs have a suffix. State of the same
// name is one node, as Gorgonia merges inputs.
func (n *Network) build(g *G.ExprGraph, suffix string, mode norm.Mode, batch int) (*Built, error) {
	dt := n.DType.Dtype()
	b := &Built{Graph: g}
	b.X = G.NewMatrix(b.Graph, dt, G.WithShape(batch, n.Inputs), G.WithName("x"+suffix))
	b.Labels = G.NewVector(b.Graph, dt, G.WithShape(batch), G.WithName("labels"+suffix))
	images, err := n.images()
	if err != nil {
		return nil, err
	}
	h := []*G.Node{b.X} // the network's input, and what each hidden layer gives
	for i, layer := range n.Layers() {
		fc := n.linearScope(b.Graph, mode, i)
		if i <= n.convs() && n.convs() > 0 { // a row a position, or all of an image in one
			if h[i], err = n.shaped(h[i], images[i], i); err != nil {
				return nil, fmt.Errorf("layer %s: %w", layer, err)
			}
		}
		z, err := n.linear(b, fc, h)
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", layer, err)
		}
		if i == len(n.Hidden) {
			b.Logits = z
			break
		}
		b.Linear = append(b.Linear, z)
		s := n.normScope(b.Graph, mode, i)
		if z, err = s.Normalize(z); err != nil {
			return nil, err
		}
		b.Normalized = append(b.Normalized, s.Normalized())
		b.Before = append(b.Before, z)
		if z, err = n.activate(s, z, n.Hidden[i].Activation); err != nil {
			return nil, fmt.Errorf("layer %s: %w", layer, err)
		}
		if c := n.Hidden[i].Conv; c != nil {
			if z, err = c.pool(z, images[i], n.Hidden[i].Width); err != nil {
				return nil, fmt.Errorf("layer %s: %w", layer, err)
			}
		}
		h = append(h, z)
		b.norms = append(b.norms, s)
		b.Params = append(b.Params, s.Parameters()...)
	}
	if b.Loss, err = ops.CrossEntropy(b.Logits, b.Labels); err != nil {
		return nil, err
	}
	if b.RowLoss, err = ops.CrossEntropyRows(b.Logits, b.Labels); err != nil {
		return nil, err
	}
	b.Correct, err = ops.Correct(b.Logits, b.Labels)
	return b, err
}

// linearScope and normScope are the scopes of linear layer i and of hidden layer i's
// normalization.
func (n *Network) linearScope(g *G.ExprGraph, mode norm.Mode, i int) *norm.Scope {
	return n.scope(g, mode, n.Layers()[i], i)
}

func (n *Network) normScope(g *G.ExprGraph, mode norm.Mode, i int) *norm.Scope {
	return n.scope(g, mode, fmt.Sprintf("norm%d", i+1), i)
}

func (n *Network) scope(g *G.ExprGraph, mode norm.Mode, name string, i int) *norm.Scope {
	return norm.NewScope(n.Norm, norm.Scope{Name: name, Mode: mode, Width: n.sizes()[i+1], Positions: n.positions(i), Graph: g, DType: n.DType.Dtype(),
		Steps: n.Steps, Layer: i, Last: i == len(n.Hidden), SD: n.InitSD})
}

// linear adds a linear layer of what the layers before it give.
func (n *Network) linear(b *Built, s *norm.Scope, h []*G.Node) (z *G.Node, err error) {
	k := len(h) - 1
	l := norm.Linear{H: h[k]}
	if m, ok := n.Norm.(norm.Weights); ok {
		l.W, err = m.Weights(s, l.H.Shape()[1])
	} else {
		l.W = s.Weight(l.H.Shape()[1])
	}
	if err != nil {
		return nil, err
	}
	l.B = s.Bias()
	if z, err = G.Mul(l.H, l.W); err != nil {
		return nil, err
	}
	if l.Z, err = G.BroadcastAdd(z, l.B, nil, []byte{0}); err != nil {
		return nil, err
	}
	for i := n.firstInput(k); i < k; i++ {
		if z, err = G.Mul(h[i], s.Shortcut(i, h[i].Shape()[1])); err != nil {
			return nil, err
		}
		if l.Z, err = G.Add(l.Z, z); err != nil {
			return nil, err
		}
	}
	if m, ok := n.Norm.(norm.Input); ok && s.Mode != norm.Evaluating {
		if err := m.Input(s, l.H); err != nil {
			return nil, err
		}
	}
	b.Taken = append(b.Taken, l.H)
	b.linears, b.layers = append(b.linears, s), append(b.layers, l)
	b.Params = append(b.Params, s.Parameters()...)
	return l.Z, nil
}

// activate adds a hidden layer's activation of z.
func (n *Network) activate(s *norm.Scope, z *G.Node, name string) (*G.Node, error) {
	f := activations[name]
	if m, ok := n.Norm.(norm.Activator); ok {
		return m.Activate(s, z, f)
	}
	return f.Of(z)
}

// Training returns how the network's graph is trained on a source's rows, with the gradients
// that the method asks for. The optimizer is left to set.
func (n *Network) Training(b *Built, rows Source) engine.Training {
	return engine.Training{Context: rows.Context, Loss: b.Loss, Params: b.Params, Gradient: n.gradient(b),
		Data: []engine.Data{{Node: b.X, Name: rows.Images, Map: rows.Map}, {Node: b.Labels, Name: rows.Labels}}}
}

// gradient returns the hook of a method that changes gradients, or nil.
func (n *Network) gradient(b *Built) func(params, grads []*G.Node) ([]*G.Node, error) {
	method, ok := n.Norm.(norm.Gradient)
	if !ok {
		return nil
	}
	return func(params, grads []*G.Node) ([]*G.Node, error) {
		used := slices.Clone(grads)
		for i, l := range b.layers {
			w, bias := slices.Index(params, l.W), slices.Index(params, l.B)
			if w < 0 || bias < 0 {
				return nil, fmt.Errorf("layer %s: its weights and bias are not trained, so that %s cannot work", b.linears[i].Name, norm.String(method))
			}
			var err error
			if used[w], used[bias], err = method.Gradient(b.linears[i], l, grads[w], grads[bias]); err != nil {
				return nil, fmt.Errorf("layer %s: %w", b.linears[i].Name, err)
			}
		}
		return used, nil
	}
}

// activations are the functions that a hidden layer may end in.
var activations = map[string]norm.Activation{
	"sigmoid": {Of: G.Sigmoid, Slope: func(y *G.Node) (*G.Node, error) { // y − y²
		square, err := G.Square(y)
		if err != nil {
			return nil, err
		}
		return G.Sub(y, square)
	}},
	"relu": {Of: ops.ReLU, Slope: func(y *G.Node) (*G.Node, error) { return G.Gt(y, norm.Constant(0, y), true) }},
	"tanh": {Of: G.Tanh, Slope: func(y *G.Node) (*G.Node, error) { // 1 − y²
		square, err := G.Square(y)
		if err != nil {
			return nil, err
		}
		return G.Sub(norm.Constant(1, y), square)
	}},
}

// Activations are their names.
var Activations = []string{"sigmoid", "relu", "tanh"}

// states returns the state that evaluation needs, layer by layer.
func (n *Network) states() ([]norm.State, error) {
	b, err := n.Build(norm.Evaluating, 1)
	if err != nil {
		return nil, err
	}
	var out []norm.State
	for i, fc := range b.linears {
		out = append(out, fc.States()...)
		if i < len(b.norms) {
			out = append(out, b.norms[i].States()...)
		}
	}
	return out, nil
}

// AddState registers the state whose values graphs do not carry.
func (n *Network) AddState(l *program.Layout) error {
	states, err := n.states()
	if err != nil {
		return err
	}
	for _, t := range states {
		if t.Init.Own() {
			continue
		}
		if _, err := l.Add(n.state(t)); err != nil {
			return err
		}
	}
	return nil
}

// state is a tensor as a layout has it, at zero.
func (n *Network) state(t norm.State) program.State {
	cols := t.Shape[len(t.Shape)-1]
	return program.State{Name: t.Name, DType: n.DType, Rows: tensor.Shape(t.Shape).TotalSize() / cols, Cols: cols, Shape: t.Shape}
}

// Initialize draws a replica's random state. It depends on the seed and the shapes alone,
// so arms of an experiment start alike.
func (n *Network) Initialize(s device.Session, replica int, seed int64) error {
	states, err := n.states()
	if err != nil {
		return err
	}
	for _, t := range states {
		if !t.Init.Random {
			continue
		}
		rng := rand.New(rand.NewPCG(uint64(seed), t.Init.Stream))
		values := t.Values()
		switch v := values.(type) {
		case []float64:
			for j := range v {
				v[j] = t.Init.SD * rng.NormFloat64()
			}
		case []float32:
			for j := range v {
				v[j] = float32(t.Init.SD * rng.NormFloat64())
			}
		}
		if err := s.Write(t.Name, replica, values); err != nil {
			return err
		}
	}
	return nil
}
