package report

import (
	"math"
	"slices"
)

// Instrument is what looked into a training besides its evaluations.
type Instrument struct {
	Title   string   `json:"title"`
	About   string   `json:"about"` // what it computes, and how to read it
	Columns []Column `json:"columns"`
}

// Column is a quantity of an instrument, of which Point.Probes has the numbers under its key;
// of a band the edges under the keys BandLow and BandHigh give.
type Column struct {
	Key   string `json:"key"`             // in metrics.jsonl
	Title string `json:"title"`           // of its panels, with the unit
	Layer bool   `json:"layer,omitempty"` // it has a number for each layer
	Band  bool   `json:"band,omitempty"`
	Log   bool   `json:"log,omitempty"` // drawn on a logarithmic axis
}

// Suffixes of the keys of a band's edges.
const (
	BandLow  = "_lo"
	BandHigh = "_hi"
)

// Keys returns the keys of a column's lists.
func (c Column) Keys() []string {
	if c.Band {
		return []string{c.Key, c.Key + BandLow, c.Key + BandHigh}
	}
	return []string{c.Key}
}

// instrumentData is an instrument's part of the page.
type instrumentData struct {
	Title, About string
	Charts       []chartData
}

// drawInstruments draws the panels of each instrument, without columns that hold nothing.
func drawInstruments(run *Run, points [][]Point, add func(*[]chartData, []panel, ...int)) []instrumentData {
	var out []instrumentData
	for _, in := range run.Instruments {
		d := instrumentData{Title: in.Title, About: in.About}
		for _, c := range in.Columns {
			panels := c.panels(run, points)
			if !slices.ContainsFunc(panels, func(p panel) bool { return !p.empty }) {
				continue
			}
			add(&d.Charts, panels)
		}
		if d.Charts == nil {
			d.About += " Here it has nothing to show."
		}
		out = append(out, d)
	}
	return out
}

// panels draws a column: one panel a layer, with one vertical axis, or one for the network.
func (c Column) panels(run *Run, points [][]Point) []panel {
	s := linearScale
	if c.Log {
		s = logScale
	}
	list := func(key string) func(*Point) []float64 {
		return func(p *Point) []float64 { return p.Probes[key] }
	}
	if !c.Layer {
		one := layerChart("", list(c.Key), 0, s)
		if one.title = c.Title; c.Log {
			one.title += logTitle
		}
		p := one.panel(run, points)
		if c.Band {
			c.widen(&p, 0, points)
			p.fit(one)
		}
		return []panel{p}
	}
	layers := 0
	for _, ps := range points {
		for i := range ps {
			layers = max(layers, len(ps[i].Probes[c.Key]))
		}
	}
	panels := layerPanels(run, points, layers, c.Title, list(c.Key), s)
	if !c.Band {
		return panels
	}
	for i := range panels {
		c.widen(&panels[i], i, points)
		panels[i].fit(chart{xLabel: stepsLabel, xTicks: countTicks, scale: s})
	}
	if lo, hi, ok := jointBounds(panels); ok {
		shareY(panels, c.Title, chart{scale: s}.yAxis(lo, hi))
	}
	return panels
}

// widen gives each line the band between the column's edges, means over the seeds, in place of
// that between seeds.
func (c Column) widen(p *panel, layer int, points [][]Point) {
	edge := func(key string) quantity {
		return func(pt *Point) float64 {
			if list := pt.Probes[key]; layer < len(list) && (!c.Log || list[layer] >= smallestDrawn) {
				return list[layer]
			}
			return math.NaN()
		}
	}
	for i := range p.lines {
		l := &p.lines[i]
		l.edged = true
		lo, hi := aggregate(points[i], stepOf, edge(c.Key+BandLow)).thin(), aggregate(points[i], stepOf, edge(c.Key+BandHigh)).thin()
		for _, c := range []curve{l.curve, l.raw} {
			for k := range c.x {
				if k < len(lo.mid) && k < len(hi.mid) && lo.mid[k] <= hi.mid[k] {
					c.lo[k], c.hi[k] = min(lo.mid[k], c.mid[k]), max(hi.mid[k], c.mid[k])
				}
			}
		}
	}
}
