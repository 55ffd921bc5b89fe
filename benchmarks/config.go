package benchmarks

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"driftless/benchmarks/probe"
	"driftless/engine/optim"
	"driftless/internal/dataset"
	"driftless/kernels/gather"
	"driftless/models/norm"

	"go.yaml.in/yaml/v3"
)

// Config is one experiment: what is trained, on what, under which protocol.
// Defaults are the paper's net and protocol (Ioffe & Szegedy 2015, section 4.1).
type Config struct {
	Data     string   // name of a data set
	Binarize bool     // a pixel is 1 if above 127, else 0; if false, pixel / 255
	Norms    []string // arms, as norm.Parse reads them, with the key lr besides the method's
	Grad     string   // treatment where an arm does not say
	// Settings are values of the normalizations' settings, by key, for every arm whose
	// method shares the key and whose name does not give it.
	Settings map[string]string

	// Net is lenet, lenet:average, channels such as cnn:32,64, or layer sizes such as
	// 784-100-100-100-10; or it is empty, and Hidden are the sizes of the hidden layers.
	Net        string
	Hidden     []int
	Activation string
	InitSD     float64

	Optimizer string
	LR        float64 // of arms that do not give their own
	Batch     int
	Steps     int
	EvalEvery int
	Seed      int64 // of the weights and the data order
	Seeds     int   // number of seeds: Seed, Seed+1, …
	Device    string

	Probes []string // instruments that look into the training after each evaluation, as probe.Parse reads them

	Untimed      bool // leave out timing the arms' steps
	NoReestimate bool // leave out the statistics re-estimated at the end, which take a pass over all training rows
}

// Spec is an arm as a configuration resolves it.
type Spec struct {
	Name   string // as reports have it, and norm.Parse reads it
	Method norm.Method
	LR     float64
}

// keyLR is the key of an arm's own learning rate.
const keyLR = "lr"

// resolved is a configuration as config.yaml keeps it, with nothing left to
// defaults.
type resolved struct {
	Data       string        `yaml:"data"`
	Binarize   bool          `yaml:"binarize"`
	Net        string        `yaml:"net,omitempty"` // with convolutions
	Hidden     []int         `yaml:"hidden,flow,omitempty"`
	Activation string        `yaml:"activation"`
	InitSD     float64       `yaml:"init-sd"`
	Optimizer  string        `yaml:"optimizer"`
	LR         float64       `yaml:"lr"`
	Batch      int           `yaml:"batch"`
	Steps      int           `yaml:"steps"`
	EvalEvery  int           `yaml:"eval-every"`
	Seeds      []int64       `yaml:"seeds,flow"`
	Device     string        `yaml:"device"`
	Probes     []string      `yaml:"probes,omitempty,flow"`
	Arms       []resolvedArm `yaml:"arms"`
}

type resolvedArm struct {
	Arm      string    `yaml:"arm"`
	Norm     string    `yaml:"norm"`
	LR       float64   `yaml:"lr"`
	Settings yaml.Node `yaml:"settings,omitempty"`
}

// Resolved returns the configuration for config.yaml: every arm with the
// settings that apply to it, every seed, and the device that runs.
func (c Config) Resolved(device string) (any, error) {
	arms, err := c.Arms()
	if err != nil {
		return nil, err
	}
	r := resolved{Data: c.Data, Binarize: c.Binarize, Net: c.convolves(), Hidden: c.sizes(), Activation: c.Activation, InitSD: c.InitSD, Optimizer: c.Optimizer,
		LR: c.LR, Batch: c.Batch, Steps: c.Steps, EvalEvery: c.EvalEvery, Seeds: c.seeds(), Device: device, Probes: c.Probes}
	for _, a := range arms {
		arm := resolvedArm{Arm: a.Name, Norm: a.Method.Name(), LR: a.LR}
		if settings := norm.Settings(a.Method); len(settings) > 0 {
			arm.Settings.Kind = yaml.MappingNode
			for _, s := range settings {
				var key, value yaml.Node
				key.SetString(s.Key)
				if err := value.Encode(s.Value()); err != nil {
					return nil, err
				}
				arm.Settings.Content = append(arm.Settings.Content, &key, &value)
			}
		}
		r.Arms = append(r.Arms, arm)
	}
	return r, nil
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
	return Config{Data: "mnist", Binarize: true, Norms: []string{"batchnorm"}, Grad: "graph",
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
	if _, err := probe.Parse(c.Probes); err != nil {
		return usage("--probe: %w", err)
	}
	for _, key := range slices.Sorted(maps.Keys(c.Settings)) {
		err := norm.Check(key, c.Settings[key])
		if e := (*norm.SettingError)(nil); errors.As(err, &e) {
			return usage("--%s", e.Reason)
		} else if err != nil {
			return err
		}
	}
	if _, err := c.layers(square28); err != nil {
		return err
	}
	arms, err := c.Arms()
	if err != nil {
		return err
	}
	for _, a := range arms {
		if err := c.network(square28, a.Method).Validate(); err != nil {
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
	net := c.network(square28, &norm.None{})
	values := net.Weights() + c.Batch*net.Units()
	n := float64(values) * float64(arms) * float64(c.Seeds)
	if len(c.Probes) > 0 {
		n += labCopies * float64(net.Weights()) * float64(arms)
	}
	if n > maxValues {
		return usage("%d arms with %d seeds of a net %s with batch %d need %.2g numbers in memory, more than the limit of %.2g: take fewer or smaller ones",
			arms, c.Seeds, net, c.Batch, n, float64(maxValues))
	}
	return nil
}

// Arms resolves the arms with the settings that apply to each.
func (c Config) Arms() ([]Spec, error) {
	if len(c.Norms) == 0 {
		return nil, usage("no arm to train: name at least one norm")
	}
	if c.Grad != string(norm.Naive) && c.Grad != string(norm.Graph) {
		return nil, usage("--grad %q is neither naive nor graph", c.Grad)
	}
	var out []Spec
	seen := map[string]bool{}
	for _, name := range c.Norms {
		s, err := c.spec(name)
		if err != nil {
			return nil, &UsageError{err}
		}
		if seen[s.Name] {
			return nil, usage("arm %q is named twice", s.Name)
		}
		seen[s.Name] = true
		out = append(out, s)
	}
	return out, nil
}

// spec resolves one arm.
func (c Config) spec(name string) (Spec, error) {
	a, err := norm.Parse(name, norm.Treatment(c.Grad), keyLR)
	if err != nil {
		return Spec{}, err
	}
	for _, key := range slices.Sorted(maps.Keys(c.Settings)) {
		if !norm.Shares(a.Method, key) || slices.Contains(a.Given, key) {
			continue
		}
		if err := norm.Set(a.Method, key, c.Settings[key]); err != nil {
			return Spec{}, err
		}
	}
	s := Spec{Name: norm.String(a.Method), Method: a.Method, LR: c.LR}
	if text, own := a.Rest[keyLR]; own {
		if s.LR, err = strconv.ParseFloat(text, 64); err != nil {
			return Spec{}, fmt.Errorf("arm %q: lr=%s is not a number", name, text)
		}
		if _, err := optim.New(c.Optimizer, s.LR); err != nil {
			return Spec{}, fmt.Errorf("arm %q: %w", name, err)
		}
		s.Name += ":" + keyLR + "=" + strconv.FormatFloat(s.LR, 'g', -1, 64)
	}
	return s, a.Method.Validate()
}

// Unused returns the keys of Settings that no arm uses, and "grad" if Grad applies to no
// arm: every one says itself how the gradient treats its statistics, or has no choice.
func (c Config) Unused() []string {
	used := map[string]bool{}
	for _, name := range c.Norms {
		a, err := norm.Parse(name, norm.Treatment(c.Grad), keyLR)
		if err != nil {
			continue // which is said elsewhere
		}
		s, err := c.spec(name)
		if err != nil {
			continue
		}
		for _, t := range norm.Settings(s.Method) {
			used[t.Key] = used[t.Key] || norm.Shares(s.Method, t.Key) && !slices.Contains(a.Given, t.Key)
		}
	}
	used["grad"] = used["treatment"]
	var out []string
	for _, key := range append(slices.Sorted(maps.Keys(c.Settings)), "grad") {
		if !used[key] {
			out = append(out, key)
		}
	}
	return out
}

// classes is the number of classes of every data set here.
const classes = 10

func (c Config) pixels() gather.Map {
	if c.Binarize {
		return gather.Binary
	}
	return gather.Unit
}
