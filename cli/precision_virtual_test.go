//go:build gpu

package cli

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTrainInPrecision: a training with products in TF32 says so in all that it leaves and in
// its plan, has weights of its own, and goes on in the same precision alone. Each run is a process.
func TestTrainInPrecision(t *testing.T) {
	train := func(ok bool, args ...string) string {
		t.Helper()
		out, err := process(t, append([]string{"train"}, args...)...).CombinedOutput()
		if (err == nil) != ok {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	begin := func(dir string, more ...string) string {
		t.Helper()
		return train(true, append(append(slices.Clone(small), "--hidden", "8", "--steps", "3", "--eval-every", "3", "--norm", "batchnorm", "--device", "virtual", "--out", dir), more...)...)
	}
	dir := filepath.Join(t.TempDir(), "tf32")
	said := begin(dir, "--precision", "tf32", "--plan")
	for _, part := range []string{"device: virtual, products in tf32", "operands of matrix products rounded to tf32: not the bits of float32"} {
		if !strings.Contains(said, part) {
			t.Errorf("it does not say %q:\n%s", part, said)
		}
	}
	for file, part := range map[string]string{"config.yaml": "precision: tf32", "run.json": `"precision": "tf32"`, "metrics.jsonl": `"precision":"tf32"`,
		"report.html": "rounded to tf32"} {
		if !strings.Contains(read(t, dir, file), part) {
			t.Errorf("%s lacks %q", file, part)
		}
	}
	plain := filepath.Join(t.TempDir(), "float32")
	begin(plain)
	if read(t, dir, "weights.safetensors") == read(t, plain, "weights.safetensors") {
		t.Error("the weights are those of float32")
	}
	if strings.Contains(read(t, plain, "config.yaml"), "precision") {
		t.Error("the default precision is recorded")
	}
	for want, args := range map[string][]string{
		"--precision cannot be given with --resume":                    {"--resume", dir, "--precision", "bf16"},
		"products in tf32 (--precision) need a CUDA device of compute": {"--resume", dir, "--device", "cpu"},
	} {
		if said := train(false, append(args, "--data-dir", dataDirOfTests)...); !strings.Contains(said, want) {
			t.Errorf("%v: it does not say %q:\n%s", args, want, said)
		}
	}
	if said := train(true, "--resume", dir, "--data-dir", dataDirOfTests); !strings.Contains(said, "products in tf32") {
		t.Errorf("a run that goes on does not name its precision:\n%s", said)
	}
}
