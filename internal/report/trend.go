package report

import (
	"fmt"
	"math"
	"strconv"
)

// trend describes the largest hidden bias (see largestBias) of an arm in the course
// of a run.
type trend struct {
	first, mid, last float64 // before the first step, nearest to half of the last step, at the last
	lastStep         int
	most             float64 // the largest of all
	moved            float64 // the largest distance from first
	halved           bool    // mid is an evaluation between first and last
	exponent         float64 // slope of log bias against log step over the last half, NaN if unknown
}

// biasTrend reads the trend of some seeds from the points of one arm. It is false
// unless there is an evaluation before the first step and one after: what a first
// evaluation later on has moved by is not known.
func biasTrend(points []Point, seeds []int) (trend, bool) {
	var steps, biases []float64
	all, at := evaluated(points, seeds)
	for i, ps := range at {
		if b := largestBias(ps); drawable(b) {
			steps, biases = append(steps, float64(all[i])), append(biases, b)
		}
	}
	n := len(steps)
	if n < 2 || steps[0] != 0 {
		return trend{}, false
	}
	t := trend{first: biases[0], last: biases[n-1], lastStep: int(steps[n-1]), exponent: math.NaN()}
	half, mid := steps[n-1]/2, 0
	for i, b := range biases {
		t.most = max(t.most, b)
		t.moved = max(t.moved, math.Abs(b-t.first))
		if math.Abs(steps[i]-half) < math.Abs(steps[mid]-half) {
			mid = i
		}
	}
	t.mid, t.halved = biases[mid], mid > 0 && mid < n-1
	t.exponent = GrowthExponent(steps[mid:], biases[mid:])
	return t, true
}

// GrowthExponent is the least-squares slope of log y against log x: 1 for linear
// growth, 0.5 for diffusion. It is NaN for fewer than three positive pairs.
func GrowthExponent(xs, ys []float64) float64 {
	var n, sx, sy, sxx, sxy float64
	for i := range xs {
		if xs[i] <= 0 || ys[i] <= 0 {
			continue
		}
		x, y := math.Log(xs[i]), math.Log(ys[i])
		n++
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	if spread := n*sxx - sx*sx; n >= 3 && spread > 0 {
		return (n*sxy - sx*sy) / spread
	}
	return math.NaN()
}

// Growing reports whether an arm's largest hidden bias grew by more than a fifth over the last
// half of the run, in the seeds that did not diverge.
func (r *Run) Growing(arm string) bool {
	for i := range r.Arms {
		if a := &r.Arms[i]; a.Name == arm {
			t, ok := biasTrend(r.pointsOf(arm), a.steady())
			return ok && t.growing()
		}
	}
	return false
}

// growing reports whether the bias grew by more than a fifth over the last half.
func (t trend) growing() bool { return t.halved && t.last > growthLimit*t.mid }

// path prints where the bias began and ended.
func (t trend) path() string {
	verb := "went"
	if t.growing() {
		verb = "grew"
	}
	return fmt.Sprintf("%s from %s to %s", verb, formatNumber(t.first), formatNumber(t.last))
}

// pace prints the change over the last half: "+48 % over the last half, roughly
// as steps^0.55", or only "+4 %" if that is no growth.
func (t trend) pace() string {
	s := "from " + formatNumber(t.mid)
	if t.mid > 0 && t.last < 100*t.mid {
		s = fmt.Sprintf("%+.0f %%", 100*(t.last/t.mid-1))
	}
	if t.growing() {
		s += " over the last half"
		if finite(t.exponent) {
			s += ", roughly as steps^" + strconv.FormatFloat(t.exponent, 'f', 2, 64)
		}
	}
	return s
}
