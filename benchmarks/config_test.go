package benchmarks

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"driftless/engine/device/cpu"
	"driftless/internal/dataset"
	"driftless/models"
)

// tiny is a data set of n training and test images with something to learn.
func tiny(n int) *dataset.Set {
	s := dataset.Split{N: n, Rows: 28, Cols: 28, Images: make([]uint8, n*784), Labels: make([]uint8, n)}
	for i := range n {
		s.Labels[i] = uint8(i % classes)
		for j := range 60 {
			s.Images[i*784+(i%classes)*70+j] = 255
		}
		s.Images[i*784+(i*31)%784] ^= 255
	}
	return &dataset.Set{Name: "mnist", Train: s, Test: s}
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
		"twice": func(c *Config) { c.Norms = []string{"whiten", "whiten:naive"} }, "stats": func(c *Config) { c.Stats = "x" },
		"alpha": func(c *Config) { c.Alpha = nan }, "alpha 0": func(c *Config) { c.Alpha = 0 }, "eps": func(c *Config) { c.Eps = nan },
		"interval": func(c *Config) { c.Interval = -1 }, "no layer": func(c *Config) { c.Hidden = nil }, "layer": func(c *Config) { c.Hidden[0] = 0 },
		"wide": func(c *Config) { c.Hidden[0] = math.MaxInt }, "deep": func(c *Config) { c.Hidden = slices.Repeat([]int{10000}, 40) },
		"memory": func(c *Config) { c.Hidden, c.Seeds = []int{4000, 4000}, 1000 }, "activation": func(c *Config) { c.Activation = "x" },
		"init-sd": func(c *Config) { c.InitSD = nan }, "optimizer": func(c *Config) { c.Optimizer = "x" }, "lr": func(c *Config) { c.LR = nan },
		"lr 0": func(c *Config) { c.LR = 0 }, "batch": func(c *Config) { c.Batch = 0 }, "steps": func(c *Config) { c.Steps = 0 },
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

// Settings reach the arms that they concern, and an arm's own word goes first.
func TestArms(t *testing.T) {
	c := quick("none", "center", "standardize:graph", "whiten", "batchnorm", "batchnorm:affine")
	off := false
	c.Grad, c.Affine, c.Stats, c.Alpha, c.Eps, c.Interval = "naive", &off, "ema", 0.25, 0.5, 3
	got, err := c.Arms()
	if err != nil {
		t.Fatal(err)
	}
	center, standardize, whiten, bn := models.CenterNaive, models.StandardizeGraph, models.WhitenNaive, models.BatchNorm
	center.Stats, center.Alpha, center.Eps, center.Interval = models.EMA, 0.25, 0.5, 3
	standardize.Eps = 0.5
	whiten.Eps, whiten.Interval = 0.5, 3
	bn.Eps = 0.5
	plain := bn
	plain.Affine = false
	for i, want := range []models.Norm{models.None, center, standardize, whiten, plain, bn} {
		if got[i] != want {
			t.Errorf("arm %d: %+v, want %+v", i, got[i], want)
		}
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
		{func(c *Config) { c.Norms, c.Batch, c.Stats = []string{"center:naive"}, 1, "ema" }, ""},
		{func(c *Config) { c.Norms, c.Batch = []string{"none"}, 1 }, ""},
		{func(c *Config) { c.Norms = []string{"whiten"}; c.Hidden = []int{20} }, ""},
		{func(c *Config) { c.Norms = []string{"whiten"}; c.Hidden = []int{21} }, "(21 wide) needs at least 42 rows, and the sample has 40"},
	} {
		config := quick("batchnorm")
		c.change(&config)
		_, err := New(config, tiny(40), cpu.New())
		var u *UsageError
		if (err == nil) != (c.want == "") || err != nil && (!errors.As(err, &u) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
