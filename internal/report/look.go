package report

import (
	"fmt"
	"hash/fnv"
	"image/color"
	"strings"

	"gonum.org/v1/plot/vg"
)

// lineStyle is a colour of the palette and a dash pattern.
type lineStyle struct{ colour, dash int }

const (
	hues     = 8 // beside the neutral one
	shades   = 3 // of each hue
	bases    = 3 // dash patterns that tell normalizations of one hue apart
	twists   = 3 // of each of these, as arms of one normalization run out of shades
	variants = shades * twists
	looks    = hues * bases
)

// palette has, for each hue, three shades, each as light and as dark pages have it: at least
// 3:1 against the page and its panels.
var palette = [1 + hues][shades]struct{ light, dark string }{
	{{"#333333", "#e1e1e1"}, {"#171717", "#b2b2b2"}, {"#595959", "#f8f8f8"}}, // neutral
	{{"#036fbf", "#4699e9"}, {"#014b84", "#227ac7"}, {"#258ae2", "#85c1ff"}}, // blue
	{{"#d34f01", "#f77742"}, {"#963601", "#cf5315"}, {"#ea5d14", "#ffae8e"}}, // vermilion
	{{"#02894d", "#51bb7d"}, {"#025b32", "#1c9156"}, {"#0b9e5b", "#7fe8a7"}}, // green
	{{"#c13a9e", "#ea70c6"}, {"#8f0172", "#c44ca2"}, {"#dc54b7", "#fface3"}}, // magenta
	{{"#897903", "#cdbe5f"}, {"#5c5104", "#978823"}, {"#9c8a06", "#f0e182"}}, // olive
	{{"#07838e", "#5cc7d2"}, {"#04575e", "#1c95a0"}, {"#0299a5", "#86effb"}}, // cyan
	{{"#6c39c2", "#9973f0"}, {"#510e9f", "#8159d3"}, {"#8c5ee8", "#c0abfe"}}, // violet
	{{"#c31736", "#e5535d"}, {"#8a0120", "#ca3a48"}, {"#e64252", "#ff9495"}}, // red
}

// dashPatterns are lengths of strokes and gaps in points: for each base its twists.
var dashPatterns = [bases * twists][]float64{
	nil, {12, 3}, {9, 3, 2, 3},
	{6, 3}, {6, 3, 2, 3}, {6, 6},
	{2, 2.5}, {2, 2.5, 2, 6}, {2, 5},
}

// look is the arm's number in the order of looks: 0 without normalization, else 1 to looks.
func (a *Arm) look() int {
	switch {
	case a.Norm == NormNone:
		return 0
	case a.Look > 0:
		return 1 + (a.Look-1)%looks
	}
	h := fnv.New32a()
	h.Write([]byte(a.Norm))
	return 1 + int(h.Sum32()%looks)
}

// armStyles gives every arm the hue and dash base of its normalization, the same in every
// report. Arms of one normalization differ by shade and dash: one that the gradient is naive
// of has the second shade, the others the next variant that is free, other dashes first.
func armStyles(arms []Arm) []lineStyle {
	styles := make([]lineStyle, len(arms))
	taken := map[[2]int]bool{}
	for i := range arms {
		look, order := arms[i].look(), [variants]int{0, 2, 4, 1, 3, 5, 6, 7, 8}
		if arms[i].Grad == GradNaive {
			order = [variants]int{1, 3, 5, 0, 2, 4, 6, 7, 8}
		}
		v := order[0]
		for n := 1; n < variants && taken[[2]int{look, v}]; n++ {
			v = order[n]
		}
		taken[[2]int{look, v}] = true
		hue, base := 0, 0
		if look > 0 {
			hue, base = 1+(look-1)%hues, (look-1)/hues
		}
		shade, twist := v%2, v/2
		if v >= 2*twists { // the third shade, which is near the first, comes last
			shade, twist = 2, v-2*twists
		}
		styles[i] = lineStyle{hue*shades + shade, base*twists + twist}
	}
	return styles
}

// classes are the style's in the page's style sheet.
func (s lineStyle) classes() string { return fmt.Sprintf("c%d d%d", s.colour, s.dash) }

// paletteCSS defines the classes of colours and dashes.
func paletteCSS() string {
	var light, dark, classes strings.Builder
	for i, hue := range palette {
		for j, c := range hue {
			k := i*shades + j
			fmt.Fprintf(&light, " --c%d: %s;", k, c.light)
			fmt.Fprintf(&dark, " --c%d: %s;", k, c.dark)
			fmt.Fprintf(&classes, ".c%d { --c: var(--c%[1]d); }\n", k)
		}
	}
	for k, d := range dashPatterns {
		if d != nil {
			fmt.Fprintf(&classes, ".d%d .l { stroke-dasharray: %s; }\n", k, strings.Trim(fmt.Sprint(d), "[]"))
		}
	}
	return ":root {" + light.String() + " }\n@media screen and (prefers-color-scheme: dark) {\n:root {" + dark.String() + " }\n}\n" + classes.String()
}

// ink returns the colour on white paper.
func (s lineStyle) ink() color.NRGBA {
	c := color.NRGBA{A: 0xff}
	_, _ = fmt.Sscanf(palette[s.colour/shades][s.colour%shades].light, "#%02x%02x%02x", &c.R, &c.G, &c.B) // a constant
	return c
}

// lengths returns the dash pattern for a picture.
func (s lineStyle) lengths() []vg.Length {
	var out []vg.Length
	for _, d := range dashPatterns[s.dash] {
		out = append(out, vg.Points(d))
	}
	return out
}
