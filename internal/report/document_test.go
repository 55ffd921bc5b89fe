package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"
)

// fakeDocument has everything that a document can have.
func fakeDocument() *Document {
	run := fakeRun()
	var rows [][]Panel
	for _, q := range []Quantity{LossBySteps, BiasBySteps, UnitBySteps, AccuracyQuartilesBySteps, AccuracyQuartilesBySeconds} {
		rows = append(rows, []Panel{{Title: "left", Show: q, Run: &run, Arms: []string{"none", "center:naive"}, Less: ":naive"}, {Title: "right", Show: q, Run: &run}})
	}
	return &Document{Title: "T <&>", Lead: []string{"lead"}, Sections: []Section{{Name: "a", Heading: "H", Paragraphs: []string{"p"},
		Table:  Table{Head: []string{"x", "y"}, Rows: [][]string{{"one", "**2**"}, {"three", "44"}}, Caption: "c"},
		Figure: &Figure{File: "f.png", Title: "F", Caption: "fc", Lines: []string{strings.Repeat("long ", 60)}, Warning: "W", Rows: rows}, Notes: []string{"n"}}}}
}

func TestDocument(t *testing.T) {
	d := fakeDocument()
	md := d.Markdown(2, "pictures/")
	for _, w := range []string{"## T", "### H", "![F](pictures/f.png)", "| x | y |\n|---|--:|\n| one | **2** |", "- n"} {
		if !strings.Contains(md, w) {
			t.Errorf("the Markdown lacks %q:\n%s", w, md)
		}
	}
	if text := d.Text(); !strings.Contains(text, "x       y\none     2\nthree  44\n") {
		t.Errorf("columns are not aligned:\n%s", text)
	}
	drawn, err := d.Page()
	page := drawn.HTML
	if err != nil {
		t.Fatal(err)
	}
	dec := xml.NewDecoder(bytes.NewReader(page))
	dec.Entity = xml.HTMLEntity
	for {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the page is not well-formed: %v", err)
		}
	}
	if n := strings.Count(string(page), "<svg viewBox"); n != 10 {
		t.Errorf("%d charts, want 10", n)
	}
	if _, ok := d.Section("b"); ok {
		t.Error("a section that is not there")
	}
}

func TestFigure(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	f := fakeDocument().Sections[0].Figure
	data, err := f.PNG()
	if err != nil {
		t.Fatal(err)
	}
	if c, err := png.DecodeConfig(bytes.NewReader(data)); err != nil || c.Width != 1440 {
		t.Errorf("%+v, %v", c, err)
	}
	for _, row := range f.panels() {
		if row[0].empty || row[0].x.min != row[1].x.min || row[0].x.max != row[1].x.max || row[0].y.min != row[1].y.min || row[0].y.max != row[1].y.max {
			t.Errorf("%s: the charts of a row have different axes", row[0].xLabel)
		}
	}
	if name := f.panels()[0][0].lines[1].name; name != "center" {
		t.Errorf("the legend says %q", name)
	}
	empty := Figure{Rows: [][]Panel{{{Show: UnitBySteps, Run: &Run{}}, {Show: AccuracyQuartilesBySeconds, Run: &Run{}}}}}
	if _, err := empty.PNG(); err != nil {
		t.Error(err)
	}
}

func TestQuantile(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		xs      []float64
		q, want float64
	}{
		{[]float64{1, 2, 3, 4}, 0.25, 1.75}, {[]float64{1, 2, 3, 4}, 1, 4}, {[]float64{5}, 0.5, 5}, {[]float64{1, inf}, 0.5, inf}, {[]float64{1, inf}, 0, 1},
	} {
		if got := Quantile(c.xs, c.q); got != c.want {
			t.Errorf("%v at %v: %v, want %v", c.xs, c.q, got, c.want)
		}
	}
	if got := Quantile(nil, 0.5); got == got {
		t.Errorf("%v of nothing", got)
	}
}
