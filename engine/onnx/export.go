package onnx

import (
	"fmt"

	"driftless/engine/program"
)

// Names of what a model takes and gives.
const (
	InputName  = "input"
	OutputName = "logits"
)

// Options are what Export needs to know beside the Program.
type Options struct {
	Input  string // state of the Program that holds the examples [batch, numbers]
	Output string // state that the Program writes the result to [batch, numbers]

	// Height, Width and Channels are the size of an example that is an image: the model's input
	// is then [N, Channels, Height, Width], else, with 0, [N, numbers]. The state has the channels
	// of a position beside one another.
	Height, Width, Channels int

	InputDoc string            // what the input's numbers are
	Doc      string            // what the model is
	Version  string            // of the program that writes it
	Metadata map[string]string // further properties of the model
}

// Export returns the ONNX model, a serialized ModelProto, of a forward Program in float32 of
// one block, for a batch of two or more rows. Read fills a slice with the values of a state,
// row major. It fails, naming what the graph computes there, with an instruction that has no
// translation.
func Export(p *program.Program, read func(state string, values []float32) error, o Options) ([]byte, error) {
	if len(p.Blocks) != 1 || p.Layout.DType != program.Float32 {
		return nil, fmt.Errorf("onnx: a Program of %d blocks in %v is no forward pass in float32", len(p.Blocks), p.Layout.DType)
	}
	x, y := p.Layout.Lookup(o.Input), p.Layout.Lookup(o.Output)
	if x == nil || y == nil || x.Rows != y.Rows || x.Rows < 2 {
		return nil, fmt.Errorf("onnx: the Program has no states %q and %q of as many rows, two or more", o.Input, o.Output)
	}
	t := &translator{o: o, read: read, consts: p.Blocks[0].Consts, values: map[*program.Tensor]*value{}, states: map[string]*value{},
		named: map[string]bool{InputName: true, OutputName: true}, shapes: map[string]string{}}
	shape := []int{x.Cols}
	if o.Channels > 0 {
		if o.Height*o.Width*o.Channels != x.Cols {
			return nil, fmt.Errorf("onnx: an example has %d numbers, and an image of %d×%d×%d has others", x.Cols, o.Height, o.Width, o.Channels)
		}
		shape = []int{o.Channels, o.Height, o.Width}
	}
	for _, in := range joined(p.Blocks[0].Instrs) {
		if err := t.instruction(in); err != nil {
			return nil, fmt.Errorf("onnx: %w", err)
		}
	}
	if !t.done {
		return nil, fmt.Errorf("onnx: the Program does not write %q", o.Output)
	}
	var g message
	for _, n := range t.nodes {
		g.bytes(1, n)
	}
	g.text(2, "driftless")
	for _, n := range t.initializers {
		g.bytes(5, n)
	}
	g.bytes(11, valueProto(InputName, o.InputDoc, shape))
	g.bytes(12, valueProto(OutputName, "before softmax", []int{y.Cols}))
	return modelProto(o, g), nil
}
