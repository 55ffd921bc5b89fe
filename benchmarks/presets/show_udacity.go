package presets

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"driftless/internal/report"
)

// classZero is the share of class 0 in MNIST's test set, which a network of weights that are not
// numbers gets in the frameworks that predict the first class then.
const classZero = 0.0980

// agrees is how far a cell may be from theirs.
const agrees = 0.02

// showUdacity puts our cells beside theirs.
func showUdacity(pre *Preset, r *Results, d *report.Document) {
	within, cells := 0, 0
	var sections []report.Section
	for i := range r.Parts {
		p := &r.Parts[i]
		var theirs []Cell
		for _, q := range pre.Parts {
			if q.Name == p.Name {
				theirs = q.Theirs
			}
		}
		t := report.Table{Head: []string{"net", "lr", "steps", "theirs", "ours (range)", "difference", ""}, Caption: p.conditions(r)}
		var notes []string
		for j := range p.Arms {
			a := &p.Arms[j]
			for _, step := range pre.Checkpoints {
				k := slices.IndexFunc(theirs, func(c Cell) bool { return c.Norm == a.Norm && c.LR == a.LR && c.Steps == step })
				xs := a.compared(step)
				row := []string{a.Norm, exact(a.LR), thousands(step), "not in theirs", oursText(xs), "", ""}
				if len(xs) == 0 {
					row[4] = "not run"
				}
				if k >= 0 {
					c := theirs[k]
					row[3] = accuracies(c.Accuracy)
					if len(xs) > 0 {
						cells++
						var ok bool
						row[5], row[6], ok = verdict(c, xs)
						if ok {
							within++
						} else if c.Why != "" {
							notes = append(notes, fmt.Sprintf("%s, lr %v, %s steps: %s", a.Norm, a.LR, thousands(step), c.Why))
						}
					}
				}
				t.Rows = append(t.Rows, row)
			}
		}
		sections = append(sections, report.Section{Name: p.Name, Heading: p.Title, Table: t, Notes: append(notes, p.ends()...)})
	}
	d.Lead = append(d.Lead, fmt.Sprintf("%d of %d cells are within %.2f of theirs; the others are explained below their table.", within, cells, agrees))
	d.Sections = append(d.Sections, sections...)
}

// compared returns the seeds' accuracies at a step, class 0's share for those that had diverged.
func (a *ArmResult) compared(step int) []float64 {
	i := slices.Index(a.Steps, step)
	var out []float64
	for _, s := range a.Seeds {
		switch {
		case s.DivergedAt != nil && *s.DivergedAt <= step:
			out = append(out, classZero)
		case i >= 0 && i < len(s.Accuracies):
			out = append(out, float64(s.Accuracies[i]))
		}
	}
	return out
}

func oursText(xs []float64) string {
	if len(xs) == 0 {
		return "—"
	}
	return fmt.Sprintf("%.4f (%.4f–%.4f)", report.StatOf(xs).Mean, slices.Min(xs), slices.Max(xs))
}

func accuracies(xs []float64) string {
	var out []string
	for _, x := range xs {
		out = append(out, fmt.Sprintf("%.4f", x))
	}
	return strings.Join(out, ", ")
}

// verdict compares our seeds with the nearest of their runs: by the mean, else by whether their
// run is among what our seeds give.
func verdict(c Cell, xs []float64) (difference, text string, ok bool) {
	mean := report.StatOf(xs).Mean
	diff := math.Inf(1)
	for _, x := range c.Accuracy {
		if d := mean - x; math.Abs(d) < math.Abs(diff) {
			diff = d
		}
	}
	difference = fmt.Sprintf("%+.4f", diff)
	if math.Abs(diff) <= agrees+1e-9 {
		return difference, "within 0.02", true
	}
	for _, x := range c.Accuracy {
		for _, y := range xs {
			if math.Abs(x-y) <= agrees+1e-9 {
				return difference, "one of our seeds is within", false
			}
		}
		if slices.Min(xs) <= x && x <= slices.Max(xs) {
			return difference, "among our seeds", false
		}
	}
	return difference, "**differs**", false
}

// ends says of each arm whose seeds diverged when they did.
func (p *PartResult) ends() []string {
	var out []string
	for i := range p.Arms {
		a := &p.Arms[i]
		var steps []string
		for _, s := range a.Seeds {
			if s.DivergedAt != nil {
				steps = append(steps, fmt.Sprintf("%s (seed %d)", thousands(*s.DivergedAt), s.Seed))
			}
		}
		if steps != nil {
			out = append(out, fmt.Sprintf("%s, lr %v: %d of %d seeds diverged, at step %s.", a.Norm, a.LR, len(steps), len(a.Seeds), strings.Join(steps, ", ")))
		}
	}
	return out
}
