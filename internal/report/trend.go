package report

import (
	"fmt"
	"math"
	"strconv"
)

// trend describes the largest absolute hidden bias of an arm, over layers and
// seeds, in the course of a run.
type trend struct {
	first, mid, last float64 // at the first evaluation, nearest to half of the last step, at the last
	most             float64 // the largest of all
	moved            float64 // the largest distance from first
	halved           bool    // mid is an evaluation between first and last
	exponent         float64 // slope of log bias against log step over the last half, NaN if unknown
}

// biasTrend reads the trend from the points of one arm, sorted by step. It is
// false if no point has a finite bias.
func biasTrend(points []Point) (trend, bool) {
	var steps, biases []float64
	for i := 0; i < len(points); {
		j, most := i, math.NaN()
		for ; j < len(points) && points[j].Step == points[i].Step; j++ {
			if b := largest(points[j].BiasMaxAbs); drawable(b) && !(b <= most) {
				most = b
			}
		}
		if !math.IsNaN(most) {
			steps, biases = append(steps, float64(points[i].Step)), append(biases, most)
		}
		i = j
	}
	n := len(steps)
	if n == 0 {
		return trend{}, false
	}
	t := trend{first: biases[0], last: biases[n-1], exponent: math.NaN()}
	half, mid := steps[n-1]/2, 0
	for i, b := range biases {
		t.most = max(t.most, b)
		t.moved = max(t.moved, math.Abs(b-t.first))
		if math.Abs(steps[i]-half) < math.Abs(steps[mid]-half) {
			mid = i
		}
	}
	t.mid, t.halved = biases[mid], mid > 0 && mid < n-1
	t.exponent = growthExponent(steps[mid:], biases[mid:])
	return t, true
}

// growthExponent is the least-squares slope of log y against log x: 1 for linear
// growth, 0.5 for diffusion. It is NaN for fewer than three positive pairs.
func growthExponent(xs, ys []float64) float64 {
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

// growing reports whether the bias grew by more than a fifth over the last half.
func (t trend) growing() bool { return t.halved && t.last > growthLimit*t.mid }

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
