package benchmarks

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"strconv"

	imagefont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// The picture: 12 by 8 inches at 120 dots an inch.
const (
	driftWidth, driftHeight = 12 * vg.Inch, 8 * vg.Inch
	driftDPI                = 120
	maxPlotted              = 2000
)

// Colours of Okabe and Ito, which readers who confuse red and green tell apart;
// lines differ in dashes too.
var (
	driftInk       = color.NRGBA{0x33, 0x33, 0x33, 0xff}
	driftGrid      = color.NRGBA{0xe3, 0xe6, 0xea, 0xff}
	driftVermilion = color.NRGBA{0xd5, 0x5e, 0x00, 0xff}
	driftBlue      = color.NRGBA{0x00, 0x72, 0xb2, 0xff}
	driftGreen     = color.NRGBA{0x00, 0x9e, 0x73, 0xff}
	driftPurple    = color.NRGBA{0xcc, 0x79, 0xa7, 0xff}

	driftDashed = []vg.Length{vg.Points(7), vg.Points(5)}
	driftDotted = []vg.Length{vg.Points(2), vg.Points(3)}
)

var driftStyles = map[string]draw.LineStyle{
	armCenter:      {Color: driftVermilion, Width: vg.Points(3)},
	armCenterW:     {Color: driftBlue, Width: vg.Points(2), Dashes: driftDashed},
	armGraph:       {Color: driftGreen, Width: vg.Points(2.5)},
	armCenterScale: {Color: driftVermilion, Width: vg.Points(2.5)},
}

// Plot writes a PNG of b and of the loss against steps: the arms that centre on
// the left, the one that scales too on the right, circles where the closed forms
// say that they are.
func (r *DriftResult) Plot(w io.Writer) error {
	panels := [][]*plot.Plot{{driftPanel(), driftPanel()}, {driftPanel(), driftPanel()}}
	for i := range r.Arms {
		a, column := &r.Arms[i], 0
		if a.law.collapse > 0 {
			column = 1
		}
		bias, loss := panels[0][column], panels[1][column]
		if err := a.draw(bias, func(p driftPoint) float64 { return p.b }, a.law.bias); err != nil {
			return err
		}
		if err := a.draw(loss, func(p driftPoint) float64 { return p.loss }, a.law.loss); err != nil {
			return err
		}
		if a.law.collapse > 0 {
			if err := a.drawScale(bias); err != nil {
				return err
			}
			bias.Add(collapseMark(a.law.collapse))
			loss.Add(collapseMark(a.law.collapse))
		}
	}
	titles := [2][2]string{{"Centring: b", "Centring and scaling: b, and the scale |w|"}, {"Centring: loss", "Centring and scaling: loss"}}
	for i, row := range panels {
		for j, p := range row {
			p.Add(panelTitle(titles[i][j]))
			p.Legend.Add("closed form", driftCircles(nil))
			p.Y.Min, p.Y.Max = min(0, p.Y.Min), p.Y.Max*1.1
		}
	}
	// The legend of the losses has its place between the lines.
	panels[1][0].Legend.Left, panels[1][0].Legend.XOffs, panels[1][0].Legend.YOffs = false, -vg.Points(20), -vg.Points(46)

	img := vgimg.NewWith(vgimg.UseWH(driftWidth, driftHeight), vgimg.UseDPI(driftDPI), vgimg.UseBackgroundColor(color.White))
	canvas := draw.Crop(draw.New(img), vg.Points(16), -vg.Points(24), vg.Points(14), -vg.Points(14))
	title := driftText(15, imagefont.WeightBold)
	title.YAlign = draw.YTop
	canvas.FillText(title, vg.Point{X: canvas.Min.X, Y: canvas.Max.Y}, "Drift: the bias b under normalization outside the graph, and in it")
	// The titles of the panels are drawn in the padding above them.
	tiles := draw.Tiles{Rows: 2, Cols: 2, PadTop: vg.Points(56), PadX: vg.Points(30), PadY: vg.Points(36)}
	for i, row := range plot.Align(panels, tiles, canvas) {
		for j, c := range row {
			panels[i][j].Draw(c)
		}
	}
	if _, err := (vgimg.PngCanvas{Canvas: img}).WriteTo(w); err != nil {
		return fmt.Errorf("write the picture of the drift: %w", err)
	}
	return nil
}

// draw adds a line through the steps, and circles at eight of the steps for
// which the closed form holds.
func (a *DriftArm) draw(p *plot.Plot, value func(driftPoint) float64, law func(t int) float64) error {
	line, err := a.line(value)
	if err != nil {
		return err
	}
	line.LineStyle = driftStyles[a.Name]
	var points plotter.XYs
	for k := 1; k <= 8; k++ {
		if t := k * a.Steps / 8; a.law.holds(t) {
			points = append(points, plotter.XY{X: float64(t), Y: law(t)})
		}
	}
	p.Add(line, driftCircles(points))
	p.Legend.Add(a.Name, line)
	return nil
}

// drawScale adds |w|, the scale that the naive step takes away.
func (a *DriftArm) drawScale(p *plot.Plot) error {
	line, err := a.line(func(p driftPoint) float64 { return math.Abs(p.w) })
	if err != nil {
		return err
	}
	line.LineStyle = draw.LineStyle{Color: driftPurple, Width: vg.Points(2), Dashes: driftDotted}
	p.Add(line)
	p.Legend.Add("|w|", line)
	return nil
}

// line joins about maxPlotted steps, three a pixel.
func (a *DriftArm) line(value func(driftPoint) float64) (*plotter.Line, error) {
	var points plotter.XYs
	stride := max(1, a.Steps/maxPlotted)
	for t := 0; t < len(a.points); t += stride {
		points = append(points, plotter.XY{X: float64(t), Y: value(a.points[t])})
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return nil, fmt.Errorf("draw the arm %q: %w", a.Name, err)
	}
	return line, nil
}

func driftCircles(points plotter.XYs) *plotter.Scatter {
	return &plotter.Scatter{XYs: points, GlyphStyle: draw.GlyphStyle{Color: driftInk, Radius: vg.Points(4.5), Shape: draw.RingGlyph{}}}
}

// collapseMark is an upright line at t*.
type collapseMark float64

// Plot implements plot.Plotter.
func (at collapseMark) Plot(c draw.Canvas, p *plot.Plot) {
	toX, _ := p.Transforms(&c)
	x := toX(float64(at))
	c.StrokeLine2(draw.LineStyle{Color: driftInk, Width: vg.Points(1), Dashes: driftDotted}, x, c.Min.Y, x, c.Max.Y)
	label := driftText(11, imagefont.WeightNormal)
	label.YAlign = draw.YTop
	c.FillText(label, vg.Point{X: x + vg.Points(5), Y: c.Max.Y}, fmt.Sprintf("t* = %.4g", float64(at)))
}

// panelTitle is written above the data, level with those beside it.
type panelTitle string

// Plot implements plot.Plotter.
func (t panelTitle) Plot(c draw.Canvas, _ *plot.Plot) {
	c.FillText(driftText(12.5, imagefont.WeightBold), vg.Point{X: c.Min.X, Y: c.Max.Y + vg.Points(9)}, string(t))
}

func driftPanel() *plot.Plot {
	p := plot.New()
	p.X.Label.Text = "steps"
	plain := driftText(11, imagefont.WeightNormal)
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font, a.Label.TextStyle.Color = plain.Font, driftInk
		a.Tick.Label.Font, a.Tick.Label.Color = plain.Font, driftInk
		a.LineStyle.Color, a.Tick.LineStyle.Color, a.Padding = driftInk, driftInk, 0
		a.Tick.Marker = plot.TickerFunc(driftTicks)
	}
	p.Legend.TextStyle.Font, p.Legend.TextStyle.Color = plain.Font, driftInk
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.ThumbnailWidth, p.Legend.Padding = vg.Points(30), vg.Points(3)
	p.Legend.XOffs, p.Legend.YOffs = vg.Points(8), -vg.Points(2)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = driftGrid, driftGrid
	p.Add(grid)
	return p
}

// driftTicks puts ticks at multiples of 1, 2 or 5 times a power of ten, eight at
// most.
func driftTicks(lo, hi float64) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/7)))
	for _, m := range []float64{2, 2.5, 2} { // 1, 2, 5, 10
		if (hi-lo)/step <= 7 {
			break
		}
		step *= m
	}
	var ticks []plot.Tick
	for k := math.Ceil(lo / step); k*step <= hi; k++ {
		ticks = append(ticks, plot.Tick{Value: k * step, Label: strconv.FormatFloat(k*step, 'g', 6, 64)})
	}
	return ticks
}

func driftText(size float64, weight imagefont.Weight) text.Style {
	s := text.Style{Color: driftInk, Font: plot.DefaultFont, Handler: plot.DefaultTextHandler}
	s.Font.Variant, s.Font.Weight, s.Font.Size = "Sans", weight, vg.Points(size)
	return s
}
