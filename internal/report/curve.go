package report

import (
	"cmp"
	"math"
	"slices"
)

// These bound what is drawn, so that axes keep finite widths. A value beyond the
// first says no more than that a run has diverged; on a logarithmic axis, one
// below the second is zero.
const (
	largestDrawn  = 1e100
	smallestDrawn = 1e-100
)

func drawable(x float64) bool { return math.Abs(x) <= largestDrawn }

// curve is a mean line with its band from the smallest to the largest seed. A NaN
// in mid is a gap.
type curve struct {
	x, mid, lo, hi []float64
}

// quantity reads one number from a point; NaN means that there is none.
type quantity func(*Point) float64

// aggregate reduces the points of one arm, sorted by step, to a curve over its
// seeds. Values that cannot be drawn are left out of the mean of their step.
func aggregate(points []Point, x, y quantity) curve {
	var c curve
	for i := 0; i < len(points); {
		j := i
		var sumX, sumY, n float64
		lo, hi := math.Inf(1), math.Inf(-1)
		for ; j < len(points) && points[j].Step == points[i].Step; j++ {
			px, py := x(&points[j]), y(&points[j])
			if !drawable(px) || !drawable(py) {
				continue
			}
			n++
			sumX += px
			sumY += py
			lo, hi = min(lo, py), max(hi, py)
		}
		if n > 0 {
			c.append(sumX/n, sumY/n, lo, hi)
		} else {
			c.append(math.NaN(), math.NaN(), math.NaN(), math.NaN())
		}
		i = j
	}
	return c
}

func (c *curve) append(x, mid, lo, hi float64) {
	c.x, c.mid = append(c.x, x), append(c.mid, mid)
	c.lo, c.hi = append(c.lo, lo), append(c.hi, hi)
}

// mostDrawn is the largest number of points a curve is drawn with: about one a
// pixel of a chart.
const mostDrawn = 400

// thin joins neighbours of a long curve so that at most mostDrawn points remain.
// The mean is over the group and the band holds all of it; a gap stays a gap only
// if nothing in its group can be drawn.
func (c curve) thin() curve {
	n := len(c.x)
	if n <= mostDrawn {
		return c
	}
	var out curve
	for g := range mostDrawn {
		var sumX, sumMid, count float64
		lo, hi := math.Inf(1), math.Inf(-1)
		for i := g * n / mostDrawn; i < (g+1)*n/mostDrawn; i++ {
			if math.IsNaN(c.mid[i]) {
				continue
			}
			count++
			sumX += c.x[i]
			sumMid += c.mid[i]
			lo, hi = min(lo, c.lo[i]), max(hi, c.hi[i])
		}
		if count > 0 {
			out.append(sumX/count, sumMid/count, lo, hi)
		} else {
			out.append(math.NaN(), math.NaN(), math.NaN(), math.NaN())
		}
	}
	return out
}

// segments returns the index ranges [from, to) between gaps.
func (c curve) segments() [][2]int {
	var out [][2]int
	from := -1
	for i := range c.mid {
		switch gap := math.IsNaN(c.mid[i]); {
		case !gap && from < 0:
			from = i
		case gap && from >= 0:
			out = append(out, [2]int{from, i})
			from = -1
		}
	}
	if from >= 0 {
		out = append(out, [2]int{from, len(c.mid)})
	}
	return out
}

// banded reports whether the band of points [from, to) has any height.
func (c curve) banded(from, to int) bool {
	for i := from; i < to; i++ {
		if c.hi[i] > c.lo[i] {
			return true
		}
	}
	return false
}

// pointsByArm returns the points of each arm, sorted by step, then seed.
func pointsByArm(run *Run) [][]Point {
	index := make(map[string]int, len(run.Arms))
	for i, arm := range run.Arms {
		index[arm.Name] = i
	}
	out := make([][]Point, len(run.Arms))
	for _, p := range run.Points {
		if i, ok := index[p.Arm]; ok {
			out[i] = append(out[i], p)
		}
	}
	for _, points := range out {
		slices.SortStableFunc(points, func(a, b Point) int {
			return cmp.Or(cmp.Compare(a.Step, b.Step), cmp.Compare(a.Seed, b.Seed))
		})
	}
	return out
}
