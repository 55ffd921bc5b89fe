package models

import (
	"fmt"
	"math"
	"strings"

	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Grad says how the gradient treats a normalization's statistics.
type Grad string

// The treatments. Naive statistics are constants for the gradient, which is the
// mistake that Ioffe & Szegedy (2015, section 2) describe; Graph differentiates
// through them.
const (
	NoGrad Grad = "none" // there are no statistics
	Naive  Grad = "naive"
	Graph  Grad = "graph"
)

// Stats says where the statistics of a naive normalization come from, and when.
type Stats string

// The sources. Batch: from the batch being trained, layer after layer in the
// forward pass. EMA: after the update, moved by Alpha towards the batch's. Full:
// after the update, layer after layer over all training rows.
const (
	Batch Stats = "batch"
	EMA   Stats = "ema"
	Full  Stats = "full"
)

// Norm is a normalization with its settings: a method of the registry and how it
// is used. Start from one of the variables below or from Parse.
type Norm struct {
	Method   string  // a registered name
	Grad     Grad    // treatment of the statistics
	Affine   bool    // trained gamma and beta after the normalization
	Stats    Stats   // naive methods only
	Alpha    float64 // rate of EMA statistics, in (0, 1]
	Interval int     // naive methods: refresh at steps 0, T, 2T, …
	Eps      float64 // added to the variance; for whiten, a fraction of the mean variance
	Momentum float64 // rate of the running statistics that evaluation uses
}

// The normalizations with PyTorch's conventions: eps 1e-5 inside the square
// root, momentum 0.1 meaning new = 0.9·old + 0.1·batch (other frameworks call 0.9
// the momentum), biased variance for normalizing, unbiased for the running one.
var (
	None             = Norm{Method: "none", Grad: NoGrad}
	CenterNaive      = Norm{Method: "center", Grad: Naive, Stats: Batch, Alpha: 0.1, Interval: 1, Momentum: 0.1}
	CenterGraph      = Norm{Method: "center", Grad: Graph, Momentum: 0.1}
	StandardizeNaive = Norm{Method: "standardize", Grad: Naive, Stats: Batch, Alpha: 0.1, Interval: 1, Eps: 1e-5, Momentum: 0.1}
	StandardizeGraph = Norm{Method: "standardize", Grad: Graph, Eps: 1e-5, Momentum: 0.1}
	WhitenNaive      = Norm{Method: "whiten", Grad: Naive, Stats: Full, Interval: 10, Eps: 1e-3, Momentum: 0.1}
	BatchNorm        = Norm{Method: "batchnorm", Grad: Graph, Affine: true, Eps: 1e-5, Momentum: 0.1}
)

// Normalizer is one method: what it adds to the graph and how its statistics are
// estimated between steps. A new method implements it in a file of its own and
// adds a line to the registry.
type Normalizer interface {
	// Forms lists the method with its defaults, once for each treatment of the
	// gradient that it has.
	Forms() []Norm

	// Build adds the normalization of x to its graph.
	Build(s *Scope, x *G.Node) (*G.Node, error)

	// Passes tells how to estimate the statistics over many rows: sweeps in
	// order, each of which may use what the ones before found.
	Passes() []Pass

	// Finish adds, to a graph of its own, Assign nodes that derive further state
	// from what the passes found. It may add nothing.
	Finish(s *Scope) error
}

// Pass is one sweep over rows: the mean of a node's rows, or with Outer of their
// outer products, becomes a statistic.
type Pass struct {
	Into  string // the statistic's name, such as "running_mean"
	Outer bool
	Node  func(s *Scope, x *G.Node) (*G.Node, error) // nil: x itself
}

// registry holds the methods in the order in which they are listed.
var registry = []Normalizer{none{}, center{}, standardize{}, whiten{}, batchNorm{}}

// Forms returns every normalization with its defaults.
func Forms() []Norm {
	var out []Norm
	for _, m := range registry {
		out = append(out, m.Forms()...)
	}
	return out
}

// Names returns the methods' names.
func Names() []string {
	var out []string
	for _, m := range registry {
		out = append(out, m.Forms()[0].Method)
	}
	return out
}

func (n Norm) normalizer() (Normalizer, error) {
	for _, m := range registry {
		if m.Forms()[0].Method == n.Method {
			return m, nil
		}
	}
	return nil, unknownNorm(n.Method)
}

// String returns the name that Parse reads, such as "center:naive:affine".
func (n Norm) String() string {
	s := n.Method
	var form *Norm
	several := 0
	for _, f := range Forms() {
		if f.Method == n.Method {
			several++
			if f.Grad == n.Grad {
				form = &f
			}
		}
	}
	if several > 1 || n.Grad == Naive {
		s += ":" + string(n.Grad)
	}
	if form != nil && form.Affine != n.Affine {
		if n.Affine {
			s += ":affine"
		} else {
			s += ":noaffine"
		}
	}
	return s
}

// UsesEps reports whether the method has an eps.
func (n Norm) UsesEps() bool {
	for _, f := range Forms() {
		if f.Method == n.Method && f.Eps > 0 {
			return true
		}
	}
	return false
}

// CancelsBias reports whether a bias before the normalization does not change its
// output, because it is centred over the batch.
func (n Norm) CancelsBias() bool { return n.Method != None.Method }

// External tells whether statistics are refreshed by Programs of their own, and
// not in the training graph.
func (n Norm) External() bool { return n.Grad == Naive && (n.Stats == EMA || n.Stats == Full) }

// Validate reports the first setting that cannot work.
func (n Norm) Validate() error {
	m, err := n.normalizer()
	if err != nil {
		return err
	}
	has := false
	for _, f := range m.Forms() {
		has = has || f.Grad == n.Grad
	}
	switch {
	case !has:
		return fmt.Errorf("%s has no form in which the gradient treats its statistics as %q", n.Method, n.Grad)
	case n.Method == None.Method && n.Affine:
		return fmt.Errorf("none: without a normalization there is no gamma and beta")
	case !(n.Momentum >= 0 && n.Momentum <= 1):
		return fmt.Errorf("%v: momentum %v is outside [0, 1]", n, n.Momentum)
	case n.Grad == Naive && n.Stats != Batch && n.Stats != EMA && n.Stats != Full:
		return fmt.Errorf("%v: statistics %q are unknown: choose batch, ema or full", n, n.Stats)
	case n.Method == "whiten" && n.Stats != Full:
		return fmt.Errorf("whiten: its statistics come from a fixed sample of the training rows, so --stats does not apply to it")
	case n.Stats == EMA && n.Grad == Naive && !(n.Alpha > 0 && n.Alpha <= 1):
		return fmt.Errorf("%v: alpha %v is outside (0, 1]", n, n.Alpha)
	case n.Grad == Naive && n.Interval < 1:
		return fmt.Errorf("%v: interval %d is not a positive number of steps", n, n.Interval)
	case !(n.Eps >= 0) || math.IsInf(n.Eps, 0):
		return fmt.Errorf("%v: eps %v is not a number of at least 0", n, n.Eps)
	case n.Method == "whiten" && n.Eps == 0:
		return fmt.Errorf("whiten: eps 0 leaves the covariance of dead units singular: use a positive one")
	}
	return nil
}

// Mode says what a graph is for.
type Mode uint8

// The modes. Refreshing is the forward pass that refreshes statistics between
// steps from the batch that it sees.
const (
	Training Mode = iota
	Evaluating
	Refreshing
)

// Scope is what a Normalizer builds in: one layer of one graph.
type Scope struct {
	Name  string // prefix of the layer's state, such as "norm1"
	Mode  Mode
	Norm  Norm
	Width int // features
	graph *G.ExprGraph
	dtype tensor.Dtype
	made  map[string]*G.Node
}

// Parameter returns the layer's trained vector of that name, filled with v at the
// start: an input node, unique in its graph.
func (s *Scope) Parameter(name string, v float64) *G.Node {
	return s.input(name, tensor.Shape{s.Width}, func(int) float64 { return v })
}

// Vector returns the layer's statistic of that name, filled with v at the start: a
// State node, so that no graph trains it.
func (s *Scope) Vector(name string, v float64) *G.Node {
	return G.Must(ops.State(s.Parameter(name, v)))
}

// Matrix returns the layer's width×width statistic of that name, the identity at
// the start, in the same way.
func (s *Scope) Matrix(name string) *G.Node {
	return G.Must(ops.State(s.input(name, tensor.Shape{s.Width, s.Width}, func(i int) float64 {
		if i%(s.Width+1) == 0 {
			return 1
		}
		return 0
	})))
}

func (s *Scope) input(name string, shape tensor.Shape, at func(i int) float64) *G.Node {
	if n := s.made[name]; n != nil {
		return n
	}
	n := shape.TotalSize()
	var backing any
	if s.dtype == tensor.Float64 {
		b := make([]float64, n)
		for i := range b {
			b[i] = at(i)
		}
		backing = b
	} else {
		b := make([]float32, n)
		for i := range b {
			b[i] = float32(at(i))
		}
		backing = b
	}
	t := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(backing))
	node := G.NewTensor(s.graph, s.dtype, len(shape), G.WithShape(shape...), G.WithName(s.Name+"."+name), G.WithValue(t))
	s.made[name] = node
	return node
}

// Option changes what Normalize builds.
type Option func(*Scope)

// Named gives the layer's state its prefix; default norm1, norm2, … in the order
// of the calls. The training and the evaluation graph of a network must agree.
func Named(name string) Option { return func(s *Scope) { s.Name = name } }

// Evaluation builds the evaluation form: running statistics in place of the
// batch's.
func Evaluation() Option { return func(s *Scope) { s.Mode = Evaluating } }

// Normalize adds a normalization of x [batch, features] to its graph and returns
// the normalized node. The trained gamma and beta (if any) are input nodes
// "norm1.weight" and "norm1.bias", the running statistics state named
// "norm1.running_mean" and "norm1.running_var", as in PyTorch's BatchNorm1d.
// Engine and stock machines run the result alike.
//
// It fails when x is not a matrix, when a batch of one row has no variance, and
// for statistics that need Programs of their own between steps (EMA and Full),
// which MLP compiles.
func Normalize(x *G.Node, n Norm, opts ...Option) (*G.Node, error) {
	if n.External() {
		return nil, fmt.Errorf("normalize %q: %v with %s statistics is refreshed between steps, which a graph alone cannot do: use models.MLP", x.Name(), n, n.Stats)
	}
	s := &Scope{Norm: n}
	for _, o := range opts {
		o(s)
	}
	if s.Name == "" {
		s.Name = freeName(x.Graph())
	}
	return s.normalize(x)
}

// freeName returns the first of norm1, norm2, … that no node's name starts with.
func freeName(g *G.ExprGraph) string {
	taken := map[string]bool{}
	for _, n := range g.AllNodes() {
		if layer, _, ok := strings.Cut(n.Name(), "."); ok && n.IsVar() {
			taken[layer] = true
		}
	}
	for i := 1; ; i++ {
		if name := fmt.Sprintf("norm%d", i); !taken[name] {
			return name
		}
	}
}

func (s *Scope) normalize(x *G.Node) (*G.Node, error) {
	m, err := s.Norm.normalizer()
	if err != nil {
		return nil, err
	}
	if err := s.Norm.Validate(); err != nil {
		return nil, fmt.Errorf("layer %s: %w", s.Name, err)
	}
	if x.Dims() != 2 {
		return nil, fmt.Errorf("layer %s: cannot normalize %q of shape %v: it takes a matrix, batch × features", s.Name, x.Name(), x.Shape())
	}
	s.graph, s.dtype, s.Width, s.made = x.Graph(), x.Dtype(), x.Shape()[1], map[string]*G.Node{}
	y, err := m.Build(s, x)
	if err != nil {
		return nil, fmt.Errorf("layer %s: %w", s.Name, err)
	}
	if s.Norm.Affine {
		y, err = ops.Affine(y, s.Parameter("weight", 1), s.Parameter("bias", 0))
	}
	return y, err
}

// track keeps the running mean, and where variance is not nil the running
// variance, as PyTorch does: unbiased, after the update.
func (s *Scope) track(x, mean, variance *G.Node) error {
	if s.Mode != Training {
		return nil
	}
	if err := s.trackOne("running_mean", 0, mean, 1); err != nil || variance == nil {
		return err
	}
	m := float64(x.Shape()[0])
	return s.trackOne("running_var", 1, variance, m/(m-1))
}

func (s *Scope) trackOne(name string, init float64, now *G.Node, scale float64) error {
	state := s.Vector(name, init)
	next, err := ops.EMA(state, now, s.Norm.Momentum, scale)
	if err != nil {
		return err
	}
	_, err = ops.Assign(state, next, 1, true)
	return err
}

// batchStatistic returns the state node that a naive method normalizes with,
// refreshed from the batch's own value every Interval steps.
func (s *Scope) batchStatistic(name string, init float64, now *G.Node) (*G.Node, error) {
	state := s.Vector(name, init)
	_, err := ops.Assign(state, now, s.Norm.Interval, false)
	return state, err
}

// movedStatistic returns a running statistic after it has moved by Alpha towards
// the batch's value, in a Refreshing graph.
func (s *Scope) movedStatistic(name string, init float64, now *G.Node) (*G.Node, error) {
	state := s.Vector(name, init)
	next, err := ops.EMA(state, now, s.Norm.Alpha, 1)
	if err != nil {
		return nil, err
	}
	_, err = ops.Assign(state, next, 1, false)
	return state, err
}

// twoRows refuses a batch of one row, whose statistics say nothing; why tells so.
func twoRows(s *Scope, x *G.Node, why string) error {
	if x.Shape()[0] < 2 {
		return fmt.Errorf("%v needs a batch of at least 2 rows: %s", s.Norm, why)
	}
	return nil
}
