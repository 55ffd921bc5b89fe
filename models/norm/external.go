package norm

import (
	"slices"

	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
)

// Stats says where the statistics of a naive normalization come from, and when.
type Stats string

// The sources. Batch: from the batch being trained, layer after layer in the forward
// pass. EMA: after the update, moved by alpha towards the batch's. Sample: after the
// update, from a fixed sample of the training rows. Full: after the update, layer after
// layer over all training rows.
const (
	Batch  Stats = "batch"
	EMA    Stats = "ema"
	Sample Stats = "sample"
	Full   Stats = "full"
)

// AllStats lists the sources.
var AllStats = []Stats{Batch, EMA, Sample, Full}

// SampleRows is the size of the fixed sample of training rows.
const SampleRows = 1000

// External are the settings of statistics that the gradient takes for constants: where
// they come from and when.
type External struct {
	Stats    Stats   `arm:"stats" help:"where naive statistics come from: batch, ema, sample or full"`
	Alpha    float64 `arm:"alpha" help:"rate of ema statistics, in (0, 1]"`
	Interval int     `arm:"interval" help:"steps between refreshes of naive statistics"`
}

func (e External) check(m Method) error {
	switch {
	case !slices.Contains(AllStats, e.Stats):
		return Invalid(m, "stats %q is unknown: choose batch, ema, sample or full", string(e.Stats))
	case !(e.Alpha > 0 && e.Alpha <= 1):
		return Invalid(m, "alpha %v is outside (0, 1]", e.Alpha)
	case e.Interval < 1:
		return Invalid(m, "interval %d is not a positive number of steps", e.Interval)
	}
	return nil
}

// uses reports whether a key of External has a use.
func (e External) uses(key string, naive bool) bool {
	switch key {
	case "stats", "interval":
		return naive
	case "alpha":
		return naive && e.Stats == EMA
	}
	return true
}

// outside reports whether statistics are refreshed by Programs of their own, and not in
// the training graph.
func (e External) outside(naive bool) bool { return naive && e.Stats != Batch }

func (e External) schedule(naive bool) Schedule {
	if !e.outside(naive) {
		return Schedule{}
	}
	rows := map[Stats]Rows{EMA: RowsOfBatch, Sample: RowsOfSample, Full: RowsOfAll}[e.Stats]
	return Schedule{Rows: rows, Every: e.Interval, Sample: SampleRows}
}

// hold returns the state that a naive method normalizes with, refreshed from the batch's
// own value: in training every so many steps; in a graph that refreshes, a running
// statistic moved by alpha, or replaced where the rows are more than a batch or the first.
func (e External) hold(s *Scope, own, running func() *G.Node, now *G.Node) (*G.Node, error) {
	if !s.Mode.Refreshes() {
		state := own()
		_, err := ops.Assign(state, now, e.Interval, false)
		return state, err
	}
	alpha := e.Alpha
	if s.Mode == Starting || e.Stats != EMA {
		alpha = 1
	}
	state := running()
	next, err := ops.EMA(state, now, alpha, 1)
	if err != nil {
		return nil, err
	}
	_, err = ops.Assign(state, next, 1, false)
	return state, err
}
