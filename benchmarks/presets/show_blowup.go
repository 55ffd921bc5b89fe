package presets

import (
	"fmt"
	"strings"

	"driftless/internal/report"
)

// showBlowup makes a table of losses, biases and growth exponents, and a figure with a column a
// learning rate.
func showBlowup(_ *Preset, r *Results, d *report.Document) {
	for i := range r.Parts {
		p := &r.Parts[i]
		run := p.run(r)
		fig := &report.Figure{File: "blowup.png", Title: "Loss and biases where statistics stand outside of the graph", Lines: []string{p.conditions(r)}, Warning: p.warning(r),
			Caption: "Training loss and the rms bias of the hidden layer where it is largest, both on a logarithmic scale; mean over seeds with a band from the smallest to the largest. A bias that is exactly 0 has no line."}
		var loss, bias []report.Panel
		for _, lr := range p.lrs() {
			var arms []string
			for _, a := range p.Arms {
				if a.LR == lr {
					arms = append(arms, a.Name)
				}
			}
			loss = append(loss, report.Panel{Title: fmt.Sprintf("Training loss, lr %v", lr), Show: report.LossBySteps, Run: run, Arms: arms, Less: atLR("", lr)})
			bias = append(bias, report.Panel{Title: fmt.Sprintf("Largest rms bias, lr %v", lr), Show: report.BiasBySteps, Run: run, Arms: arms, Less: atLR("", lr)})
		}
		fig.Rows = [][]report.Panel{loss, bias}
		t := report.Table{Head: []string{"arm", "lr", "training loss", "test accuracy", "largest bias", "growth exponents"},
			Caption: "At the end, mean ± standard deviation over seeds. Largest bias: of any unit, median over seeds. Growth exponents: of the rms bias of each hidden layer, input side first, the slope of its logarithm against that of the step over the last half, median over seeds: 1 is linear growth, 0.5 that of diffusion or of a force that falls as the scale grows. Chance loss is 2.30. " + p.conditions(r)}
		for j := range p.Arms {
			a := &p.Arms[j]
			row := []string{a.Form(), exact(a.LR)}
			if a.diverged() == len(a.Seeds) && len(a.Seeds) > 0 {
				row = append(row, fmt.Sprintf("diverged by step %s", thousands(lastDivergence(a))), "—", "—", "—")
			} else {
				row = append(row, spread(a.steady(func(s *SeedResult) float64 { return float64(s.Loss) }), 1, 3)+a.divergedText(),
					spread(a.accuracyAt(a.last()), 100, 1), short(median(a.steady(func(s *SeedResult) float64 { return float64(s.MaxBias) }))), a.growth())
			}
			t.Rows = append(t.Rows, row)
		}
		d.Sections = append(d.Sections, report.Section{Name: "figure", Heading: "Figure", Figure: fig}, report.Section{Name: "table", Heading: "Table", Table: t})
	}
}

// rounding is the size of a bias below which its growth is that of rounding errors.
const rounding = 1e-4

// growth prints the exponents of the hidden layers, each the median over the seeds that did not
// diverge. One of a bias that stays at the level of rounding says nothing and is left out.
func (a *ArmResult) growth() string {
	if median(a.steady(func(s *SeedResult) float64 { return float64(s.MaxBias) })) < rounding {
		return "none"
	}
	var out []string
	for layer := range a.Seeds[0].Growth {
		m := median(a.steady(func(s *SeedResult) float64 { return at(s.Growth, layer) }))
		if m-m != 0 {
			out = append(out, "—")
			continue
		}
		out = append(out, fmt.Sprintf("%.2f", m))
	}
	return strings.Join(out, " ")
}

func lastDivergence(a *ArmResult) int {
	last := 0
	for _, s := range a.Seeds {
		if s.DivergedAt != nil {
			last = max(last, *s.DivergedAt)
		}
	}
	return last
}
