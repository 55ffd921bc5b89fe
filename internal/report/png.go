package report

import (
	"bytes"
	"fmt"
	"image/color"
	"slices"
	"strings"
	"unicode"

	imagefont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Sizes of curves.png: 12 by 9 inches at 120 dots an inch, 1440 by 1080 pixels
// and a strip for the legend.
const (
	pngWidth     = 12 * vg.Inch
	pngPanels    = 8.2 * vg.Inch
	pngDPI       = 120
	pngMargin    = 14 * vg.Millimeter / 2
	pngTitleSize = 15
	pngTextSize  = 11.5
)

var (
	ink        = color.NRGBA{0x1c, 0x1f, 0x24, 0xff}
	softInk    = color.NRGBA{0x5b, 0x62, 0x6c, 0xff}
	gridColour = color.NRGBA{0xe3, 0xe6, 0xea, 0xff}
	alarm      = color.NRGBA{0xb0, 0x20, 0x10, 0xff}
)

func sans(size float64, weight imagefont.Weight, c color.Color) text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Weight: weight, Size: vg.Points(size)}
	return text.Style{Color: c, Font: f, Handler: plot.DefaultTextHandler}
}

// renderPNG draws curves.png: loss and accuracy, bias and accuracy against time,
// under a title that says what was run.
func renderPNG(run Run, dpi int) ([]byte, error) {
	points := pointsByArm(&run)
	grid := [2][2]panel{
		{lossBySteps.panel(&run, points), accuracyBySteps.panel(&run, points)},
		{largestBiasBySteps.panel(&run, points), accuracyBySeconds.panel(&run, points)},
	}
	legend := layOutLegend(&run, slices.Concat(grid[0][:], grid[1][:]))
	header := headerLines(&run)
	headerHeight := vg.Points(float64(20*len(header) + 8))
	height := headerHeight + legend.height + pngPanels + 2*pngMargin

	img := vgimg.NewWith(vgimg.UseWH(pngWidth, height), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(color.White))
	canvas := draw.Crop(draw.New(img), pngMargin, -pngMargin, pngMargin, -pngMargin)
	y := canvas.Max.Y
	for _, h := range header {
		h.style.YAlign = draw.YTop
		canvas.FillText(h.style, vg.Point{X: canvas.Min.X, Y: y}, h.text)
		y -= vg.Points(20)
	}
	legend.draw(canvas, canvas.Max.Y-headerHeight)

	area := draw.Crop(canvas, 0, 0, 0, -(headerHeight + legend.height))
	// The panels draw their titles above themselves, in this padding.
	tiles := draw.Tiles{Rows: 2, Cols: 2, PadTop: vg.Points(26), PadX: vg.Points(24), PadY: vg.Points(40)}
	plots := [][]*plot.Plot{
		{grid[0][0].plot(), grid[0][1].plot()},
		{grid[1][0].plot(), grid[1][1].plot()},
	}
	for i, row := range plot.Align(plots, tiles, area) {
		for j, c := range row {
			plots[i][j].Draw(c)
		}
	}
	var buf bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: img}).WriteTo(&buf); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

type headerLine struct {
	text  string
	style text.Style
}

// headerLines says what was run: data and net, conditions, and what must not be
// overlooked.
func headerLines(run *Run) []headerLine {
	lines := []headerLine{{
		oneLine(joinNonEmpty(" · ", run.Title, run.Data, run.Net), 110), sans(pngTitleSize, imagefont.WeightBold, ink),
	}}
	conditions := joinNonEmpty(" · ", run.batchText(), run.optimizerText(), run.seedsText(), run.Device)
	lines = append(lines, headerLine{oneLine(conditions, 160), sans(pngTextSize, imagefont.WeightNormal, softInk)})
	var warnings []string
	if run.Synthetic {
		warnings = append(warnings, "SYNTHETIC DATA")
	}
	if run.Interrupted {
		warnings = append(warnings, "INTERRUPTED")
	}
	if warnings != nil {
		lines = append(lines, headerLine{strings.Join(warnings, " · "), sans(pngTitleSize, imagefont.WeightBold, alarm)})
	}
	return lines
}

// oneLine makes a text from outside safe to draw: valid, on one line, not wider
// than the picture.
func oneLine(s string, longest int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	if runes := []rune(s); len(runes) > longest {
		return string(runes[:longest-1]) + "…"
	}
	return s
}

// pngLegend is the strip of arm names, broken into rows.
type pngLegend struct {
	entries []legendEntry
	height  vg.Length
}

type legendEntry struct {
	name  string
	style lineStyle
	x     vg.Length
	row   int
}

const (
	legendRow   = vg.Length(18)
	legendDash  = vg.Length(26)
	legendSpace = vg.Length(22)
)

func layOutLegend(run *Run, panels []panel) pngLegend {
	crossed := map[int]bool{} // arms with a cross in some panel
	for _, p := range panels {
		for _, l := range p.lines {
			crossed[l.arm] = crossed[l.arm] || len(l.marks) > 0
		}
	}
	style := sans(pngTextSize, imagefont.WeightNormal, ink)
	styles := armStyles(run.Arms)
	var l pngLegend
	x, row := vg.Length(0), 0
	for i, arm := range run.Arms {
		name := oneLine(arm.Name, 60)
		if n := arm.diverged(); n > 0 {
			cross := ""
			if crossed[i] {
				cross = " ×"
			}
			name += fmt.Sprintf(" (%d of %d diverged%s)", n, len(arm.Seeds), cross)
		}
		width := legendDash + 6 + style.Width(name)
		if x > 0 && x+width > pngWidth-2*pngMargin {
			x, row = 0, row+1
		}
		l.entries = append(l.entries, legendEntry{name, styles[i], x, row})
		x += width + legendSpace
	}
	l.height = legendRow*vg.Length(row+1) + 10
	return l
}

func (l pngLegend) draw(c draw.Canvas, top vg.Length) {
	style := sans(pngTextSize, imagefont.WeightNormal, ink)
	style.YAlign = draw.YCenter
	for _, e := range l.entries {
		x, y := c.Min.X+e.x, top-legendRow*(vg.Length(e.row)+0.5)
		c.StrokeLine2(e.style.stroke(2.4), x, y, x+legendDash, y)
		c.FillText(style, vg.Point{X: x + legendDash + 6, Y: y}, e.name)
	}
}

func (s lineStyle) stroke(width float64) draw.LineStyle {
	return draw.LineStyle{Color: s.ink(), Width: vg.Points(width), Dashes: s.lengths()}
}

// plot turns the panel into a gonum plot with the panel's own axes and ticks.
func (p *panel) plot() *plot.Plot {
	out := plot.New()
	out.X.Label.Text = p.xLabel
	for _, a := range []*plot.Axis{&out.X, &out.Y} {
		label, tickLabel := &a.Label.TextStyle, &a.Tick.Label
		label.Font, label.Color = sans(pngTextSize, imagefont.WeightNormal, softInk).Font, softInk
		tickLabel.Font, tickLabel.Color = sans(pngTextSize, imagefont.WeightNormal, softInk).Font, softInk
		a.LineStyle.Color, a.Tick.LineStyle.Color = softInk, softInk
		a.Padding = 0
	}
	if p.empty {
		out.X.Min, out.X.Max, out.Y.Min, out.Y.Max = 0, 1, 0, 1
		out.X.Tick.Marker, out.Y.Tick.Marker = plot.ConstantTicks(nil), plot.ConstantTicks(nil)
		out.Add(emptyPlotter{p})
		return out
	}
	p.x.apply(&out.X)
	p.y.apply(&out.Y)
	out.Add(panelPlotter{p})
	return out
}

func (a axis) apply(to *plot.Axis) {
	to.Min, to.Max = a.min, a.max
	if a.log {
		to.Scale = plot.LogScale{}
	}
	var ticks plot.ConstantTicks
	for _, t := range a.ticks {
		ticks = append(ticks, plot.Tick{Value: t.at, Label: t.label})
	}
	to.Tick.Marker = ticks
}

// drawTitle writes the title above the data, so that titles of a row are level
// whatever their tick labels.
func (p *panel) drawTitle(c draw.Canvas) {
	c.FillText(sans(13, imagefont.WeightBold, ink), vg.Point{X: c.Min.X, Y: c.Max.Y + vg.Points(9)}, p.title)
}

// panelPlotter draws a panel's grid, bands, lines and marks.
type panelPlotter struct{ *panel }

// Plot implements plot.Plotter.
func (p panelPlotter) Plot(c draw.Canvas, plt *plot.Plot) {
	px, py := plt.Transforms(&c)
	p.drawTitle(c)
	for _, t := range p.y.ticks {
		c.StrokeLine2(draw.LineStyle{Color: gridColour, Width: vg.Points(0.8)}, c.Min.X, py(t.at), c.Max.X, py(t.at))
	}
	for _, l := range p.lines {
		fill := l.style.ink()
		fill.A = 0x2e
		for _, s := range l.curve.segments() {
			if s[1]-s[0] < 2 || !l.curve.banded(s[0], s[1]) {
				continue
			}
			var outline []vg.Point
			for i := s[0]; i < s[1]; i++ {
				outline = append(outline, vg.Point{X: px(l.curve.x[i]), Y: py(l.curve.hi[i])})
			}
			for i := s[1] - 1; i >= s[0]; i-- {
				outline = append(outline, vg.Point{X: px(l.curve.x[i]), Y: py(l.curve.lo[i])})
			}
			c.FillPolygon(fill, outline)
		}
	}
	for _, l := range p.lines {
		for _, s := range l.curve.segments() {
			var ps []vg.Point
			for i := s[0]; i < s[1]; i++ {
				ps = append(ps, vg.Point{X: px(l.curve.x[i]), Y: py(l.curve.mid[i])})
			}
			if len(ps) == 1 {
				c.DrawGlyph(draw.GlyphStyle{Color: l.style.ink(), Radius: vg.Points(2.5), Shape: draw.CircleGlyph{}}, ps[0])
				continue
			}
			c.StrokeLines(l.style.stroke(1.8), ps)
		}
		for _, m := range l.marks {
			const r = vg.Length(4)
			x, y := px(m.x), py(m.y)
			cross := draw.LineStyle{Color: l.style.ink(), Width: vg.Points(2)}
			c.StrokeLine2(cross, x-r, y-r, x+r, y+r)
			c.StrokeLine2(cross, x-r, y+r, x+r, y-r)
		}
	}
}

// emptyPlotter says that a panel has nothing to show.
type emptyPlotter struct{ *panel }

// Plot implements plot.Plotter.
func (p emptyPlotter) Plot(c draw.Canvas, _ *plot.Plot) {
	p.drawTitle(c)
	style := sans(pngTextSize, imagefont.WeightNormal, softInk)
	style.XAlign, style.YAlign = draw.XCenter, draw.YCenter
	c.FillText(style, c.Center(), "nothing to draw")
}
