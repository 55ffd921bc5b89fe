package benchmarks

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"driftless/engine/checkpoint"
	"driftless/engine/device"
	"driftless/engine/program"
	"driftless/internal/dataset"
	"driftless/models"
)

// WeightsFile is the name of the weights in a training run's directory.
const WeightsFile = "weights.safetensors"

// metadataKey holds the network's description in a weights file.
const metadataKey = "driftless"

// description is what a weights file says of its network.
type description struct {
	Inputs     int     `json:"inputs"`
	Hidden     []int   `json:"hidden"`
	Activation string  `json:"activation"`
	Norm       string  `json:"norm"`
	Eps        float64 `json:"eps"`
	Binarize   bool    `json:"binarize"`
}

// Train trains one configuration: one arm, one seed. It writes the weights to
// weightsPath, "" for nowhere, also of a run that was interrupted. A loss that is
// not finite ends the run with a *DivergedError.
func Train(ctx context.Context, c Config, set *dataset.Set, dev device.Device, o Observer, weightsPath string) (*Result, TrainOutput, error) {
	c.Seeds = 1
	var out TrainOutput
	var kept error
	start := time.Now()
	keep := func(a *Arm, s device.Session) error {
		var diverged [1]int64
		if err := s.Read(program.StateNonFinite, 0, diverged[:]); err != nil || diverged[0] >= 0 {
			return err // weights of a diverged run serve nobody
		}
		if weightsPath != "" {
			kept = a.save(s, weightsPath)
		}
		return kept
	}
	timed := o.Timed
	o.Timed = func(arm string, sec float64) {
		start = time.Now() // training starts when the timing is done
		if timed != nil {
			timed(arm, sec)
		}
	}
	res, err := experiment(ctx, c, set, dev, o, keep)
	if res == nil {
		return nil, out, err
	}
	seconds := time.Since(start).Seconds()
	run, arm := res.runs[0][0], res.Run.Arms[0]
	steps := 0
	if n := len(run.points); n > 0 {
		steps = run.points[n-1].Step
	}
	if err == nil && run.divergedAt == nil {
		steps = c.Steps
	}
	if run.divergedAt != nil {
		steps = *run.divergedAt
	}
	out = TrainOutput{Device: res.Run.Device, Data: res.Run.Data, Synthetic: res.Run.Synthetic, Interrupted: res.Run.Interrupted,
		Net: res.Run.Net, Norm: arm.Norm, Grad: arm.Grad, Affine: arm.Affine, Seed: c.Seed, Steps: steps,
		Seconds: Number(seconds), StepsPerSecond: Number(float64(steps) / seconds), FinalLoss: Number(run.finalLoss),
		TestAccuracy: Number(run.testAccuracy), TestAccuracyReestimated: Number(run.testReestimated), DivergedAt: run.divergedAt, Finding: arm.Finding}
	if err == nil && run.divergedAt != nil {
		err = &DivergedError{Arm: arm.Name, Step: *run.divergedAt}
	}
	return res, out, err
}

// DivergedError tells that a training loss ceased to be finite.
type DivergedError struct {
	Arm  string
	Step int
}

func (e *DivergedError) Error() string {
	return fmt.Sprintf("%s diverged: the loss of step %d is not finite; try a smaller --lr", e.Arm, e.Step)
}

// save writes replica 0's weights.
func (a *Arm) save(s device.Session, path string) error {
	ts, err := a.mlp.Weights(s, a.layout, 0)
	if err != nil {
		return err
	}
	d, err := json.Marshal(description{a.mlp.Inputs, a.mlp.Hidden, a.mlp.Activation, a.Norm.String(), a.Norm.Eps, a.cfg.Binarize})
	if err != nil {
		return err
	}
	return checkpoint.Write(path, ts, map[string]string{metadataKey: string(d)})
}

// EvalOutput is what `driftless eval --json` prints.
type EvalOutput struct {
	Weights      string `json:"weights"`
	Device       string `json:"device"`
	Data         string `json:"data"`
	Synthetic    bool   `json:"synthetic"`
	Net          string `json:"net"`
	Norm         string `json:"norm"`
	TestLoss     Number `json:"testLoss"`
	TestAccuracy Number `json:"testAccuracy"`
}

// Eval evaluates a weights file on a data set's test images with the running
// statistics that it holds.
func Eval(path string, set *dataset.Set, dev device.Device) (EvalOutput, error) {
	var out EvalOutput
	ts, md, err := checkpoint.Read(path)
	if err != nil {
		return out, err
	}
	var d description
	if err := json.Unmarshal([]byte(md[metadataKey]), &d); err != nil || md[metadataKey] == "" {
		return out, fmt.Errorf("%s does not say which network its weights belong to: it was not written by driftless train", path)
	}
	n, err := models.Parse(d.Norm, models.Graph)
	if err != nil {
		return out, fmt.Errorf("%s: %w", path, err)
	}
	if n.Eps = d.Eps; math.IsNaN(n.Eps) {
		return out, fmt.Errorf("%s: eps is not a number", path)
	}
	if d.Inputs != set.Test.Rows*set.Test.Cols {
		return out, fmt.Errorf("%s holds a network for %d inputs, the images of %s have %d pixels", path, d.Inputs, set.Name, set.Test.Rows*set.Test.Cols)
	}
	c := Defaults()
	c.Hidden, c.Activation, c.Binarize = d.Hidden, d.Activation, d.Binarize
	a := &Arm{Norm: n, cfg: c, set: set, dev: dev, layout: program.NewLayout(program.Float32)}
	a.mlp = c.mlp(d.Inputs, n)
	if err := a.mlp.Validate(); err != nil {
		return out, fmt.Errorf("%s: %w", path, err)
	}
	if have, need := numbers(ts), weights(a.mlp); have < need { // before anything of that size is allocated
		return out, fmt.Errorf("%s holds %d numbers, the network %v that it describes has %d weights", path, have, a.mlp, need)
	}
	if err := a.addData(); err != nil {
		return out, err
	}
	if a.eval, err = a.mlp.Evaluate(a.layout, a.test()); err != nil {
		return out, err
	}
	s, err := dev.Open(a.layout, 1)
	if err != nil {
		return out, err
	}
	defer s.Close()
	if err := a.mlp.SetWeights(s, a.layout, 0, ts); err != nil {
		return out, fmt.Errorf("%s: %w", path, err)
	}
	if err := s.Run(a.eval, 1); err != nil {
		return out, err
	}
	loss, acc, err := a.tested(s, 0)
	h := header(c, nil, set, dev)
	return EvalOutput{Weights: path, Device: h.Device, Data: h.Data, Synthetic: h.Synthetic, Net: h.Net, Norm: n.String(), TestLoss: Number(loss), TestAccuracy: Number(acc)}, err
}

// numbers counts the elements of tensors that may hold weights.
func numbers(ts []checkpoint.Tensor) int {
	n := 0
	for _, t := range ts {
		if v, ok := t.Data.([]float32); ok {
			n += len(v)
		}
	}
	return n
}

// weights counts the weights of a network's linear layers.
func weights(m models.MLP) int {
	n, in := 0, m.Inputs
	for _, d := range append(slices.Clone(m.Hidden), m.Classes) {
		n += in * d
		in = d
	}
	return n
}
