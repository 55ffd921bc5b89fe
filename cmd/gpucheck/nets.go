package main

import (
	"context"
	"fmt"
	"sync"

	"driftless/dataset"
	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/kernels/gather"
	"driftless/models"
	"driftless/models/norm"
)

// shape is a network's size with the data that it trains on.
type shape struct {
	name   string
	hidden []int
	batch  int
	rows   int // of the training set, at most
}

// paper is the network of Ioffe & Szegedy (2015, section 4.1). narrow is for
// whitening, whose eigen-decomposition is the host's work; tiny for -quick. wide has
// products that are large enough to fill a device, and in place of it, with -quick, broad
// has a batch that is too large for fused steps.
var (
	paper  = shape{"784-100-100-100-10", []int{100, 100, 100}, 60, 60000}
	narrow = shape{"784-32-32-10", []int{32, 32}, 60, 6000}
	tiny   = shape{"784-12-12-10", []int{12, 12}, 12, 240}
	wide   = shape{"784-1024-1024-1024-10", []int{1024, 1024, 1024}, 512, 60000}
	broad  = shape{"784-16-10", []int{16}, 136, 272}
)

// shapes are the networks that a run of these options trains. The rows of whitening's
// statistics take the virtual device long.
func (o options) shapes() (paperNet, narrowNet shape) {
	if o.quick {
		return tiny, tiny
	}
	p, n := paper, narrow
	if o.virtual() {
		n.rows = 600
	}
	return p, n
}

// wide is the network of large products.
func (o options) wide() shape {
	if o.quick {
		return broad
	}
	return wide
}

// kind is what a network is trained with.
type kind struct {
	norm norm.Method
	rule optim.Optimizer
}

var caseNone = kind{norm.Must("none"), optim.SGD(0.1)}

func (k kind) String() string { return fmt.Sprintf("%s, %v", norm.String(k.norm), k.rule.Kind) }

// compiled is a network with its Programs over a layout that any device can open.
type compiled struct {
	mlp                *models.Network
	layout             *program.Layout
	rows               int
	first, train, eval *program.Program
}

const evalRows = 1000

const images, labels = "train.images", "train.labels"

// compile compiles training and evaluation over the first rows of a data set, whose
// pixels are binary.
func (s shape) compile(k kind, set *dataset.Set) (*compiled, error) {
	pixels := set.Train.Size()
	c := &compiled{layout: program.NewLayout(program.Float32), rows: min(s.rows, set.Train.N),
		mlp: models.MLP{Inputs: pixels, Hidden: s.hidden, Classes: set.Classes, Activation: "sigmoid", Norm: k.norm, InitSD: 0.1, DType: program.Float32}.Network()}
	tested := min(evalRows, c.rows, set.Test.N)
	for _, d := range []struct {
		images, labels string
		rows           int
		of             dataset.Split
	}{{images, labels, c.rows, set.Train}, {"test.images", "test.labels", tested, set.Test}} {
		if _, err := c.layout.AddData(d.images, program.Uint8, d.rows, pixels, d.of.Images[:d.rows*pixels]); err != nil {
			return nil, err
		}
		if _, err := c.layout.AddData(d.labels, program.Uint8, d.rows, 1, d.of.LabelBytes()[:d.rows]); err != nil {
			return nil, err
		}
	}
	if err := c.mlp.AddState(c.layout); err != nil {
		return nil, err
	}
	b, err := c.mlp.Build(norm.Training, s.batch)
	if err != nil {
		return nil, err
	}
	source := models.Source{Images: images, Labels: labels, Map: gather.Binary, Total: c.rows, Batch: s.batch}
	training := c.mlp.Training(b, source)
	training.Optimizer = k.rule
	if c.train, err = engine.Compile(c.layout, training); err != nil {
		return nil, err
	}
	first, every, err := c.mlp.Refresh(c.layout, source)
	if err != nil {
		return nil, err
	}
	if every != nil {
		c.first, c.train = first, program.Join(c.train, every)
	}
	c.eval, err = c.mlp.Evaluate(c.layout, models.Source{Images: "test.images", Labels: "test.labels", Map: gather.Binary, Total: tested})
	return c, err
}

// open makes a session whose replicas train these seeds.
func (c *compiled) open(d device.Device, seeds ...int64) (device.Session, error) {
	s, err := d.Open(c.layout, len(seeds))
	if err != nil {
		return nil, err
	}
	for r, seed := range seeds {
		if err = s.Write(program.StateSeed, r, []int64{seed}); err == nil {
			err = c.mlp.Initialize(s, r, seed)
		}
		if err != nil {
			break
		}
	}
	if err == nil && c.first != nil {
		err = s.Run(context.Background(), c.first, 1)
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// load returns MNIST, or drawn images where it is not there, and says so.
func load(o options, t *teller) *dataset.Set {
	if o.quick {
		return synthetic()
	}
	set, err := dataset.Load(o.data, "mnist")
	if err != nil {
		t.note("**Synthetic images, drawn by the program**, since MNIST is not there: %v", err)
		return synthetic()
	}
	return set
}

var synthetic = sync.OnceValue(func() *dataset.Set { return dataset.Synthetic(1) })
