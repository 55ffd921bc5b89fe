package benchmarks

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"driftless/internal/report"
)

// Explain prints one step of the arm "naive center", number by number, then the
// same step with the mean in the graph, in at most 80 columns. The arithmetic is
// spelled out and uses no engine, so that a reader can follow and redo it.
func Explain(w io.Writer) error {
	l := driftCases()[0].layer
	u, y, b, lr := l.u, l.y, l.b, l.lr
	m := len(u)
	old := centerForward(u, y, b)
	e := explainer{rows: m}

	e.text("The trap of Ioffe & Szegedy (2015, section 2), on one batch.\n\n"+
		"  x = u + b    x̂ = x - E[x]    l = mean of ½(y - x̂)²\n"+
		"  b = %s, the learning rate is %s, and E is the mean of the batch\n\n", num(b), num(lr))
	e.header()
	e.row("u", u, "")
	e.row("b", slices.Repeat([]float64{b}, m), "")
	e.forward("", old)
	e.row("y", y, "")
	e.row("½(y - x̂)²", old.terms, "= l")
	e.row(fmt.Sprintf("∂l/∂x̂ = (x̂ - y)/%d", m), old.g, "")

	seen := sumOf(old.g) // ∂x̂/∂b taken for 1
	db := -lr * seen
	naive := centerForward(u, y, b+db)
	e.text("\nE[x] outside the graph: a constant for the gradient\n\n"+
		"  The step takes ∂x̂/∂b for 1:  ∂l/∂b = Σ ∂l/∂x̂ = %s\n"+
		"  It moves b by  Δb = -%s · (%s) = %s  to b = %s,\n"+
		"  and expects the loss to fall by about %s. The same batch again:\n\n",
		num(seen), num(lr), num(seen), num(db), num(b+db), num(lr*seen*seen))
	e.header()
	e.row("b + Δb", slices.Repeat([]float64{b + db}, m), "")
	e.forward("new ", naive)
	e.row("new ½(y - x̂)²", naive.terms, "= l")
	e.text("\n  E[x] has moved by %s as well and takes Δb out again: x̂ is what it was,\n"+
		"  the loss has changed by %s, and the next step sees the same gradient.\n"+
		"  After %d steps b = %s + %d · %s = %s, and l is still %s.\n",
		num(naive.mean-old.mean), num(naive.loss-old.loss), centerSteps, num(b), centerSteps, num(db), num(b+centerSteps*db),
		num(centerForward(u, y, b+centerSteps*db).loss))

	dx := withoutMean(old.g)
	still := -lr * sumOf(dx)
	graph := centerForward(u, y, b+still)
	e.text("\nE[x] in the graph: b moves E[x] too, and the gradient knows\n\n" +
		"  ∂x̂/∂b = 1 - ∂E[x]/∂b = 1 - 1 = 0. The gradient that comes through E[x]\n" +
		"  takes the mean out of ∂l/∂x:\n\n")
	e.header()
	e.row("∂l/∂x̂", old.g, "")
	e.row("∂l/∂x = ∂l/∂x̂ - mean", dx, "")
	e.text("\n  ∂l/∂b = Σ ∂l/∂x = %s, so Δb = %s and b stays at %s:\n\n", num(sumOf(dx)), num(still), num(b+still))
	e.header()
	e.row("b + Δb", slices.Repeat([]float64{b + still}, m), "")
	e.forward("new ", graph)
	e.row("new ½(y - x̂)²", graph.terms, "= l")

	e.text("\nWhat depends on the gradient, and what does not\n\n" +
		"  u + b + Δb - E[u + b + Δb] = u + b - E[u + b] holds for any Δb:\n\n")
	e.header()
	for _, d := range []float64{db, -7, 1000} {
		e.row("x̂ at Δb = "+num(d), centerForward(u, y, b+d).xhat, "")
	}
	e.text("\n  What depends on the gradient is which Δb is chosen. The naive step goes on\n"+
		"  choosing a Δb ≠ 0, because it takes ∂x̂/∂b for 1 where it is 0. What drives\n"+
		"  it never ends: Σ ∂l/∂x̂ = E[x̂] - E[y] = %s - %s, and no b can move E[x̂].\n"+
		"  In the graph the step chooses Δb = %s.\n", num(meanOf(old.xhat)), num(meanOf(y)), num(still))
	_, err := io.WriteString(w, e.out.String())
	return err
}

// centerStep is x = u + b and x̂ = x − E[x] on a batch.
type centerStep struct {
	x, xhat, terms, g []float64 // terms of the loss; g = ∂l/∂x̂
	mean, loss        float64   // E[x] and l
}

func centerForward(u, y []float64, b float64) centerStep {
	var s centerStep
	for _, v := range u {
		s.x = append(s.x, v+b)
	}
	s.mean, s.xhat = meanOf(s.x), withoutMean(s.x)
	for i, v := range s.xhat {
		s.terms = append(s.terms, (y[i]-v)*(y[i]-v)/2)
		s.g = append(s.g, (v-y[i])/float64(len(u)))
	}
	s.loss = meanOf(s.terms)
	return s
}

func sumOf(x []float64) (s float64) {
	for _, v := range x {
		s += v
	}
	return s
}

func meanOf(x []float64) float64 { return sumOf(x) / float64(len(x)) }

func withoutMean(x []float64) []float64 {
	out, m := slices.Clone(x), meanOf(x)
	for i := range out {
		out[i] -= m
	}
	return out
}

// explainer writes text, and tables with a column for each row of the batch and
// one for their mean.
type explainer struct {
	rows int
	out  strings.Builder
}

func (e *explainer) text(format string, args ...any) { fmt.Fprintf(&e.out, format, args...) }

func (e *explainer) header() {
	e.text("  %-24s", "row of the batch")
	for i := range e.rows {
		e.text("%9d", i+1)
	}
	e.text("%9s\n", "mean")
}

func (e *explainer) row(label string, x []float64, note string) {
	e.text("  %s", padRight(label, 24))
	for _, v := range x {
		e.text("%9s", decimals(report.Number(v), 4))
	}
	if note != "" {
		note = " " + note
	}
	e.text("%9s%s\n", decimals(report.Number(meanOf(x)), 4), note)
}

func (e *explainer) forward(when string, s centerStep) {
	e.row(when+"x = u + b", s.x, "= E[x]")
	e.row(when+"x̂ = x - E[x]", s.xhat, "")
}

// num prints a number of the walk, to ten digits, so that rounding does not show.
func num(x float64) string {
	if x > -1e-10 && x < 1e-10 {
		return "0"
	}
	return digits(x, 10)
}
