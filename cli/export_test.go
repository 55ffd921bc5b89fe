package cli

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"driftless/benchmarks"
	"driftless/dataset"
	"driftless/engine/device/cpu"
	"driftless/models/norm"
)

// weightsOf trains a small network for a few steps and returns its weights file.
func weightsOf(t *testing.T, arm string, change func(*benchmarks.Config)) string {
	t.Helper()
	c := benchmarks.Defaults()
	c.Hidden = nil
	c.Data, c.Norms, c.Net, c.Batch, c.Steps, c.EvalEvery, c.LR, c.Seeds, c.Untimed, c.NoReestimate = "synthetic", []string{arm}, "784-20-12-10", 40, 8, 8, 0.1, 1, true, true
	if change != nil {
		change(&c)
	}
	e, err := benchmarks.New(t.Context(), c, synthetic(), cpu.New())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "weights.safetensors")
	if _, err := e.Train(t.Context(), benchmarks.Observer{}, path); err != nil {
		t.Fatalf("%s: %v", arm, err)
	}
	return path
}

var synthetic = sync.OnceValue(func() *dataset.Set {
	set := dataset.Synthetic(1)
	set.Train.N, set.Test.N = 1000, 200
	for _, s := range []*dataset.Split{&set.Train, &set.Test} {
		s.Images, s.Labels = s.Images[:s.N*s.Rows*s.Cols], s.Labels[:s.N]
	}
	return set
})

// onnxCase is what onnx_logits.py compares.
type onnxCase struct {
	Name    string `json:"name"`
	Model   string `json:"model"`
	Pixels  string `json:"pixels"`
	Shape   []int  `json:"shape"`
	Logits  string `json:"logits"`
	Classes int    `json:"classes"`
}

// TestONNXLogits: of every method, in a perceptron and in a convolutional network, other
// activations and poolings, the exported model gives our logits in ONNX Runtime.
func TestONNXLogits(t *testing.T) {
	t.Parallel()
	needPython(t)
	var cases []onnxCase
	add := func(arm string, change func(*benchmarks.Config)) {
		t.Helper()
		var c benchmarks.Config
		weights := weightsOf(t, arm, func(to *benchmarks.Config) {
			if change != nil {
				change(to)
			}
			c = *to
		})
		dir := filepath.Dir(weights)
		want(t, call(t, "export", weights), exitDone)
		o := onnxCase{Name: c.Net + " " + arm, Model: filepath.Join(dir, "weights.onnx"), Pixels: filepath.Join(dir, "pixels"), Logits: filepath.Join(dir, "logits"), Classes: 10, Shape: []int{784}}
		if !strings.Contains(c.Net, "-") {
			o.Shape = []int{1, 28, 28}
		}
		floats(t, o.Pixels, testPixels(c.Binarize))
		floats(t, o.Logits, logitsOf(t, weights))
		cases = append(cases, o)
	}
	for _, m := range norm.Forms() {
		arm := norm.String(m)
		if norm.Has(m, "groups") { // which divide every layer
			arm += ":groups=4"
		}
		add(arm, nil)
		if !norm.HasShortcuts(m) {
			add(arm, func(c *benchmarks.Config) { c.Net, c.Activation, c.LR = "cnn:4,8", "relu", 0.01 })
		}
	}
	add("batchnorm", func(c *benchmarks.Config) { c.Net, c.Activation = "lenet", "tanh" })
	add("none", func(c *benchmarks.Config) {
		c.Net, c.Activation, c.Binarize, c.InitSD = "lenet:average", "relu", false, 0.1
	})
	add("layernorm:noaffine", func(c *benchmarks.Config) { c.Activation, c.Binarize = "relu", false })
	list := filepath.Join(t.TempDir(), "cases.json")
	text, err := json.Marshal(cases)
	if err == nil {
		err = os.WriteFile(list, text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Log(python(t, "onnx_logits.py", list, "-v"))
}

// testPixels are the test images as evaluation feeds them.
func testPixels(binary bool) []float32 {
	var out []float32
	for _, p := range synthetic().Test.Images {
		switch {
		case !binary:
			out = append(out, float32(p)/255)
		case p > 127:
			out = append(out, 1)
		default:
			out = append(out, 0)
		}
	}
	return out
}

// logitsOf are those that evaluation gives for the test images.
func logitsOf(t *testing.T, weights string) []float32 {
	t.Helper()
	w, err := benchmarks.OpenWeights(weights)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var out []float32
	if _, err := w.Eval(t.Context(), synthetic(), cpu.New(), func(_ int, logits []float32) error {
		out = append(out, logits...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func floats(t *testing.T, path string, values []float32) {
	t.Helper()
	var raw []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestExportFiles: where files go, what they are, and what is refused.
func TestExportFiles(t *testing.T) {
	t.Parallel()
	weights := weightsOf(t, "batchnorm", nil)
	dir := filepath.Dir(weights)
	copied := filepath.Join(t.TempDir(), "copy.safetensors")
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{dir, "--format", "safetensors", "--out", copied}, exitDone, "safetensors: " + copied},
		{[]string{dir}, exitDone, "onnx: " + filepath.Join(dir, "weights.onnx")},
		{[]string{weights, "--out", filepath.Join(dir, "a.onnx")}, exitDone, "a.onnx"},
		{[]string{dir, "--format", "safetensors"}, exitUsage, "--out says which file to write"},
		{[]string{dir, "--format", "safetensors", "--out", weights}, exitUsage, "name another"},
		{[]string{dir, "--format", "onx"}, exitUsage, `did you mean "onnx"?`},
		{[]string{dir, "--out", filepath.Join(dir, "none", "a.onnx")}, exitFailed, filepath.Join(dir, "none")},
		{[]string{filepath.Join(dir, "run.json")}, exitFailed, "run.json"},
		{[]string{t.TempDir()}, exitFailed, "holds no weights"},
		{nil, exitUsage, "needs one argument"},
	} {
		got := call(t, append([]string{"export"}, c.args...)...)
		if got.code != c.code || !strings.Contains(got.out+got.err, c.says) {
			t.Errorf("export %v ends with %d and says %q%q, want %d and %q", c.args, got.code, got.out, got.err, c.code, c.says)
		}
	}
	if read(t, copied) != read(t, weights) {
		t.Error("the copy is not the weights file")
	}
	if a, b := read(t, filepath.Join(dir, "a.onnx")), read(t, filepath.Join(dir, "weights.onnx")); a != b || !strings.Contains(a, "1 where they are above 127") {
		t.Error("two exports differ, or do not say what the input is")
	}
	cut := filepath.Join(t.TempDir(), "cut.safetensors")
	if err := os.WriteFile(cut, []byte(strings.Replace(read(t, weights), `[20,12]`, `[20,13]`, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"onnx", "safetensors"} {
		to := filepath.Join(t.TempDir(), "out")
		got := call(t, "export", cut, "--format", format, "--out", to)
		want(t, got, exitFailed)
		if _, err := os.Stat(to); err == nil || !strings.Contains(got.err, cut) {
			t.Errorf("%s of a broken file: %v, %q", format, err, got.err)
		}
	}
}
