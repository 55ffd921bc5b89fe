package presets

import (
	"fmt"
	"math"
	"slices"

	"driftless/internal/report"
	"driftless/models/norm"
)

// columns are those of the families figure: methods by what becomes of their statistics.
var columns = []struct {
	title   string
	classes []norm.Class
}{
	{"Uncompensated", []norm.Class{norm.Uncompensated}},
	{"Compensated", []norm.Class{norm.Compensated}},
	{"Gradient only, or fixed", []norm.Class{norm.GradientOnly, norm.Fixed}},
	{"In the graph", []norm.Class{norm.InGraph}},
}

// showFamilies makes the one-page figure, and a table of what each method took to its targets.
func showFamilies(_ *Preset, r *Results, d *report.Document) {
	for i := range r.Parts {
		p := &r.Parts[i]
		d.Sections = append(d.Sections, report.Section{Name: p.Name + "-figure", Heading: p.Name, Figure: p.families(r)})
		for _, t := range p.Targets {
			d.Sections = append(d.Sections, report.Section{Name: fmt.Sprintf("%s-%s", p.Name, targetKey(t)), Heading: fmt.Sprintf("%s: to %v %%", p.Name, 100*t), Table: p.toTarget(r, t)})
		}
		if t := p.rates(); len(t.Rows) > 0 {
			d.Sections = append(d.Sections, report.Section{Name: p.Name + "-rates", Heading: p.Name + ": the choice of learning rates", Table: t})
		}
	}
}

// families is accuracy against steps and against seconds, a column a class.
func (p *PartResult) families(r *Results) *report.Figure {
	run := p.run(r)
	for i := range run.Arms {
		form := formOf(run.Arms[i].Name)
		for j := range run.Points {
			if run.Points[j].Arm == run.Arms[i].Name {
				run.Points[j].Arm = form
			}
		}
		run.Arms[i].Name = form
	}
	f := &report.Figure{File: "families-" + p.Name + ".png", Title: "Every method at its own best learning rate: accuracy against steps and seconds",
		Lines: []string{p.conditions(r)}, Warning: p.warning(r),
		Caption: "Test accuracy, the error on a logarithmic scale: median over seeds with a band between the quartiles. In every column the net without normalization is grey. Seconds are those of one seed alone, on a logarithmic scale."}
	var steps, seconds []report.Panel
	for _, c := range columns {
		var arms []string
		for _, a := range p.Arms {
			if class := norm.Class(a.Class); class == norm.Plain || slices.Contains(c.classes, class) {
				arms = append(arms, a.Form())
			}
		}
		steps = append(steps, report.Panel{Title: c.title, Show: report.AccuracyQuartilesBySteps, Run: run, Arms: arms})
		seconds = append(seconds, report.Panel{Title: c.title, Show: report.AccuracyQuartilesBySeconds, Run: run, Arms: arms})
	}
	f.Rows = [][]report.Panel{steps, seconds}
	return f
}

// toTarget is a row a method: what it took to an accuracy.
func (p *PartResult) toTarget(r *Results, target float64) report.Table {
	t := report.Table{Head: []string{"method", "class", "lr", "reached", "steps", "seconds", "GFLOP", "accuracy at the end"},
		Caption: fmt.Sprintf("To %v %% test accuracy, evaluated every %d steps: median over all seeds, in brackets the first and third quartile; seeds that do not reach it count as later than all others. Accuracy: per cent, median [quartiles]. ", 100*target, p.EvalEvery) + p.conditions(r)}
	for _, class := range norm.Classes {
		for i := range p.Arms {
			a := &p.Arms[i]
			if norm.Class(a.Class) != class {
				continue
			}
			steps, n := a.stepsTo(target)
			row := []string{a.Form(), a.Class, exact(a.LR), fmt.Sprintf("%d of %d", n, len(a.Seeds))}
			row = append(row, quartiles(steps, 1), quartiles(steps, a.SecondsPerStep), quartiles(steps, a.FlopsPerStep/1e9))
			end := slices.Sorted(slices.Values(a.accuracyAt(a.last())))
			text := "—"
			if len(end) > 0 {
				text = fmt.Sprintf("%.1f [%.1f–%.1f]", 100*report.Quantile(end, 0.5), 100*report.Quantile(end, 0.25), 100*report.Quantile(end, 0.75))
			}
			t.Rows = append(t.Rows, append(row, text+a.divergedText()))
		}
	}
	return t
}

// stepsTo returns the seeds' steps to an accuracy in order, infinite for those that did not
// reach it, and how many did.
func (a *ArmResult) stepsTo(target float64) (steps []float64, n int) {
	for _, s := range a.Seeds {
		if at := s.StepsTo[targetKey(target)]; at != nil {
			n++
			steps = append(steps, float64(*at))
		} else {
			steps = append(steps, math.Inf(1))
		}
	}
	slices.Sort(steps)
	return steps, n
}

// quartiles prints the median of sorted values with the first and third quartile, each times
// scale; an infinite one is not reached.
func quartiles(sorted []float64, scale float64) string {
	q := func(at float64) string {
		x := report.Quantile(sorted, at)
		if x-x != 0 {
			return "∞"
		}
		return short(x * scale)
	}
	if m := report.Quantile(sorted, 0.5); m-m != 0 {
		return "not reached"
	}
	return fmt.Sprintf("%s [%s–%s]", q(0.5), q(0.25), q(0.75))
}

// rates is a row a method: the accuracy on held-out images at every learning rate.
func (p *PartResult) rates() report.Table {
	var t report.Table
	for i := range p.Arms {
		a := &p.Arms[i]
		if a.Chosen == nil {
			continue
		}
		if t.Head == nil {
			t.Head = []string{"method"}
			for _, g := range a.Chosen.Grid {
				t.Head = append(t.Head, "lr "+exact(g.LR))
			}
			t.Bold = "chosen"
			t.Caption = fmt.Sprintf("Accuracy in per cent on %s training images that were held out, after %s steps, mean of %d seeds. ∅: a seed diverged.",
				thousands(a.Chosen.HeldOut), thousands(a.Chosen.Steps), len(a.Chosen.Seeds))
		}
		row := []string{a.Form()}
		for _, g := range a.Chosen.Grid {
			text := "∅"
			if x := float64(g.Accuracy); x-x == 0 {
				text = fmt.Sprintf("%.2f", 100*x)
			}
			if g.LR == a.Chosen.LR {
				text = "**" + text + "**"
			}
			row = append(row, text)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
