package benchmarks

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"driftless/benchmarks/probe"
	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/program"
	"driftless/internal/report"
	"driftless/models"
	"driftless/models/norm"
)

// labRows is the number of leading test rows that instruments look at.
const labRows = percentileRows

// advanceSteps is the number of steps that the accounting of drift goes over, and staleSteps
// the largest number that a look at stale statistics does.
const advanceSteps, staleSteps = 10, 100

// labCopies is about how many copies of a network's weights a lab holds, as numbers in float32.
const labCopies = 60

// lab is an arm's laboratory: a session of its own in float64, on the CPU, in which a replica
// of a training, copied, goes on as far as the instruments want to see. The training's session
// is only read.
type lab struct {
	arm         *Arm
	instruments []probe.Instrument
	net         *models.Network // the arm's in float64
	layout      *program.Layout
	inspection  *models.Inspection
	train       *program.Program // its Step, and what runs between steps
	session     device.Session

	params   []string // names of what is trained
	layerOf  []int    // each one's linear layer
	matrices []string // that the layers train
	copied   []*program.State
	floats   []string // of those, what holds numbers: parameters, statistics, what the optimizer keeps
}

// newLab compiles an arm's laboratory.
func (a *Arm) newLab(ctx context.Context, instruments []probe.Instrument) (*lab, error) {
	wide := *a.net
	wide.DType = program.Float64
	l := &lab{arm: a, instruments: instruments, net: &wide, layout: program.NewLayout(program.Float64)}
	if err := addData(l.layout, a.set, l.net); err != nil {
		return nil, err
	}
	var err error
	if l.inspection, err = l.net.Inspect(l.layout, a.rows(ctx), a.test(ctx), labRows, a.Rule); err != nil {
		return nil, err
	}
	l.train = l.inspection.Step
	if between := l.inspection.Between; between != nil {
		l.train = program.Join(l.train, between)
	}
	params, err := l.net.Parameters()
	if err != nil {
		return nil, err
	}
	for i, names := range params {
		for _, name := range names {
			l.params, l.layerOf = append(l.params, name), append(l.layerOf, i)
		}
	}
	if l.matrices, err = l.net.Matrices(); err != nil {
		return nil, err
	}
	own := map[string]bool{program.StateLosses: true, models.StateCorrect: true}
	for _, st := range l.layout.States() {
		theirs := a.layout.Lookup(st.Name)
		if st.Shared || own[st.Name] || theirs == nil || theirs.Len() != st.Len() {
			continue
		}
		if l.copied = append(l.copied, st); st.DType == program.Float64 {
			l.floats = append(l.floats, st.Name)
		}
	}
	return l, nil
}

// open makes the session, on the arm's device if that is the CPU.
func (l *lab) open() (err error) {
	dev := l.arm.dev
	if _, ok := dev.(*cpu.Device); !ok {
		dev = cpu.New()
	}
	l.session, err = dev.Open(l.layout, 1)
	return err
}

// read fills in the columns of the instruments for a replica of a training after some step.
func (l *lab) read(ctx context.Context, t *training, r int, p *report.Point) error {
	if err := l.load(t.session, r); err != nil {
		return err
	}
	m := newMoment(ctx, l, p.Step)
	for _, q := range append(slices.Clone(t.points[r]), *p) {
		m.past = append(m.past, probe.Past{Step: q.Step, BiasRMS: q.BiasRMS})
	}
	if err := m.begin(); err != nil {
		return err
	}
	values, err := probe.Read(l.instruments, m)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	p.Probes = values
	return nil
}

// load copies a replica of the training's session.
func (l *lab) load(s device.Session, r int) error {
	for _, st := range l.copied {
		theirs := l.arm.layout.Lookup(st.Name)
		if st.DType != program.Float64 {
			v := make([]int64, st.Len())
			if err := s.Read(st.Name, r, v); err != nil {
				return err
			}
			if err := l.session.Write(st.Name, 0, v); err != nil {
				return err
			}
			continue
		}
		v := make([]float64, st.Len())
		if theirs.DType == program.Float64 {
			if err := s.Read(st.Name, r, v); err != nil {
				return err
			}
		} else {
			narrow := make([]float32, len(v))
			if err := s.Read(st.Name, r, narrow); err != nil {
				return err
			}
			for i, x := range narrow {
				v[i] = float64(x)
			}
		}
		if err := l.session.Write(st.Name, 0, v); err != nil {
			return err
		}
	}
	return nil
}

// facts are what the instruments know of the arm after so many steps.
func (l *lab) facts(step int) probe.Arm {
	m := l.arm.Method
	_, output := m.(norm.Output)
	_, changes := m.(norm.Gradient)
	_, weights := m.(norm.Weights)
	_, moves := m.(norm.Compensator)
	sgd := l.arm.Rule.Fuses() // adds −lr times the gradient and nothing else
	return probe.Arm{Rate: func(ahead int) float64 { return l.arm.Rule.Rate(step + ahead) }, Layers: len(l.net.Hidden), Naive: norm.ClassOf(m) == norm.Uncompensated, Norm: output,
		SGD: sgd, Plain: sgd && !changes && !weights && !moves && !norm.HasShortcuts(m)}
}

// snapshot is the content of what holds numbers, or of some of it, by name.
type snapshot map[string][]float64

func (l *lab) save() (snapshot, error) {
	out := snapshot{}
	for _, name := range l.floats {
		v := make([]float64, l.layout.Lookup(name).Len())
		if err := l.session.Read(name, 0, v); err != nil {
			return nil, err
		}
		out[name] = v
	}
	return out, nil
}

// put writes what a snapshot holds.
func (l *lab) put(s snapshot) error {
	for name, v := range s {
		if err := l.session.Write(name, 0, v); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) setStep(step int) error {
	return l.session.Write(program.StateStep, 0, []int64{int64(step)})
}

// run runs n steps of a Program, if there is one. It fails with probe.ErrNotFinite where that
// ended the replica.
func (l *lab) run(ctx context.Context, p *program.Program, n int) error {
	if p == nil || n == 0 {
		return nil
	}
	if err := l.session.Run(ctx, p, n); err != nil {
		return err
	}
	var at [1]int64
	if err := l.session.Read(program.StateNonFinite, 0, at[:]); err != nil {
		return err
	}
	if at[0] < 0 {
		return nil
	}
	if err := l.session.Write(program.StateNonFinite, 0, []int64{-1}); err != nil {
		return err
	}
	return probe.ErrNotFinite
}

// matrix reads a state, whose columns are units.
func (l *lab) matrix(name string) (probe.Matrix, error) {
	st := l.layout.Lookup(name)
	m := probe.Matrix{Rows: st.Rows, Cols: st.Cols, Data: make([]float64, st.Len())}
	return m, l.session.Read(name, 0, m.Data)
}

// instruments are those of the configuration, which is valid, as reports have them.
func (c Config) instruments() []report.Instrument {
	instruments, _ := probe.Parse(c.Probes)
	var out []report.Instrument
	for _, in := range instruments {
		r := report.Instrument{Title: strings.ToUpper(in.Title[:1]) + in.Title[1:], About: in.About, Columns: in.Columns}
		if in.Paper != "" {
			r.Title += " (" + in.Paper + ")"
		}
		out = append(out, r)
	}
	return out
}
