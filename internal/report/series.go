package report

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// series is what the page's script draws: the curves of its charts as numbers.
type series struct {
	Live   bool          `json:"live"`  // the page is served while its run trains: there is news
	Shape  string        `json:"shape"` // says which charts there are
	Panels []panelSeries `json:"panels"`
	Arms   []armSeries   `json:"arms"`
}

type panelSeries struct {
	Title   string `json:"title"`
	X       string `json:"x"`     // "steps" or "seconds"
	LogX    bool   `json:"logX"`  // at first
	LogY    bool   `json:"logY"`  // at first
	Joint   string `json:"joint"` // panels of the same one have one vertical axis; "": of its own
	Percent bool   `json:"percent"`
	Loss    bool   `json:"loss"` // can be smoothed
	Edged   bool   `json:"edged"`
	Lines   int    `json:"lines"` // index into the lines of each arm
}

// armSeries is one arm: what it is drawn with, and for each of its evaluations, or groups of
// neighbouring ones, the step, the seconds, the number of seeds, and of each chart the values.
type armSeries struct {
	Name    string        `json:"name"`
	Style   string        `json:"style"` // classes of the style sheet
	Thinned bool          `json:"thinned"`
	Steps   []short       `json:"steps"`
	Seconds []short       `json:"seconds"`
	Seeds   []int         `json:"seeds"`
	Lines   []*lineSeries `json:"lines"`
}

// lineSeries is one arm's values in a chart. Low and High are left out where they are Mid.
type lineSeries struct {
	Mid   []short      `json:"mid"`
	Low   []short      `json:"lo,omitempty"`
	High  []short      `json:"hi,omitempty"`
	Marks []markSeries `json:"marks,omitempty"` // where seeds diverged
}

type markSeries struct {
	Step    short  `json:"step"`
	Seconds short  `json:"seconds"`
	Y       short  `json:"y"`
	Label   string `json:"label"`
}

// short is a number with seven significant digits in JSON, null where there is none.
type short float64

// MarshalJSON implements json.Marshaler.
func (s short) MarshalJSON() ([]byte, error) {
	if !finite(float64(s)) {
		return []byte("null"), nil
	}
	if whole := float64(s) == math.Trunc(float64(s)); whole && math.Abs(float64(s)) < 1e15 { // a count stays what it is
		return strconv.AppendFloat(nil, float64(s), 'f', -1, 64), nil
	}
	return strconv.AppendFloat(nil, float64(s), 'g', 7, 64), nil
}

func shorts(xs []float64) []short {
	out := make([]short, len(xs))
	for i, x := range xs {
		out[i] = short(x)
	}
	return out
}

// add appends the panel and returns its index in the page. A panel over seconds shows the
// lines of the one that is given, over steps.
func (s *series) add(p *panel, of int) int {
	d := panelSeries{Title: strings.TrimSuffix(p.title, logTitle), X: stepsLabel, LogX: p.x.log, LogY: p.y.log,
		Joint: p.joint, Percent: p.percent, Loss: p.loss, Lines: len(s.Panels)}
	if strings.HasPrefix(p.xLabel, secondsLabel) {
		d.X = secondsLabel
	}
	for i := range s.Arms {
		s.Arms[i].Lines = append(s.Arms[i].Lines, nil)
	}
	if of >= 0 {
		d.Lines = of
	}
	for _, l := range p.lines {
		d.Edged = d.Edged || l.edged
		if of >= 0 {
			continue
		}
		ls := &lineSeries{Mid: shorts(l.raw.mid)}
		if l.raw.banded(0, len(l.raw.mid)) {
			ls.Low, ls.High = shorts(l.raw.lo), shorts(l.raw.hi)
		}
		for _, m := range l.marks {
			ls.Marks = append(ls.Marks, markSeries{short(m.point.Step), short(m.point.Seconds), short(m.y), m.label})
		}
		s.Arms[l.arm].Lines[d.Lines] = ls
	}
	s.Panels = append(s.Panels, d)
	return len(s.Panels) - 1
}

// newSeries returns the arms without lines.
func newSeries(run *Run, points [][]Point) series {
	s := series{Panels: []panelSeries{}, Arms: []armSeries{}}
	styles := armStyles(run.Arms)
	for i, arm := range run.Arms {
		steps := aggregate(points[i], stepOf, stepOf)
		a := armSeries{Name: arm.Name, Style: styles[i].classes(), Thinned: len(steps.x) > mostDrawn, Seeds: []int{},
			Steps: shorts(steps.thin().mid), Seconds: shorts(aggregate(points[i], stepOf, secondsOf).thin().mid)}
		for _, n := range seedCounts(points[i]).thin().lo {
			a.Seeds = append(a.Seeds, int(n))
		}
		s.Arms = append(s.Arms, a)
	}
	return s
}

// seedCounts has an entry for every step of the points: the number of seeds.
func seedCounts(points []Point) curve {
	var c curve
	for i := 0; i < len(points); {
		j := i
		for j < len(points) && points[j].Step == points[i].Step {
			j++
		}
		n := float64(j - i)
		c.append(n, n, n, n)
		i = j
	}
	return c
}

// encode returns the JSON, safe in HTML.
func (s *series) encode() (string, error) {
	data, err := json.Marshal(s)
	return string(data), err
}
