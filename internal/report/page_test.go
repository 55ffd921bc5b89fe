package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/color"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"
)

// renderHTML returns the page of a run that has ended.
func renderHTML(run Run) ([]byte, error) {
	page, err := run.Page(false)
	return page.HTML, err
}

// hostile is a name that breaks out of text, attributes and scripts if any of
// them is not escaped.
const hostile = `</text></svg></title></style><script>alert("1")</script>'&amp;<b onload=x>{{.}}`

// unprintable is no text of XML.
const unprintable = "\x00\x1b[31m\xff\x7f"

// oddRuns are runs at the edges of what a report must cope with.
func oddRuns() map[string]Run {
	nan, inf := math.NaN(), math.Inf(1)
	step := 0
	odd := Point{Arm: "a", Loss: nan, TestLoss: inf, TestAccuracy: nan, BiasRMS: []float64{nan, inf}, BiasMaxAbs: []float64{nan},
		WeightRMS: []float64{-inf}, Percentiles: [3]float64{nan, 0, 0}, Seconds: nan}
	arm := Arm{Name: "a", Seeds: []int{0}, FinalLoss: Stat{nan, inf, 1}, TestAccuracy: Stat{nan, nan, 1},
		DivergedAt: []*int{&step}, StepsTo: map[string]*int{"0.90": nil, "odd key": &step}, MaxAbsBias: []float64{nan}, SecondsPerStep: nan}
	huge := odd
	huge.Step, huge.Loss, huge.TestAccuracy, huge.Seconds = 1, 1e300, -5, 1e300
	huge.WeightRMS, huge.BiasRMS = []float64{5e-324}, []float64{math.MaxFloat64, 5e-324}
	one := Point{Arm: "a", Loss: 2.3, TestAccuracy: .1, BiasRMS: []float64{0}, WeightRMS: []float64{.1}}
	names := fakeRun()
	names.Points = nil
	for i := range names.Arms {
		names.Arms[i].Name = hostile + names.Arms[i].Name
		names.Arms[i].Finding = hostile
	}
	for _, p := range fakeRun().Points {
		if p.Step%500 == 0 {
			p.Arm = hostile + p.Arm
			names.Points = append(names.Points, p)
		}
	}
	names.Title, names.Command, names.Version, names.Device = hostile, hostile, hostile, hostile
	names.Data, names.Net, names.Optimizer, names.Config = hostile+unprintable, hostile, hostile, map[string]string{hostile: hostile}
	noSeeds := Run{Arms: []Arm{{Name: "a"}}, Points: []Point{one}}
	interrupted := fakeRun()
	interrupted.Interrupted, interrupted.Synthetic = true, true
	interrupted.Points = interrupted.Points[:150]
	for i := range interrupted.Arms {
		interrupted.Arms[i].Finding = ""
	}
	return map[string]Run{
		"nothing":       {},
		"no points":     {Title: "x", Arms: []Arm{arm, {Name: "b", Norm: NormNone}}},
		"not a number":  {Arms: []Arm{arm}, Points: []Point{odd, odd, huge}},
		"one point":     {Arms: []Arm{{Name: "a", Seeds: []int{0}}}, Points: []Point{one}},
		"no seeds":      noSeeds,
		"stray points":  {Arms: []Arm{{Name: "b"}}, Points: []Point{one}},
		"hostile names": names,
		"interrupted":   interrupted,
		"whole":         fakeRun(),
	}
}

// parse checks that a page is well-formed XML and returns its elements' names
// and its text, without that of scripts.
func parse(t *testing.T, name string, page []byte) (elements map[string]int, text string) {
	t.Helper()
	elements = make(map[string]int)
	var all strings.Builder
	script := false
	d := xml.NewDecoder(bytes.NewReader(page))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return elements, all.String()
		}
		if err != nil {
			t.Fatalf("%s: not well-formed: %v", name, err)
		}
		switch token := token.(type) {
		case xml.EndElement:
			script = false
		case xml.StartElement:
			elements[token.Name.Local]++
			script = token.Name.Local == "script"
			for _, a := range token.Attr {
				if strings.HasPrefix(a.Name.Local, "on") {
					t.Errorf("%s: attribute %s", name, a.Name.Local)
				}
				if a.Name.Local == "d" || a.Name.Local == "x" || a.Name.Local == "y" {
					if strings.ContainsAny(a.Value, "NI") { // NaN, Inf
						t.Errorf("%s: coordinates %q", name, a.Value)
					}
				}
			}
		case xml.CharData:
			if !script {
				all.Write(token)
			}
		}
	}
}

func TestPageIsWellFormed(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	for name, run := range oddRuns() {
		page, err := renderHTML(run)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		elements, text := parse(t, name, page)
		for _, forbidden := range []string{"b", "link", "img", "iframe"} {
			if elements[forbidden] > 0 {
				t.Errorf("%s: %d elements %s", name, elements[forbidden], forbidden)
			}
		}
		if elements["script"] != 2 { // the numbers, and what draws them
			t.Errorf("%s: %d scripts", name, elements["script"])
		}
		for _, outside := range []string{"http:", "https:", "url(", "@import", "src="} {
			if strings.Contains(string(page), outside) {
				t.Errorf("%s: refers outside with %q", name, outside)
			}
		}
		if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
			t.Errorf("%s: prints a number that is not finite", name)
		}
	}
}

func TestHostileNamesAreShownAsTheyAre(t *testing.T) {
	page, err := renderHTML(oddRuns()["hostile names"])
	if err != nil {
		t.Fatal(err)
	}
	_, text := parse(t, "hostile", page)
	if n := strings.Count(text, hostile); n < 30 {
		t.Errorf("the text shows the name %d times", n)
	}
}

func TestPageContent(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	run := fakeRun()
	for name, c := range map[string]struct {
		change      func(*Run)
		has, hasNot []string
	}{
		"comparison": {func(*Run) {},
			[]string{"compare: five normalizations", "784-100-100-100-10, sigmoid", "SGD, learning rate 0.1", "60 examples",
				"5,000, evaluated every 50", "1, 2, 3", "cpu/avx2", "2025-03-14 09:26:53 UTC", "driftless compare --data mnist",
				"Findings", "1 of 3 seeds diverged", "Layer 3: bias, rms (log scale)", "Layer 3: weights, rms",
				"batchnorm, seed 1", "unit 7 (counted from 0)", "first 1,000 test rows", "90 %", "97 %",
				"A trained shift hides the drift", "The loss is not constant", "Scaling makes it worse under a condition",
				"Fewer than 5 seeds", "evaluation is not counted", "A cross marks", "arms:"},
			[]string{"Synthetic data.", "Interrupted.", "virtual"}},
		"synthetic": {func(r *Run) { r.Synthetic = true }, []string{"Synthetic data."}, []string{"Interrupted."}},
		"interrupted": {func(r *Run) { r.Interrupted, r.Steps, r.Points = true, 6000, r.Points[:150] },
			[]string{"Interrupted.", "Not finished: none (5,000 of 6,000 steps); center:naive (did not run)"}, nil},
		"virtual device": {func(r *Run) { r.Device = "virtual" },
			[]string{"its seconds say nothing about a real one"}, nil},
		"training": {func(r *Run) {
			r.Arms = r.Arms[4:]
			r.Arms[0].Seeds = r.Arms[0].Seeds[:1]
			r.Config = nil
		},
			[]string{"Finding", "batchnorm", "Layer 1: bias"},
			[]string{"Findings", "A trained shift hides", "median over seeds", "over seeds:", "share one", "Configuration", "A cross marks"}},
	} {
		changed := run
		changed.Arms = append([]Arm(nil), run.Arms...)
		c.change(&changed)
		page, err := renderHTML(changed)
		if err != nil {
			t.Fatal(err)
		}
		_, text := parse(t, name, page)
		text = strings.ReplaceAll(text, "\u00a0", " ")
		for _, s := range c.has {
			if !strings.Contains(text, s) {
				t.Errorf("%s: lacks %q", name, s)
			}
		}
		for _, s := range c.hasNot {
			if strings.Contains(text, s) {
				t.Errorf("%s: has %q", name, s)
			}
		}
	}
}

func TestPageCharts(t *testing.T) {
	run := fakeRun()
	page, err := renderHTML(run)
	if err != nil {
		t.Fatal(err)
	}
	elements, _ := parse(t, "whole", page)
	// 6 of convergence, 2 a layer, 1 an arm; one mark in every chart but the percentiles.
	charts := strings.Count(string(page), `role="img"`)
	if want := 6 + 2*3 + 5; charts != want {
		t.Errorf("%d charts, want %d", charts, want)
	}
	if marks, want := strings.Count(string(page), `<path class="x"`), 6+2*3; marks != want {
		t.Errorf("%d marks of divergence, want %d", marks, want)
	}
	if elements["input"] != len(run.Arms) {
		t.Errorf("%d switches for %d arms", elements["input"], len(run.Arms))
	}
	for i := range run.Arms {
		for _, s := range []string{fmt.Sprintf(`class="arm-%d %s"`, i, armStyles(run.Arms)[i].classes()), fmt.Sprintf(`id="show-%d"`, i), fmt.Sprintf(`#show-%d:not(:checked)) .arm-%d {`, i, i)} {
			if !strings.Contains(string(page), s) {
				t.Errorf("lacks %q", s)
			}
		}
	}
}

func TestSameRunSameBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	coarse := func(run Run) ([]byte, error) { return renderPNG(run, testDPI) }
	for name, render := range map[string]func(Run) ([]byte, error){"page": renderHTML, "curves": coarse} {
		a, err := render(fakeRun())
		if err != nil {
			t.Fatal(err)
		}
		b, err := render(fakeRun())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s: two renderings differ", name)
		}
	}
}

// testDPI draws small pictures, which the race detector does not slow down much.
const testDPI = 24

// colourCounts decodes a picture and counts its pixels of each colour.
func colourCounts(t *testing.T, data []byte) map[[3]uint32]int {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	b := img.Bounds()
	counts := make(map[[3]uint32]int)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			r, g, b, _ := img.At(x, y).RGBA()
			counts[[3]uint32{r >> 8, g >> 8, b >> 8}]++
		}
	}
	return counts
}

func TestCurves(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	rgb := func(c color.NRGBA) [3]uint32 { return [3]uint32{uint32(c.R), uint32(c.G), uint32(c.B)} }
	draw := func(run Run) map[[3]uint32]int {
		data, err := renderPNG(run, 60)
		if err != nil {
			t.Fatal(err)
		}
		return colourCounts(t, data)
	}
	whole := draw(fakeRun())
	run := fakeRun()
	run.Synthetic, run.Points = true, nil
	empty := draw(run)
	for i := range run.Arms {
		c := rgb(armStyles(run.Arms)[i].ink())
		if whole[c] < empty[c]+200 || empty[c] == 0 {
			t.Errorf("arm %d: %d pixels of its colour, %d of them in the legend", i, whole[c], empty[c])
		}
	}
	if whole[rgb(alarm)] != 0 || empty[rgb(alarm)] < 50 {
		t.Errorf("%d pixels of warning on real data, %d on synthetic", whole[rgb(alarm)], empty[rgb(alarm)])
	}
}

func TestCurvesOfOddRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	for name, run := range oddRuns() {
		data, err := renderPNG(run, testDPI)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := png.DecodeConfig(bytes.NewReader(data)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
