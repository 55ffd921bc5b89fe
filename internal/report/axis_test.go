package report

import (
	"math"
	"strings"
	"testing"
)

func labels(a axis) string {
	var out []string
	for _, t := range a.ticks {
		out = append(out, t.label)
	}
	return strings.Join(out, " ")
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		name string
		axis axis
		want string
	}{
		{"steps", linearAxis(0, 5000, countTicks, true), "0 1,000 2,000 3,000 4,000 5,000"},
		{"many steps", linearAxis(0, 50000, countTicks, true), "0 10k 20k 30k 40k 50k"},
		{"one step", linearAxis(0, 1, countTicks, true), "0 1"},
		{"fraction", linearAxis(0, .05, plainTicks, true), "0 0.01 0.02 0.03 0.04 0.05"},
		{"around zero", linearAxis(-1.2, 1.3, plainTicks, false), "-1.0 -0.5 0 0.5 1.0"},
		{"tiny", linearAxis(0, 4e-8, plainTicks, true), "0 1e-8 2e-8 3e-8 4e-8"},
		{"huge", linearAxis(0, 4e20, plainTicks, true), "0 1e20 2e20 3e20 4e20"},
		{"accuracy", linearAxis(.1, .98, percentTicks, false), "20 % 40 % 60 % 80 % 100 %"},
		{"close accuracies", linearAxis(.961, .969, percentTicks, false), "96.2 % 96.4 % 96.6 % 96.8 %"},
		{"constant", linearAxis(2, 2, plainTicks, false), "1.8 1.9 2.0 2.1 2.2"},
		{"zero", linearAxis(0, 0, plainTicks, false), "-0.4 -0.2 0 0.2 0.4"},
		{"two decades", logAxis(.15, 11), "0.2 0.5 1 2 5 10"},
		{"three decades", logAxis(.09, 11), "0.1 1 10"},
		{"ten decades", logAxis(1e-9, 8), "1e-8 1e-6 1e-4 0.01 1"},
		{"short log", logAxis(2, 3), "2.0 2.2 2.4 2.6 2.8 3.0"},
		{"constant log", logAxis(1, 1), "0.5 1.0 1.5 2.0"},
	} {
		if got := labels(c.axis); got != c.want {
			t.Errorf("%s: ticks %q, want %q", c.name, got, c.want)
		}
	}
}

// Every range that can be drawn gives finite coordinates within the axis and a
// readable number of ticks.
func TestAxisRanges(t *testing.T) {
	values := []float64{-largestDrawn, -1e20, -3, -1e-30, 0, 5e-324, smallestDrawn, 1e-8, .5, .5 + 1e-12, 1, 7e9, largestDrawn}
	check := func(name string, a axis, lo, hi float64) {
		if n := len(a.ticks); n > 20 || n == 0 && hi > 2*lo {
			t.Errorf("%s [%g, %g]: %d ticks", name, lo, hi, n)
		}
		for _, v := range []float64{lo, hi, lo/2 + hi/2} {
			if at := a.norm(v); !(at >= -1e-9 && at <= 1+1e-9) {
				t.Errorf("%s [%g, %g]: %g lies at %g", name, lo, hi, v, at)
			}
		}
		for _, tick := range a.ticks {
			if at := a.norm(tick.at); !(at >= -1e-9 && at <= 1+1e-9) || tick.label == "" {
				t.Errorf("%s [%g, %g]: tick %q lies at %g", name, lo, hi, tick.label, at)
			}
		}
	}
	for i, lo := range values {
		for _, hi := range values[i:] {
			check("linear", linearAxis(lo, hi, plainTicks, false), lo, hi)
			if lo >= smallestDrawn {
				check("log", logAxis(lo, hi), lo, hi)
			}
		}
	}
}

func TestFormat(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0", 11.68: "11.7", math.Log(10): "2.30", .2041: "0.204", 3e-8: "3e-8", -3.14e-8: "-3.1e-8",
		999.7: "1,000", 12345: "12,345", 2.5e6: "2.5e6", 1e100: "1e100", 99.96: "100.0", math.Inf(1): "—",
	} {
		if got := formatNumber(x); got != want {
			t.Errorf("formatNumber(%v) = %q, want %q", x, got, want)
		}
	}
	for s, want := range map[Stat]string{
		{.2041, .0123, 3}: "0.204 ± 0.012", {11.7, .01, 3}: "11.7 ± 0.01", {.5, math.NaN(), 1}: "0.500", {2.3, 0, 3}: "2.30 ± 0",
		{0, 0, 3}: "0 ± 0", {}: "—", // a loss of 0 is one, and nothing measured is none
	} {
		if got := s.formatLoss(); got != want {
			t.Errorf("%v.formatLoss() = %q, want %q", s, got, want)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567"} {
		if got := formatInt(n); got != want {
			t.Errorf("formatInt(%d) = %q, want %q", n, got, want)
		}
	}
	for s, want := range map[float64]string{.0042: "4.20 ms", 3.4: "3.40 s", 119: "119 s", 125: "2 min 5 s", 7260: "121 min 0 s"} {
		if got := formatSeconds(s); got != want {
			t.Errorf("formatSeconds(%v) = %q, want %q", s, got, want)
		}
	}
}
