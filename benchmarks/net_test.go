package benchmarks

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"driftless/dataset"
	"driftless/engine/device/cpu"
)

// The size of the images of the data sets that have a name, and their classes.
var square28, classes = named.image, named.classes

// TestNets: what --net says, as config.yaml and the run's header have it.
func TestNets(t *testing.T) {
	for net, want := range map[string]string{
		"":              "784-16-8-10 sigmoid",
		DefaultNet:      "784-100-100-100-10 sigmoid",
		"784-20-10":     "784-20-10 sigmoid",
		"lenet":         "28×28-conv5×5×6-pool2-conv5×5×16-pool2-120-84-10 sigmoid",
		"lenet:average": "28×28-conv5×5×6-average2-conv5×5×16-average2-120-84-10 sigmoid",
		"cnn:8":         "28×28-conv3×3×8-pool2-128-10 sigmoid",
	} {
		c := quick("none")
		if c.Net = net; net != "" {
			c.Hidden = nil
		}
		if err := c.Validate(); err != nil {
			t.Errorf("%q: %v", net, err)
		}
		if got := c.net(named); got != want {
			t.Errorf("%q is %s, want %s", net, got, want)
		}
		if convolves := strings.Contains(want, "conv"); convolves != (c.convolves() != "") || convolves != (c.sizes() == nil) {
			t.Errorf("%q: kept as net %q, hidden %v", net, c.convolves(), c.sizes())
		}
	}
}

// TestTrainConvolutions: a run keeps weights that are evaluated alike.
func TestTrainConvolutions(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train arms at once")
	}
	c := quick("batchnorm")
	c.Net, c.Hidden, c.Seeds, c.Data, c.Activation = "cnn:4", nil, 1, "synthetic", "relu"
	set := dataset.Synthetic(1)
	e, err := New(context.Background(), c, set, cpu.New())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), WeightsFile)
	out, err := e.Train(context.Background(), Observer{}, path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := OpenWeights(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	again, err := w.Eval(context.Background(), set, cpu.New(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if again.TestAccuracy != out.TestAccuracy || again.Net != out.Net || !(out.TestAccuracy > 0.3) {
		t.Errorf("trained %v, evaluated %v", out, again)
	}
}
