package models

import (
	"fmt"
	"strings"

	"driftless/engine/ops"
	"driftless/engine/program"
	"driftless/models/norm"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Option changes what Normalize builds.
type Option func(*norm.Scope)

// Named gives the layer's state its prefix; default norm1, norm2, … in the order
// of the calls. The training and the evaluation graph of a network must agree.
func Named(name string) Option { return func(s *norm.Scope) { s.Name = name } }

// Evaluation builds the evaluation form: running statistics in place of the
// batch's.
func Evaluation() Option { return func(s *norm.Scope) { s.Mode = norm.Evaluating } }

// Normalize adds a normalization of x to its graph and returns the normalized node. x is a
// matrix [batch, features], or images [batch, channels, height, width] as Gorgonia and PyTorch
// have them, whose channels are the features and whose statistics are over the batch and the
// positions (Ioffe & Szegedy 2015, section 3.2); those of methods that normalize an example by
// itself are over its channels and positions. The trained gamma and beta (if any) are input nodes
// "norm1.weight" and "norm1.bias", the running statistics state named
// "norm1.running_mean" and "norm1.running_var", as in PyTorch's BatchNorm1d and
// BatchNorm2d.
// Engine and stock machines run the result alike.
//
// It fails when x is neither, when a batch of one row has no variance, and
// for what needs more than a layer of a graph: statistics that Programs of their own
// refresh between steps, and methods that do not normalize a layer's output.
func Normalize(x *G.Node, m norm.Method, opts ...Option) (*G.Node, error) {
	if r, ok := m.(norm.Refresher); ok && r.Refresh().Rows != norm.RowsNone {
		return nil, fmt.Errorf("normalize %q: %s computes statistics in Programs of their own, which a graph alone has not: use models.Network", program.Label(x), norm.String(m))
	}
	if _, ok := m.(norm.Output); !ok && norm.ClassOf(m) != norm.Plain {
		return nil, fmt.Errorf("normalize %q: %s does not normalize a layer's output: use models.Network", program.Label(x), norm.String(m))
	}
	if d := x.Dims(); d != 2 && d != 4 {
		return nil, fmt.Errorf("normalize %q: its shape is %v, and it takes a matrix, batch × features, or images, batch × channels × height × width", program.Label(x), x.Shape())
	}
	scope := norm.Scope{Width: x.Shape()[1], Positions: tensor.Shape(x.Shape()[2:]).TotalSize(), Graph: x.Graph(), DType: x.Dtype()}
	for _, o := range opts {
		o(&scope)
	}
	if scope.Name == "" {
		scope.Name = freeName(x.Graph())
	}
	s := norm.NewScope(m, scope)
	if x.Dims() == 2 {
		return s.Normalize(x)
	}
	rows, err := ops.ChannelsLast(x)
	if err != nil {
		return nil, err
	}
	y, err := s.Normalize(rows)
	if err != nil || y == rows {
		return x, err
	}
	return ops.ChannelsFirst(y, x.Shape()[2], x.Shape()[3])
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
