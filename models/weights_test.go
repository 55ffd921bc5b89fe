package models

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"driftless/engine/checkpoint"
	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/program"
	"driftless/models/norm"
)

// session opens two replicas of a 3-4-2 net with statistics of a data set of 20
// rows.
func session(t *testing.T, n norm.Method, seed int64) (*Network, device.Session) {
	t.Helper()
	m := MLP{Inputs: 3, Hidden: []int{4}, Classes: 2, Activation: "sigmoid", InitSD: 1, Norm: n, DType: program.Float32}.Network()
	l := program.NewLayout(program.Float32)
	rows := make([]byte, 60)
	for i := range rows {
		rows[i] = byte(i * i * 37)
	}
	for _, d := range []struct {
		name string
		cols int
	}{{"images", 3}, {"labels", 1}} {
		data := rows[:20*d.cols]
		if d.cols == 1 {
			data = make([]byte, 20)
		}
		if _, err := l.AddData(d.name, program.Uint8, 20, d.cols, data); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.AddState(l); err != nil {
		t.Fatal(err)
	}
	all := Source{Images: "images", Labels: "labels", Order: program.Sequential, Total: 20, Batch: 20}
	if _, err := m.Evaluate(l, all); err != nil { // registers gamma and beta
		t.Fatal(err)
	}
	p, err := m.Statistics(l, all)
	if err != nil {
		t.Fatal(err)
	}
	s, err := cpu.New().Open(l, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for r := range 2 {
		if err := m.Initialize(s, r, seed+int64(r)); err != nil {
			t.Fatal(err)
		}
	}
	if p != nil {
		if err := s.Run(context.Background(), p, 1); err != nil {
			t.Fatal(err)
		}
	}
	return m, s
}

// A replica's weights, written into another session, are there again; the names
// and shapes are PyTorch's.
func TestWeightsAreKept(t *testing.T) {
	linear := "fc1.weight[4 3] fc1.bias[4] %sfc2.weight[2 4] fc2.bias[2]"
	for _, c := range []struct {
		norm  norm.Method
		extra string
	}{
		{norm.Must("none"), ""},
		{norm.Must("center:graph"), "norm1.running_mean[4] norm1.num_batches_tracked[] "},
		{norm.Must("standardize:naive"), "norm1.running_mean[4] norm1.running_var[4] norm1.num_batches_tracked[] "},
		{norm.Must("batchnorm"), "norm1.weight[4] norm1.bias[4] norm1.running_mean[4] norm1.running_var[4] norm1.num_batches_tracked[] "},
		{norm.Must("layernorm"), "norm1.weight[4] norm1.bias[4] "},
		{norm.Must("rmsnorm"), "norm1.weight[4] "},
		{norm.Must("ghost"), "norm1.weight[4] norm1.bias[4] norm1.running_mean[4] norm1.running_var[4] norm1.num_batches_tracked[] "},
		{norm.Must("brn"), "norm1.weight[4] norm1.bias[4] norm1.running_mean[4] norm1.running_var[4] norm1.num_batches_tracked[] "},
		{norm.Must("whiten:naive"), "norm1.running_mean[4] norm1.whitening[4 4] norm1.num_batches_tracked[] "},
	} {
		m, s := session(t, c.norm, 1)
		ts, err := m.Save(s, 1)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, x := range ts {
			got = append(got, x.Name+shape(x.Shape))
		}
		if want := strings.Replace(linear, "%s", c.extra, 1); strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", norm.String(c.norm), got, want)
		}

		// fc1.weight is the transpose of what the device holds.
		w, kept := make([]float32, 12), ts[0].Data.([]float32)
		if err := s.Read("fc1.weight", 1, w); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			for o := range 4 {
				if w[i*4+o] != kept[o*3+i] {
					t.Fatalf("%s: weight of input %d, output %d is %v, kept is %v", norm.String(c.norm), i, o, w[i*4+o], kept[o*3+i])
				}
			}
		}

		m2, other := session(t, c.norm, 100)
		if err := m2.Load(other, 0, ts); err != nil {
			t.Fatal(err)
		}
		again, err := m2.Save(other, 0)
		if err != nil {
			t.Fatal(err)
		}
		untouched, err := m2.Save(other, 1)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range again {
			v, ok := x.Data.([]float32)
			if ok && !slices.Equal(v, ts[i].Data.([]float32)) {
				t.Errorf("%s: %s is %v, want %v", norm.String(c.norm), x.Name, v, ts[i].Data)
			}
		}
		if slices.Equal(untouched[0].Data.([]float32), kept) {
			t.Errorf("%s: the other replica was written too", norm.String(c.norm))
		}
	}
}

// Weights that are computed from others have PyTorch's names and shapes for those, and the
// matrix among them is what a layer trains.
func TestComputedWeightsAreKept(t *testing.T) {
	m, s := session(t, norm.Must("weightnorm"), 1)
	ts, err := m.Save(s, 1)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range ts {
		got = append(got, x.Name+shape(x.Shape))
	}
	if want := "fc1.weight_v[4 3] fc1.weight_g[4 1] fc1.bias[4] fc2.weight_v[2 4] fc2.weight_g[2 1] fc2.bias[2]"; strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
	if err := m.Load(s, 0, ts); err != nil {
		t.Error(err)
	}
	for name, want := range map[string][]string{"weightnorm": {"fc1.weight_v", "fc2.weight_v"}, "batchnorm": {"fc1.weight", "fc2.weight"}} {
		m.Norm = norm.Must(name)
		if got, err := m.Matrices(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s trains the matrices %v, %v; want %v", name, got, err, want)
		}
	}
}

func shape(s []int) string {
	digits := make([]string, len(s))
	for i, d := range s {
		digits[i] = string(rune('0' + d))
	}
	return "[" + strings.Join(digits, " ") + "]"
}

func TestLoadRefuses(t *testing.T) {
	m, s := session(t, norm.Must("batchnorm"), 1)
	for _, c := range []struct {
		name  string
		spoil func(ts []checkpoint.Tensor) []checkpoint.Tensor
		want  string
	}{
		{"missing", func(ts []checkpoint.Tensor) []checkpoint.Tensor { return ts[1:] }, `no tensor "fc1.weight", which the network 3-4-2 needs`},
		{"shape", func(ts []checkpoint.Tensor) []checkpoint.Tensor { ts[0].Shape = []int{3, 4}; return ts }, `"fc1.weight" has shape [3 4], the network 3-4-2 needs [4 3]`},
		{"short", func(ts []checkpoint.Tensor) []checkpoint.Tensor { ts[1].Data = []float32{1}; return ts }, `"fc1.bias" has shape`},
		{"type", func(ts []checkpoint.Tensor) []checkpoint.Tensor { ts[0].Data = make([]int64, 12); return ts }, `"fc1.weight" holds I64 elements`},
		{"surplus", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			return append(ts, checkpoint.Tensor{Name: "fc9.weight", Shape: []int{1}, Data: []float32{1}})
		}, `a tensor "fc9.weight", which the network 3-4-2 with batchnorm does not have`},
		{"not a number", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			ts[0].Data.([]float32)[7] = float32(math.NaN())
			return ts
		}, `"fc1.weight" holds NaN at index 7`},
		{"negative variance", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			i := slices.IndexFunc(ts, func(t checkpoint.Tensor) bool { return t.Name == "norm1.running_var" })
			ts[i].Data.([]float32)[2] = -0.5
			return ts
		}, `"norm1.running_var" holds a negative variance, -0.5, at index 2`},
	} {
		ts, err := m.Save(s, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Load(s, 0, c.spoil(ts)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
