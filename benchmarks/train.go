package benchmarks

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"driftless/engine/checkpoint"
	"driftless/internal/report"
	"driftless/models/norm"
)

// WeightsFile is the name of the weights in a training run's directory.
const WeightsFile = "weights.safetensors"

// metadataKey holds the network's description in a weights file.
const metadataKey = "driftless"

// description is what a weights file says of its network and of how it was trained.
type description struct {
	Inputs     int    `json:"inputs"`
	Net        string `json:"net,omitempty"`    // with convolutions, as Config has it
	Hidden     []int  `json:"hidden,omitempty"` // without
	Activation string `json:"activation"`
	Norm       string `json:"norm"` // as norm.Parse reads it
	Binarize   bool   `json:"binarize"`
	Image      []int  `json:"image,omitempty"`    // height, width and channels, of a net with convolutions
	Classes    int    `json:"classes,omitempty"`  // 0: 10, of a file from before there were others
	Features   bool   `json:"features,omitempty"` // of numbers as they are, in place of pixels

	Data    string `json:"data"` // name of the data set
	Seed    int64  `json:"seed"`
	Step    int    `json:"step"` // steps trained
	Version string `json:"version"`
}

// Train trains the experiment's one arm with its one seed. It keeps the weights at
// weightsPath ("": nowhere) after each evaluation but the first, and after the last step, also
// of a run that is interrupted. Of a run that diverges the weights of the last evaluation
// before that remain, if there was one after a step, and it ends with a *DivergedError. Weights
// that cannot be written end no training: it ends with a *KeepError if the last ones are missing.
func (e *Experiment) Train(ctx context.Context, o Observer, weightsPath string) (TrainOutput, error) {
	if len(e.arms) != 1 || e.cfg.Seeds != 1 {
		return TrainOutput{}, fmt.Errorf("train: %d arms with %d seeds: it takes one of each", len(e.arms), e.cfg.Seeds)
	}
	kept := 0
	resumed, _ := e.Resumed()
	from := resumed[e.arms[0].Name]
	if from > 0 {
		kept = weightsStep(weightsPath)
	}
	var lost error // why the last weights are not there
	keep := func(t *training, step int) error {
		if weightsPath == "" || step == kept {
			return nil
		}
		if lost = t.save(weightsPath, 0, step); lost == nil {
			kept = step
		} else if o.Unkept != nil {
			o.Unkept(t.Name, lost)
		}
		return nil
	}
	err := e.run(ctx, o, keep)
	seconds := time.Since(e.Run.Started).Seconds()
	if err == nil && lost != nil {
		err = &KeepError{lost}
	}
	run, arm, points := &e.Run, e.Run.Arms[0], e.points[0]
	out := TrainOutput{Device: run.Device, Data: run.Data, Synthetic: run.Synthetic, Interrupted: run.Interrupted,
		Net: run.Net, Norm: arm.Norm, Grad: arm.Grad, Affine: arm.Affine, Seed: e.cfg.Seed, FinalLoss: report.Number(arm.FinalLoss.Mean),
		TestAccuracy: report.Number(arm.TestAccuracy.Mean), TestAccuracyReestimated: report.Number(arm.TestAccuracyReestimated.Mean),
		DivergedAt: arm.DivergedAt[0], Finding: arm.Finding}
	if n := len(points); n > 0 {
		out.Steps = points[n-1].Step
	}
	if at := arm.DivergedAt[0]; at != nil {
		out.Steps = *at
	}
	out.Seconds, out.StepsPerSecond = report.Number(seconds), report.Number(float64(max(0, out.Steps-from))/seconds)
	if arm.StoppedAt != nil {
		out.StoppedAt = arm.StoppedAt[0]
	}
	out.Chosen = chosen(&arm)
	if c := e.arms[0].checkpoints; c != nil && out.Chosen != nil {
		if path := filepath.Join(c.folder, bestName(c.arm, e.cfg.Seed)); weightsStep(path) == out.Chosen.Steps[0] {
			out.BestWeights = &path
		}
	}
	if kept > 0 {
		out.Weights, out.WeightsStep = &weightsPath, &kept
	}
	if at := arm.DivergedAt[0]; err == nil && at != nil {
		d := &DivergedError{Arm: arm.Name, Step: *at}
		if n := len(points); n > 0 && points[n-1].Step == *at {
			d.Loss = points[n-1].Loss
		}
		err = d
	}
	return out, err
}

// weightsStep is the step whose weights a file holds, 0 where there is none.
func weightsStep(path string) int {
	w, err := OpenWeights(path)
	if err != nil {
		return 0
	}
	defer w.Close()
	return w.about.Step
}

// DivergedError says that a training loss ceased to be finite, or passed
// report.LossLimit.
type DivergedError struct {
	Arm  string
	Step int     // after which the loss was not finite or too large
	Loss float64 // the loss if it was finite, else 0
}

func (e *DivergedError) Error() string {
	loss := "is not finite"
	if e.Loss > report.LossLimit {
		loss = fmt.Sprintf("is %.3g, above any sense", e.Loss)
	}
	if e.Step == 0 {
		return fmt.Sprintf("%s diverged before its first step: the loss of the initial weights %s; try a smaller --init-sd or another --activation", e.Arm, loss)
	}
	steps := "steps"
	if e.Step == 1 {
		steps = "step"
	}
	return fmt.Sprintf("%s diverged: the loss after %d %s %s; try a smaller --lr", e.Arm, e.Step, steps, loss)
}

// save writes the weights of a replica.
func (t *training) save(path string, r, step int) error {
	ts, err := t.net.Save(t.session, r)
	if err != nil {
		return err
	}
	var image []int
	if m := t.net.Image; t.cfg.convolves() != "" {
		image = []int{m.Height, m.Width, m.Channels}
	}
	d, err := json.Marshal(description{Inputs: t.net.Inputs, Image: image, Classes: t.net.Classes, Features: t.set.Train.Features != nil,
		Net: t.cfg.convolves(), Hidden: t.cfg.sizes(), Activation: t.cfg.Activation, Norm: norm.String(t.Method), Binarize: t.cfg.Binarize, Data: t.set.Name, Seed: t.seeds[r], Step: step, Version: Version()})
	if err != nil {
		return err
	}
	return checkpoint.Write(path, ts, map[string]string{metadataKey: string(d)})
}
