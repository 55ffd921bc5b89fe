package report

import (
	"math"
	"strconv"
	"strings"
)

// formatNumber prints x with three significant digits ("11.7", "2.30", "0.204"),
// very small and very large numbers as "3.1e-8", and "—" if x is not finite.
func formatNumber(x float64) string {
	switch abs := math.Abs(x); {
	case !finite(x):
		return "—"
	case x == 0:
		return "0"
	case abs < 1e-3 || abs >= 1e6:
		return shortExponent(strconv.FormatFloat(x, 'e', 1, 64))
	case abs >= 999.5:
		return groupDigits(strconv.FormatFloat(x, 'f', 0, 64))
	default:
		decimals := 2 - int(math.Floor(math.Log10(abs)))
		return strconv.FormatFloat(x, 'f', max(decimals, 0), 64)
	}
}

// shortExponent turns Go's "3.0e-08" into "3e-8".
func shortExponent(s string) string {
	mantissa, exponent, _ := strings.Cut(s, "e")
	mantissa = strings.TrimSuffix(mantissa, ".0")
	sign := ""
	if exponent[0] == '-' {
		sign = "-"
	}
	return mantissa + "e" + sign + strings.TrimLeft(exponent, "+-0")
}

// formatInt prints n with a comma between groups of three digits.
func formatInt(n int) string { return groupDigits(strconv.Itoa(n)) }

func groupDigits(s string) string {
	digits := strings.TrimPrefix(s, "-")
	sign := s[:len(s)-len(digits)]
	var b strings.Builder
	for i := range len(digits) {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteByte(digits[i])
	}
	return sign + b.String()
}

// formatPercent prints a fraction as "94.2 %".
func formatPercent(x float64) string {
	if !finite(x) {
		return "—"
	}
	return strconv.FormatFloat(100*x, 'f', 1, 64) + " %"
}

// formatLoss prints a Stat as "0.204 ± 0.012", without the second part where
// there is no spread.
func (s Stat) formatLoss() string {
	s = s.orNaN()
	mean := formatNumber(s.Mean)
	if !finite(s.Mean) || !finite(s.Std) {
		return mean
	}
	// The spread takes the decimals of the mean, unless that would print zero.
	if _, decimals, ok := strings.Cut(mean, "."); ok && !strings.Contains(mean, "e") {
		std := strconv.FormatFloat(s.Std, 'f', len(decimals), 64)
		if strings.Trim(std, "0.") != "" {
			return mean + " ± " + std
		}
	}
	std := formatNumber(s.Std)
	if strings.Contains(std, ".") && !strings.Contains(std, "e") {
		std = strings.TrimRight(std, "0")
	}
	return mean + " ± " + std
}

// decimals is how many a column of numbers is printed with: so many that the smallest of
// them has two significant digits, but three or four.
func decimals(column []float64) int {
	n := 3
	for _, x := range column {
		if abs := math.Abs(x); abs > 0 && abs < 0.01 && abs >= 1e-3 {
			n = 4
		}
	}
	return n
}

// fixed prints x with so many decimals, "3.1e-8" where these would show less than half of a
// digit, and large numbers as formatNumber does.
func fixed(x float64, decimals int) string {
	if abs := math.Abs(x); !finite(x) || abs >= 1e5 || x != 0 && abs < math.Pow10(-decimals) {
		return formatNumber(x)
	}
	whole, fraction, _ := strings.Cut(strconv.FormatFloat(x, 'f', decimals, 64), ".")
	return groupDigits(whole) + "." + fraction
}

// fixed prints a Stat with so many decimals, the spread with the same.
func (s Stat) fixed(decimals int) string {
	s = s.orNaN()
	mean := fixed(s.Mean, decimals)
	if !finite(s.Mean) || !finite(s.Std) {
		return mean
	}
	if strings.Contains(mean, "e") {
		return mean + " ± " + formatNumber(s.Std)
	}
	return mean + " ± " + strconv.FormatFloat(s.Std, 'f', decimals, 64)
}

// formatAccuracy prints a Stat of fractions as "94.2 ± 0.3 %".
func (s Stat) formatAccuracy() string {
	s = s.orNaN()
	if !finite(s.Mean) || !finite(s.Std) {
		return formatPercent(s.Mean)
	}
	return strconv.FormatFloat(100*s.Mean, 'f', 1, 64) + " ± " +
		strconv.FormatFloat(100*s.Std, 'f', 1, 64) + " %"
}

// formatSeconds prints a duration with a fitting unit: "8 ms", "3.4 s", "2 min 5 s".
func formatSeconds(s float64) string {
	switch {
	case !finite(s):
		return "—"
	case s < 1:
		return formatNumber(1e3*s) + " ms"
	case s < 120:
		return formatNumber(s) + " s"
	case s < 1e9:
		whole := int(math.Round(s))
		return formatInt(whole/60) + " min " + strconv.Itoa(whole%60) + " s"
	default:
		return formatNumber(s) + " s"
	}
}

// formatInts joins numbers with commas.
func formatInts(ns []int) string {
	words := make([]string, len(ns))
	for i, n := range ns {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, ", ")
}

// plural prints a count with its noun: "1 seed", "3 seeds".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return formatInt(n) + " " + noun + "s"
}
