package benchmarks

import (
	"fmt"
	"math"

	"driftless/engine/device"
	"driftless/internal/report"
	"driftless/models/norm"
)

// DriftArm is one arm of the worked example: what happened, and what the closed
// form says. A number that does not apply to the arm is NaN, null in JSON.
type DriftArm struct {
	Name               string        `json:"name"`
	LR                 float64       `json:"lr"`
	Steps              int           `json:"steps"`              // updates
	LossFirst          report.Number `json:"lossFirst"`          // before the first update
	LossLast           report.Number `json:"lossLast"`           // after the last one
	BiasFirst          report.Number `json:"biasFirst"`          // b before the first update
	BiasLast           report.Number `json:"biasLast"`           // b after the last one
	BiasPredicted      report.Number `json:"biasPredicted"`      // BiasLast by the closed form; null past a collapse, where none holds
	MaxAbsBiasGradient report.Number `json:"maxAbsBiasGradient"` // largest |∂l/∂b| that a step saw
	CollapseStep       *int          `json:"collapseStep"`       // the update that takes w through zero; null where nothing scales
	CollapsePredicted  report.Number `json:"collapsePredicted"`  // t* = w₀²/(2·lr·Γ); null where nothing scales
	Agrees             bool          `json:"agrees"`             // every check against the closed form holds

	points []driftPoint
	law    driftLaw
	checks []driftCheck
}

// DriftResult is what `driftless drift --json` prints.
type DriftResult struct {
	Arms   []DriftArm `json:"arms"`
	Agrees bool       `json:"agrees"` // all arms agree with their closed forms
}

// The names of the arms.
const (
	armCenter      = "naive center"
	armCenterW     = "naive center, w too"
	armCenterScale = "naive center+scale"
	armGraph       = "in graph"
)

// The settings of the arms. With a rate of 0.1 the centring arms are redone by
// hand, and 5000 steps move b by 500. Scaling needs a small rate for its law,
// which is that of small steps: it collapses after 1000, and half as many again
// show what follows.
const (
	centerLR, centerSteps  = 0.1, 5000
	scaleLR, scaleSteps    = 1e-3, 1500
	scaleEps               = 1e-12 // so small that only a collapsed w notices
	weightStart, biasStart = 1.0, 0.5
)

// The batches. Centred, the first is x̂ = (−2, −1, 1, 2). Its targets have mean 1,
// which no b can give x̂, so the force on b never ends. The second has mean 0 and
// variance 1 already; its targets want half the scale that normalization imposes.
var (
	centerU, centerY = []float64{-1, 0, 2, 3}, []float64{2, 1, -1, 2}
	scaleU, scaleY   = []float64{-1, -1, 1, 1}, []float64{0, 1, 1, 2}
)

// driftCase is an arm to run.
type driftCase struct {
	name  string
	layer driftLayer
	steps int
}

// driftCases returns the arms in the order of the output.
func driftCases() []driftCase {
	center := driftLayer{u: centerU, y: centerY, w: weightStart, b: biasStart, norm: norm.Must("center:naive"), lr: centerLR, train: []string{"b"}}
	centerW := center
	centerW.train = []string{"w", "b"}
	graph := centerW
	graph.norm = norm.Must("center:graph")
	scale := driftLayer{u: scaleU, y: scaleY, w: weightStart, b: biasStart, norm: norm.Must(fmt.Sprintf("standardize:naive:eps=%v", scaleEps)), lr: scaleLR, train: []string{"w", "b"}}
	return []driftCase{
		{armCenter, center, centerSteps},
		{armCenterW, centerW, centerSteps},
		{armCenterScale, scale, scaleSteps},
		{armGraph, graph, centerSteps},
	}
}

// Drift trains the example of Ioffe & Szegedy (2015, section 2) in float64: one
// layer on one fixed batch, normalized with statistics that the gradient takes
// for constants, and in the graph. It compares every arm with its closed form. An arm
// that does not agree is no error: Agrees is false.
func Drift(dev device.Device) (*DriftResult, error) {
	r := &DriftResult{Agrees: true}
	for _, c := range driftCases() {
		points, err := c.layer.run(dev, c.steps)
		if err != nil {
			return nil, fmt.Errorf("drift, arm %q: %w", c.name, err)
		}
		a := newDriftArm(c.name, c.layer, points)
		r.Agrees = r.Agrees && a.Agrees
		r.Arms = append(r.Arms, a)
	}
	return r, nil
}

// newDriftArm summarizes and checks a run.
func newDriftArm(name string, l driftLayer, points []driftPoint) DriftArm {
	steps := len(points) - 1
	first, last := points[0], points[steps]
	a := DriftArm{Name: name, LR: l.lr, Steps: steps, LossFirst: report.Number(first.loss), LossLast: report.Number(last.loss),
		BiasFirst: report.Number(first.b), BiasLast: report.Number(last.b), BiasPredicted: report.Number(math.NaN()),
		CollapsePredicted: report.Number(math.NaN()), points: points, law: l.law()}
	for _, p := range points[:steps] {
		a.MaxAbsBiasGradient = max(a.MaxAbsBiasGradient, report.Number(math.Abs(p.db)))
	}
	if a.law.holds(steps) {
		a.BiasPredicted = report.Number(a.law.bias(steps))
	}
	if a.law.collapse > 0 {
		a.CollapseStep, a.CollapsePredicted = collapseStep(points), report.Number(a.law.collapse)
	}
	a.check(l)
	return a
}

// collapseStep returns the number of updates after which w has first changed its
// sign, and x̂ with it; nil if it never does.
func collapseStep(points []driftPoint) *int {
	for t, p := range points {
		if !(p.w*points[0].w > 0) {
			return &t
		}
	}
	return nil
}
