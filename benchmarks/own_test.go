package benchmarks

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"driftless/dataset"
	"driftless/engine/device/cpu"
)

// colours is a set of n images of 12×9×3 in 4 classes: a band of rows is bright.
func colours(n int) *dataset.Set {
	const size = 12 * 9 * 3
	s := dataset.Split{N: n, Rows: 12, Cols: 9, Channels: 3, Images: make([]uint8, n*size), Labels: make([]int, n)}
	for i := range n {
		s.Labels[i] = i % 4
		for j := range size {
			v := (i*31 + j*17) % 90
			if j/(3*9*3) == i%4 {
				v += 150
			}
			s.Images[i*size+j] = uint8(v)
		}
	}
	return &dataset.Set{Name: "colours", Train: s, Test: s, Classes: 4}
}

// points is a set of n rows of 2 features around one of so many points of a circle.
func points(n, classes int) *dataset.Set {
	s := dataset.Split{N: n, Rows: 1, Cols: 2, Channels: 1, Features: make([]float32, 2*n), Labels: make([]int, n)}
	for i := range n {
		c := i % classes
		s.Labels[i] = c
		sin, cos := math.Sincos(2*math.Pi*float64(c)/float64(classes) + 0.2*math.Sin(float64(i)))
		s.Features[2*i], s.Features[2*i+1] = float32(-3*cos), float32(3*sin)
	}
	return &dataset.Set{Name: "points", Train: s, Test: s, Classes: classes}
}

// Sets of other sizes, channels, classes and elements are learned, and weights that were trained
// on them evaluate alike.
func TestOwnData(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train by the same code")
	}
	for _, c := range []struct {
		set      *dataset.Set
		net      string // "": hidden layers
		norm     string
		binarize bool
		least    float64 // accuracy
		header   string
	}{
		{colours(200), "cnn:4", "batchnorm", false, 0.95, "colours (pixels / 255; 200 + 200 images), 12×9×3-conv3×3×4-pool2-128-4 relu"},
		{colours(200), "cnn:4", "batchnorm", true, 0.95, "colours (binary pixels; 200 + 200 images), 12×9×3-conv3×3×4-pool2-128-4 relu"},
		{colours(200), "", "batchnorm", false, 0.95, "324-16-8-4 relu"},
		{colours(200), "324-20-4", "none", false, 0.95, "324-20-4 relu"},
		{points(200, 3), "", "batchnorm", true, 0.95, "points (float features as they are; 200 + 200 rows), 2-16-8-3 relu"},
		{points(200, 3), "2-20-3", "prong", true, 0.95, "2-20-3 relu"},
		{points(700, 350), "", "batchnorm", true, 0, "2-16-8-350 relu"}, // labels beyond a byte
	} {
		name := c.header + " " + c.norm
		cfg := quick(c.norm)
		cfg.Activation, cfg.Seeds, cfg.Steps, cfg.EvalEvery, cfg.Binarize, cfg.LR, cfg.InitSD = "relu", 1, 200, 100, c.binarize, 0.1, 0.2
		cfg.Probes = []string{"undo-ratio"}
		if c.net != "" {
			cfg.Net, cfg.Hidden = c.net, nil
		}
		e, err := New(t.Context(), cfg, c.set, cpu.New())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := e.Run.Data + ", " + e.Run.Net; !strings.HasSuffix(got, c.header) || e.Run.Classes != c.set.Classes {
			t.Errorf("the header is %s with %d classes, want %s", got, e.Run.Classes, c.header)
		}
		path := filepath.Join(t.TempDir(), WeightsFile)
		out, err := e.Train(t.Context(), Observer{}, path)
		if err != nil || !(float64(out.TestAccuracy) >= c.least) || !(out.FinalLoss < 10) {
			t.Errorf("%s: accuracy %v, loss %v, %v", name, out.TestAccuracy, out.FinalLoss, err)
			continue
		}
		w, err := OpenWeights(path)
		if err != nil {
			t.Fatal(err)
		}
		again, err := w.Eval(t.Context(), c.set, cpu.New(), func(label int, logits []float32) error {
			if label >= c.set.Classes || len(logits) != c.set.Classes {
				return fmt.Errorf("label %d with %d logits", label, len(logits))
			}
			return nil
		})
		if err != nil || again.TestAccuracy != out.TestAccuracy || again.Net != out.Net || again.Data != out.Data || w.Data() != c.set.Name {
			t.Errorf("%s: trained %+v, evaluated %+v, %v", name, out, again, err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := Audit(t.Context(), cfg, 2, c.set, cpu.New()); err != nil {
			t.Errorf("%s: audit: %v", name, err)
		}
	}
}

// Features are not pixels: whatever Binarize says, the bits are the same, and so are those of
// the same numbers as pixels / 255.
func TestFeaturesAreTakenAsTheyAre(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train arms at once")
	}
	pixels := colours(100)
	features := *pixels
	for _, s := range []*dataset.Split{&features.Train, &features.Test} {
		s.Features = make([]float32, len(s.Images))
		for i, v := range s.Images {
			s.Features[i] = float32(v) / 255
		}
		s.Images = nil
	}
	var losses []any
	for _, c := range []struct {
		set      *dataset.Set
		binarize bool
	}{{pixels, false}, {&features, false}, {&features, true}} {
		cfg := quick("batchnorm")
		cfg.Binarize = c.binarize
		e := compared(t, cfg, c.set, cpu.New())
		losses = append(losses, [2]any{e.Run.Points[len(e.Run.Points)-1].Loss, e.Run.Points[len(e.Run.Points)-1].TestLoss})
	}
	if losses[0] != losses[1] || losses[1] != losses[2] {
		t.Errorf("losses of pixels and of features are %v", losses)
	}
}

func TestOwnDataRefused(t *testing.T) {
	for want, spoil := range map[string]func(*Config, *dataset.Set){
		"--net 784-10-4 takes 784 inputs, and the images have 324 pixels": func(c *Config, _ *dataset.Set) { c.Net, c.Hidden = "784-10-4", nil },
		"--net 324-10-10 gives 10 classes, and the data have 4":           func(c *Config, _ *dataset.Set) { c.Net, c.Hidden = "324-10-10", nil },
		"images of 12×9×3 do not do for layer conv2":                      func(c *Config, _ *dataset.Set) { c.Net, c.Hidden = "lenet", nil },
		"--batch 41 is larger than the training set of colours":           func(c *Config, _ *dataset.Set) { c.Batch = 41 },
		"--steps 0 is outside":                                            func(c *Config, _ *dataset.Set) { c.Steps = 0 },
		"has 39 labels for 40 examples":                                   func(_ *Config, s *dataset.Set) { s.Train.Labels = s.Train.Labels[:39] },
		"has 0 classes":                                                   func(_ *Config, s *dataset.Set) { s.Classes = 0 },
		"and the data have 2 features": func(c *Config, s *dataset.Set) {
			*s, c.Net, c.Hidden = *points(40, 3), "3-5-3", nil
		},
	} {
		c, set := quick("batchnorm"), colours(40)
		spoil(&c, set)
		_, err := New(t.Context(), c, set, cpu.New())
		if u := (*UsageError)(nil); !errors.As(err, &u) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want a *UsageError with %q", err, want)
		}
	}
	// What can be known without the data is said before they are read.
	for want, spoil := range map[string]func(*Config){
		"unknown data set": func(c *Config) { c.Data = "mine" }, "is not two CSV files": func(c *Config) { c.Data = "a.csv" },
		"layer size 99999999": func(c *Config) { c.Hidden[0] = 99999999 }, "unknown activation": func(c *Config) { c.Activation = "x" },
		"is none: give lenet": func(c *Config) { c.Net, c.Hidden = "x", nil }, "--batch 0": func(c *Config) { c.Batch = 0 }, "": func(c *Config) { c.Net, c.Hidden = "324-10-4", nil },
	} {
		c := quick("batchnorm")
		c.Data = "./mine"
		spoil(&c)
		if err := c.Validate(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Weights go only with data of their size.
func TestEvalRefusesOtherData(t *testing.T) {
	c := quick("batchnorm")
	c.Net, c.Hidden, c.Seeds, c.Binarize = "cnn:4", nil, 1, false
	e, err := New(t.Context(), c, colours(40), cpu.New())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), WeightsFile)
	if _, err := e.Train(t.Context(), Observer{}, path); err != nil {
		t.Fatal(err)
	}
	w, err := OpenWeights(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	turned, more := colours(40), colours(40)
	turned.Train.Rows, turned.Train.Cols, turned.Test.Rows, turned.Test.Cols = 9, 12, 9, 12
	more.Classes = 5
	for want, set := range map[string]*dataset.Set{
		"for 324 inputs, the rows of points have 2 features":      points(40, 3),
		"for images of [12 9 3], those of colours are 9×12×3":     turned,
		"holds a network for 4 classes, colours has 5":            more,
		"for 324 inputs, the images of synthetic have 784 pixels": dataset.Synthetic(1),
	} {
		if _, err := w.Eval(t.Context(), set, cpu.New(), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
