package models_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"driftless/engine/checkpoint"
	"driftless/engine/device/cpu"
	"driftless/engine/program"
	"driftless/models"
	"driftless/models/norm"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// convolving is a small network of two convolutions, with a padding and a pooling that leaves
// a row over, and two layers after them.
func convolving(n norm.Method, act string, average bool, dt program.DType) *models.Network {
	image := models.Image{Height: 5, Width: 4, Channels: 2}
	return &models.Network{Inputs: 40, Image: image, Classes: 4, InitSD: 0.4, Norm: fitted(n, rigBatch, 6), DType: dt, Hidden: []models.Layer{
		{Width: 6, Activation: act, Conv: &models.Conv{Kernel: 3, Padding: 1, Pool: 2, Average: average}},
		{Width: 6, Activation: act, Conv: &models.Conv{Kernel: 2, Padding: 1}},
		{Width: 6, Activation: act},
	}}
}

// TestConvolutionsAgainstTapeMachine: every method, as TestAgainstTapeMachine.
func TestConvolutionsAgainstTapeMachine(t *testing.T) {
	if testing.Short() {
		t.Skip("the team of a device has tests of its own")
	}
	for i, n := range arms() {
		if norm.HasShortcuts(n) {
			continue
		}
		t.Run(norm.String(n), func(t *testing.T) { againstTape(t, convolving(n, "tanh", i%2 == 1, program.Float64), 5) })
	}
	for _, n := range []string{"none", "batchnorm", "groupnorm"} {
		t.Run("float32/"+n, func(t *testing.T) { againstTape(t, convolving(norm.Must(n), "sigmoid", false, program.Float32), 5) })
	}
}

// TestConvolutionsRun: what every method does beside a step works with images, and statistics
// of all rows are those of all their positions.
func TestConvolutionsRun(t *testing.T) {
	if testing.Short() {
		t.Skip("the team of a device has tests of its own")
	}
	for _, n := range norm.Forms() {
		if norm.HasShortcuts(n) {
			continue
		}
		t.Run(norm.String(n), func(t *testing.T) {
			m := convolving(n, "tanh", false, program.Float64)
			r := newRig(t, m, cpu.New(), 1)
			all := models.Source{Images: "x", Labels: "y", Total: rigRows, Batch: rigBatch}
			eval, err := m.Evaluate(r.layout, all)
			must(t, err)
			statistics, err := m.Statistics(r.layout, all)
			must(t, err)
			predict, err := m.Predict(r.layout, all)
			must(t, err)
			r.open(t, cpu.New(), 1)
			must(t, r.session.Run(context.Background(), r.train, 5))
			if statistics != nil {
				must(t, r.session.Run(context.Background(), statistics, 1))
			}
			must(t, r.session.Run(context.Background(), eval, 1))
			must(t, r.session.Run(context.Background(), predict, 1))
			if loss := r.read(t, models.StateLossSum, 0)[0]; !(loss > 0) || math.IsInf(loss, 0) {
				t.Errorf("the loss is %v", loss)
			}
			if statistics == nil || !strings.HasPrefix(norm.String(n), "batchnorm") {
				return
			}
			var sum, square [6]float64
			w, b := r.read(t, "conv1.weight", 0), r.read(t, "conv1.bias", 0)
			for i := range rigRows {
				for p := range 20 {
					for c := range 6 {
						z := b[c]
						for k := range 18 {
							if y, x := p/4+k/6-1, p%4+k/2%3-1; y >= 0 && y < 5 && x >= 0 && x < 4 {
								z += r.x[i*40+(y*4+x)*2+k%2] * w[k*6+c]
							}
						}
						sum[c] += z
						square[c] += z * z
					}
				}
			}
			for c := range 6 {
				mean := sum[c] / (20 * rigRows)
				variance := square[c]/(20*rigRows) - mean*mean
				gotMean, gotVar := r.read(t, "norm1.running_mean", 0)[c], r.read(t, "norm1.running_var", 0)[c]
				if math.Abs(gotMean-mean) > 1e-10 || math.Abs(gotVar-variance) > 1e-9 {
					t.Errorf("channel %d: mean %v and variance %v, want %v and %v", c, gotMean, gotVar, mean, variance)
				}
			}
		})
	}
}

// TestConvolutionsRefused: what cannot be, in one sentence that names the layer.
func TestConvolutionsRefused(t *testing.T) {
	for want, change := range map[string]func(m *models.Network){
		"raiko links every layer": func(m *models.Network) { m.Norm = norm.Must("raiko") },
		"do not do for layer conv2, which takes 2×2×6 of them in windows of 5×5 with a padding of 0": func(m *models.Network) { m.Hidden[1].Conv.Kernel, m.Hidden[1].Conv.Padding = 5, 0 },
		"do not do for layer conv1, which pools 6×6 of their 5×4 positions":                          func(m *models.Network) { m.Hidden[0].Conv.Pool = 6 },
		"after a fully connected layer": func(m *models.Network) { m.Hidden[0].Conv = nil },
		"have 40 numbers":               func(m *models.Network) { m.Inputs = 41 },
		"padding of 9":                  func(m *models.Network) { m.Hidden[0].Conv.Padding = 9 },
	} {
		m := convolving(norm.Must("none"), "relu", false, program.Float32)
		change(m)
		if err := m.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	m := &models.Network{Inputs: 9 * 9, Image: models.Image{Height: 9, Width: 9, Channels: 1}, Classes: 10, Norm: norm.Must("none"), Hidden: models.LeNet("relu", false)}
	if err := m.Validate(); err == nil || !strings.Contains(err.Error(), "images of 9×9 do not do for layer conv2") {
		t.Error(err)
	}
}

// TestConvolutionWeightsAreKept: a file has PyTorch's names and orientation.
func TestConvolutionWeightsAreKept(t *testing.T) {
	for _, n := range []string{"batchnorm", "weightnorm"} {
		m := convolving(norm.Must(n), "relu", false, program.Float32)
		r := newRig(t, m, cpu.New(), 1, 2)
		saved, err := m.Save(r.session, 0)
		must(t, err)
		var names []string
		byName := map[string]checkpoint.Tensor{}
		for _, s := range saved {
			names = append(names, fmt.Sprint(s.Name, s.Shape))
			byName[s.Name] = s
		}
		must(t, m.Load(r.session, 1, saved))
		again, err := m.Save(r.session, 1)
		must(t, err)
		for i := range saved {
			if fmt.Sprint(saved[i]) != fmt.Sprint(again[i]) {
				t.Errorf("%s: %s has changed", n, saved[i].Name)
			}
		}
		weight := map[string]string{"batchnorm": "weight", "weightnorm": "weight_v"}[n]
		for _, want := range []string{"conv1." + weight + "[6 2 3 3]", "conv1.bias[6]", "conv2." + weight + "[6 6 2 2]", "fc1." + weight + "[6 54]", "fc2." + weight + "[4 6]"} {
			if !slices.Contains(names, want) {
				t.Errorf("%s: %v lacks %s", n, names, want)
			}
		}
		if n == "weightnorm" && !slices.Contains(names, "conv1.weight_g[6 1 1 1]") {
			t.Errorf("%v lacks weight_g", names)
		}
		kept, own := byName["conv1."+weight].Data.([]float32), r.read(t, "conv1."+weight, 0)
		for i, v := range kept { // out, channel, row, column
			out, c, y, x := i/18, i/9%2, i/3%3, i%3
			if float64(v) != own[((y*3+x)*2+c)*6+out] {
				t.Fatalf("%s: conv1: element %d is %v", n, i, v)
			}
		}
		kept, own = byName["fc1."+weight].Data.([]float32), r.read(t, "fc1."+weight, 0)
		for i, v := range kept { // of images of 3×3 with 6 channels
			out, c, p := i/54, i/9%6, i%9
			if float64(v) != own[(p*6+c)*6+out] {
				t.Fatalf("%s: fc1: element %d is %v", n, i, v)
			}
		}
	}
}

// TestNormalizeImages: every method that a graph alone can have takes images with their channels
// first, and gives what it gives for their rows; in value and gradient on both machines.
func TestNormalizeImages(t *testing.T) {
	const batch, channels, height, width = 6, 4, 3, 5
	shape := tensor.Shape{batch, channels, height, width}
	at := func(i int) float64 { return math.Sin(float64(i*i)) + 0.1*float64(i%7) }
	backing := func(f func(i int) float64) tensor.Tensor {
		v := make([]float64, shape.TotalSize())
		for i := range v {
			v[i] = f(i)
		}
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))
	}
	for _, n := range norm.Forms() {
		n = fitted(n, batch, channels)
		if _, ok := n.(norm.Output); !ok || outside(n) || norm.ClassOf(n) == norm.Uncompensated { // of whose state a TapeMachine knows nothing
			continue
		}
		t.Run(norm.String(n), func(t *testing.T) {
			g := G.NewGraph()
			x := G.NewTensor(g, tensor.Float64, 4, G.WithShape(shape...), G.WithName("x"), G.WithValue(backing(at)))
			weights := G.NewTensor(g, tensor.Float64, 4, G.WithShape(shape...), G.WithName("weights"), G.WithValue(backing(func(i int) float64 { return math.Cos(float64(3 * i)) })))
			y, err := models.Normalize(x, n)
			must(t, err)
			if !y.Shape().Eq(shape) {
				t.Fatalf("shape %v", y.Shape())
			}
			loss := G.Must(G.Sum(G.Must(G.HadamardProd(y, weights))))
			grads, err := G.Grad(loss, x)
			must(t, err)
			var wantY, wantGrad G.Value
			G.Read(y, &wantY)
			G.Read(grads[0], &wantGrad)
			l := program.NewLayout(program.Float64)
			p, err := program.Compile(l, program.Spec{Name: "images", Graph: g, Outputs: []program.Output{{Node: y, Name: "y.out"}, {Node: grads[0], Name: "dx.out"}}})
			must(t, err)
			for _, in := range p.Blocks[0].Instrs {
				if in.Op == program.OpHost && !strings.HasPrefix(in.Nodes[0], "Repeat") { // of Gorgonia's Sum
					t.Errorf("the host runs %v", in.Nodes)
				}
			}
			s, err := cpu.New().Open(l, 1)
			must(t, err)
			defer s.Close()
			must(t, s.Run(context.Background(), p, 1))
			vm := G.NewTapeMachine(g)
			defer vm.Close()
			must(t, vm.RunAll())
			for name, want := range map[string]G.Value{"y.out": wantY, "dx.out": wantGrad} {
				got := make([]float64, shape.TotalSize())
				must(t, s.Read(name, 0, got))
				if d := distance(got, want.Data().([]float64)); d > 1e-9 {
					t.Errorf("%s differs from TapeMachine's by %g", name, d)
				}
			}
			normalized(t, n, at, wantY.Data().([]float64), shape)
		})
	}
}

// normalized checks mean 0 and variance 1 where a method gives them: of a channel over the batch
// and the positions, of an example over all its numbers, or over half of its channels.
func normalized(t *testing.T, n norm.Method, x func(i int) float64, y []float64, s tensor.Shape) {
	per := s[2] * s[3]
	var key func(i int) int
	switch norm.String(n) {
	case "batchnorm", "standardize:graph":
		key = func(i int) int { return i / per % s[1] }
	case "layernorm":
		key = func(i int) int { return i / per / s[1] }
	case "groupnorm:groups=2", "groupnorm:groups=1":
		key = func(i int) int { return i / per / s[1] * 2 }
	case "ghost:rows=3":
		key = func(i int) int { return i/per%s[1]*2 + i/per/s[1]%2 }
	default:
		return
	}
	sum, square, count := map[int]float64{}, map[int]float64{}, map[int]float64{}
	for i := range y {
		k := key(i)
		sum[k] += x(i)
		square[k] += x(i) * x(i)
		count[k]++
	}
	for i, v := range y {
		k := key(i)
		mean := sum[k] / count[k]
		want := (x(i) - mean) / math.Sqrt(square[k]/count[k]-mean*mean+1e-5)
		if math.Abs(v-want) > 1e-9 {
			t.Fatalf("element %d is %v, want %v", i, v, want)
		}
	}
}
