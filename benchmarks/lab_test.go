package benchmarks

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"driftless/benchmarks/probe"
	"driftless/engine/device/cpu"
	"driftless/internal/report"
)

// Probing changes no bit of a run: neither its evaluations nor its weights. It gives every
// column of every instrument, with as many numbers as there are layers.
func TestProbingChangesNoBit(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train arms at once")
	}
	set, dev := tiny(60), cpu.New()
	for _, arm := range []string{"standardize:naive", "batchnorm", "prong:T=7"} {
		c := quick(arm)
		c.Seeds, c.Optimizer = 1, map[bool]string{true: "momentum", false: "sgd"}[arm == "batchnorm"]
		run := func(probes ...string) ([]report.Point, [][]byte) {
			c.Probes = probes
			e, err := New(t.Context(), c, set, dev)
			if err != nil {
				t.Fatal(err)
			}
			var weights [][]byte
			keep := func(t *training, _ int) error {
				ts, err := t.net.Save(t.session, 0)
				for _, w := range ts {
					weights = append(weights, fmt.Append(nil, w.Data))
				}
				return err
			}
			ran, err := e.arms[0].Run(t.Context(), watch{keep: keep})
			if err != nil {
				t.Fatal(err)
			}
			return ran.points[0], weights
		}
		plain, weights := run()
		probed, same := run(probe.All)
		if !slices.EqualFunc(weights, same, bytes.Equal) || len(weights) == 0 {
			t.Errorf("%s: the weights are others with probes", arm)
		}
		for i, p := range probed {
			checkColumns(t, p, len(c.Hidden))
			p.Probes = nil
			if got, want := encode(t, p), encode(t, plain[i]); got != want {
				t.Errorf("with probes    %s\nwithout probes %s", got, want)
			}
		}
	}
}

func checkColumns(t *testing.T, p report.Point, layers int) {
	t.Helper()
	n := 0
	for _, name := range probe.Names() {
		in, _ := probe.Lookup(name)
		for _, c := range in.Columns {
			for _, key := range c.Keys() {
				want := 1
				if c.Layer {
					want = layers
				}
				if n++; len(p.Probes[key]) < want {
					t.Errorf("%s, step %d: %s is %v", p.Arm, p.Step, key, p.Probes[key])
				}
			}
		}
	}
	if n != len(p.Probes) {
		t.Errorf("%d columns of %d", len(p.Probes), n)
	}
}
