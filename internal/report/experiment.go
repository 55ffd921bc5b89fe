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
	Charts  [][]template.HTML // in the figure's rows
	Legends []legendData      // one, or one a column
}

type cellData struct {
	Text string
	Bold bool
}

type legendData struct {
	Title string // of the column's charts, "" where they differ or there is one legend
	Keys  []keyData
}

type keyData struct {
	Name         string
	Colour, Dash int
}

// Page draws the document as a page that opens offline; its charts are SVG.
func (d *Document) Page() (Page, error) {
	data := struct {
		*Document
		Policy   string
		Style    template.HTML
		Sections []sectionData
	}{Document: d, Policy: policy(styleText+paletteCSS(), "", false), Style: template.HTML("<style>" + styleText + paletteCSS() + "</style>")}
	for _, s := range d.Sections {
		s.Table.Caption = s.Table.caption()
		sd := sectionData{Section: s}
		for _, r := range s.Table.Rows {
			var cells []cellData
			for _, c := range r {
				cells = append(cells, cellData{unmarked(c), strings.Contains(c, "**")})
			}
			sd.Rows = append(sd.Rows, cells)
		}
		if s.Figure != nil {
			panels := s.Figure.panels()
			for _, row := range panels {
				var charts []template.HTML
				for i := range row {
					charts = append(charts, row[i].svg())
				}
				sd.Charts = append(sd.Charts, charts)
			}
			columns := s.Figure.columnArms(panels)
			if same(columns) && len(columns) > 1 {
				columns = columns[:1]
			}
			for i, c := range columns {
				var l legendData
				if len(columns) > 1 {
					l.Title = columnTitle(panels, i)
				}
				for _, k := range c {
					l.Keys = append(l.Keys, keyData{k.name, k.style.colour, k.style.dash})
				}
				sd.Legends = append(sd.Legends, l)
			}
		}
		data.Sections = append(data.Sections, sd)
	}
	var buf bytes.Buffer
	if err := experimentPage.Execute(&buf, data); err != nil {
		return Page{}, err
	}
	return Page{bytes.Map(printable, bytes.ToValidUTF8(buf.Bytes(), []byte("\ufffd"))), data.Policy}, nil
}

// columnTitle is the title that the charts of a column share, "" where they differ.
func columnTitle(rows [][]panel, column int) string {
	title := ""
	for _, row := range rows {
		switch {
		case column >= len(row):
		case title == "":
			title = row[column].title
		case title != row[column].title:
			return ""
		}
	}
	return title
}
