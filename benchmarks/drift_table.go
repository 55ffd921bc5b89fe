package benchmarks

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"

	"driftless/internal/report"
)

// Table prints the arms and how far each is from its closed form, in at most 80
// columns.
func (r *DriftResult) Table(w io.Writer) error {
	var out strings.Builder
	out.WriteString("One layer, float64: x = u·w + b, x̂ = normalize(x), l = mean of ½(y - x̂)²\n\n")
	const row = "%-19s %5s %5s %6s %6s %5s %8s %9s %8s\n"
	fmt.Fprintf(&out, row, "", "", "", "loss", "loss", "b", "b", "b", "largest")
	fmt.Fprintf(&out, row, "arm", "lr", "steps", "first", "last", "first", "last", "predicted", "|∂l/∂b|")
	for _, a := range r.Arms {
		fmt.Fprintf(&out, row, a.Name, fmt.Sprint(a.LR), fmt.Sprint(a.Steps), decimals(a.LossFirst, 4), decimals(a.LossLast, 4),
			decimals(a.BiasFirst, 2), decimals(a.BiasLast, 4), decimals(a.BiasPredicted, 4), digits(float64(a.MaxAbsBiasGradient), 3))
	}
	fmt.Fprintf(&out, "\n%-56s %8s %8s\n", "against the closed forms", "off by", "allowed")
	failed, all := 0, 0
	for _, a := range r.Arms {
		for _, c := range a.checks {
			all++
			verdict := "ok"
			if !c.ok() {
				verdict = "FAILS"
				failed++
			}
			fmt.Fprintf(&out, "%-19s  %s %8s %8s %s\n", a.Name, padRight(c.what, 35), digits(c.error, 2), digits(c.bound, 2), verdict)
		}
	}
	if failed == 0 {
		fmt.Fprintf(&out, "\nAll %d checks agree.\n", all)
	} else {
		fmt.Fprintf(&out, "\n%d of %d checks do not agree.\n", failed, all)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// decimals prints a number with n decimals, "-" where there is none.
func decimals(x report.Number, n int) string {
	f := float64(x)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return "-"
	}
	if math.Abs(f) < 0.5*math.Pow10(-n) {
		f = 0 // not -0.0000
	}
	return strconv.FormatFloat(f, 'f', n, 64)
}

// digits prints a number with n significant digits, "-" where there is none.
func digits(x float64, n int) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "-"
	}
	return strconv.FormatFloat(x, 'g', n, 64)
}

// columns returns the width of a text on a terminal: the mark over the x of x̂
// takes no column of its own, which fmt does not know.
func columns(s string) int {
	n := 0
	for _, r := range s {
		if !unicode.Is(unicode.Mn, r) {
			n++
		}
	}
	return n
}

// padRight fills a text up to a width in columns.
func padRight(s string, width int) string { return s + strings.Repeat(" ", max(0, width-columns(s))) }
