package norm

import (
	"fmt"

	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Mode says what a graph is for.
type Mode uint8

// The modes. Refreshing is the forward pass that refreshes statistics between steps
// from the rows that it sees; Starting is the same before the first step.
const (
	Training Mode = iota
	Evaluating
	Refreshing
	Starting
)

// Refreshes reports whether a graph of the mode refreshes statistics.
func (m Mode) Refreshes() bool { return m == Refreshing || m == Starting }

// State is a named tensor that a layer keeps.
type State struct {
	Name  string // in full: "norm1.running_mean"
	Shape []int
	DType tensor.Dtype
	Init  Init

	Trained bool // a parameter of the optimizer
	// Kept says that the network is not whole without it: it is in weights files.
	Kept bool
	// Transposed says that a weights file holds the transpose, as PyTorch does.
	Transposed bool
	// Counted says that a weights file has PyTorch's count of batches beside it.
	Counted bool
	// NonNegative says that no training leaves a negative value in it.
	NonNegative bool
}

// Init is what a state tensor holds before the first step. The zero Init is zeros.
type Init struct {
	Fill     float64 // every element
	Identity bool    // of a square matrix, in place of Fill
	Random   bool    // independent draws from N(0, SD²) of the random numbers that Stream numbers, for each seed
	SD       float64
	Stream   uint64
	Bare     bool // the graph's node does not carry the value
}

// Own reports whether a graph's node carries the content, so that compiling the graph
// adds the state.
func (n Init) Own() bool { return !n.Random && !n.Bare }

// at is element i of a tensor whose last axis is width long.
func (n Init) at(i, width int) float64 {
	switch {
	case n.Identity && i/width%width == i%width: // blocks below one another, or one
		return 1
	case n.Identity:
		return 0
	}
	return n.Fill
}

// Scope is what a method builds in: one layer of one graph.
type Scope struct {
	Name  string // prefix of the layer's state, such as "norm1"
	Mode  Mode
	Width int // features that the layer gives, or channels
	// Positions is how many rows the layer gives for an example: those of an image, which lie
	// together; 0 and 1 where a row is an example.
	Positions int
	Graph     *G.ExprGraph
	DType     tensor.Dtype

	Steps int     // that the training is to take, 0 where it is not known
	Layer int     // number of the linear layer, 0 the first
	Last  bool    // it gives the network's output
	SD    float64 // standard deviation of initial weights

	method Method
	made   map[string]*G.Node
	states []State

	normalized *G.Node
}

// NewScope returns a layer's scope for a method.
func NewScope(m Method, s Scope) *Scope {
	s.method, s.made = m, map[string]*G.Node{}
	return &s
}

// Weight returns the layer's trained weights [in, Width], random at the start, and Bias its
// trained bias, 0 at the start. Their nodes carry no value.
func (s *Scope) Weight(in int) *G.Node { return s.matrix("weight", in) }

// matrix is a layer's trained matrix [in, Width].
func (s *Scope) matrix(name string, in int) *G.Node {
	return s.Trained(State{Name: name, Shape: []int{in, s.Width}, Init: Init{SD: s.SD, Stream: uint64(s.Layer), Random: true}, Transposed: true})
}

// Bias: see Weight.
func (s *Scope) Bias() *G.Node {
	return s.Trained(State{Name: "bias", Shape: []int{s.Width}, Init: Init{Bare: true}})
}

// Shortcut returns the layer's trained weights [in, Width] of what an earlier layer gives, 0
// being the network's input: 0 at the start.
func (s *Scope) Shortcut(from, in int) *G.Node {
	return s.Trained(State{Name: fmt.Sprintf("shortcut%d.weight", from), Shape: []int{in, s.Width}, Init: Init{Bare: true}, Transposed: true})
}

// States returns the state that has been asked for, in that order.
func (s *Scope) States() []State { return s.states }

// Parameter returns the layer's trained vector of that name, filled with v at the
// start: an input node, unique in its graph.
func (s *Scope) Parameter(name string, v float64) *G.Node {
	return s.Trained(State{Name: name, Shape: []int{s.Width}, Init: Init{Fill: v}})
}

// Trained returns a trained tensor of the layer, an input node, for what is no vector of
// Parameter; its name is without the layer's. It is part of the network.
func (s *Scope) Trained(t State) *G.Node {
	t.Trained, t.Kept = true, true
	return s.input(t)
}

// Vector returns the layer's statistic of that name, filled with v at the start: a
// State node, so that no graph trains it. It is no part of the network.
func (s *Scope) Vector(name string, v float64) *G.Node {
	return s.State(State{Name: name, Shape: []int{s.Width}, Init: Init{Fill: v}})
}

// RunningMean and RunningVar return the statistics that evaluation uses, under PyTorch's
// names: 0 and 1 at the start.
func (s *Scope) RunningMean() *G.Node {
	return s.State(State{Name: "running_mean", Shape: []int{s.Width}, Kept: true, Counted: true})
}

// RunningVar: see RunningMean.
func (s *Scope) RunningVar() *G.Node {
	return s.State(State{Name: "running_var", Shape: []int{s.Width}, Init: Init{Fill: 1}, Kept: true, NonNegative: true})
}

// Matrix returns the layer's width×width statistic of that name, the identity at the
// start; kept says whether it is part of the network.
func (s *Scope) Matrix(name string, kept bool) *G.Node {
	return s.State(State{Name: name, Shape: []int{s.Width, s.Width}, Init: Init{Identity: true}, Kept: kept})
}

// State returns a State node of the tensor, whose name is without the layer's.
func (s *Scope) State(t State) *G.Node { return G.Must(ops.State(s.input(t))) }

func (s *Scope) input(t State) *G.Node {
	if n := s.made[t.Name]; n != nil {
		return n
	}
	short := t.Name
	t.Name, t.DType = s.Name+"."+t.Name, s.DType
	shape := tensor.Shape(t.Shape)
	opts := []G.NodeConsOpt{G.WithShape(shape...), G.WithName(t.Name)}
	if t.Init.Own() {
		opts = append(opts, G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(t.Values()))))
	}
	n := G.NewTensor(s.Graph, s.DType, len(shape), opts...)
	s.made[short] = n
	s.states = append(s.states, t)
	return n
}

// Values returns the initial content, a slice of the element type; of a random one
// zeros.
func (t State) Values() any {
	shape := tensor.Shape(t.Shape)
	n, width := shape.TotalSize(), shape[len(shape)-1]
	if t.DType == tensor.Float64 {
		b := make([]float64, n)
		for i := range b {
			b[i] = t.Init.at(i, width)
		}
		return b
	}
	b := make([]float32, n)
	for i := range b {
		b[i] = float32(t.Init.at(i, width))
	}
	return b
}

// examples is the number of examples that a layer's rows are of.
func (s *Scope) examples(x *G.Node) int { return x.Shape()[0] / max(1, s.Positions) }

// Normalize adds the method's normalization of x [rows, features], and gamma and beta
// where it trains them, to the scope's graph. A method that is no Output gives x.
func (s *Scope) Normalize(x *G.Node) (*G.Node, error) {
	if err := s.method.Validate(); err != nil {
		return nil, fmt.Errorf("layer %s: %w", s.Name, err)
	}
	if x.Dims() != 2 {
		return nil, fmt.Errorf("layer %s: cannot normalize %q of shape %v: it takes a matrix, batch × features", s.Name, x.Name(), x.Shape())
	}
	s.normalized = x
	o, ok := s.method.(Output)
	if !ok {
		return x, nil
	}
	y, err := o.Output(s, x)
	if err != nil {
		return nil, fmt.Errorf("layer %s: %w", s.Name, err)
	}
	s.normalized = y
	if HasAffine(s.method) {
		y, err = ops.Affine(y, s.Parameter("weight", 1), s.Parameter("bias", 0))
	}
	return y, err
}

// Normalized returns what Normalize has added, before gamma and beta of ops.Affine.
func (s *Scope) Normalized() *G.Node { return s.normalized }

// HasAffine reports whether a method trains gamma and beta after the normalization.
func HasAffine(m Method) bool {
	for _, t := range settings(m) {
		if t.Key == keyAffine {
			return t.value.Bool()
		}
	}
	return false
}

// Parameters returns the layer's trained nodes, in the order in which they were asked for.
func (s *Scope) Parameters() []*G.Node {
	var out []*G.Node
	for _, t := range s.states {
		if t.Trained {
			out = append(out, s.made[t.Name[len(s.Name)+1:]])
		}
	}
	return out
}

// Constant returns a scalar of another node's element type.
func Constant(v float64, like *G.Node) *G.Node {
	if like.Dtype() == tensor.Float32 {
		return G.NewConstant(float32(v))
	}
	return G.NewConstant(v)
}
