package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"driftless/benchmarks"
	"driftless/dataset"
	"driftless/engine/device"
	"driftless/engine/device/cpu"
	driver "driftless/internal/cuda"
)

// TestDeviceNames: a --device that names none is wrong usage.
func TestDeviceNames(t *testing.T) {
	for name, part := range map[string]string{
		"tpu": "use auto, cpu, cuda, cuda:N or virtual", "cuda:": `"" is not the number`, "cuda:x": `"x" is not the number`, "cuda:-1": "is not the number",
		"virtual:0": "is not available", "": "is not available",
	} {
		got := call(t, "eval", "w", "--data", "synthetic", "--device", name)
		want(t, got, exitUsage)
		if m := got.message(t); !strings.Contains(m, part) {
			t.Errorf("%s: %q does not contain %q", name, m, part)
		}
	}
}

// TestWhyCPU: auto says in a few words why it did not take CUDA.
func TestWhyCPU(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&driver.Unavailable{Reason: driver.ErrNotBuilt, Advice: "build it"}, "this build has no CUDA support"},
		{&driver.Unavailable{Reason: driver.ErrNoLibrary, Detail: "libcuda.so.1: no such file", Advice: "install it"}, "no CUDA driver"},
		{&driver.Unavailable{Reason: driver.ErrInit, Detail: "cuInit: CUDA_ERROR_UNKNOWN", Advice: "look"}, "the CUDA driver does not start: cuInit: CUDA_ERROR_UNKNOWN"},
		{errors.New("out of memory"), "out of memory"},
	} {
		if got := whyCPU(fmt.Errorf("%w", c.err)); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// TestAutoWithoutCUDA: where there is none, auto takes the CPU and says so.
func TestAutoWithoutCUDA(t *testing.T) {
	if driver.Require() == nil {
		t.Skip("there is a CUDA device")
	}
	var out, msg bytes.Buffer
	d, err := openDevice("auto", "", &terminal{out: &out, err: &msg})
	if err != nil || !strings.HasPrefix(d.Name(), "cpu/") {
		t.Fatal(d, err)
	}
	if line := "device: " + d.Name() + " ("; !strings.HasPrefix(msg.String(), line) || !strings.Contains(msg.String(), "CUDA") || out.Len() > 0 {
		t.Errorf("%q and %q", out.String(), msg.String())
	}
	if d, err = openFloat64("auto", &terminal{out: &out, err: &msg}); err != nil || !strings.HasPrefix(d.Name(), "cpu/") {
		t.Error(d, err)
	}
}

// TestCUDAWithoutOne: asking for CUDA where there is none says why, and what to do.
func TestCUDAWithoutOne(t *testing.T) {
	_, status := driver.Status()
	if status == nil {
		t.Skip("there is a CUDA device")
	}
	for _, name := range []string{"cuda", "cuda:1"} {
		got := call(t, "eval", "w", "--data", "synthetic", "--device", name)
		if !driver.Built {
			want(t, got, exitUsage)
			if m := got.message(t); !strings.Contains(m, "this build has no CUDA support; use auto or cpu") {
				t.Error(m)
			}
			continue
		}
		want(t, got, exitFailed)
		if m := got.message(t); !strings.Contains(m, "--device "+name+": "+status.Error()) || !strings.Contains(m, "use --device cpu") {
			t.Error(m)
		}
	}
}

// TestEnv prints what there is to run on, for people and as JSON.
func TestEnv(t *testing.T) {
	show := func(args ...string) string {
		t.Helper()
		var out, msg bytes.Buffer
		cmd := newEnv(&terminal{out: &out, err: &msg})
		cmd.SetArgs(args)
		if err := cmd.Execute(); err != nil || msg.Len() > 0 {
			t.Fatal(err, msg.String())
		}
		return out.String()
	}
	text := show()
	for _, part := range []string{"build   go", "cpu     ", "cuda"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in\n%s", part, text)
		}
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(show("--json")), &v); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, "env --json", v, "build cpu cuda")
	wantKeys(t, "env --json, build", v["build"], "go platform cuda")
	wantKeys(t, "env --json, cpu", v["cpu"], "model cores workers isa isas")
	wantKeys(t, "env --json, cuda", v["cuda"], "available reason driver library devices")
	if c := v["cuda"].(map[string]any); c["available"].(bool) == (c["reason"] != "") {
		t.Errorf("cuda is %v", c)
	}
}

// TestEnvOfAGPU prints devices, the one that is too old marked.
func TestEnvOfAGPU(t *testing.T) {
	var b bytes.Buffer
	e := environment{CUDA: cudaInfo{Available: true, Driver: "12.4", Library: "libcuda.so.1", Devices: []cudaDevice{
		{0, "NVIDIA A100", 40 << 30, "8.0", 108, true}, {1, "NVIDIA K80", 12 << 30, "3.7", 13, false}}}}
	if err := e.print(&b); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"driver  CUDA 12.4, libcuda.so.1\n", "cuda:0  NVIDIA A100, compute capability 8.0, 40.0 GiB\n",
		"cuda:1  NVIDIA K80, compute capability 3.7, 12.0 GiB: too old, 7.5 is needed\n"} {
		if !strings.Contains(b.String(), line) {
			t.Errorf("%q is not in\n%s", line, b.String())
		}
	}
}

// virtualDevice has the virtual device's name, and nothing else.
type virtualDevice struct{ device.Device }

func (virtualDevice) Name() string { return "virtual" }

// TestSparing: a training on the virtual device evaluates once, on few rows.
func TestSparing(t *testing.T) {
	s := &settings{Config: benchmarks.Config{Steps: 40, EvalEvery: 10}}
	set := dataset.Synthetic(1)
	rows := set.Test.N
	var msg bytes.Buffer
	s.sparing(cpu.New(), set, &terminal{err: &msg})
	if s.EvalEvery != 10 || set.Test.N != rows || msg.Len() > 0 {
		t.Errorf("the CPU evaluates every %d steps on %d rows: %s", s.EvalEvery, set.Test.N, msg.String())
	}
	set.Test.N, set.Test.Images, set.Test.Labels = 600, make([]byte, 600*784), make([]int, 600)
	s.sparing(virtualDevice{}, set, &terminal{err: &msg})
	if s.EvalEvery != 40 || set.Test.N != 500 || len(set.Test.Images) != 500*784 || len(set.Test.Labels) != 500 || !strings.Contains(msg.String(), "on 500 test rows") {
		t.Errorf("the virtual device evaluates every %d steps on %d rows: %s", s.EvalEvery, set.Test.N, msg.String())
	}
}
