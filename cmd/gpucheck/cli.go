package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"driftless/dataset"
)

// trained is what driftless train --json says; package benchmarks has the whole of it,
// and pulls much into a binary.
type trained struct {
	Device         string   `json:"device"`
	StepsPerSecond float64  `json:"stepsPerSecond"`
	FinalLoss      *float64 `json:"finalLoss"`
	TestAccuracy   *float64 `json:"testAccuracy"`
}

// cli trains with the command line on the device and on the CPU.
func cli(ctx context.Context, o options, t *teller) error {
	path, err := suiteBinary(o, "driftless")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "gpucheck-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	steps, hidden, data := 500, "100,100,100", "mnist"
	if o.virtual() {
		steps = 10
	}
	if o.quick {
		steps, hidden = 4, "12,12"
	}
	if _, err := dataset.Load(o.data, "mnist"); err != nil || o.quick {
		data = "synthetic"
	}
	type result struct {
		out     trained
		weights []byte
	}
	train := func(device string) (r result, err error) {
		runDir := filepath.Join(dir, strings.ReplaceAll(device, ":", "-"))
		args := []string{"train", "--device", device, "--data", data, "--data-dir", o.data, "--norm", "batchnorm", "--lr", "0.5", "--hidden", hidden,
			"--steps", fmt.Sprint(steps), "--eval-every", fmt.Sprint(steps), "--seed", "1", "--out", runDir, "--json"}
		cmd := command(ctx, path, args...)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			return r, fmt.Errorf("driftless %s: %w\n%s", strings.Join(args, " "), err, lastLines(errs.String(), 20))
		}
		if err := json.Unmarshal(out.Bytes(), &r.out); err != nil {
			return r, fmt.Errorf("driftless train --json: %w", err)
		}
		if r.out.FinalLoss == nil || r.out.TestAccuracy == nil {
			return r, fmt.Errorf("driftless %s: the loss or the accuracy is not a number", strings.Join(args, " "))
		}
		r.weights, err = os.ReadFile(filepath.Join(runDir, "weights.safetensors"))
		return r, err
	}
	a, err := train("cpu")
	if err != nil {
		return err
	}
	b, err := train(o.device)
	if err != nil {
		return err
	}
	t.note("driftless train --norm batchnorm --lr 0.5 --steps %d --data %s", steps, data)
	t.table("device", "training loss", "test accuracy", "steps/s, evaluation included")
	for _, r := range []result{a, b} {
		t.row(r.out.Device, *r.out.FinalLoss, fmt.Sprintf("%.2f %%", 100**r.out.TestAccuracy), fmt.Sprintf("%.0f", r.out.StepsPerSecond))
	}
	t.check(*a.out.FinalLoss == *b.out.FinalLoss, "the training loss is the CPU's", "%v and %v", *a.out.FinalLoss, *b.out.FinalLoss)
	if o.virtual() {
		t.note("On the virtual device train evaluates on few test rows: its accuracy is not compared.")
	} else {
		t.check(*a.out.TestAccuracy == *b.out.TestAccuracy, "the test accuracy is the CPU's", "%v and %v", *a.out.TestAccuracy, *b.out.TestAccuracy)
	}
	t.check(bytes.Equal(a.weights, b.weights), "weights.safetensors has the CPU's bytes", "%d and %d bytes", len(a.weights), len(b.weights))
	return nil
}
