package benchmarks

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"driftless/benchmarks/probe"
	"driftless/dataset"
	"driftless/engine/optim"
	"driftless/kernels/gather"
	"driftless/kernels/gemm"
	"driftless/models/norm"
)

// Config is one experiment: what is trained, on what, under which protocol.
// Defaults are the paper's net and protocol (Ioffe & Szegedy 2015, section 4.1). The tags are
// the keys of a configuration file (see ReadConfig), and the names of the flags.
type Config struct {
	Data     string   `yaml:"data"`           // name of a data set, or path of data of one's own; New takes its set's
	Binarize bool     `yaml:"binarize"`       // a pixel is 1 if above 127, else 0; if false, pixel / 255; features stay as they are
	Norms    []string `yaml:"-"`              // arms, as norm.Parse reads them, with keys of a Recipe besides the method's
	Grad     string   `yaml:"grad,omitempty"` // treatment where an arm does not say
	// Settings are values of the normalizations' settings, by key, for every arm whose
	// method shares the key and whose name does not give it.
	Settings map[string]string `yaml:"settings,omitempty"`

	Recipe `yaml:",inline"` // of arms that do not give their own

	Steps     int    `yaml:"steps"`
	EvalEvery int    `yaml:"eval-every"`
	Seed      int64  `yaml:"seed"`  // of the weights and the data order
	Seeds     int    `yaml:"seeds"` // number of seeds: Seed, Seed+1, …
	Device    string `yaml:"device"`
	// Precision is to what operands of matrix products are rounded, as gemm.ParsePrecision reads
	// it: float32 (not rounded; the default), tf32 or bf16. It must be the device's (device.PrecisionOf).
	Precision string `yaml:"precision,omitempty"`

	// Validation is the number of the last rows of the training set that are not trained on but
	// evaluated, to choose by; 0: none.
	Validation int `yaml:"validation,omitempty"`
	// Patience is the number of evaluations without a higher validation accuracy after which a
	// seed's training ends early; 0: never.
	Patience int `yaml:"patience,omitempty"`

	// CheckpointEvery is the number of steps between checkpoints, where they are kept (see
	// Experiment.Keep); 0: about every 30 seconds of training.
	CheckpointEvery int `yaml:"checkpoint-every,omitempty"`

	Probes []string `yaml:"probe,flow,omitempty"` // instruments that look into the training after each evaluation, as probe.Parse reads them

	Command string `yaml:"-"` // the command line that asked for it, for the record
	RanOn   string `yaml:"-"` // of a configuration that was read, the device that it ran on

	Untimed      bool `yaml:"-"` // leave out timing the arms' steps
	NoReestimate bool `yaml:"-"` // leave out the statistics re-estimated at the end, which take a pass over all training rows
}

// Spec is an arm as a configuration resolves it.
type Spec struct {
	Name   string // as reports have it, and norm.Parse reads it
	Method norm.Method
	Recipe
	Rule optim.Optimizer // of the recipe

	given []string         // keys of the recipe that its name gives
	left  map[string]error // constants of the optimizer for all arms that this one has no use for, and why
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
		Recipe: Recipe{Hidden: []int{100, 100, 100}, Activation: "sigmoid", InitSD: 0.05, Batch: 60, Optimizer: "sgd", LR: 0.1},
		Steps:  10000, EvalEvery: 500, Seed: 1, Seeds: 1, Device: "auto"}
}

// UsageError is a setting that cannot work, as opposed to a run that failed.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UsageError) Unwrap() error { return e.Err }

func usage(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// maxSteps and the others bound numbers, so that a typing error is noticed.
const maxSteps, maxSeeds, maxBatch = 100_000_000, 1000, 1 << 20

// Validate reports the first setting that cannot work, as a *UsageError.
func (c Config) Validate() error {
	if err := dataset.Check(c.Data); err != nil {
		return asUsage(err)
	}
	if dataset.Own(c.Data) {
		return asUsage(c.check(nil))
	}
	return asUsage(c.check(&named))
}

// asUsage makes an error a *UsageError.
func asUsage(err error) error {
	if u := (*UsageError)(nil); err == nil || errors.As(err, &u) {
		return err
	}
	return &UsageError{err}
}

// check reports the first setting that cannot work with data of a form, nil where that is not
// known yet.
func (c Config) check(f *form) error {
	if _, err := optim.New(c.Optimizer, c.LR); err != nil {
		return err
	}
	for _, f := range []struct {
		flag   string
		v, max int
	}{{"batch", c.Batch, maxBatch}, {"steps", c.Steps, maxSteps}, {"eval-every", c.EvalEvery, maxSteps}, {"seeds", c.Seeds, maxSeeds}} {
		if f.v < 1 || f.v > f.max {
			return usage("--%s %d is outside 1 … %d", f.flag, f.v, f.max)
		}
	}
	switch {
	case c.Validation < 0:
		return usage("--validation %d is negative: give the number of training rows to hold out", c.Validation)
	case c.Patience < 0 || c.Patience > maxSteps:
		return usage("--patience %d is outside 0 … %d", c.Patience, maxSteps)
	case c.Patience > 0 && c.Validation == 0:
		return usage("--patience needs --validation, the number of training rows to hold out and judge by")
	}
	if c.CheckpointEvery < 0 || c.CheckpointEvery > maxSteps {
		return usage("--checkpoint-every %d is outside 0 … %d", c.CheckpointEvery, maxSteps)
	}
	if c.Seed > math.MaxInt64-int64(c.Seeds-1) {
		return usage("--seed %d with %d seeds goes past the largest whole number: take a smaller one", c.Seed, c.Seeds)
	}
	if _, err := gemm.ParsePrecision(c.Precision); err != nil {
		return usage("--precision: %w", err)
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
	if err := c.checkLayers(); err != nil {
		return err
	}
	arms, err := c.Arms()
	if err != nil || f == nil {
		return err
	}
	return c.fits(*f, arms)
}

// of returns the configuration with an arm's recipe.
func (c Config) of(a Spec) Config {
	c.Recipe = a.Recipe
	return c
}

// besides are the parts of its name that give values of its own, but for the learning rate.
func (a Spec) besides() (out []string) {
	for part := range strings.SplitSeq(a.Name, ":") {
		key, _, _ := strings.Cut(part, "=")
		if key != "lr" && slices.Contains(a.given, key) {
			out = append(out, part)
		}
	}
	return out
}

// blame adds an arm's name to an error that may come from values of its own.
func (a Spec) blame(err error) error {
	if len(a.given) == 0 {
		return err
	}
	return usage("arm %q: %w", a.Name, err)
}

// maxValues bounds the weights and activations of all arms and seeds together:
// with gradients about 4 GB.
const maxValues = 1 << 29

// fitsMemory refuses nets whose training would need more memory than machines
// have. Validate has bounded each factor already.
func (c Config) fitsMemory(f form, arms []Spec) error {
	n := 0.0
	for _, a := range arms {
		net := c.of(a).network(f, &norm.None{})
		n += float64(net.Weights()+a.Batch*net.Units()) * float64(c.Seeds)
		if len(c.Probes) > 0 {
			n += labCopies * float64(net.Weights())
		}
	}
	if n > maxValues {
		return usage("%d arms with %d seeds of a net %s with batch %d need %.2g numbers in memory, more than the limit of %.2g: take fewer or smaller ones",
			len(arms), c.Seeds, c.network(f, &norm.None{}), c.Batch, n, float64(maxValues))
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
	for _, k := range constants {
		if !slices.ContainsFunc(out, func(s Spec) bool { return s.left[k.key] == nil }) { // no arm has a use for it
			return nil, usage("--%s: %w", k.key, out[0].left[k.key])
		}
	}
	return out, nil
}

// spec resolves one arm.
func (c Config) spec(name string) (Spec, error) {
	a, err := norm.Parse(name, norm.Treatment(c.Grad), recipeKeys...)
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
	s := Spec{Name: norm.String(a.Method), Method: a.Method, Recipe: c.Recipe}
	if err := s.own(a.Rest); err != nil {
		return Spec{}, fmt.Errorf("arm %q: %w", name, err)
	}
	for _, k := range s.keys() {
		if text, own := a.Rest[k.key]; own {
			if k.key != "net" { // in the form for names already
				text = k.text()
			}
			s.given, s.Name = append(s.given, k.key), s.Name+":"+k.key+"="+text
		}
	}
	if s.Batch < 1 || s.Batch > maxBatch {
		return Spec{}, fmt.Errorf("arm %q: batch %d is outside 1 … %d", name, s.Batch, maxBatch)
	}
	if err := c.of(s).checkLayers(); err != nil {
		return Spec{}, fmt.Errorf("arm %q: %w", name, err)
	}
	if s.Rule, s.left, err = s.rule(c.Steps, s.given); err != nil {
		return Spec{}, s.blame(err)
	}
	return s, a.Method.Validate()
}

// Unused returns the keys of Settings that no arm uses, and "grad" if Grad applies to no
// arm: every one says itself how the gradient treats its statistics, or has no choice.
func (c Config) Unused() []string {
	used := map[string]bool{}
	for _, name := range c.Norms {
		a, err := norm.Parse(name, norm.Treatment(c.Grad), recipeKeys...)
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

// reduced is Precision as reports have it: "" where operands are not rounded.
func (c Config) reduced() string {
	if p, err := gemm.ParsePrecision(c.Precision); err == nil && p != gemm.Float32 {
		return p.String()
	}
	return ""
}

func (c Config) pixels() gather.Map {
	if c.Binarize {
		return gather.Binary
	}
	return gather.Unit
}
