package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// ours is the value of impl= that others are compared with.
const ours = "driftless"

// A row is one way of running a benchmark: an impl at a number of threads.
type row struct {
	impl    string
	threads int
	byRound map[int]float64 // nanoseconds, the median of a round
}

func (r row) times() []float64 {
	var ts []float64
	for _, t := range r.byRound {
		ts = append(ts, t)
	}
	return ts
}

// render returns the samples as Markdown, a table for each benchmark in the order
// of their first samples, 80 columns wide at most. Without all each impl has one
// row, that with the number of threads of the lowest median.
func render(samples []sample, all bool) string {
	var b strings.Builder
	var whats []string
	for _, s := range samples {
		if !slices.Contains(whats, s.what) {
			whats = append(whats, s.what)
		}
	}
	for _, what := range whats {
		rs := rowsOf(samples, what)
		base := slices.IndexFunc(rs, func(r row) bool { return r.impl == ours }) // the best: rows are sorted
		var oursBest row
		if base >= 0 {
			oursBest = rs[base]
		}
		work := flops(sample{what: what}.net())
		cells := [][]string{{"impl (threads)", "ms (range)", "time / ours (range)", "GFLOP/s"}}
		var seen []string
		for _, r := range rs {
			if !all && slices.Contains(seen, r.impl) {
				continue
			}
			seen = append(seen, r.impl)
			var ratios []float64
			for round, t := range r.byRound {
				if o, ok := oursBest.byRound[round]; ok {
					ratios = append(ratios, t/o)
				}
			}
			name := r.impl
			if r.threads > 0 {
				name += fmt.Sprintf(" (%d)", r.threads)
			}
			rate := "–"
			if work > 0 {
				rate = digits(work / median(r.times()))
			}
			cells = append(cells, []string{name, spread(r.times(), 1e-6), spread(ratios, 1), rate})
		}
		kind, rest, _ := strings.Cut(what, "/")
		fmt.Fprintf(&b, "\n%s: %s\n\n", kind, strings.ReplaceAll(rest, "/", ", "))
		writeTable(&b, cells)
	}
	b.WriteString("\nMedian and range over the rounds. time / ours: of the same round; above 1\n" +
		"driftless is faster. GFLOP/s counts the matrix products only, zeros too.\n")
	return b.String()
}

// rowsOf returns the rows of a benchmark, ours first, then by median.
func rowsOf(samples []sample, what string) []row {
	type key struct {
		impl    string
		threads int
	}
	times := map[key]map[int][]float64{}
	for _, s := range samples {
		if s.what != what {
			continue
		}
		k := key{s.impl, s.threads}
		if times[k] == nil {
			times[k] = map[int][]float64{}
		}
		times[k][s.round] = append(times[k][s.round], s.ns)
	}
	var rs []row
	for k, rounds := range times {
		r := row{k.impl, k.threads, map[int]float64{}}
		for round, ts := range rounds {
			r.byRound[round] = median(ts)
		}
		rs = append(rs, r)
	}
	rank := func(r row) int {
		if r.impl == ours {
			return 0
		}
		return 1
	}
	slices.SortFunc(rs, func(a, b row) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(median(a.times()), median(b.times())),
			strings.Compare(a.impl, b.impl), cmp.Compare(a.threads, b.threads))
	})
	return rs
}

// median returns the median, the mean of the middle two of an even number.
func median(xs []float64) float64 {
	s := slices.Sorted(slices.Values(xs))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// spread formats median and range in a unit.
func spread(xs []float64, unit float64) string {
	if len(xs) == 0 {
		return "–"
	}
	m := digits(median(xs) * unit)
	if len(xs) == 1 {
		return m
	}
	return fmt.Sprintf("%s (%s–%s)", m, digits(slices.Min(xs)*unit), digits(slices.Max(xs)*unit))
}

// digits formats with three significant digits, more before the point.
func digits(x float64) string {
	switch {
	case x < 0.9995:
		return fmt.Sprintf("%.3f", x)
	case x < 9.995:
		return fmt.Sprintf("%.2f", x)
	case x < 99.95:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

// writeTable writes a Markdown table, the first row its head, numbers to the
// right.
func writeTable(b *strings.Builder, cells [][]string) {
	width := make([]int, len(cells[0]))
	for _, r := range cells {
		for i, c := range r {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	for n, r := range cells {
		for i, c := range r {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(c))
			if i == 0 {
				fmt.Fprintf(b, "| %s%s ", c, pad)
			} else {
				fmt.Fprintf(b, "| %s%s ", pad, c)
			}
		}
		b.WriteString("|\n")
		if n > 0 {
			continue
		}
		for i, w := range width {
			if i == 0 {
				b.WriteString("|" + strings.Repeat("-", w+2))
			} else {
				b.WriteString("|" + strings.Repeat("-", w+1) + ":")
			}
		}
		b.WriteString("|\n")
	}
}

// flops returns the floating-point operations of the matrix products of one
// training step, 0 for an unknown network: two for each multiplication and
// addition, forward, for the gradient of the weights, and for that of the inputs
// but in the first layer.
func flops(net string) float64 {
	var sizes []int
	var batch int
	switch net {
	case "paper":
		sizes, batch = []int{784, 100, 100, 100, 10}, 60
	case "lenet": // convolutions as products of patches: windows × patch × channels
		c1, c2, fc := 28*28*25*6, 10*10*150*16, 400*120+120*84+84*10
		return 2 * 60 * float64(2*c1+3*(c2+fc))
	case "wide":
		sizes, batch = []int{784, 1024, 1024, 1024, 10}, 512
	default:
		return 0
	}
	var n int
	for i := range sizes[1:] {
		products := 3
		if i == 0 {
			products = 2
		}
		n += 2 * products * batch * sizes[i] * sizes[i+1]
	}
	return float64(n)
}
