package benchmarks

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"driftless/dataset"
	"driftless/engine/device/cpu"
	"driftless/models/norm"
)

// tiny is a data set of n training and test images with something to learn.
func tiny(n int) *dataset.Set {
	s := dataset.Split{N: n, Rows: 28, Cols: 28, Channels: 1, Images: make([]uint8, n*784), Labels: make([]int, n)}
	for i := range n {
		s.Labels[i] = i % classes
		for j := range 60 {
			s.Images[i*784+(i%classes)*70+j] = 255
		}
		s.Images[i*784+(i*31)%784] ^= 255
	}
	return &dataset.Set{Name: "mnist", Train: s, Test: s, Classes: classes}
}

// quick is a configuration that trains in a moment.
func quick(norms ...string) Config {
	c := Defaults()
	c.Norms, c.Hidden, c.Batch, c.Steps, c.EvalEvery, c.Seeds = norms, []int{16, 8}, 20, 20, 10, 2
	return c
}

func TestDefaultsAreThePapers(t *testing.T) {
	c := Defaults()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if c.Batch != 60 || !slices.Equal(c.Hidden, []int{100, 100, 100}) || c.Activation != "sigmoid" || c.Optimizer != "sgd" || c.LR != 0.1 || !c.Binarize {
		t.Errorf("%+v", c)
	}
}

// Every setting that cannot work is wrong usage.
func TestValidateRefuses(t *testing.T) {
	nan := math.NaN()
	for name, spoil := range map[string]func(*Config){
		"data": func(c *Config) { c.Data = "mnits" }, "no norm": func(c *Config) { c.Norms = nil }, "norm": func(c *Config) { c.Norms[0] = "x" },
		"twice": func(c *Config) { c.Norms = []string{"whiten", "whiten:naive"} }, "stats": func(c *Config) { c.Settings = map[string]string{"stats": "x"} },
		"alpha": func(c *Config) { c.Settings = map[string]string{"stats": "ema", "alpha": "NaN"} }, "alpha 0": func(c *Config) { c.Norms[0] = "center:naive:stats=ema:alpha=0" },
		"eps": func(c *Config) { c.Norms[0] = "batchnorm:eps=NaN" }, "interval": func(c *Config) { c.Settings = map[string]string{"interval": "-1"} },
		"grad": func(c *Config) { c.Grad = "x" }, "arm's lr": func(c *Config) { c.Norms[0] = "none:lr=0" }, "arm's key": func(c *Config) { c.Norms[0] = "none:eps=1" }, "no layer": func(c *Config) { c.Hidden = nil }, "layer": func(c *Config) { c.Hidden[0] = 0 },
		"net": func(c *Config) { c.Hidden, c.Net = nil, "x" }, "net and hidden": func(c *Config) { c.Net = "lenet" },
		"wide": func(c *Config) { c.Hidden[0] = math.MaxInt }, "deep": func(c *Config) { c.Hidden = slices.Repeat([]int{10000}, 40) },
		"memory": func(c *Config) { c.Hidden, c.Seeds = []int{4000, 4000}, 1000 }, "activation": func(c *Config) { c.Activation = "x" },
		"init-sd": func(c *Config) { c.InitSD = nan }, "optimizer": func(c *Config) { c.Optimizer = "x" }, "lr": func(c *Config) { c.LR = nan },
		"lr 0": func(c *Config) { c.LR = 0 }, "batch": func(c *Config) { c.Batch = 0 }, "steps": func(c *Config) { c.Steps = 0 },
		"precision":  func(c *Config) { c.Precision = "fp16" },
		"eval-every": func(c *Config) { c.EvalEvery = -1 }, "seeds": func(c *Config) { c.Seeds = 0 }, "many seeds": func(c *Config) { c.Seeds = math.MaxInt },
	} {
		c := quick("center:naive")
		spoil(&c)
		var u *UsageError
		if err := c.Validate(); !errors.As(err, &u) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v is no *UsageError of one line", name, err)
		}
	}
}

// Settings apply to the arms whose methods have them; what an arm's name says comes first.
func TestArms(t *testing.T) {
	c := quick("none:lr=0.25", "center", "standardize:graph:eps=0.25", "whiten", "batchnorm", "batchnorm:affine")
	c.Grad = "naive"
	c.Settings = map[string]string{"affine": "off", "stats": "full", "alpha": "0.25", "eps": "0.5", "interval": "3"}
	got, err := c.Arms()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		name   string
		method norm.Method
		lr     float64
	}{
		{"none:lr=0.25", &norm.None{}, 0.25},
		{"center:naive:stats=full:interval=3", norm.Must("center:naive:stats=full:alpha=0.25:interval=3"), c.LR},
		{"standardize:graph:eps=0.25", norm.Must("standardize:graph:stats=full:alpha=0.25:interval=3:eps=0.25"), c.LR},
		{"whiten:naive:stats=full:interval=3:eps=0.5", norm.Must("whiten:stats=full:alpha=0.25:interval=3:eps=0.5"), c.LR},
		{"batchnorm:noaffine:eps=0.5", norm.Must("batchnorm:noaffine:eps=0.5"), c.LR},
		{"batchnorm:eps=0.5", norm.Must("batchnorm:eps=0.5"), c.LR},
	} {
		if g := got[i]; g.Name != want.name || g.LR != want.lr || !reflect.DeepEqual(g.Method, want.method) {
			t.Errorf("arm %d: %+v with %+v, want %+v with %+v", i, g, g.Method, want, want.method)
		}
	}
	if got := c.Unused(); !slices.Equal(got, []string{"alpha"}) {
		t.Errorf("unused are %v", got)
	}
}

func TestSettingsThatDoNotFit(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		want   string // "" for settings that fit
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.Batch = 40 }, ""},
		{func(c *Config) { c.Batch = 41 }, "--batch 41 is larger than the training set of mnist, which has 40 images"},
		{func(c *Config) { c.Batch = 1 }, "needs a batch of at least 2 rows: one row has no variance"},
		{func(c *Config) { c.Norms, c.Batch = []string{"center:graph"}, 1 }, "center:graph needs a batch of at least 2 rows: one row less its own mean is 0"},
		{func(c *Config) { c.Norms, c.Batch = []string{"center:naive"}, 1 }, "center:naive needs a batch of at least 2 rows"},
		{func(c *Config) { c.Norms, c.Batch = []string{"center:naive:stats=ema"}, 1 }, ""},
		{func(c *Config) { c.Norms, c.Batch = []string{"none"}, 1 }, ""},
		{func(c *Config) { c.Norms = []string{"whiten"}; c.Hidden = []int{20} }, ""},
		{func(c *Config) { c.Norms = []string{"whiten"}; c.Hidden = []int{21} }, "(21 wide) need at least 42 rows, and there are 40"},
	} {
		config := quick("batchnorm")
		c.change(&config)
		_, err := New(t.Context(), config, tiny(40), cpu.New())
		var u *UsageError
		if (err == nil) != (c.want == "") || err != nil && (!errors.As(err, &u) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
