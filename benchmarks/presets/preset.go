package presets

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"driftless/benchmarks"
	"driftless/models/norm"

	"go.yaml.in/yaml/v3"
)

//go:embed *.yaml
var files embed.FS

// Preset is an experiment: ordinary configurations, and what is made of their results.
type Preset struct {
	Name  string
	Title string
	Show  string
	About []string
	Notes []string

	Points      int
	Checkpoints []int
	Curves      []string

	Parts []Part

	Command string // the command line that asked for it, for the record

	// Changed says in what it is not the preset of that name, such as "steps 200, not 50,000".
	Changed []string
}

// Part is one configuration of a preset.
type Part struct {
	Name  string
	Title string

	Data       string
	Binarize   bool
	Hidden     []int
	Activation string
	InitSD     float64 `yaml:"init-sd"`
	Optimizer  string
	Batch      int
	Steps      int
	EvalEvery  int `yaml:"eval-every"`
	Seed       int64
	Seeds      int

	Arms      []string
	EveryForm bool      `yaml:"every-form"`
	LRs       []float64 `yaml:"lrs"`
	Choose    *Choose
	Targets   []float64 // accuracies to whose steps results count

	Theirs []Cell // what others found
}

// Choose says how each arm's learning rate is chosen.
type Choose struct {
	LRs     []float64 `yaml:"lrs"`
	Steps   int
	Seed    int64
	Seeds   int
	HoldOut int `yaml:"hold-out"` // of the training images, which are evaluated and not trained on
}

// Cell is a number of a public table: the test accuracy of each of their runs.
type Cell struct {
	Norm     string
	LR       float64 `yaml:"lr"`
	Steps    int
	Accuracy []float64
	Why      string // what the difference to ours comes from, where it is large
}

// Names lists the presets.
func Names() []string {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		panic(err) // the files are in the binary
	}
	var out []string
	for _, e := range entries {
		out = append(out, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return out
}

// Load returns the preset of that name. An unknown name is a *benchmarks.UsageError.
func Load(name string) (*Preset, error) {
	if !slices.Contains(Names(), name) {
		return nil, &benchmarks.UsageError{Err: norm.Unknown("preset", name, Names())}
	}
	data, err := files.ReadFile(name + ".yaml")
	if err != nil {
		return nil, err
	}
	p, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("preset %s: %w", name, err)
	}
	p.Name = name
	return p, nil
}

// file is what a preset's file holds.
type file struct {
	Title, Show  string
	About, Notes []string
	Points       int
	Checkpoints  []int
	Curves       []string
	All          Part
	Parts        []Part
}

// parse reads a preset's file and checks it.
func parse(data []byte) (*Preset, error) {
	var f file
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil {
		return nil, err
	}
	// Each part once more, over what all have in common.
	var again struct{ Parts []yaml.Node }
	if err := yaml.Unmarshal(data, &again); err != nil {
		return nil, err
	}
	p := &Preset{Title: f.Title, Show: f.Show, About: f.About, Notes: f.Notes, Points: f.Points, Checkpoints: f.Checkpoints, Curves: f.Curves}
	for i := range again.Parts {
		part := f.All.clone()
		if err := again.Parts[i].Decode(&part); err != nil {
			return nil, err
		}
		p.Parts = append(p.Parts, part)
	}
	return p, p.validate()
}

// clone copies what decoding over would write into.
func (p Part) clone() Part {
	if p.Choose != nil {
		c := *p.Choose
		p.Choose = &c
	}
	return p
}

// validate reports the first thing in a preset that cannot work.
func (p *Preset) validate() error {
	if len(p.Parts) == 0 {
		return errors.New("it has no parts")
	}
	if _, ok := shows[p.Show]; !ok {
		return fmt.Errorf("show %q is not known", p.Show)
	}
	for _, c := range p.Curves {
		if !slices.Contains([]string{curveAccuracy, curveLoss, curveBias, curveUnit}, c) {
			return fmt.Errorf("curve %q is none of accuracy, loss, bias, unit", c)
		}
	}
	if p.Points < 2 {
		return fmt.Errorf("points %d: a curve has two or more", p.Points)
	}
	names := map[string]bool{}
	for i := range p.Parts {
		part := &p.Parts[i]
		if part.Name == "" || names[part.Name] {
			return fmt.Errorf("part %q: every part needs a name of its own", part.Name)
		}
		names[part.Name] = true
		if c := part.Choose; c != nil && (len(c.LRs) == 0 || c.Seeds < 1 || c.Steps < 1 || len(part.LRs) > 0) {
			return fmt.Errorf("part %s: choose needs lrs, steps and seeds, and no lrs beside it", part.Name)
		}
		for _, c := range p.configs(part) {
			if err := c.Validate(); err != nil {
				return fmt.Errorf("part %s: %w", part.Name, err)
			}
		}
	}
	return nil
}

// configs returns the configurations that a part trains, the grid of choose included.
func (p *Preset) configs(part *Part) []benchmarks.Config {
	if part.Choose == nil {
		return []benchmarks.Config{part.config(part.crossed(part.LRs))}
	}
	out := []benchmarks.Config{part.config(part.crossed(part.Choose.LRs[:1]))}
	for _, a := range part.arms() {
		out = append(out, part.grid(a))
	}
	return out
}

// arms lists the part's arms, as norm.Parse reads them.
func (p *Part) arms() []string {
	if !p.EveryForm {
		return p.Arms
	}
	var out []string
	for _, m := range norm.Forms() {
		out = append(out, norm.String(m))
	}
	return out
}

// crossed returns every one of the part's arms at every learning rate.
func (p *Part) crossed(lrs []float64) []string { return crossed(p.arms(), lrs) }

func crossed(arms []string, lrs []float64) []string {
	if len(lrs) == 0 {
		return arms
	}
	var out []string
	for _, a := range arms {
		for _, lr := range lrs {
			out = append(out, atLR(a, lr))
		}
	}
	return out
}

const lrKey = ":lr="

func atLR(arm string, lr float64) string { return arm + lrKey + strconv.FormatFloat(lr, 'g', -1, 64) }

// config returns the part's configuration with these arms.
func (p *Part) config(arms []string) benchmarks.Config {
	c := benchmarks.Defaults()
	c.Data, c.Binarize, c.Hidden, c.Activation, c.InitSD, c.Optimizer = p.Data, p.Binarize, p.Hidden, p.Activation, p.InitSD, p.Optimizer
	c.Batch, c.Steps, c.EvalEvery, c.Seed, c.Seeds, c.Norms, c.NoReestimate = p.Batch, p.Steps, p.EvalEvery, p.Seed, p.Seeds, arms, true
	return c
}

// grid returns the configuration that an arm's learning rate is chosen by: it at every rate of
// the grid, evaluated at its end.
func (p *Part) grid(arm string) benchmarks.Config {
	c := p.config(crossed([]string{arm}, p.Choose.LRs))
	c.Steps, c.EvalEvery, c.Seed, c.Seeds, c.Untimed = p.Choose.Steps, p.Choose.Steps, p.Choose.Seed, p.Choose.Seeds, true
	return c
}
