package models_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"driftless/engine"
	"driftless/engine/device/cpu"
	"driftless/models"
	"driftless/models/norm"
)

// audited trains a small network a few steps and audits it.
func audited(t *testing.T, m *models.Network, steps int) (*rig, []engine.Finding) {
	t.Helper()
	r := newRig(t, m, cpu.New(), 1)
	a, err := m.Audit(r.layout, models.Source{Images: "x", Labels: "y", Total: rigRows, Batch: rigBatch})
	must(t, err)
	r.open(t, cpu.New(), 1)
	must(t, r.session.Run(context.Background(), r.train, steps))
	fs, err := a.Run(context.Background(), r.session, 0, rigLR, cpu.New())
	must(t, err)
	return r, fs
}

// TestAuditOfMethods: of every method whose refresh undoes what steps do, the audit names each
// hidden bias, all of whose step is in vain, with its own layer's mean; of the others it says
// nothing. What is refreshed behind the last statistic is left alone.
func TestAuditOfMethods(t *testing.T) {
	if testing.Short() {
		t.Skip("the team of a device has tests of its own")
	}
	for _, n := range arms() {
		for _, steps := range []int{0, 3} {
			m := small(n)
			r, fs := audited(t, m, steps)
			name := norm.String(n)
			if norm.ClassOf(n) != norm.Uncompensated {
				if len(fs) > 0 {
					t.Errorf("%s, %d steps: found %+v, want nothing", name, steps, fs)
				}
				continue
			}
			found := map[string]engine.Finding{}
			for _, f := range fs {
				found[f.Param] = f
			}
			for i, layer := range m.Layers() {
				f, ok := found[layer+".bias"]
				if i == len(m.Hidden) {
					if ok || found[layer+".weight"].Wasted != 0 {
						t.Errorf("%s, %d steps: the output layer is named", name, steps)
					}
					continue
				}
				if !(f.Wasted > 1-1e-9) || len(f.Held) != 1 {
					t.Errorf("%s, %d steps: %v of %s.bias is wasted, held is %v; want 1 and one mean", name, steps, f.Wasted, layer, f.Held)
					continue
				}
				held := f.Held[0].Name
				if !strings.HasPrefix(held, fmt.Sprintf("norm%d.", i+1)) || !strings.HasSuffix(held, "mean") || r.layout.Lookup(held) == nil {
					t.Errorf("%s, %d steps: held for %s.bias is %s, want its layer's mean", name, steps, layer, held)
				}
			}
		}
	}
}
