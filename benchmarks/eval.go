package benchmarks

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"

	"driftless/engine/checkpoint"
	"driftless/engine/device"
	"driftless/engine/program"
	"driftless/internal/dataset"
	"driftless/internal/report"
	"driftless/models"
)

// EvalOutput is what `driftless eval --json` prints.
type EvalOutput struct {
	Weights      string        `json:"weights"`
	Step         int           `json:"step"`      // of the weights
	TrainedOn    string        `json:"trainedOn"` // data set, "" where the file does not say
	Device       string        `json:"device"`
	Data         string        `json:"data"`
	Synthetic    bool          `json:"synthetic"`
	Net          string        `json:"net"`
	Norm         string        `json:"norm"`
	TestLoss     report.Number `json:"testLoss"`
	TestAccuracy report.Number `json:"testAccuracy"`
}

// Weights is a weights file, read and found sound.
type Weights struct {
	path    string
	tensors []checkpoint.Tensor
	about   description
	norm    models.Norm
}

// ReadWeights reads a weights file as driftless train writes it.
func ReadWeights(path string) (*Weights, error) {
	ts, md, err := checkpoint.Read(path)
	if err != nil {
		return nil, err
	}
	w := &Weights{path: path, tensors: ts}
	if err := json.Unmarshal([]byte(md[metadataKey]), &w.about); err != nil || md[metadataKey] == "" {
		return nil, fmt.Errorf("%s does not say which network its weights belong to: it was not written by driftless train", path)
	}
	if w.norm, err = models.Parse(w.about.Norm, models.Graph); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if w.norm.Eps = w.about.Eps; math.IsNaN(w.norm.Eps) {
		return nil, fmt.Errorf("%s: eps is not a number", path)
	}
	return w, nil
}

// Data returns the name of the data set that the weights were trained on, "" where the
// file does not say.
func (w *Weights) Data() string { return w.about.Data }

// Eval evaluates the network on a data set's test images with the running statistics
// of the file. Where each is not nil, it gets the logits of every test image in turn.
func (w *Weights) Eval(set *dataset.Set, dev device.Device, each func(label uint8, logits []float32) error) (EvalOutput, error) {
	var out EvalOutput
	d := w.about
	if d.Inputs != set.Test.Rows*set.Test.Cols {
		return out, fmt.Errorf("%s holds a network for %d inputs, the images of %s have %d pixels", w.path, d.Inputs, set.Name, set.Test.Rows*set.Test.Cols)
	}
	c := Defaults()
	c.Hidden, c.Activation, c.Binarize = d.Hidden, d.Activation, d.Binarize
	a := &Arm{Norm: w.norm, cfg: c, set: set, dev: dev, layout: program.NewLayout(program.Float32)}
	a.mlp = c.mlp(d.Inputs, w.norm)
	if err := a.mlp.Validate(); err != nil {
		return out, fmt.Errorf("%s: %w", w.path, err)
	}
	if have, need := numbers(w.tensors), weights(a.mlp); have < need { // before anything of that size is allocated
		return out, fmt.Errorf("%s holds %d numbers, the network %v that it describes has %d weights", w.path, have, a.mlp, need)
	}
	if err := a.addData(); err != nil {
		return out, err
	}
	var err error
	if a.eval, err = a.mlp.Evaluate(a.layout, a.test()); err != nil {
		return out, err
	}
	var predict *program.Program
	if each != nil {
		if predict, err = a.mlp.Predict(a.layout, a.test()); err != nil {
			return out, err
		}
	}
	s, err := dev.Open(a.layout, 1)
	if err != nil {
		return out, err
	}
	defer s.Close()
	if err := a.mlp.SetWeights(s, a.layout, 0, w.tensors); err != nil {
		return out, fmt.Errorf("%s: %w", w.path, err)
	}
	if err := s.Run(a.eval, 1); err != nil {
		return out, err
	}
	loss, acc, err := a.tested(s, 0)
	if err != nil {
		return out, err
	}
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return out, fmt.Errorf("%s: the test loss is not finite: the weights are of no use", w.path)
	}
	if each != nil {
		if err := s.Run(predict, 1); err != nil {
			return out, err
		}
		logits := make([]float32, set.Test.N*classes)
		if err := s.Read(models.StateLogits, 0, logits); err != nil {
			return out, err
		}
		for i, label := range set.Test.Labels {
			if err := each(label, logits[i*classes:][:classes]); err != nil {
				return out, err
			}
		}
	}
	h := header(c, nil, set, dev)
	return EvalOutput{Weights: w.path, Step: d.Step, TrainedOn: d.Data, Device: h.Device, Data: h.Data, Synthetic: h.Synthetic, Net: h.Net, Norm: w.norm.String(),
		TestLoss: report.Number(loss), TestAccuracy: report.Number(acc)}, nil
}

// numbers counts the elements of tensors.
func numbers(ts []checkpoint.Tensor) int {
	n := 0
	for _, t := range ts {
		n += reflect.ValueOf(t.Data).Len()
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
