package presets

import (
	"fmt"
	"slices"

	"driftless/internal/report"
)

// Forms of the two nets of the paper's figure 1.
const plainForm, bnForm = "none", "batchnorm"

// showPaper makes figure 1 and checks what is claimed of it.
func showPaper(pre *Preset, r *Results, d *report.Document) {
	for i := range r.Parts {
		p := &r.Parts[i]
		run := p.run(r)
		fig := &report.Figure{File: "paper.png", Title: "Figure 1 of Ioffe & Szegedy (2015), at two learning rates",
			Lines: []string{p.conditions(r)}, Warning: p.warning(r),
			Caption: "(a) Test accuracy, the error on a logarithmic scale: median over seeds with a band between the quartiles. (b, c) 15th, 50th and 85th percentile of the input of one unit of the last hidden layer, of the first seed: (b) without and (c) with batch normalization."}
		var top []report.Panel
		var units [][]report.Panel
		for _, lr := range p.lrs() {
			top = append(top, report.Panel{Title: fmt.Sprintf("(a) Test accuracy, lr %v", lr), Show: report.AccuracyQuartilesBySteps, Run: run, Less: atLR("", lr),
				Arms: []string{atLR(plainForm, lr), atLR(bnForm, lr)}})
			units = append(units, []report.Panel{
				{Title: fmt.Sprintf("(b) Unit %d, without, lr %v", p.Unit, lr), Show: report.UnitBySteps, Run: run, Less: atLR("", lr), Arms: []string{atLR(plainForm, lr)}},
				{Title: fmt.Sprintf("(c) Unit %d, batch norm, lr %v", p.Unit, lr), Show: report.UnitBySteps, Run: run, Less: atLR("", lr), Arms: []string{atLR(bnForm, lr)}}})
		}
		fig.Rows = append([][]report.Panel{top}, units...)
		t := report.Table{Head: []string{"lr", "net"}, Caption: "Test accuracy in per cent after so many steps, mean ± standard deviation over seeds. " + p.conditions(r)}
		for _, c := range pre.Checkpoints {
			t.Head = append(t.Head, thousands(c))
		}
		for _, lr := range p.lrs() {
			for _, form := range []string{plainForm, bnForm} {
				if a := p.arm(form, lr); a != nil {
					row := []string{exact(lr), form}
					for _, c := range pre.Checkpoints {
						row = append(row, spread(a.accuracyAt(c), 100, 2))
					}
					t.Rows = append(t.Rows, row)
				}
			}
		}
		d.Sections = append(d.Sections,
			report.Section{Name: "figure", Heading: "Figure 1", Figure: fig},
			report.Section{Name: "table", Heading: "Accuracies", Table: t},
			report.Section{Name: "claims", Heading: "What is claimed of it, checked", Notes: p.paperClaims()})
	}
}

// paperClaims checks the claims against the results, one sentence each.
func (p *PartResult) paperClaims() []string {
	var out []string
	for _, lr := range p.lrs() {
		if s := p.lead(lr); s != "" {
			out = append(out, s)
		}
	}
	yes := map[bool]string{true: "yes", false: "NO"}
	claim := func(lr float64, form string, step int, lo, hi float64, text string) {
		a := p.arm(form, lr)
		if a == nil {
			return
		}
		xs := a.accuracyAt(step)
		if len(xs) == 0 || len(xs) < len(a.Seeds) {
			out = append(out, fmt.Sprintf("%s: not measured (%d of %d seeds were evaluated at step %s).", text, len(xs), len(a.Seeds), thousands(step)))
			return
		}
		least, most := slices.Min(xs), slices.Max(xs)
		out = append(out, fmt.Sprintf("%s: %s (seeds from %.4f to %.4f, mean %.4f).", text, yes[least >= lo && most <= hi], least, most, report.StatOf(xs).Mean))
	}
	claim(0.1, plainForm, 50000, 0.95, 0.98, "The net without normalization at lr 0.1 is at 0.95 to 0.98 by step 50,000, every seed")
	claim(0.5, bnForm, 10000, 0.96, 1, "Batch norm at lr 0.5 is at 0.960 or above by step 10,000, every seed")
	if plain, bn := p.arm(plainForm, 0.1), p.arm(bnForm, 0.1); plain != nil && bn != nil {
		const step, least = 5000, 0.10
		a, b := report.StatOf(plain.accuracyAt(step)), report.StatOf(bn.accuracyAt(step))
		if lead := b.Mean - a.Mean; lead-lead == 0 {
			out = append(out, fmt.Sprintf("Batch norm at lr 0.1 leads by 0.10 or more at step 5,000: %s (mean lead %.4f).", yes[lead >= least], lead))
		}
	}
	return out
}

// lead says at how many evaluations batch norm was ahead.
func (p *PartResult) lead(lr float64) string {
	plain, bn := p.arm(plainForm, lr), p.arm(bnForm, lr)
	if plain == nil || bn == nil {
		return ""
	}
	n, ahead, behind, pairs, at, smallest := 0, 0, 0, 0, 0, 2.0
	for _, step := range bn.Steps {
		a, b := plain.accuracyAt(step), bn.accuracyAt(step)
		if step == 0 || len(a) == 0 || len(a) != len(b) {
			continue
		}
		n++
		lead := report.StatOf(b).Mean - report.StatOf(a).Mean
		if lead > 0 {
			ahead++
		}
		if lead < smallest {
			smallest, at = lead, step
		}
		for i := range a {
			pairs++
			if b[i] <= a[i] {
				behind++
			}
		}
	}
	if n == 0 {
		return ""
	}
	verdict := "yes"
	if ahead < n {
		verdict = fmt.Sprintf("NO, at %d of %d", ahead, n)
	}
	return fmt.Sprintf("Batch norm is ahead at every checkpoint at lr %v: %s (%d checkpoints, means of %d seeds; the smallest lead is %.4f at step %s; seed by seed it is not ahead in %d of %d).",
		lr, verdict, n, len(bn.Seeds), smallest, thousands(at), behind, pairs)
}
