package norm

import (
	"fmt"

	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ofRows does to each row of x [m,d] what f does to each column: f gets the transpose.
func ofRows(x *G.Node, f func(t *G.Node) (*G.Node, error)) (*G.Node, error) {
	t, err := G.Transpose(x, 1, 0)
	if err != nil {
		return nil, err
	}
	if t, err = f(t); err != nil {
		return nil, err
	}
	return G.Transpose(t, 1, 0)
}

// standardizeRows standardizes each row of x by its own mean and biased variance.
func standardizeRows(x *G.Node, eps float64) (*G.Node, error) {
	return ofRows(x, func(t *G.Node) (*G.Node, error) { return ops.Standardize(t, eps) })
}

// inShape does f to the elements of x [m,d], row by row, as a matrix of so many rows.
func inShape(x *G.Node, rows int, f func(v *G.Node) (*G.Node, error)) (*G.Node, error) {
	shape := x.Shape().Clone()
	v, err := G.Reshape(x, tensor.Shape{rows, shape.TotalSize() / rows})
	if err != nil {
		return nil, err
	}
	if v, err = f(v); err != nil {
		return nil, err
	}
	return G.Reshape(v, shape)
}

// ofExamples does f to the features of each example of x [rows, width], at all positions, in a
// row each.
func (s *Scope) ofExamples(x *G.Node, f func(v *G.Node) (*G.Node, error)) (*G.Node, error) {
	if s.Positions <= 1 {
		return f(x)
	}
	return inShape(x, s.examples(x), f)
}

// byChannels does f to x [rows, width] with the positions of an image beside one another,
// channel after channel, as a matrix of so many rows; f may not change the order.
func (s *Scope) byChannels(x *G.Node, rows int, f func(v *G.Node) (*G.Node, error)) (*G.Node, error) {
	if s.Positions <= 1 {
		return inShape(x, rows, f)
	}
	first, err := ops.ChannelsFirst(x, s.Positions, 1)
	if err != nil {
		return nil, err
	}
	if first, err = inShape(first, rows, f); err != nil {
		return nil, err
	}
	return ops.ChannelsLast(first)
}

// twoUnits refuses rows of so many units to take statistics over, of a layer or a part of one.
func twoUnits(m Method, units int, of, instead string) error {
	if units < 2 {
		return fmt.Errorf("%s takes statistics over the units of %s, which has %d: use %s", String(m), of, units, instead)
	}
	return nil
}
