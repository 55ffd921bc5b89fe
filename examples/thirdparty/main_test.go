package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"driftless/cli"
)

// run runs a command line and returns what it prints.
func run(t *testing.T, args ...string) string {
	t.Helper()
	var out, messages bytes.Buffer
	if code := cli.Run(args, &out, &messages); code != 0 {
		t.Fatalf("driftless %s ends with %d: %s", strings.Join(args, " "), code, &messages)
	}
	return out.String()
}

// contains fails unless a text has all the words.
func contains(t *testing.T, what, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s lacks %q", what, w)
		}
	}
}

func read(t *testing.T, elem ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestListed: lists and help know the normalization and its settings.
func TestListed(t *testing.T) {
	contains(t, "norms", run(t, "norms"), "scaleonly", "trained gamma", "batchnorm")
	contains(t, "norms scaleonly", run(t, "norms", "scaleonly"), "eps=1e-05", "running-momentum=0.1")
	var out, messages bytes.Buffer
	if code := cli.Run([]string{"train", "--norm", "scaleonly:eps=-1"}, &out, &messages); code != 2 || !strings.Contains(messages.String(), "scaleonly:eps=-1: eps -1") {
		t.Errorf("a wrong setting ends with %d and %q", code, &messages)
	}
}

// TestCompare: it trains beside batchnorm, and the report shows both.
func TestCompare(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	out := run(t, "compare", "--data", "synthetic", "--norms", "batchnorm,scaleonly:eps=0.001", "--net", "784-32-16-10", "--lr", "0.5",
		"--steps", "200", "--eval-every", "100", "--seeds", "2", "--device", "cpu", "--out", dir, "--json")
	var v struct {
		Arms []struct {
			Name         string
			TestAccuracy struct{ Mean float64 }
		}
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Arms) != 2 || v.Arms[1].Name != "scaleonly:eps=0.001" || !(v.Arms[1].TestAccuracy.Mean > 0.3) {
		t.Errorf("the arms are %+v, want scaleonly with an accuracy well above 0.1", v.Arms)
	}
	contains(t, "the report", read(t, dir, "report.html"), "scaleonly:eps=0.001", "batchnorm")
	contains(t, "config.yaml", read(t, dir, "config.yaml"), "scaleonly:eps=0.001")
}

// TestWeights: training keeps weights that evaluate to what it reported, and can be exported.
func TestWeights(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	type result struct {
		Norm         string
		TestAccuracy float64
	}
	var trained, evaluated result
	for _, c := range []struct {
		to   *result
		args []string
	}{
		{&trained, []string{"train", "--data", "synthetic", "--norm", "scaleonly", "--net", "784-32-16-10", "--lr", "0.5", "--steps", "50",
			"--eval-every", "25", "--device", "cpu", "--out", dir, "--json"}},
		{&evaluated, []string{"eval", dir, "--json"}},
	} {
		if err := json.Unmarshal([]byte(run(t, c.args...)), c.to); err != nil {
			t.Fatal(err)
		}
	}
	if trained != evaluated || trained.Norm != "scaleonly" {
		t.Errorf("training gives %+v, evaluation of its weights %+v", trained, evaluated)
	}
	run(t, "export", dir)
	contains(t, "the ONNX model", read(t, dir, "weights.onnx"), "norm1.running_var", "Sqrt", "Div")
	contains(t, "the weights file", read(t, dir, "weights.safetensors"), "norm1.running_var", "norm1.weight")
}
