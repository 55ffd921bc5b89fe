package benchmarks

import (
	"context"
	"maps"
	"slices"

	"driftless/benchmarks/probe"
	"driftless/engine/program"
	"driftless/models"
	"driftless/models/norm"
)

// moment is the lab at one evaluation of one replica, as the instruments see it.
type moment struct {
	*lab
	ctx  context.Context
	step int
	past []probe.Past

	before, after snapshot // the step
	now           *probe.View
	held, landed  *probe.View
	walks         map[bool][]probe.Stop // refreshed or not
	rows          [2][]probe.Layer
	failed        error // of the step
}

// newMoment looks at what the lab holds of a replica after so many steps.
func newMoment(ctx context.Context, l *lab, step int) *moment {
	return &moment{lab: l, ctx: ctx, step: step, walks: map[bool][]probe.Stop{}}
}

// begin takes the step that comes next, without what runs after it.
func (m *moment) begin() (err error) {
	if m.before, err = m.save(); err != nil {
		return err
	}
	if m.failed = m.run(m.ctx, m.inspection.Step, 1); m.failed != nil {
		return nil
	}
	if m.now, err = m.view(m.before); err != nil {
		return err
	}
	m.after, err = m.save()
	return err
}

// Arm implements probe.Lab.
func (m *moment) Arm() probe.Arm { return m.facts(m.step) }

// Past implements probe.Lab.
func (m *moment) Past() []probe.Past { return m.past }

// Now implements probe.Lab.
func (m *moment) Now() (*probe.View, error) { return m.now, m.failed }

// statistics are those that a view with statistics held has: those of a naive method are what
// the step used, which the step has written; others do not move within a step, but for what is
// of no concern to training.
func (m *moment) statistics() snapshot {
	if norm.ClassOf(m.arm.Method) == norm.Uncompensated {
		return m.without(m.after)
	}
	return m.without(m.before)
}

// without returns a snapshot without parameters.
func (m *moment) without(s snapshot) snapshot {
	out := maps.Clone(s)
	for _, name := range m.params {
		delete(out, name)
	}
	return out
}

// look views parameters on the step's batch, with the statistics of statistics() or with those
// refreshed; what a refresh moves into parameters stays if moved.
func (m *moment) look(params snapshot, refreshed, moved bool) (*probe.View, error) {
	if m.failed != nil {
		return nil, m.failed
	}
	if err := m.put(m.statistics()); err != nil {
		return nil, err
	}
	if err := m.put(params); err != nil {
		return nil, err
	}
	if refreshed && (moved || m.Arm().Naive) {
		if err := m.refresh(); err != nil {
			return nil, err
		}
	}
	if err := m.setStep(m.step); err != nil {
		return nil, err
	}
	if err := m.run(m.ctx, m.inspection.Held, 1); err != nil {
		return nil, err
	}
	return m.view(nil)
}

// refresh refreshes statistics as after the step.
func (m *moment) refresh() error {
	step := m.step
	if m.inspection.Previous {
		step++
	}
	if err := m.setStep(step); err != nil {
		return err
	}
	return m.run(m.ctx, m.inspection.Refresh, 1)
}

// trained returns the parameters of a snapshot.
func (m *moment) trained(s snapshot) snapshot {
	out := snapshot{}
	for _, name := range m.params {
		out[name] = s[name]
	}
	return out
}

// Held implements probe.Lab.
func (m *moment) Held() (v *probe.View, err error) {
	if m.held == nil {
		m.held, err = m.look(m.trained(m.after), false, false)
	}
	return m.held, err
}

// Landed implements probe.Lab.
func (m *moment) Landed() (v *probe.View, err error) {
	if m.landed == nil {
		m.landed, err = m.look(m.trained(m.after), true, true)
	}
	return m.landed, err
}

// Walk implements probe.Lab.
func (m *moment) Walk(refreshed bool) ([]probe.Stop, error) {
	if m.failed != nil {
		return nil, m.failed
	}
	if m.walks[refreshed] == nil {
		stops, err := probe.Walk(m.now, m.arm.Rule.Rate(m.step), func(a float64) (*probe.View, error) { return m.along(a, refreshed) })
		if err != nil {
			return nil, err
		}
		m.walks[refreshed] = stops
	}
	return m.walks[refreshed], nil
}

// along is the network at the parameters of Now minus a times their gradients.
func (m *moment) along(a float64, refreshed bool) (*probe.View, error) {
	params := snapshot{}
	for i, name := range m.params {
		v := make([]float64, len(m.before[name]))
		for j, x := range m.before[name] {
			v[j] = x - a*m.now.Params[i].Grad[j]
		}
		params[name] = v
	}
	return m.look(params, refreshed, false)
}

// Mixed implements probe.Lab.
func (m *moment) Mixed(layer int) (*probe.View, error) {
	if m.failed != nil {
		return nil, m.failed
	}
	params := m.trained(m.before)
	for i, name := range m.params {
		if m.layerOf[i] < layer {
			params[name] = m.after[name]
		}
	}
	return m.look(params, true, false)
}

// Rows implements probe.Lab.
func (m *moment) Rows(after bool) ([]probe.Layer, error) {
	if m.failed != nil {
		return nil, m.failed
	}
	from, i := m.before, 0
	if after {
		from, i = m.after, 1
	}
	if m.rows[i] != nil {
		return m.rows[i], nil
	}
	if err := m.put(from); err != nil {
		return nil, err
	}
	if err := m.run(m.ctx, m.inspection.Evaluated, 1); err != nil {
		return nil, err
	}
	layers, err := m.layers(models.Kept, false)
	m.rows[i] = layers
	return layers, err
}

// Accuracy implements probe.Lab.
func (m *moment) Accuracy() (batch, running float64, err error) {
	for _, f := range []struct {
		p  *program.Program
		to *float64
	}{{m.inspection.BatchForm, &batch}, {m.inspection.RunningForm, &running}} {
		if err := m.put(m.before); err != nil {
			return 0, 0, err
		}
		if err := m.run(m.ctx, f.p, 1); err != nil {
			return 0, 0, err
		}
		var c [1]float64
		if err := m.session.Read(models.StateCorrect, 0, c[:]); err != nil {
			return 0, 0, err
		}
		*f.to = c[0] / float64(m.inspection.FormRows)
	}
	return batch, running, nil
}

// Advance implements probe.Lab.
func (m *moment) Advance() ([]*probe.View, error) {
	if m.failed != nil {
		return nil, m.failed
	}
	if err := m.rewind(); err != nil {
		return nil, err
	}
	var out []*probe.View
	for {
		at, err := m.save()
		if err != nil {
			return nil, err
		}
		if len(out) == advanceSteps {
			last := &probe.View{}
			last.Params, last.Layers = m.parameters(at)
			return append(out, last), nil
		}
		if err := m.run(m.ctx, m.train, 1); err != nil {
			return nil, err
		}
		v, err := m.view(at)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
}

// rewind goes back to before the step.
func (m *moment) rewind() error {
	if err := m.put(m.before); err != nil {
		return err
	}
	return m.setStep(m.step)
}

// Stale implements probe.Lab.
func (m *moment) Stale() ([]probe.Matrix, error) {
	out := make([]probe.Matrix, len(m.net.Hidden)+1)
	r, ok := m.net.Norm.(norm.Refresher)
	if m.inspection.Whiten == nil || !ok || r.Refresh().Every == 0 {
		return out, m.failed
	}
	if err := m.rewind(); err != nil {
		return nil, err
	}
	steps := min(r.Refresh().Every-m.step%r.Refresh().Every, staleSteps)
	if err := m.run(m.ctx, m.train, steps-1); err != nil {
		return nil, err
	}
	if err := m.run(m.ctx, m.inspection.Step, 1); err != nil {
		return nil, err
	}
	if err := m.run(m.ctx, m.inspection.Whiten, 1); err != nil {
		return nil, err
	}
	for i, whitens := range m.inspection.Whitens {
		if !whitens {
			continue
		}
		var err error
		if out[i], err = m.matrix(models.WhitenedOf(i)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// view reads what a step or Held has laid bare, of parameters that have since moved from those
// given, or have not where that is nil.
func (m *moment) view(params snapshot) (*probe.View, error) {
	if params == nil {
		var err error
		if params, err = m.save(); err != nil {
			return nil, err
		}
	}
	v := &probe.View{}
	v.Params, v.Layers = m.parameters(params)
	loss, err := m.matrix(models.View + models.KeptLoss)
	if err != nil {
		return nil, err
	}
	v.Loss = loss.Data[0]
	for i, name := range m.params {
		g, err := m.matrix(models.View + "." + name + models.KeptGrad)
		if err != nil {
			return nil, err
		}
		v.Params[i].Grad = g.Data
	}
	layers, err := m.layers(models.View, true)
	if err != nil {
		return nil, err
	}
	for i := range layers {
		own := &v.Layers[i]
		layers[i].Weight, layers[i].Bias = own.Weight, own.Bias
		g := v.Params[slices.Index(m.params, m.matrices[i])].Grad
		layers[i].WeightGrad = probe.Matrix{Rows: own.Weight.Rows, Cols: own.Weight.Cols, Data: g}
	}
	v.Layers = layers
	return v, nil
}

// parameters are those of a snapshot, all of them and layer by layer.
func (m *moment) parameters(s snapshot) ([]probe.Param, []probe.Layer) {
	params := make([]probe.Param, len(m.params))
	for i, name := range m.params {
		params[i].Value = s[name]
	}
	layers := make([]probe.Layer, len(m.net.Hidden))
	for i, name := range m.net.Layers()[:len(layers)] {
		w := m.layout.Lookup(m.matrices[i])
		layers[i].Weight = probe.Matrix{Rows: w.Rows, Cols: w.Cols, Data: s[w.Name]}
		layers[i].Bias = s[name+".bias"]
	}
	return params, layers
}

// layers reads what is kept of the hidden layers under a prefix.
func (m *moment) layers(prefix string, grads bool) ([]probe.Layer, error) {
	out := make([]probe.Layer, len(m.net.Hidden))
	for i := range out {
		l := &out[i]
		l.Activation = m.net.Hidden[i].Activation
		read := map[string]*probe.Matrix{models.KeptOf(prefix, models.KeptTaken, i+1): &l.Output, models.KeptOf(prefix, models.KeptLinear, i): &l.Linear,
			models.KeptOf(prefix, models.KeptNormalized, i): &l.Normalized, models.KeptOf(prefix, models.KeptBefore, i): &l.Before}
		if grads {
			read[models.KeptOf(prefix, models.KeptLinear, i)+models.KeptGrad] = &l.LinearGrad
			read[models.KeptOf(prefix, models.KeptNormalized, i)+models.KeptGrad] = &l.NormalizedGrad
		}
		for name, to := range read {
			x, err := m.matrix(name)
			if err != nil {
				return nil, err
			}
			*to = x
		}
	}
	return out, nil
}
