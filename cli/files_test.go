package cli

import (
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"driftless/benchmarks"
	"driftless/engine/checkpoint"
	"driftless/engine/device/cpu"
)

// idx is an IDX file of bytes.
func idx(data []byte, dims ...uint32) []byte {
	out := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		out = binary.BigEndian.AppendUint32(out, d)
	}
	return append(out, data...)
}

// writeMNIST writes a data set of MNIST's form with n training and test images.
func writeMNIST(dir string, n uint32) error {
	images, labels := make([]byte, n*784), make([]byte, n)
	for i := range images {
		images[i] = byte(i * i >> 3)
	}
	for i := range labels {
		labels[i] = byte(i % 10)
		copy(images[i*784+int(labels[i])*70:], strings.Repeat("\xff", 60)) // something to learn
	}
	if err := os.Mkdir(filepath.Join(dir, "mnist"), 0o755); err != nil {
		return err
	}
	for name, data := range map[string][]byte{"train-images-idx3-ubyte": idx(images, n, 28, 28), "train-labels-idx1-ubyte": idx(labels, n),
		"t10k-images-idx3-ubyte": idx(images, n, 28, 28), "t10k-labels-idx1-ubyte": idx(labels, n)} {
		if err := os.WriteFile(filepath.Join(dir, "mnist", name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestData(t *testing.T) {
	t.Parallel()
	const images = "mnist/train-images-idx3-ubyte"
	for _, c := range []struct {
		name   string
		spoil  func(t *testing.T, dir string)
		batch  string
		code   int
		reason string
	}{
		{"missing", func(t *testing.T, dir string) { _ = os.Remove(filepath.Join(dir, images)) }, "10", exitFailed, "driftless data fetch mnist"},
		{"truncated", func(t *testing.T, dir string) { _ = os.Truncate(filepath.Join(dir, images), 5000) }, "10", exitFailed, "it is truncated"},
		{"corrupt", func(t *testing.T, dir string) { write(t, filepath.Join(dir, images), []byte("<html>not found</html>")) }, "10", exitFailed, "magic number"},
		{"empty", func(t *testing.T, dir string) { write(t, filepath.Join(dir, images), nil) }, "10", exitFailed, "it is truncated"},
		{"labels", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "mnist/t10k-labels-idx1-ubyte"), idx([]byte{1, 2}, 2))
		}, "10", exitFailed, "2 labels"},
		{"batch", func(*testing.T, string) {}, "41", exitUsage, "--batch 41 is larger than the training set of mnist, which has 40 images"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, out := t.TempDir(), filepath.Join(t.TempDir(), "run")
			if err := writeMNIST(dir, 40); err != nil {
				t.Fatal(err)
			}
			c.spoil(t, dir)
			got := call(t, with(out, "train", "--data-dir", dir, "--batch", c.batch)...)
			want(t, got, c.code)
			if m := got.message(t); !strings.Contains(m, c.reason) {
				t.Errorf("%q does not contain %q", m, c.reason)
			}
			if !missing(out) || got.out != "" {
				t.Errorf("a run directory was made, or standard output holds %q", got.out)
			}
		})
	}
}

func TestEvalFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	weights := filepath.Join(dir, "sound")
	set, err := loadData("mnist", dataDirOfTests)
	if err != nil {
		t.Fatal(err)
	}
	c := benchmarks.Defaults()
	c.Hidden, c.Batch, c.Steps = []int{16, 8}, 20, 20
	e, err := benchmarks.New(t.Context(), c, set, cpu.New())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Train(t.Context(), benchmarks.Observer{}, weights); err != nil {
		t.Fatal(err)
	}
	sound := read(t, weights)
	huge := strings.Replace(sound, `[16,8]`, `[60000,3000]`, 1)
	foreign := []byte(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  `)
	for _, c := range []struct {
		name, content, want string
	}{
		{"empty", "", "0 bytes are too few"},
		{"truncated", sound[:len(sound)-100], "is not a complete safetensors file"},
		{"header", sound[:50], "its header claims"},
		{"garbage", strings.Repeat("garbage ", 100), "its header claims"},
		{"foreign", string(binary.LittleEndian.AppendUint64(nil, uint64(len(foreign)))) + string(foreign) + "1234", "was not written by driftless train"},
		{"other sizes", strings.Replace(sound, `[16,8]`, `[16,9]`, 1), "has shape"},
		{"huge", string(binary.LittleEndian.AppendUint64(nil, binary.LittleEndian.Uint64([]byte(sound))+uint64(len(huge)-len(sound)))) + huge[8:], "holds"},
	} {
		path := filepath.Join(dir, c.name)
		write(t, path, []byte(c.content))
		got := call(t, "eval", path, "--data-dir", dataDirOfTests)
		want(t, got, exitFailed)
		if m := got.message(t); !strings.Contains(m, path) || !strings.Contains(m, c.want) {
			t.Errorf("%s: %q does not contain %q", c.name, m, c.want)
		}
	}
	for path, says := range map[string]string{filepath.Join(dir, "none"): "cannot read weights from " + filepath.Join(dir, "none") + ": no such file", dir: "holds no weights: driftless train keeps them"} {
		got := call(t, "eval", path, "--data-dir", dataDirOfTests)
		want(t, got, exitFailed)
		if m := got.message(t); !strings.Contains(m, says) || !strings.Contains(m, path) {
			t.Errorf("message %q", m)
		}
	}
	// Weights of no use are no accuracy; the data set that they were not trained on is
	// named.
	ts, md, err := checkpoint.Read(weights)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(ts []checkpoint.Tensor) []checkpoint.Tensor
		meta   func(string) string
		want   string
	}{
		{"NaN", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			named(ts, "fc1.weight").Data.([]float32)[3] = nan
			return ts
		}, nil, `tensor "fc1.weight" holds NaN at index 3`},
		{"infinite", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			named(ts, "fc2.bias").Data.([]float32)[0] = -inf
			return ts
		}, nil, "holds -Inf"},
		{"variance", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			named(ts, "norm1.running_var").Data.([]float32)[2] = -1
			return ts
		}, nil, `tensor "norm1.running_var" holds a negative variance`},
		{"surplus", func(ts []checkpoint.Tensor) []checkpoint.Tensor { return ts },
			func(s string) string { return strings.Replace(s, `"norm":"batchnorm"`, `"norm":"none"`, 1) }, `a tensor "norm1.`},
		{"type", func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			named(ts, "fc1.weight").Data = make([]int64, 784*16)
			return ts
		}, nil, `tensor "fc1.weight" holds I64 elements`},
	} {
		copied := make([]checkpoint.Tensor, len(ts))
		for i, x := range ts {
			if v, ok := x.Data.([]float32); ok {
				x.Data = slices.Clone(v)
			}
			copied[i] = x
		}
		m := maps.Clone(md)
		if c.meta != nil {
			m["driftless"] = c.meta(m["driftless"])
		}
		path := filepath.Join(dir, c.name)
		if err := checkpoint.Write(path, c.change(copied), m); err != nil {
			t.Fatal(err)
		}
		got := call(t, "eval", path, "--data-dir", dataDirOfTests)
		want(t, got, exitFailed)
		if m := got.message(t); !strings.Contains(m, path) || !strings.Contains(m, c.want) || got.out != "" {
			t.Errorf("%s: %q does not contain %q", c.name, m, c.want)
		}
	}
	wide := make([]checkpoint.Tensor, len(ts))
	for i, x := range ts {
		if v, ok := x.Data.([]float32); ok {
			d := make([]float64, len(v))
			for j := range v {
				d[j] = float64(v[j])
			}
			x.Data = d
		}
		wide[i] = x
	}
	path := filepath.Join(dir, "float64")
	if err := checkpoint.Write(path, wide, md); err != nil {
		t.Fatal(err)
	}
	narrow, same := call(t, "eval", weights, "--data-dir", dataDirOfTests), call(t, "eval", path, "--data-dir", dataDirOfTests)
	want(t, same, exitDone)
	if same.out != narrow.out {
		t.Errorf("float64 weights give %q, the float32 ones %q", same.out, narrow.out)
	}
	got := call(t, "eval", weights, "--data", "synthetic")
	want(t, got, exitDone)
	if !strings.Contains(got.err, "these weights were trained on mnist, not on synthetic") {
		t.Errorf("evaluated on other data it says %q", got.err)
	}

	// Predictions are a table whose rows are the test images.
	table := filepath.Join(dir, "predictions.csv")
	got = call(t, "eval", weights, "--data-dir", dataDirOfTests, "--predictions", table, "--json")
	want(t, got, exitDone)
	rows, err := csv.NewReader(strings.NewReader(read(t, table))).ReadAll()
	if err != nil || len(rows) != 201 || strings.Join(rows[0][:4], " ") != "row label prediction logit0" || len(rows[0]) != 13 {
		t.Fatalf("%d rows, %v: %v", len(rows), rows[:1], err)
	}
	right := 0
	for _, r := range rows[1:] {
		if r[1] == r[2] {
			right++
		}
	}
	if acc := got.object(t)["testAccuracy"]; acc != float64(right)/200 {
		t.Errorf("%d of 200 predictions are right, the accuracy is %v", right, acc)
	}

	got = call(t, "eval", weights, "--data", "fashion", "--data-dir", dir)
	want(t, got, exitFailed)
	if m := got.message(t); !strings.Contains(m, "driftless data fetch fashion") {
		t.Errorf("message %q", m)
	}
}

func named(ts []checkpoint.Tensor, name string) *checkpoint.Tensor {
	return &ts[slices.IndexFunc(ts, func(t checkpoint.Tensor) bool { return t.Name == name })]
}

var (
	nan = float32(math.NaN())
	inf = float32(math.Inf(1))
)

// start starts driftless and waits until a file is there.
func start(t *testing.T, until string, args ...string) (*exec.Cmd, *strings.Builder) {
	t.Helper()
	cmd := process(t, args...)
	var both strings.Builder
	cmd.Stdout, cmd.Stderr = &both, &both
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	for deadline := time.Now().Add(20 * time.Second); missing(until); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s was not written:\n%s", until, both.String())
		}
	}
	return cmd, &both
}

// An interrupt keeps what ran, and exits with 130.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		command string
		until   string // the file whose appearance tells when to interrupt
	}{{"train", "config.yaml"}, {"compare", "metrics.jsonl"}} {
		dir := filepath.Join(t.TempDir(), "run")
		cmd, printed := start(t, filepath.Join(dir, c.until), with(dir, c.command, "--steps", "100000000")...)
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // the exit code says it
		if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
			t.Errorf("%s: exit code %d, want %d\n%s", c.command, code, exitInterrupted, printed)
		}
		if !strings.Contains(printed.String(), "INTERRUPTED") || !strings.HasSuffix(printed.String(), "interrupted\n") {
			t.Errorf("%s prints\n%s", c.command, printed)
		}
		for _, name := range runFiles {
			if missing(filepath.Join(dir, name)) {
				t.Errorf("%s: %s is missing after an interrupt", c.command, name)
			}
		}
		for line := range strings.Lines(read(t, dir, "metrics.jsonl")) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s: a line of metrics.jsonl is incomplete: %q", c.command, line)
			}
		}
		if c.until == "metrics.jsonl" && read(t, dir, "metrics.jsonl") == "" {
			t.Errorf("%s: metrics.jsonl is empty", c.command)
		}
	}
}

// On a full disk, for which a limit on the size of files stands in, a run ends
// with one sentence that names the file, and leaves no part of it.
func TestDiskFull(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train by the same code")
	}
	t.Parallel()
	for _, c := range []struct {
		blocks int // of 512 bytes or 1 KiB, as the shell has it
		args   []string
		file   string
	}{
		{0, []string{"train"}, "config.yaml"},
		{8, []string{"train"}, "weights.safetensors"},
		{2, []string{"drift"}, "drift.png"},
	} {
		dir := filepath.Join(t.TempDir(), "run")
		args := append([]string{c.args[0], "--out", dir}, c.args[1:]...)
		if c.args[0] != "drift" {
			args = with(dir, c.args...)
		}
		got := limited(c.blocks, args...)
		want(t, got, exitFailed)
		// What a training cannot keep is said when that happens, and it goes on.
		if m := got.message(t); !strings.Contains(got.err, "cannot write "+filepath.Join(dir, c.file)) || !strings.Contains(m, syscall.EFBIG.Error()) {
			t.Errorf("messages %q", got.err)
		}
		for _, name := range names(t, dir) {
			if name == c.file || strings.Contains(name, "tmp") {
				t.Errorf("%s is there after a failure to write %s", name, c.file)
			}
		}
	}
}

// limited runs driftless as a process whose files hold at most so many blocks of 512 bytes.
func limited(blocks int, args ...string) output {
	cmd := exec.Command("/bin/sh", append([]string{"-c", fmt.Sprintf(`ulimit -f %d && exec "$@"`, blocks), "sh", os.Args[0]}, args...)...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = pipe{&stdout}, pipe{&stderr}
	_ = cmd.Run() // the exit code says it
	return output{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// pipe hides that a builder is one, so that the process writes to a pipe, which
// no limit on files concerns.
type pipe struct{ *strings.Builder }
