package report

import (
	"fmt"
	"math"
	"slices"
)

// panel is one chart, ready to draw as SVG or as pixels.
type panel struct {
	title, xLabel string
	x, y          axis
	lines         []line
	empty         bool   // nothing can be drawn; the axes are not valid
	joint         string // panels of the same one have one vertical axis; "": of its own
	percent       bool   // fractions, printed in per cent
	loss          bool   // which the page can smooth
}

// line is one arm's curve in a panel.
type line struct {
	arm   int // index in Run.Arms
	name  string
	style lineStyle
	curve curve
	raw   curve // the same with the values that a logarithmic axis has no place for
	marks []mark
	edged bool // the band is itself data (percentiles): draw its edges
}

// mark is where a seed diverged.
type mark struct {
	x, y  float64
	point *Point
	label string
}

// scale is the kind of a vertical axis.
type scale int

const (
	linearScale  scale = iota
	logScale           // values that are not positive are gaps
	percentScale       // fractions, linear, printed in per cent
	autoScale          // logarithmic if the values are positive and span more than a factor of 20
)

// chart says what a panel shows.
type chart struct {
	title  string
	x, y   quantity
	xLabel string
	xTicks tickStyle
	scale  scale
	loss   bool // the page can smooth it
}

// logTitle ends the title of a chart whose vertical axis is logarithmic.
const logTitle = " (log scale)"

const (
	stepsLabel   = "steps"
	secondsLabel = "seconds"
)

func stepOf(p *Point) float64    { return float64(p.Step) }
func secondsOf(p *Point) float64 { return p.Seconds }

var (
	lossBySteps = chart{"Training loss" + logTitle, stepOf, func(p *Point) float64 { return p.Loss },
		stepsLabel, countTicks, logScale, true}
	testLossBySteps = chart{"Test loss" + logTitle, stepOf, func(p *Point) float64 { return p.TestLoss },
		stepsLabel, countTicks, logScale, true}
	accuracyBySteps = chart{"Test accuracy", stepOf, func(p *Point) float64 { return p.TestAccuracy },
		stepsLabel, countTicks, percentScale, false}
	validationLoss = chart{"Validation loss" + logTitle, stepOf, ofValidation(func(v *Validation) float64 { return v.Loss }),
		stepsLabel, countTicks, logScale, true}
	validationAccuracy = chart{"Validation accuracy", stepOf, ofValidation(func(v *Validation) float64 { return v.Accuracy }),
		stepsLabel, countTicks, percentScale, false}
	lossBySeconds = chart{"Training loss against time" + logTitle, secondsOf, lossBySteps.y,
		secondsLabel, plainTicks, logScale, true}
	testLossBySeconds = chart{"Test loss against time" + logTitle, secondsOf, testLossBySteps.y,
		secondsLabel, plainTicks, logScale, true}
	accuracyBySeconds = chart{"Test accuracy against time", secondsOf, accuracyBySteps.y,
		secondsLabel, plainTicks, percentScale, false}
	largestBiasBySteps = chart{"Hidden bias, rms, largest layer" + logTitle, stepOf,
		func(p *Point) float64 { return largest(p.BiasRMS) }, stepsLabel, countTicks, logScale, false}
)

func ofValidation(y func(*Validation) float64) quantity {
	return func(p *Point) float64 {
		if p.Validation == nil {
			return math.NaN()
		}
		return y(p.Validation)
	}
}

// layerChart shows one layer's entry of a list.
func layerChart(title string, list func(*Point) []float64, layer int, s scale) chart {
	return chart{fmt.Sprintf("Layer %d: %s", layer+1, title), stepOf, func(p *Point) float64 {
		if xs := list(p); layer < len(xs) {
			return xs[layer]
		}
		return math.NaN()
	}, stepsLabel, countTicks, s, false}
}

// largest returns the largest element, NaN if there is none or one is NaN.
func largest(xs []float64) float64 {
	if len(xs) == 0 {
		return math.NaN()
	}
	out := math.Inf(-1)
	for _, x := range xs {
		out = max(out, x)
	}
	return out
}

// panel draws the chart's quantity for every arm. Points are pointsByArm's.
func (c chart) panel(run *Run, points [][]Point) panel {
	p := panel{title: c.title, xLabel: c.xLabel, percent: c.scale == percentScale, loss: c.loss}
	y := c.y
	if c.scale == logScale {
		y = func(pt *Point) float64 {
			if v := c.y(pt); v >= smallestDrawn {
				return v
			}
			return math.NaN()
		}
	}
	styles := armStyles(run.Arms)
	for i, arm := range run.Arms {
		p.lines = append(p.lines, line{
			arm: i, name: arm.Name, style: styles[i],
			curve: aggregate(points[i], c.x, y).thin(), raw: aggregate(points[i], c.x, c.y).thin(),
			marks: divergenceMarks(&arm, points[i], c.x, y),
		})
	}
	p.fit(c)
	return p
}

// divergenceMarks returns, for each seed that diverged, its last drawable point.
func divergenceMarks(arm *Arm, points []Point, x, y quantity) []mark {
	var marks []mark
	for i, seed := range arm.Seeds {
		if i >= len(arm.DivergedAt) || arm.DivergedAt[i] == nil {
			continue
		}
		for j := len(points) - 1; j >= 0; j-- {
			p := &points[j]
			if p.Seed == seed && drawable(x(p)) && drawable(y(p)) {
				label := fmt.Sprintf("%s: seed %d diverged at step %s", arm.Name, seed, formatInt(*arm.DivergedAt[i]))
				marks = append(marks, mark{x(p), y(p), p, label})
				break
			}
		}
	}
	return marks
}

// bounds returns the range of everything drawn.
func (p *panel) bounds() (xMax, yMin, yMax float64, ok bool) {
	yMin, yMax = math.Inf(1), math.Inf(-1)
	for _, l := range p.lines {
		for i := range l.curve.x {
			if math.IsNaN(l.curve.mid[i]) {
				continue
			}
			xMax = max(xMax, l.curve.x[i])
			yMin, yMax = min(yMin, l.curve.lo[i]), max(yMax, l.curve.hi[i])
		}
		for _, m := range l.marks {
			xMax = max(xMax, m.x)
			yMin, yMax = min(yMin, m.y), max(yMax, m.y)
		}
	}
	return xMax, yMin, yMax, yMin <= yMax
}

// fit gives the panel axes that hold its lines. The horizontal one starts at 0, unless
// arms take such different times that most would be crushed into a corner.
func (p *panel) fit(c chart) {
	xMax, yMin, yMax, ok := p.bounds()
	if !ok || (xMax == 0 && c.xLabel == secondsLabel) {
		p.empty = true
		return
	}
	if xMax == 0 {
		xMax = 1
	}
	p.y = c.yAxis(yMin, yMax)
	if c.xLabel == secondsLabel && p.apart() {
		p.xLabel += " (log scale)"
		p.x = logAxis(p.dropStart(), xMax)
		return
	}
	p.x = linearAxis(0, xMax, c.xTicks, true)
}

// apart reports whether the longest line is several times as long as the shortest.
func (p *panel) apart() bool {
	const several = 5
	shortest, longest := math.Inf(1), 0.0
	for _, l := range p.lines {
		end := 0.0
		for _, x := range l.curve.x {
			if x > end {
				end = x
			}
		}
		if end > 0 {
			shortest, longest = min(shortest, end), max(longest, end)
		}
	}
	return longest > several*shortest
}

// dropStart takes the points at 0 off the lines, for which a logarithmic axis has no
// place, and returns the smallest value left.
func (p *panel) dropStart() float64 {
	first := math.Inf(1)
	for i := range p.lines {
		l := &p.lines[i]
		for c := &l.curve; len(c.x) > 0 && !(c.x[0] > 0); {
			c.x, c.mid, c.lo, c.hi = c.x[1:], c.mid[1:], c.lo[1:], c.hi[1:]
		}
		l.marks = slices.DeleteFunc(l.marks, func(m mark) bool { return !(m.x > 0) })
		if len(l.curve.x) > 0 {
			first = min(first, l.curve.x[0])
		}
	}
	return first
}

// yAxis covers [lo, hi] on the chart's scale.
func (c chart) yAxis(lo, hi float64) axis {
	switch {
	case c.scale == logScale, c.scale == autoScale && lo >= smallestDrawn && hi/lo > 20:
		return logAxis(lo, hi)
	case c.scale == percentScale:
		return linearAxis(lo, hi, percentTicks, false)
	default:
		return linearAxis(lo, hi, plainTicks, false)
	}
}

// layerPanels draws one panel a hidden layer, all with the same vertical axis, so
// that layers can be compared.
func layerPanels(run *Run, points [][]Point, layers int, title string, list func(*Point) []float64, s scale) []panel {
	var c chart
	panels := make([]panel, layers)
	for layer := range panels {
		c = layerChart(title, list, layer, s)
		panels[layer] = c.panel(run, points)
	}
	if lo, hi, ok := jointBounds(panels); ok {
		shareY(panels, title, c.yAxis(lo, hi))
	}
	for i := range panels {
		if panels[i].y.log {
			panels[i].title += logTitle
		}
	}
	return panels
}

// jointBounds returns the vertical range of all panels.
func jointBounds(panels []panel) (lo, hi float64, ok bool) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for i := range panels {
		_, yMin, yMax, _ := panels[i].bounds()
		lo, hi = min(lo, yMin), max(hi, yMax)
	}
	return lo, hi, lo <= hi
}

// shareY gives panels one vertical axis, under a name that no other panels have.
func shareY(panels []panel, joint string, y axis) {
	for i := range panels {
		panels[i].joint = joint
		if !panels[i].empty {
			panels[i].y = y
		}
	}
}

// percentilePanels returns one panel an arm with the percentiles of its first
// seed: units of different seeds are different units, so averaging them would
// show none. The panels share a vertical axis where their ranges are alike.
func percentilePanels(run *Run, points [][]Point) (panels []panel, shared bool) {
	styles := armStyles(run.Arms)
	smallest := math.Inf(1) // height of the lowest panel
	for i, arm := range run.Arms {
		if len(points[i]) == 0 {
			continue
		}
		seed := points[i][0].Seed
		if len(arm.Seeds) > 0 {
			seed = arm.Seeds[0]
		}
		c := percentileCurve(points[i], seed).thin()
		p := panel{title: fmt.Sprintf("%s, seed %d", arm.Name, seed), xLabel: stepsLabel}
		p.lines = []line{{arm: i, name: arm.Name, style: styles[i], curve: c, raw: c, edged: true}}
		p.fit(chart{xTicks: countTicks})
		if _, yMin, yMax, ok := p.bounds(); ok {
			smallest = min(smallest, yMax-yMin)
		}
		panels = append(panels, p)
	}
	const alike = 5 // a panel at a fifth of its height can still be read
	lo, hi, _ := jointBounds(panels)
	shared = len(panels) > 1 && hi-lo <= alike*smallest
	if shared {
		shareY(panels, "percentiles", linearAxis(lo, hi, plainTicks, false))
	}
	return panels, shared
}

// percentileCurve has an entry for every step of the arm's points, as every curve has: those of
// one seed, a gap where it has none.
func percentileCurve(points []Point, seed int) curve {
	var c curve
	for i := 0; i < len(points); {
		nan := math.NaN()
		x, q := nan, [3]float64{nan, nan, nan}
		j := i
		for ; j < len(points) && points[j].Step == points[i].Step; j++ {
			if p := &points[j]; p.Seed == seed && drawable(p.Percentiles[0]) && drawable(p.Percentiles[1]) && drawable(p.Percentiles[2]) {
				x, q = float64(p.Step), p.Percentiles
			}
		}
		c.append(x, q[1], q[0], q[2])
		i = j
	}
	return c
}
