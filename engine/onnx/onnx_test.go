package onnx_test

import (
	"slices"
	"strings"
	"testing"

	"driftless/engine/onnx"
	"driftless/engine/program"
	"driftless/models"
	"driftless/models/norm"

	"google.golang.org/protobuf/encoding/protowire"
	G "gorgonia.org/gorgonia"
)

// field returns the values of a field of a message, those of bytes; it fails on what is none.
func field(t *testing.T, m []byte, want protowire.Number) (out [][]byte) {
	t.Helper()
	for len(m) > 0 {
		number, typ, n := protowire.ConsumeTag(m)
		if n < 0 {
			t.Fatal("this is no message")
		}
		m = m[n:]
		if typ == protowire.BytesType && number == want {
			b, _ := protowire.ConsumeBytes(m)
			out = append(out, b)
		}
		if n = protowire.ConsumeFieldValue(number, typ, m); n < 0 {
			t.Fatal("this is no message")
		}
		m = m[n:]
	}
	return out
}

// operators are the types of a model's nodes in order.
func operators(t *testing.T, model []byte) string {
	t.Helper()
	var out []string
	for _, n := range field(t, field(t, model, 7)[0], 1) {
		out = append(out, string(field(t, n, 4)[0]))
	}
	return strings.Join(out, " ")
}

func ones(_ string, values []float32) error {
	for i := range values {
		values[i] = 1
	}
	return nil
}

func exported(t *testing.T, n *models.Network, o onnx.Options) ([]byte, error) {
	t.Helper()
	n.Inputs, n.Classes, n.InitSD = 784, 10, 0.1
	p, err := n.Forward(program.NewLayout(program.Float32), 2)
	if err != nil {
		t.Fatal(err)
	}
	o.Input, o.Output = models.StateInput, models.StateLogits
	return onnx.Export(p, ones, o)
}

// TestOperators: graphs are those that other frameworks export, without detours through other
// layouts; what they compute is held against ONNX Runtime in package cli.
func TestOperators(t *testing.T) {
	image := onnx.Options{Height: 28, Width: 28, Channels: 1}
	for _, c := range []struct {
		name   string
		norm   string
		hidden []models.Layer
		o      onnx.Options
		want   string
	}{
		{"a perceptron", "batchnorm", []models.Layer{{Width: 5, Activation: "relu"}}, onnx.Options{}, "Gemm BatchNormalization Relu Gemm Identity"},
		{"no normalization", "none", []models.Layer{{Width: 5, Activation: "tanh"}}, onnx.Options{}, "Gemm Tanh Gemm Identity"},
		{"rows", "layernorm", []models.Layer{{Width: 5, Activation: "sigmoid"}}, onnx.Options{},
			"Gemm ReduceMean Sub Mul ReduceMean Add Sqrt Div Mul Add Sigmoid Gemm Identity"},
		{"LeNet", "batchnorm", models.LeNet("relu", false), image, "Conv BatchNormalization Relu MaxPool Conv BatchNormalization Relu MaxPool " +
			"Transpose Reshape Gemm BatchNormalization Relu Gemm BatchNormalization Relu Gemm Identity"},
	} {
		model, err := exported(t, &models.Network{Image: models.Image{Height: 28, Width: 28, Channels: 1}, Hidden: c.hidden, Norm: norm.Must(c.norm)}, c.o)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := operators(t, model); got != c.want {
			t.Errorf("%s: the nodes are\n%s, want\n%s", c.name, got, c.want)
		}
		if again, err := exported(t, &models.Network{Image: models.Image{Height: 28, Width: 28, Channels: 1}, Hidden: c.hidden, Norm: norm.Must(c.norm)}, c.o); err != nil || !slices.Equal(model, again) {
			t.Errorf("%s: a second export differs, or %v", c.name, err)
		}
	}
}

// TestRefuses: what has no translation is named, in one sentence.
func TestRefuses(t *testing.T) {
	l := program.NewLayout(program.Float32)
	if _, err := l.Add(program.State{Name: "x", DType: program.Float32, Rows: 2, Cols: 3, Shape: []int{2, 3}}); err != nil {
		t.Fatal(err)
	}
	g := G.NewGraph()
	x := G.NewMatrix(g, G.Float32, G.WithShape(2, 3), G.WithName("x"))
	y := G.Must(G.Sparsemax(x))
	p, err := program.Compile(l, program.Spec{Name: "forward", Graph: g, Outputs: []program.Output{{Node: y, Name: "y"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o    onnx.Options
		want string
	}{
		{onnx.Options{Input: "x", Output: "y"}, "(host) has no translation"},
		{onnx.Options{Input: "x", Output: "z"}, `no states "x" and "z"`},
		{onnx.Options{Input: "x", Output: "y", Height: 2, Width: 2, Channels: 1}, "an example has 3 numbers"},
	} {
		if _, err := onnx.Export(p, ones, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v gives %v, want %q", c.o, err, c.want)
		}
	}
	small := program.NewLayout(program.Float64)
	if _, err := onnx.Export(&program.Program{Layout: small, Blocks: []*program.Block{{}}}, ones, onnx.Options{}); err == nil || !strings.Contains(err.Error(), "float64") {
		t.Errorf("a Program in float64 gives %v", err)
	}
}
