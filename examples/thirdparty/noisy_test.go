package main

import (
	"os"
	"path/filepath"
	"testing"

	"driftless/models/norm"

	G "gorgonia.org/gorgonia"
)

// noisy adds random numbers that Gorgonia draws, which no file could go on with.
type noisy struct{}

func (*noisy) Name() string    { return "noisy" }
func (*noisy) Validate() error { return nil }

func (*noisy) Output(s *norm.Scope, x *G.Node) (*G.Node, error) {
	return G.Add(x, G.GaussianRandomNode(x.Graph(), x.Dtype(), 0, 0.1, x.Shape()...))
}

func init() {
	norm.Register(norm.Info{Name: "noisy", Title: "x + noise", New: func() norm.Method { return &noisy{} }})
}

// TestNoisy: it trains without checkpoints, beside an arm that has some.
func TestNoisy(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	run(t, "compare", "--data", "synthetic", "--norms", "noisy,none", "--hidden", "8", "--steps", "20", "--eval-every", "10", "--validation", "100", "--seeds", "1",
		"--checkpoint-every", "5", "--device", "cpu", "--out", dir)
	kept, err := filepath.Glob(filepath.Join(dir, "checkpoints", "*"))
	if err != nil || len(kept) != 3 {
		t.Errorf("%v were kept, want two checkpoints and the best weights of the second arm (%v)", kept, err)
	}
	for _, path := range kept {
		if m, _ := filepath.Match("arm2-*", filepath.Base(path)); !m {
			t.Errorf("%s was kept", path)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
}
