package report

import (
	"math"
	"slices"
	"strings"
)

// Figure is a picture of charts in rows and columns. The charts of a row have the same
// vertical axis, and the same horizontal one.
type Figure struct {
	File    string   // name of the PNG file
	Title   string   // what it shows, in a line
	Caption string   // how to read it
	Lines   []string // small print under the title
	Warning string   // what must not be overlooked, such as synthetic data
	Rows    [][]Panel
}

// Panel is a chart of a Figure.
type Panel struct {
	Title string
	Show  Quantity
	Run   *Run
	Arms  []string // which of the run's; nil: all
	Less  string   // what their names end in that the legend leaves out
}

// Quantity is what a Panel shows.
type Quantity int

// The quantities. Those by quartiles have the median over seeds with a band from the first to
// the third quartile, the others the mean with a band that holds every seed.
const (
	LossBySteps                Quantity = iota // logarithmic
	BiasBySteps                                // rms of the largest layer, logarithmic
	UnitBySteps                                // percentiles of one unit's input, of the first seed
	AccuracyQuartilesBySteps                   // the error on a logarithmic scale
	AccuracyQuartilesBySeconds                 // the same, over a logarithmic axis of seconds
)

// panel returns the chart.
func (p *Panel) panel() panel {
	run := *p.Run
	if p.Arms != nil {
		run.Arms = nil
		for _, name := range p.Arms {
			for _, a := range p.Run.Arms {
				if a.Name == name {
					run.Arms = append(run.Arms, a)
				}
			}
		}
	}
	points := pointsByArm(&run)
	var out panel
	switch p.Show {
	case LossBySteps:
		out = lossBySteps.panel(&run, points)
	case BiasBySteps:
		out = largestBiasBySteps.panel(&run, points)
	case UnitBySteps:
		if ps, _ := percentilePanels(&run, points); len(ps) > 0 {
			out = ps[0]
		} else {
			out = panel{xLabel: stepsLabel, empty: true}
		}
	case AccuracyQuartilesBySteps:
		out = stretched(&run, points, stepOf, stepsLabel)
	case AccuracyQuartilesBySeconds:
		out = stretched(&run, points, secondsOf, secondsLabel)
	}
	out.title = p.Title
	for i := range out.lines {
		out.lines[i].name = strings.TrimSuffix(out.lines[i].name, p.Less)
	}
	return out
}

// stretch spreads accuracies near 1: minus the logarithm of the error, of which none is
// smaller than one image of 20,000.
func stretch(accuracy float64) float64 { return -math.Log10(max(1-accuracy, 5e-5)) }

// stretched draws the quartiles of the accuracy with the error on a logarithmic scale.
func stretched(run *Run, points [][]Point, x quantity, label string) panel {
	p := panel{xLabel: label}
	styles := armStyles(run.Arms)
	for i, arm := range run.Arms {
		p.lines = append(p.lines, line{arm: i, name: arm.Name, style: styles[i],
			curve: quartileCurve(points[i], x, func(pt *Point) float64 { return stretch(pt.TestAccuracy) })})
	}
	p.fit(chart{xLabel: label, xTicks: countTicks})
	if label == secondsLabel && !p.empty && !p.x.log {
		end := p.x.max
		p.xLabel += " (log scale)"
		p.x = logAxis(p.dropStart(), end)
	}
	return p
}

func stretchedAxis(lo, hi float64) axis {
	room := 0.04 * (hi - lo)
	a := axis{min: max(lo-room, 0), max: hi + room}
	for _, t := range []struct {
		at    float64
		label string
	}{{0.2, "20 %"}, {0.5, "50 %"}, {0.7, "70 %"}, {0.8, "80 %"}, {0.9, "90 %"}, {0.95, "95 %"}, {0.97, "97 %"}, {0.98, "98 %"}, {0.99, "99 %"}} {
		if y := stretch(t.at); y >= a.min && y <= a.max {
			a.ticks = append(a.ticks, tick{y, t.label})
		}
	}
	return a
}

// quartileCurve reduces the points of one arm, sorted by step, to the median with the first
// and third quartile.
func quartileCurve(points []Point, x, y quantity) curve {
	var c curve
	for i := 0; i < len(points); {
		var xs, ys []float64
		j := i
		for ; j < len(points) && points[j].Step == points[i].Step; j++ {
			if px, py := x(&points[j]), y(&points[j]); drawable(px) && drawable(py) {
				xs, ys = append(xs, px), append(ys, py)
			}
		}
		if len(ys) > 0 {
			slices.Sort(ys)
			c.append(xs[0], Quantile(ys, 0.5), Quantile(ys, 0.25), Quantile(ys, 0.75))
		}
		i = j
	}
	return c
}

// Quantile interpolates linearly at position q(n-1) of sorted values; it is NaN of none. A
// value between a finite and an infinite one is infinite.
func Quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	i := int(at)
	if f := at - float64(i); f > 0 {
		return (1-f)*sorted[i] + f*sorted[i+1]
	}
	return sorted[i]
}

// panels returns the charts, those of a row with the same axes.
func (f *Figure) panels() [][]panel {
	var out [][]panel
	for _, row := range f.Rows {
		var ps []panel
		for i := range row {
			ps = append(ps, row[i].panel())
		}
		if len(row) > 0 {
			row[0].Show.join(ps)
		}
		out = append(out, ps)
	}
	return out
}

// join gives charts of one quantity axes that hold all of them.
func (q Quantity) join(ps []panel) {
	lo, hi, ok := jointBounds(ps)
	if !ok {
		return
	}
	first, last := math.Inf(1), 0.0
	for i := range ps {
		if !ps[i].empty {
			first, last = min(first, ps[i].x.min), max(last, ps[i].x.max)
		}
	}
	for i := range ps {
		if p := &ps[i]; !p.empty {
			p.y = q.yAxis(lo, hi)
			if p.x.log {
				p.x = logAxis(first, last)
			} else {
				p.x = linearAxis(0, last, countTicks, true)
			}
		}
	}
}

func (q Quantity) yAxis(lo, hi float64) axis {
	switch q {
	case LossBySteps, BiasBySteps:
		return logAxis(lo, hi)
	case UnitBySteps:
		return linearAxis(lo, hi, plainTicks, false)
	}
	return stretchedAxis(lo, hi)
}
