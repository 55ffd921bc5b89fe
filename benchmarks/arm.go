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
	cfg  Config
	set  *dataset.Set  // less the rows of validation
	held dataset.Split // these, none where N is 0
	net  *models.Network
	dev  device.Device

	layout                                *program.Layout
	train, first, eval, probe, reestimate *program.Program
	validate                              *program.Program // nil without validation
	secondsPerStep                        float64
	lab                                   *lab         // nil without probes
	checkpoints                           *checkpoints // nil where none are kept
}

// Names of the data sets on the device.
const (
	trainImages, trainLabels = "train.images", "train.labels"
	testImages, testLabels   = "test.images", "test.labels"
	heldImages, heldLabels   = "validation.images", "validation.labels"
)

// NewArm compiles an arm. It fails with a *UsageError where the settings and the
// data do not go together.
func NewArm(ctx context.Context, c Config, spec Spec, set *dataset.Set, dev device.Device) (*Arm, error) {
	c = c.of(spec)
	a := &Arm{Spec: spec, cfg: c, set: set, dev: dev, layout: program.NewLayout(program.Float32)}
	if c.Validation > 0 {
		held, err := set.HoldOut(c.Validation)
		if err != nil {
			return nil, &UsageError{err}
		}
		less := *set
		less.Train, a.held = held.Train, held.Test
		a.set = &less
	}
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
	if a.held.N > 0 {
		if err := addSplit(l, heldImages, heldLabels, a.held, a.set.Classes); err != nil {
			return err
		}
		rows := models.Source{Context: ctx, Images: heldImages, Labels: heldLabels, Map: a.cfg.pixels(), Total: a.held.N}
		if a.validate, err = a.net.Evaluate(l, rows); err != nil {
			return err
		}
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
	if err := addSplit(l, trainImages, trainLabels, set.Train, set.Classes); err != nil {
		return err
	}
	if err := addSplit(l, testImages, testLabels, set.Test, set.Classes); err != nil {
		return err
	}
	return net.AddState(l)
}

func addSplit(l *program.Layout, images, labels string, s dataset.Split, classes int) error {
	kind, values := program.Uint8, any(s.Images)
	if s.Features != nil {
		kind, values = program.Float32, s.Features
	}
	if _, err := l.AddData(images, kind, s.N, s.Size(), values); err != nil {
		return err
	}
	if kind, values = program.Uint8, s.LabelBytes(); classes > 256 {
		wide := make([]float32, s.N)
		for i, c := range s.Labels {
			wide[i] = float32(c)
		}
		kind, values = program.Float32, wide
	}
	_, err := l.AddData(labels, kind, s.N, 1, values)
	return err
}

// rows are the batches of the training.
func (a *Arm) rows(ctx context.Context) models.Source {
	return models.Source{Context: ctx, Images: trainImages, Labels: trainLabels, Map: a.cfg.pixels(), Total: a.set.Train.N, Batch: a.cfg.Batch}
}

// test is the test set as a source of rows.
func (a *Arm) test(ctx context.Context) models.Source {
	return models.Source{Context: ctx, Images: testImages, Labels: testLabels, Map: a.cfg.pixels(), Total: a.set.Test.N}
}
