package benchmarks

import (
	"context"

	"driftless/benchmarks/probe"
	"driftless/dataset"
	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/program"
	"driftless/models"
	"driftless/models/norm"
)

// Arm is one normalization on its way through an experiment: its compiled
// Programs and, while it runs, one replica for each seed.
type Arm struct {
	Spec
	cfg Config
	set *dataset.Set
	net *models.Network
	dev device.Device

	layout                                *program.Layout
	train, first, eval, probe, reestimate *program.Program
	secondsPerStep                        float64
	lab                                   *lab         // nil without probes
	checkpoints                           *checkpoints // nil where none are kept
}

// Names of the data sets on the device.
const (
	trainImages, trainLabels = "train.images", "train.labels"
	testImages, testLabels   = "test.images", "test.labels"
)

// NewArm compiles an arm. It fails with a *UsageError where the settings and the
// data do not go together.
func NewArm(ctx context.Context, c Config, spec Spec, set *dataset.Set, dev device.Device) (*Arm, error) {
	c = c.of(spec)
	a := &Arm{Spec: spec, cfg: c, set: set, dev: dev, layout: program.NewLayout(program.Float32)}
	a.net = c.network(formOf(set), spec.Method)
	if err := a.compile(ctx); ctx.Err() != nil {
		return nil, ctx.Err()
	} else if err != nil {
		return nil, &UsageError{err} // whose text names the method if that is at fault
	}
	return a, nil
}

func (a *Arm) compile(ctx context.Context) error {
	l := a.layout
	if err := addData(l, a.set, a.net); err != nil {
		return err
	}
	b, err := a.net.Build(norm.Training, a.cfg.Batch)
	if err != nil {
		return err
	}
	train := a.rows(ctx)
	training := a.net.Training(b, train)
	training.Optimizer = a.Rule
	if a.train, err = engine.Compile(l, training); err != nil {
		return err
	}
	first, every, err := a.net.Refresh(l, train)
	if err != nil {
		return err
	}
	if a.first = first; every != nil {
		a.train = program.Join(a.train, every)
	}
	if a.eval, err = a.net.Evaluate(l, a.test(ctx)); err != nil {
		return err
	}
	if a.probe, err = a.net.Probe(l, a.test(ctx), percentileRows); err != nil {
		return err
	}
	if a.reestimate, err = a.net.Statistics(l, train); err != nil {
		return err
	}
	if instruments, err := probe.Parse(a.cfg.Probes); err != nil {
		return err
	} else if len(instruments) > 0 {
		a.lab, err = a.newLab(ctx, instruments)
		return err
	}
	return nil
}

// addData registers the data set and a network's parameters.
func addData(l *program.Layout, set *dataset.Set, net *models.Network) error {
	for _, d := range []struct {
		images, labels string
		s              dataset.Split
	}{{trainImages, trainLabels, set.Train}, {testImages, testLabels, set.Test}} {
		kind, values := program.Uint8, any(d.s.Images)
		if d.s.Features != nil {
			kind, values = program.Float32, d.s.Features
		}
		if _, err := l.AddData(d.images, kind, d.s.N, d.s.Size(), values); err != nil {
			return err
		}
		if kind, values = program.Uint8, d.s.LabelBytes(); set.Classes > 256 {
			wide := make([]float32, d.s.N)
			for i, c := range d.s.Labels {
				wide[i] = float32(c)
			}
			kind, values = program.Float32, wide
		}
		if _, err := l.AddData(d.labels, kind, d.s.N, 1, values); err != nil {
			return err
		}
	}
	return net.AddState(l)
}

// rows are the batches of the training.
func (a *Arm) rows(ctx context.Context) models.Source {
	return models.Source{Context: ctx, Images: trainImages, Labels: trainLabels, Map: a.cfg.pixels(), Total: a.set.Train.N, Batch: a.cfg.Batch}
}

// test is the test set as a source of rows.
func (a *Arm) test(ctx context.Context) models.Source {
	return models.Source{Context: ctx, Images: testImages, Labels: testLabels, Map: a.cfg.pixels(), Total: a.set.Test.N}
}
