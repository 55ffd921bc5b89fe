package report

import (
	"bytes"
	_ "embed"
	"html/template"
	"strings"
)

//go:embed experiment.tmpl
var experimentText string

var experimentPage = template.Must(template.New("experiment").Parse(experimentText))

// sectionData is a Section as the template shows it.
type sectionData struct {
	Section
	Rows    [][]cellData
	Figures []chartData
	Legends [][]legendData
}

type cellData struct {
	Text string
	Bold bool
}

type chartData struct{ SVG template.HTML }

type legendData struct {
	Name         string
	Colour, Dash int
}

// HTML draws the document as a page that opens offline; its charts are SVG.
func (d *Document) HTML() ([]byte, error) {
	data := struct {
		*Document
		Style    template.CSS
		Sections []sectionData
	}{Document: d, Style: template.CSS(styleText)}
	for _, s := range d.Sections {
		sd := sectionData{Section: s}
		for _, r := range s.Table.Rows {
			var cells []cellData
			for _, c := range r {
				plain := strings.ReplaceAll(c, "**", "")
				cells = append(cells, cellData{plain, plain != c})
			}
			sd.Rows = append(sd.Rows, cells)
		}
		if s.Figure != nil {
			panels := s.Figure.panels()
			for _, row := range panels {
				for i := range row {
					sd.Figures = append(sd.Figures, chartData{row[i].svg()})
				}
			}
			columns := s.Figure.columnArms(panels)
			if same(columns) && len(columns) > 1 {
				columns = columns[:1]
			}
			for _, c := range columns {
				var l []legendData
				for _, k := range c {
					l = append(l, legendData{k.name, k.style.colour, k.style.dash})
				}
				sd.Legends = append(sd.Legends, l)
			}
		}
		data.Sections = append(data.Sections, sd)
	}
	var buf bytes.Buffer
	if err := experimentPage.Execute(&buf, data); err != nil {
		return nil, err
	}
	return bytes.Map(printable, bytes.ToValidUTF8(buf.Bytes(), []byte("\ufffd"))), nil
}
