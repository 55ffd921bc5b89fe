package benchmarks

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/internal/dataset"
	"driftless/kernels/gather"
	"driftless/models"
)

// Config is one experiment: what is trained, on what, under which protocol.
// Defaults are the paper's net and protocol (Ioffe & Szegedy 2015, section 4.1).
type Config struct {
	Data     string   // name of a data set
	Binarize bool     // pixel > 127 is 1, else 0; off: pixel / 255
	Norms    []string // arms, as models.Parse reads them
	Grad     string   // treatment where an arm does not say
	Affine   *bool    // gamma and beta for every arm; unset: as the method does
	Stats    string   // batch, ema or full; "" is the method's default
	Alpha    float64  // rate of ema statistics
	Eps      float64  // negative: the method's default
	Interval int      // 0: the method's default

	Hidden     []int
	Activation string
	InitSD     float64

	Optimizer string
	LR        float64
	Batch     int
	Steps     int
	EvalEvery int
	Seed      int64 // of the weights and the data order
	Seeds     int   // number of seeds: Seed, Seed+1, …
	Device    string

	NoReestimate bool // leave out the statistics re-estimated at the end, which take a pass over all training rows
}

// resolved is a configuration as config.yaml keeps it, with nothing left to
// defaults.
type resolved struct {
	Data       string        `yaml:"data"`
	Binarize   bool          `yaml:"binarize"`
	Hidden     []int         `yaml:"hidden,flow"`
	Activation string        `yaml:"activation"`
	InitSD     float64       `yaml:"init-sd"`
	Optimizer  string        `yaml:"optimizer"`
	LR         float64       `yaml:"lr"`
	Batch      int           `yaml:"batch"`
	Steps      int           `yaml:"steps"`
	EvalEvery  int           `yaml:"eval-every"`
	Seeds      []int64       `yaml:"seeds,flow"`
	Device     string        `yaml:"device"`
	Arms       []resolvedArm `yaml:"arms"`
}

type resolvedArm struct {
	Norm     string  `yaml:"norm"`
	Grad     string  `yaml:"grad"`
	Affine   bool    `yaml:"affine"`
	Stats    string  `yaml:"stats,omitempty"`
	Alpha    float64 `yaml:"alpha,omitempty"`
	Interval int     `yaml:"interval,omitempty"`
	Eps      float64 `yaml:"eps,omitempty"`
	Running  float64 `yaml:"running-momentum,omitempty"` // rate of the statistics that evaluation uses
}

// Resolved returns the configuration for config.yaml: every arm with the
// settings that apply to it, every seed, and the device that runs.
func (c Config) Resolved(device string) (any, error) {
	arms, err := c.Arms()
	if err != nil {
		return nil, err
	}
	r := resolved{Data: c.Data, Binarize: c.Binarize, Hidden: c.Hidden, Activation: c.Activation, InitSD: c.InitSD, Optimizer: c.Optimizer,
		LR: c.LR, Batch: c.Batch, Steps: c.Steps, EvalEvery: c.EvalEvery, Seeds: c.seeds(), Device: device}
	r.Arms = resolvedArms(arms)
	return r, nil
}

func resolvedArms(arms []models.Norm) []resolvedArm {
	var out []resolvedArm
	for _, n := range arms {
		a := resolvedArm{Norm: n.Method, Grad: string(n.Grad), Affine: n.Affine, Interval: n.Interval, Running: n.Momentum}
		if n.UsesEps() {
			a.Eps = n.Eps
		}
		if n.Grad == models.Naive && n.Method != models.WhitenNaive.Method {
			if a.Stats = string(n.Stats); n.Stats == models.EMA {
				a.Alpha = n.Alpha
			}
		}
		out = append(out, a)
	}
	return out
}

// seeds lists the seeds of every arm.
func (c Config) seeds() []int64 {
	out := make([]int64, c.Seeds)
	for i := range out {
		out[i] = c.Seed + int64(i)
	}
	return out
}

// reportSeeds lists the seeds as reports do.
func (c Config) reportSeeds() []int {
	var out []int
	for _, s := range c.seeds() {
		out = append(out, int(s))
	}
	return out
}

// Defaults returns the paper's net and protocol for one seed: sigmoid, batch 60,
// SGD with learning rate 0.1, 10,000 steps.
func Defaults() Config {
	return Config{Data: "mnist", Binarize: true, Norms: []string{"batchnorm"}, Grad: "graph", Alpha: 0.1, Eps: -1,
		Hidden: []int{100, 100, 100}, Activation: "sigmoid", InitSD: 0.05,
		Optimizer: "sgd", LR: 0.1, Batch: 60, Steps: 10000, EvalEvery: 500, Seed: 1, Seeds: 1, Device: "auto"}
}

// UsageError is a setting that cannot work, as opposed to a run that failed.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UsageError) Unwrap() error { return e.Err }

func usage(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// maxSteps bounds steps and seeds, so that a typing error is noticed.
const maxSteps, maxSeeds = 100_000_000, 1000

// Validate reports the first setting that cannot work, as a *UsageError.
func (c Config) Validate() error {
	if err := c.validate(); err != nil {
		var u *UsageError
		if errors.As(err, &u) {
			return err
		}
		return &UsageError{err}
	}
	return nil
}

func (c Config) validate() error {
	if !slices.Contains(dataset.Names(), c.Data) {
		return usage("unknown data set %q: choose one of %s", c.Data, strings.Join(dataset.Names(), ", "))
	}
	if _, err := optim.New(c.Optimizer, c.LR); err != nil {
		return err
	}
	for _, f := range []struct {
		flag   string
		v, max int
	}{{"batch", c.Batch, 1 << 20}, {"steps", c.Steps, maxSteps}, {"eval-every", c.EvalEvery, maxSteps}, {"seeds", c.Seeds, maxSeeds}} {
		if f.v < 1 || f.v > f.max {
			return usage("--%s %d is outside 1 … %d", f.flag, f.v, f.max)
		}
	}
	if c.Seed > math.MaxInt64-int64(c.Seeds-1) {
		return usage("--seed %d with %d seeds goes past the largest whole number: take a smaller one", c.Seed, c.Seeds)
	}
	if c.Interval < 0 {
		return usage("--interval %d is not a positive number of steps", c.Interval)
	}
	if math.IsNaN(c.Eps) {
		return usage("--eps %v is not a number of at least 0", c.Eps)
	}
	if !(c.Alpha > 0 && c.Alpha <= 1) {
		return usage("--alpha %v is outside (0, 1]", c.Alpha)
	}
	if c.Stats != "" && !slices.Contains([]models.Stats{models.Batch, models.EMA, models.Full}, models.Stats(c.Stats)) {
		return usage("unknown --stats %q: choose one of batch, ema, full", c.Stats)
	}
	arms, err := c.Arms()
	if err != nil {
		return err
	}
	for _, a := range arms {
		if err := c.mlp(784, a).Validate(); err != nil {
			return err
		}
	}
	return c.fitsMemory(len(arms))
}

// maxValues bounds the weights and activations of all arms and seeds together:
// with gradients about 4 GB.
const maxValues = 1 << 29

// fitsMemory refuses nets whose training would need more memory than machines
// have. Validate has bounded each factor already.
func (c Config) fitsMemory(arms int) error {
	values, in := 0, 784
	for _, d := range append(slices.Clone(c.Hidden), classes) {
		values += in*d + c.Batch*d
		in = d
	}
	if n := float64(values) * float64(arms) * float64(c.Seeds); n > maxValues {
		return usage("%d arms with %d seeds of a net %s with batch %d need %.2g numbers in memory, more than the limit of %.2g: take fewer or smaller ones",
			arms, c.Seeds, c.mlp(784, models.None), c.Batch, n, float64(maxValues))
	}
	return nil
}

// Arms resolves the arms with the settings that apply to each.
func (c Config) Arms() ([]models.Norm, error) {
	if len(c.Norms) == 0 {
		return nil, usage("no arm to train: name at least one norm")
	}
	var out []models.Norm
	seen := map[string]bool{}
	for _, name := range c.Norms {
		n, err := models.Parse(name, models.Grad(c.Grad))
		if err != nil {
			return nil, &UsageError{err}
		}
		n = c.settings(n, name)
		if err := n.Validate(); err != nil {
			return nil, &UsageError{err}
		}
		if seen[n.String()] {
			return nil, usage("arm %q is named twice", n)
		}
		seen[n.String()] = true
		out = append(out, n)
	}
	return out, nil
}

// settings applies the flags that hold for every arm to one.
func (c Config) settings(n models.Norm, name string) models.Norm {
	if n.Method == models.None.Method {
		return n
	}
	if c.Affine != nil && !models.SetsAffine(name) {
		n.Affine = *c.Affine
	}
	if c.Eps >= 0 {
		n.Eps = c.Eps
	}
	if n.Grad != models.Naive {
		return n
	}
	if c.Interval > 0 {
		n.Interval = c.Interval
	}
	if n.Method != models.WhitenNaive.Method {
		n.Alpha = c.Alpha
		if c.Stats != "" {
			n.Stats = models.Stats(c.Stats)
		}
	}
	return n
}

func (c Config) mlp(inputs int, n models.Norm) models.MLP {
	return models.MLP{Inputs: inputs, Hidden: c.Hidden, Classes: classes, Activation: c.Activation, InitSD: c.InitSD, Norm: n, DType: program.Float32}
}

// classes is the number of classes of every data set here.
const classes = 10

func (c Config) pixels() gather.Map {
	if c.Binarize {
		return gather.Binary
	}
	return gather.Unit
}

// net describes the network for reports.
func (c Config) net(inputs int) string {
	return c.mlp(inputs, models.None).String() + " " + c.Activation
}
