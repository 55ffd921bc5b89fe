package benchmarks

import (
	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/internal/dataset"
	"driftless/models"
)

// Arm is one normalization on its way through an experiment: its compiled
// Programs and, while it runs, one replica for each seed.
type Arm struct {
	Norm models.Norm
	cfg  Config
	set  *dataset.Set
	mlp  models.MLP
	dev  device.Device

	layout                                *program.Layout
	train, first, eval, probe, reestimate *program.Program
	secondsPerStep                        float64
}

// Names of the data sets on the device.
const (
	trainImages, trainLabels = "train.images", "train.labels"
	testImages, testLabels   = "test.images", "test.labels"
)

// NewArm compiles an arm. It fails with a *UsageError where the settings and the
// data do not go together.
func NewArm(c Config, n models.Norm, set *dataset.Set, dev device.Device) (*Arm, error) {
	a := &Arm{Norm: n, cfg: c, set: set, dev: dev, layout: program.NewLayout(program.Float32)}
	a.mlp = c.mlp(set.Train.Rows*set.Train.Cols, n)
	if err := a.compile(); err != nil {
		return nil, &UsageError{err} // it names the method where that is at fault
	}
	return a, nil
}

func (a *Arm) compile() error {
	l := a.layout
	if err := a.addData(); err != nil {
		return err
	}
	b, err := a.mlp.Build(models.Training, a.cfg.Batch)
	if err != nil {
		return err
	}
	rule, err := optim.New(a.cfg.Optimizer, a.cfg.LR)
	if err != nil {
		return err
	}
	a.train, err = engine.Compile(l, engine.Training{Loss: b.Loss, Params: b.Params, Optimizer: rule,
		Data: []engine.Data{{Node: b.X, Name: trainImages, Map: a.cfg.pixels()}, {Node: b.Labels, Name: trainLabels}}})
	if err != nil {
		return err
	}
	train := models.Source{Images: trainImages, Labels: trainLabels, Map: a.cfg.pixels(), Total: a.set.Train.N, Batch: a.cfg.Batch}
	first, every, err := a.mlp.Refresh(l, train)
	if err != nil {
		return err
	}
	if every != nil {
		a.first, a.train = first, program.Join(a.train, every)
	}
	if a.eval, err = a.mlp.Evaluate(l, a.test()); err != nil {
		return err
	}
	if a.probe, err = a.mlp.Probe(l, a.test(), percentileRows); err != nil {
		return err
	}
	a.reestimate, err = a.mlp.Statistics(l, train)
	return err
}

// addData registers the data set and the parameters.
func (a *Arm) addData() error {
	l := a.layout
	for _, d := range []struct {
		images, labels string
		s              dataset.Split
	}{{trainImages, trainLabels, a.set.Train}, {testImages, testLabels, a.set.Test}} {
		if _, err := l.AddData(d.images, program.Uint8, d.s.N, d.s.Rows*d.s.Cols, d.s.Images); err != nil {
			return err
		}
		if _, err := l.AddData(d.labels, program.Uint8, d.s.N, 1, d.s.Labels); err != nil {
			return err
		}
	}
	return a.mlp.AddState(l)
}

// test is the test set as a source of rows.
func (a *Arm) test() models.Source {
	return models.Source{Images: testImages, Labels: testLabels, Map: a.cfg.pixels(), Total: a.set.Test.N}
}
