package report

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"driftless/internal/browsertest"

	"github.com/chromedp/chromedp/kb"
)

// tab is a browser's that shows pages of runs.
type tab struct{ *browsertest.Tab }

// open shows a run's page from a file.
func (b tab) open(run Run) {
	b.T.Helper()
	page, err := run.Page(false)
	if err != nil {
		b.T.Fatal(err)
	}
	b.show(page)
}

// show shows a page from a file.
func (b tab) show(page Page) {
	b.T.Helper()
	path := filepath.Join(b.T.TempDir(), "report.html")
	if err := os.WriteFile(path, page.HTML, 0o644); err != nil {
		b.T.Fatal(err)
	}
	b.Go("file://" + path)
}

// eval evaluates an expression on the page.
func eval[T any](b tab, expression string) T {
	b.T.Helper()
	return browsertest.Eval[T](b.Tab, expression)
}

// click presses what a selector finds.
func (b tab) click(selector string) {
	b.T.Helper()
	b.Run(fmt.Sprintf("document.querySelector(%q).click()", selector))
}

// chartOf is the expression of the page's chart of that number.
func chartOf(panel int) string {
	return fmt.Sprintf(`document.querySelector('[data-panel="%d"]')`, panel)
}

// ticks returns the labels of a chart's axes, those of the vertical one first.
func (b tab) ticks(panel int) (y, x []string) {
	b.T.Helper()
	const of = `[...%s.querySelectorAll("svg text.k")].filter((t) => %s(t.getAttribute("text-anchor") === "end")).map((t) => t.textContent)`
	y, x = eval[[]string](b, fmt.Sprintf(of, chartOf(panel), "")), eval[[]string](b, fmt.Sprintf(of, chartOf(panel), "!"))
	return y, x[:len(x)-1] // without the axis' name
}

func TestPageInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	b := tab{browsertest.Open(t)}
	b.Size(1280, 1000, "light")
	run := fakeRun()
	b.open(run)

	t.Run("curves", func(t *testing.T) {
		b.T = t
		// Of 17 charts 12 have a line for each of five arms, five one with two edges.
		if n := eval[int](b, `[...document.querySelectorAll(".chart svg path.l")].filter((p) => p.getAttribute("d").length > 50).length`); n != 12*5+5 {
			t.Errorf("%d curves, want %d", n, 12*5+5)
		}
		if n := eval[int](b, `document.querySelectorAll(".chart svg path.x").length`); n != 12 {
			t.Errorf("%d marks of divergence, want 12", n)
		}
		text := eval[string](b, `document.body.innerText`)
		for _, s := range []string{"Training loss (log scale)", "Test loss (log scale)", "1 of 3 seeds diverged", "smooth losses"} {
			if !strings.Contains(text, s) {
				t.Errorf("the page lacks %q", s)
			}
		}
		order := eval[[]string](b, `[...document.querySelectorAll("h2")].map((h) => h.textContent)`)
		if got := strings.Join(order[:3], ", "); got != "Summary, Convergence, Findings" {
			t.Errorf("the page begins with %s", got)
		}
		colours := eval[[]string](b, `[...new Set([...document.querySelectorAll('[data-panel="0"] path.l')].map((p) => getComputedStyle(p).stroke))]`)
		if len(colours) != 5 {
			t.Errorf("five arms have the colours %v", colours)
		}
		// The first point is that of step 0, at the axis.
		if d := eval[string](b, chartOf(0)+`.querySelector("path.l").getAttribute("d")`); !strings.HasPrefix(d, "M50 ") {
			t.Errorf("the curve starts at %.20s, not at step 0", d)
		}
	})

	t.Run("values", func(t *testing.T) {
		b.T = t
		b.hoverEverywhere(&run)
		b.Run(chartOf(0) + `.querySelector("svg").focus()`)
		b.Keys(kb.ArrowLeft, kb.ArrowRight)
		if said := eval[string](b, `document.getElementById("said").textContent`); !strings.Contains(said, "step 50") || !strings.HasPrefix(said, "none") {
			t.Errorf("the keys say %q", said)
		}
	})

	t.Run("switches", func(t *testing.T) {
		b.T = t
		before, _ := b.ticks(0)
		b.Run(`document.getElementById("show-1").focus()`)
		b.Keys(" ") // center:naive, by the keyboard
		after, _ := b.ticks(0)
		if len(after) == 0 || strings.Join(before, " ") == strings.Join(after, " ") {
			t.Errorf("without the largest arm the axis has %v, as before %v", after, before)
		}
		if n := eval[int](b, chartOf(0)+`.querySelectorAll("path.l").length`); n != 4 {
			t.Errorf("%d curves of four arms", n)
		}
		b.click("#show-1")
		if again, _ := b.ticks(0); strings.Join(again, " ") != strings.Join(before, " ") {
			t.Errorf("with all arms again the axis has %v, before %v", again, before)
		}
		for i := range run.Arms {
			b.click(fmt.Sprintf("#show-%d", i))
		}
		if text := eval[string](b, chartOf(0)+`.textContent`); !strings.Contains(text, "nothing to draw") {
			t.Errorf("without any arm the chart says %q", text)
		}
		for i := range run.Arms {
			b.click(fmt.Sprintf("#show-%d", i))
		}
	})

	t.Run("axes", func(t *testing.T) {
		b.T = t
		press := func(panel int, axis string) {
			b.Run(chartOf(panel) + `.querySelector("button.log` + axis + `").click()`)
		}
		press(0, "X")
		if _, x := b.ticks(0); strings.Join(x, " ") != "0 50 100 200 500 1,000 2,000 5,000" && strings.Join(x, " ") != "0 100 1,000" {
			t.Errorf("the logarithmic axis of steps has %v", x)
		}
		if d := eval[string](b, chartOf(0)+`.querySelector("path.l").getAttribute("d")`); !strings.HasPrefix(d, "M50 ") {
			t.Errorf("step 0 of the logarithmic axis is at %.20s", d)
		}
		press(0, "Y")
		for _, panel := range []int{0, 1} { // both losses
			if y, _ := b.ticks(panel); strings.Join(y, " ") != "0 5 10" {
				t.Errorf("chart %d: the linear axis has %v", panel, y)
			}
		}
		press(2, "Y") // accuracies
		if y, _ := b.ticks(2); strings.Join(y, " ") != "10 % 20 % 50 % 100 %" {
			t.Errorf("the logarithmic axis of accuracies has %v", y)
		}
		for panel, axes := range []string{"XY", "", "Y"} {
			for _, axis := range axes {
				press(panel, string(axis))
			}
		}
		if y, x := b.ticks(0); strings.Join(y, " ") != "0.1 1 10" || strings.Join(x, " ") != "0 1,000 2,000 3,000 4,000 5,000" {
			t.Errorf("back again the axes have %v and %v", y, x)
		}
	})

	t.Run("smoothing", func(t *testing.T) {
		b.T = t
		first := eval[string](b, chartOf(0)+`.querySelector("path.l").getAttribute("d")`)
		b.Run(`(() => { const s = document.getElementById("smoothing"); s.value = 0.9; s.dispatchEvent(new Event("input")); })()`)
		if raw := eval[string](b, chartOf(0)+`.querySelector("path.raw").getAttribute("d")`); raw != first {
			t.Error("the raw curve is not behind the smoothed one")
		}
		// The average of constant losses is the constant, from the start on.
		smooth := eval[string](b, chartOf(0)+`.querySelector("path.l").getAttribute("d")`)
		if smooth == first || smooth[:8] != first[:8] {
			t.Errorf("the smoothed curve is %.40s of %.40s", smooth, first)
		}
		if n := eval[int](b, chartOf(2)+`.querySelectorAll("path.raw").length`); n != 0 {
			t.Error("accuracies are smoothed")
		}
		b.Run(`(() => { const s = document.getElementById("smoothing"); s.value = 0; s.dispatchEvent(new Event("input")); })()`)
	})
	b.T = t
	b.Quiet()
}

// hoverEverywhere points at evaluations of each arm and compares what the page says with the
// run's own numbers.
func (b tab) hoverEverywhere(run *Run) {
	b.T.Helper()
	points := pointsByArm(run)
	for i, arm := range run.Arms {
		for _, step := range []int{0, 2500, 5000} {
			// Where the curve is, a text in the chart's own units.
			at := eval[[]float64](b, fmt.Sprintf(`(() => {
				const svg = %s.querySelector("svg"), path = svg.querySelector(".arm-%d path.l");
				const p = path.getAttribute("d").slice(1).split("L")[%d].split(" "), box = svg.getBoundingClientRect();
				svg.scrollIntoView({ block: "center" });
				const now = svg.getBoundingClientRect();
				return [now.left + p[0] * now.width / 380, now.top + p[1] * now.height / 244];
			})()`, chartOf(0), i, step/50))
			b.Point(at[0], at[1])
			tip := eval[string](b, chartOf(0)+`.querySelector(".tip").innerText`)
			c := aggregate(points[i], stepOf, lossBySteps.y)
			want := []string{arm.Name, "step " + formatInt(step), "mean " + four(c.mid[step/50]), four(c.lo[step/50]) + " to " + four(c.hi[step/50])}
			for _, w := range want {
				if !strings.Contains(tip, w) {
					b.T.Errorf("%s at step %d: the page says %q, which lacks %q", arm.Name, step, tip, w)
				}
			}
		}
	}
	b.Point(1, 1)
	if hidden := eval[bool](b, chartOf(0)+`.querySelector(".tip").hidden`); !hidden {
		b.T.Error("the value stays when the pointer has gone")
	}
}

// four prints four significant digits, as the page does between 0.001 and 1,000.
func four(x float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%#.4g", x), ".")
}

// many is a run of twenty arms.
func many() Run {
	base := fakeRun()
	run := base
	run.Arms, run.Points = nil, nil
	for i := range 20 {
		a := base.Arms[i%len(base.Arms)]
		name := a.Name
		a.Name, a.Norm, a.Look = fmt.Sprintf("%s:interval=%d", name, i), fmt.Sprint("n", i), i+1
		run.Arms = append(run.Arms, a)
		for _, p := range base.Points {
			if p.Arm == name {
				p.Arm, p.Loss = a.Name, p.Loss*(1+0.05*float64(i))
				run.Points = append(run.Points, p)
			}
		}
	}
	run.Summarize()
	return run
}

// At the width of a telephone nothing is wider than the page, and no word is broken.
func TestPageOnATelephone(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	b := tab{browsertest.Open(t)}
	b.Size(375, 800, "light")
	for name, run := range map[string]Run{"five arms": fakeRun(), "twenty arms": many()} {
		b.open(run)
		if w := eval[int](b, `document.documentElement.scrollWidth`); w > 375 {
			t.Errorf("%s: the page is %d pixels wide", name, w)
		}
		broken := eval[[]string](b, `(() => {
			const out = [], walk = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
			for (let n = walk.nextNode(); n; n = walk.nextNode()) {
				if (n.parentElement.closest("script, svg, pre, .unseen")) continue;
				for (const m of n.data.matchAll(/[\p{L}\p{N}.,]{2,}/gu)) {
					const r = document.createRange();
					r.setStart(n, m.index); r.setEnd(n, m.index + m[0].length);
					if (new Set([...r.getClientRects()].map((q) => Math.round(q.top))).size > 1) out.push(m[0]);
				}
			}
			return out;
		})()`)
		if len(broken) > 0 {
			t.Errorf("%s: broken words: %q", name, broken)
		}
	}
	b.Quiet()
}

func TestPageInTheDark(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	b := tab{browsertest.Open(t)}
	seen := map[string]string{}
	for _, theme := range []string{"light", "dark"} {
		b.Size(1280, 1000, theme)
		b.open(fakeRun())
		got := eval[string](b, `getComputedStyle(document.body).backgroundColor + " " + getComputedStyle(document.querySelector('[data-panel="0"] .arm-0 path.l')).stroke`)
		seen[theme] = got
	}
	if seen["light"] != "rgb(255, 255, 255) rgb(51, 51, 51)" || seen["dark"] != "rgb(20, 23, 27) rgb(225, 225, 225)" {
		t.Errorf("ground and first curve: %v", seen)
	}
	b.Quiet()
}

// Pages of odd runs open without a word of the console.
func TestOddPagesInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	b := tab{browsertest.Open(t)}
	for name, run := range oddRuns() {
		b.open(run)
		if n := eval[int](b, `document.querySelectorAll(".chart svg").length`); n < 6 && len(run.Arms) > 0 {
			t.Errorf("%s: %d charts", name, n)
		}
		if bad := eval[int](b, `[...document.querySelectorAll("svg *")].filter((e) => [...e.attributes].some((a) => a.name !== "class" && /NaN|Infinity|undefined/.test(a.value))).length`); bad > 0 {
			t.Errorf("%s: %d elements of charts have no place", name, bad)
		}
	}
	b.Quiet()
}

// The pages of experiments and lists obey their own policies.
func TestOtherPagesInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	b := tab{browsertest.Open(t)}
	list, err := List(hostile, []Link{{Href: "/1", Title: hostile, About: "about"}})
	if err != nil {
		t.Fatal(err)
	}
	experiment, err := fakeDocument().Page()
	if err != nil {
		t.Fatal(err)
	}
	for name, page := range map[string]Page{"list": list, "experiment": experiment} {
		b.show(page)
		if ground := eval[string](b, `getComputedStyle(document.querySelector("main")).maxWidth`); ground != "1120px" {
			t.Errorf("%s: its style is not used: %s", name, ground)
		}
	}
	b.Quiet()
}

// Without the script the page has its still pictures.
func TestPageWithoutScript(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	b := tab{browsertest.Open(t)}
	b.NoScript()
	b.open(fakeRun())
	if n := eval[int](b, `document.querySelectorAll(".chart svg path.l").length`); n != 12*5+5 {
		t.Errorf("%d curves, want %d", n, 12*5+5)
	}
	if n := eval[int](b, `document.querySelectorAll(".chart button").length`); n != 0 {
		t.Error("there are buttons that do nothing")
	}
}
