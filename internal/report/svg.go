package report

import (
	"bytes"
	"html/template"
	"strconv"
)

// Sizes of a chart in SVG units. A chart is drawn at about this width in pixels
// on a phone and somewhat larger on a desktop, so that its text stays legible.
const (
	svgWidth, svgHeight = 380.0, 244.0
	svgLeft, svgRight   = 50.0, 20.0
	svgTop, svgBottom   = 28.0, 38.0
)

// svgWriter writes SVG elements; text goes through escaping.
type svgWriter struct{ bytes.Buffer }

func (w *svgWriter) raw(parts ...string) {
	for _, s := range parts {
		w.WriteString(s)
	}
}

// coordinate prints a length with one decimal, none if it is zero.
func coordinate(v float64) string {
	s := strconv.FormatFloat(v, 'f', 1, 64)
	if n := len(s) - 2; s[n:] == ".0" {
		s = s[:n]
	}
	return s
}

func (w *svgWriter) text(class string, x, y float64, anchor, s string) {
	w.raw(`<text class="`, class, `" x="`, coordinate(x), `" y="`, coordinate(y), `"`)
	if anchor != "" {
		w.raw(` text-anchor="`, anchor, `"`)
	}
	w.raw(`>`, template.HTMLEscapeString(s), `</text>`)
}

func (w *svgWriter) rule(class string, x1, y1, x2, y2 float64) {
	w.raw(`<line class="`, class, `" x1="`, coordinate(x1), `" y1="`, coordinate(y1),
		`" x2="`, coordinate(x2), `" y2="`, coordinate(y2), `"/>`)
}

// svg draws the panel. Colours come from the page's style sheet, so that one
// drawing serves light, dark and print; group "arm-i" can be switched off there.
func (p *panel) svg() template.HTML {
	var w svgWriter
	w.raw(`<svg viewBox="0 0 `, coordinate(svgWidth), ` `, coordinate(svgHeight),
		`" role="img" aria-label="`, template.HTMLEscapeString(p.title+" against "+p.xLabel), `">`)
	w.text("t", 2, 15, "", p.title)
	left, right := svgLeft, svgWidth-svgRight
	top, bottom := svgTop, svgHeight-svgBottom
	if p.empty {
		w.raw(`<rect class="frame" x="`, coordinate(left), `" y="`, coordinate(top),
			`" width="`, coordinate(right-left), `" height="`, coordinate(bottom-top), `"/>`)
		w.text("k", (left+right)/2, (top+bottom)/2, "middle", "nothing to draw")
		w.raw(`</svg>`)
		return template.HTML(w.String())
	}
	px := func(v float64) float64 { return left + (right-left)*p.x.norm(v) }
	py := func(v float64) float64 { return bottom - (bottom-top)*p.y.norm(v) }
	for _, t := range p.y.ticks {
		w.rule("g", left, py(t.at), right, py(t.at))
		w.text("k", left-6, py(t.at)+4, "end", t.label)
	}
	w.rule("a", left, bottom, right, bottom)
	for _, t := range p.x.ticks {
		w.rule("a", px(t.at), bottom, px(t.at), bottom+4)
		w.text("k", px(t.at), bottom+17, "middle", t.label)
	}
	w.text("k", (left+right)/2, bottom+33, "middle", p.xLabel)
	// Bands first, so that no band dims another arm's line.
	for _, l := range p.lines {
		w.band(l, px, py)
	}
	for _, l := range p.lines {
		w.line(l, px, py)
	}
	w.raw(`</svg>`)
	return template.HTML(w.String())
}

// group opens a group that carries an arm's switch, colour and dash.
func (w *svgWriter) group(l line) {
	w.raw(`<g class="arm-`, strconv.Itoa(l.arm), ` c`, strconv.Itoa(l.style.colour),
		` d`, strconv.Itoa(l.style.dash), `">`)
}

func (w *svgWriter) band(l line, px, py func(float64) float64) {
	open := false
	for _, s := range l.curve.segments() {
		if s[1]-s[0] < 2 || !l.curve.banded(s[0], s[1]) {
			continue
		}
		if !open {
			w.group(l)
			open = true
		}
		w.raw(`<path class="b" d="`)
		command := "M"
		for i := s[0]; i < s[1]; i++ {
			w.raw(command, coordinate(px(l.curve.x[i])), " ", coordinate(py(l.curve.hi[i])))
			command = "L"
		}
		for i := s[1] - 1; i >= s[0]; i-- {
			w.raw(command, coordinate(px(l.curve.x[i])), " ", coordinate(py(l.curve.lo[i])))
		}
		w.raw(`Z"/>`)
	}
	if open {
		w.raw(`</g>`)
	}
}

func (w *svgWriter) line(l line, px, py func(float64) float64) {
	segments := l.curve.segments()
	if len(segments) == 0 {
		return
	}
	w.group(l)
	w.raw(`<title>`, template.HTMLEscapeString(l.name), `</title>`)
	w.path("l", l.curve, l.curve.mid, segments, px, py)
	if l.edged {
		w.path("e", l.curve, l.curve.lo, segments, px, py)
		w.path("e", l.curve, l.curve.hi, segments, px, py)
	}
	for _, m := range l.marks {
		x, y := px(m.x), py(m.y)
		w.raw(`<path class="x" d="M`, coordinate(x-4.5), " ", coordinate(y-4.5), "L", coordinate(x+4.5), " ", coordinate(y+4.5),
			"M", coordinate(x-4.5), " ", coordinate(y+4.5), "L", coordinate(x+4.5), " ", coordinate(y-4.5), `"><title>`,
			template.HTMLEscapeString(m.label), `</title></path>`)
	}
	w.raw(`</g>`)
}

// path draws ys over the segments, a point that stands alone as a dot.
func (w *svgWriter) path(class string, c curve, ys []float64, segments [][2]int, px, py func(float64) float64) {
	for _, s := range segments {
		if s[1]-s[0] == 1 {
			w.raw(`<circle class="p" r="2.5" cx="`, coordinate(px(c.x[s[0]])), `" cy="`, coordinate(py(ys[s[0]])), `"/>`)
		}
	}
	w.raw(`<path class="`, class, `" d="`)
	for _, s := range segments {
		if s[1]-s[0] == 1 {
			continue
		}
		command := "M"
		for i := s[0]; i < s[1]; i++ {
			w.raw(command, coordinate(px(c.x[i])), " ", coordinate(py(ys[i])))
			command = "L"
		}
	}
	w.raw(`"/>`)
}
