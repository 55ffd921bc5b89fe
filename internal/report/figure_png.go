package report

import (
	"bytes"
	"image/color"
	"strings"

	imagefont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Heights of a Figure's parts.
const (
	figureRow  = 3.4 * vg.Inch
	figureLine = vg.Length(20)
	figureKey  = vg.Length(17) // a row of the legend
	figurePadX = vg.Length(20)
	figurePadY = vg.Length(40)
	figureTop  = vg.Length(26) // the panels draw their titles in it
)

// PNG draws the figure.
func (f *Figure) PNG() ([]byte, error) {
	panels := f.panels()
	columns := 0
	for _, row := range panels {
		columns = max(columns, len(row))
	}
	width := pngWidth - 2*pngMargin
	column := (width - vg.Length(columns-1)*figurePadX) / vg.Length(max(columns, 1))
	legends, keys := f.legends(panels, column, width)
	head := f.head()
	header := figureLine*vg.Length(len(head)) + 8
	height := header + vg.Length(len(panels))*(figureRow+figurePadY) + figureKey*vg.Length(keys) + 8

	img := vgimg.NewWith(vgimg.UseWH(pngWidth, height+2*pngMargin), vgimg.UseDPI(pngDPI), vgimg.UseBackgroundColor(color.White))
	canvas := draw.Crop(draw.New(img), pngMargin, -pngMargin, pngMargin, -pngMargin)
	for i, h := range head {
		h.style.YAlign = draw.YTop
		canvas.FillText(h.style, vg.Point{X: canvas.Min.X, Y: canvas.Max.Y - figureLine*vg.Length(i)}, h.text)
	}
	area := draw.Crop(canvas, 0, 0, figureKey*vg.Length(keys)+8, -header)
	tiles := draw.Tiles{Rows: len(panels), Cols: columns, PadTop: figureTop, PadX: figurePadX, PadY: figurePadY}
	plots := make([][]*plot.Plot, len(panels))
	for i, row := range panels {
		plots[i] = make([]*plot.Plot, columns)
		for j := range row {
			plots[i][j] = row[j].plot()
			if !row[j].empty && j > 0 && !row[0].empty { // the axis of the row
				plots[i][j].Y.Tick.Marker = plot.ConstantTicks(nil)
			}
			if ticks, ok := plots[i][j].X.Tick.Marker.(plot.ConstantTicks); ok && columns > 3 {
				for k := 1; k < len(ticks); k += 2 { // there is no room for all
					ticks[k].Label = ""
				}
			}
		}
	}
	for i, row := range plot.Align(plots, tiles, area) {
		for j, c := range row {
			if plots[i][j] != nil {
				plots[i][j].Draw(c)
			}
		}
	}
	for j, l := range legends {
		left := canvas.Min.X + vg.Length(j)*(column+figurePadX)
		for _, e := range l {
			x, y := left+e.x, canvas.Min.Y+figureKey*(vg.Length(keys-e.row)-0.5)
			style := sans(figureText, imagefont.WeightNormal, ink)
			style.YAlign = draw.YCenter
			canvas.StrokeLine2(e.style.stroke(2.4), x, y, x+legendDash, y)
			canvas.FillText(style, vg.Point{X: x + legendDash + 5, Y: y}, e.name)
		}
	}
	var buf bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: img}).WriteTo(&buf); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

const figureText = 11

// head is the lines above the panels.
func (f *Figure) head() []headerLine {
	const columns = 145 // of small print
	out := []headerLine{{oneLine(f.Title, 110), sans(pngTitleSize, imagefont.WeightBold, ink)}}
	for _, l := range f.Lines {
		for part := range strings.SplitSeq(Wrap(l, columns), "\n") {
			out = append(out, headerLine{oneLine(part, columns), sans(pngTextSize, imagefont.WeightNormal, softInk)})
		}
	}
	if f.Warning != "" {
		for part := range strings.SplitSeq(Wrap(f.Warning, columns*2/3), "\n") {
			out = append(out, headerLine{oneLine(part, columns), sans(pngTextSize, imagefont.WeightBold, alarm)})
		}
	}
	return out
}

// legends lays out the arms' names under the columns: under each its own, where columns show
// other arms, else all in one strip. It returns the number of rows that they take.
func (f *Figure) legends(panels [][]panel, column, width vg.Length) (legends [][]legendEntry, rows int) {
	columns := f.columnArms(panels)
	if len(columns) > 1 && same(columns) {
		columns, column = columns[:1], width
	}
	style := sans(figureText, imagefont.WeightNormal, ink)
	for _, lines := range columns {
		var l []legendEntry
		x, row := vg.Length(0), 0
		for _, k := range lines {
			w := legendDash + 5 + style.Width(k.name)
			if x > 0 && x+w > column {
				x, row = 0, row+1
			}
			l = append(l, legendEntry{k.name, k.style, x, row})
			x += w + 14
		}
		rows = max(rows, row+1)
		legends = append(legends, l)
	}
	return legends, rows
}

// columnArms returns the lines of the first chart of each column that has any.
func (f *Figure) columnArms(panels [][]panel) [][]line {
	var out [][]line
	for _, row := range panels {
		for j, p := range row {
			for len(out) <= j {
				out = append(out, nil)
			}
			if out[j] == nil {
				out[j] = p.lines
			}
		}
	}
	return out
}

// same reports whether all columns show arms of the same names in the same styles.
func same(columns [][]line) bool {
	for _, c := range columns {
		if len(c) != len(columns[0]) {
			return false
		}
		for i, l := range c {
			if l.name != columns[0][i].name || l.style != columns[0][i].style {
				return false
			}
		}
	}
	return true
}
