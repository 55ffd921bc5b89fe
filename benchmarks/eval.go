package benchmarks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"driftless/dataset"
	"driftless/engine"
	"driftless/engine/checkpoint"
	"driftless/engine/device"
	"driftless/engine/program"
	"driftless/internal/report"
	"driftless/models"
	"driftless/models/norm"
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

// Weights is an open weights file of driftless train, of which the description has
// been read.
type Weights struct {
	path   string
	file   *checkpoint.File
	about  description
	method norm.Method
}

// OpenWeights opens a weights file and reads what it says of its network. The caller
// closes it.
func OpenWeights(path string) (*Weights, error) {
	f, err := checkpoint.Open(path)
	if err != nil {
		return nil, err
	}
	w := &Weights{path: path, file: f}
	if err := w.describe(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return w, nil
}

func (w *Weights) describe() error {
	text := w.file.Metadata()[metadataKey]
	if err := json.Unmarshal([]byte(text), &w.about); err != nil || text == "" {
		if _, err := engine.ReadNote(w.path); err == nil {
			return fmt.Errorf("%s is a checkpoint, which holds a training with all its seeds: --resume goes on with it, and weights are in %s or, with --validation, in the files called best beside it", w.path, WeightsFile)
		}
		return fmt.Errorf("%s does not say which network its weights belong to: it was not written by driftless train", w.path)
	}
	if w.about.Step < 0 {
		return fmt.Errorf("%s says that it was trained for %d steps: it has been changed since driftless train wrote it", w.path, w.about.Step)
	}
	arm, err := norm.Parse(w.about.Norm, norm.Graph)
	if err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	w.method = arm.Method
	return nil
}

// Close closes the file.
func (w *Weights) Close() error { return w.file.Close() }

// tensors reads the tensors that a network expects. It fails if the file lacks one or holds
// another. It compares names and sizes before it reads any elements.
func (w *Weights) tensors(m *models.Network) ([]checkpoint.Tensor, error) {
	expected, err := m.Expects()
	if err != nil {
		return nil, err
	}
	for _, i := range w.file.Tensors() {
		n, ok := expected[i.Name]
		if !ok {
			return nil, fmt.Errorf("%s holds a tensor %.80q, which the network %v with %s does not have", w.path, i.Name, m, norm.String(w.method))
		}
		if i.Len() != n {
			return nil, fmt.Errorf("%s: tensor %q has shape %v, the network %v needs %d numbers there", w.path, i.Name, i.Shape, m, n)
		}
	}
	var out []checkpoint.Tensor
	for _, i := range w.file.Tensors() {
		t, err := w.file.Tensor(i.Name)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// Step returns the number of steps that the weights were trained for.
func (w *Weights) Step() int { return w.about.Step }

// Data returns the name of the data set that the weights were trained on, "" where the
// file does not say.
func (w *Weights) Data() string { return w.about.Data }

// Eval evaluates the network on a data set's test images with the running statistics
// of the file. It calls each, unless that is nil, with the label and logits of every test
// image in turn.
func (w *Weights) Eval(ctx context.Context, set *dataset.Set, dev device.Device, each func(label int, logits []float32) error) (EvalOutput, error) {
	var out EvalOutput
	d := w.about
	if err := set.Validate(); err != nil {
		return out, err
	}
	f := formOf(set)
	if d.Inputs != f.inputs() {
		what := "the images of %s have %d pixels"
		if f.features {
			what = "the rows of %s have %d features"
		}
		return out, fmt.Errorf("%s holds a network for %d inputs, "+what, w.path, d.Inputs, set.Name, f.inputs())
	}
	if m := f.image; d.Image != nil && !slices.Equal(d.Image, []int{m.Height, m.Width, m.Channels}) {
		return out, fmt.Errorf("%s holds a network for images of %v, those of %s are %v", w.path, d.Image, set.Name, m)
	}
	if f.classes = d.Classes; f.classes == 0 {
		f.classes = named.classes
	}
	if set.Classes > f.classes {
		return out, fmt.Errorf("%s holds a network for %d classes, %s has %d", w.path, f.classes, set.Name, set.Classes)
	}
	c, net, err := w.network(f)
	if err != nil {
		return out, err
	}
	a := &Arm{Spec: Spec{Method: w.method}, cfg: c, set: set, dev: dev, net: net, layout: program.NewLayout(program.Float32)}
	if err := addData(a.layout, a.set, a.net); err != nil {
		return out, err
	}
	if a.eval, err = a.net.Evaluate(a.layout, a.test(ctx)); err != nil {
		return out, err
	}
	var predict *program.Program
	if each != nil {
		if predict, err = a.net.Predict(a.layout, a.test(ctx)); err != nil {
			return out, err
		}
	}
	tensors, err := w.tensors(a.net)
	if err != nil {
		return out, err
	}
	s, err := dev.Open(a.layout, 1)
	if err != nil {
		return out, err
	}
	defer s.Close()
	if err := a.net.Load(s, 0, tensors); err != nil {
		return out, fmt.Errorf("%s: %w", w.path, err)
	}
	if err := s.Run(ctx, a.eval, 1); err != nil {
		return out, err
	}
	loss, acc, err := tested(s, 0, set.Test.N)
	if err != nil {
		return out, err
	}
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return out, fmt.Errorf("%s: the test loss is not finite: the weights are of no use", w.path)
	}
	if each != nil {
		if err := s.Run(ctx, predict, 1); err != nil {
			return out, err
		}
		logits := make([]float32, set.Test.N*f.classes)
		if err := s.Read(models.StateLogits, 0, logits); err != nil {
			return out, err
		}
		for i, label := range set.Test.Labels {
			if err := each(label, logits[i*f.classes:][:f.classes]); err != nil {
				return out, err
			}
		}
	}
	h := header(c, nil, set, dev)
	return EvalOutput{Weights: w.path, Step: d.Step, TrainedOn: d.Data, Device: h.Device, Data: h.Data, Synthetic: h.Synthetic, Net: net.String() + " " + c.Activation, Norm: norm.String(w.method),
		TestLoss: report.Number(loss), TestAccuracy: report.Number(acc)}, nil
}

// numbers counts the elements of all tensors.
func (w *Weights) numbers() int {
	n := 0
	for _, i := range w.file.Tensors() {
		n += i.Len()
	}
	return n
}
