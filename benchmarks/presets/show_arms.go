package presets

import (
	"driftless/internal/report"
	"driftless/models/norm"
)

// showArms makes one row an arm: what it came to.
func showArms(_ *Preset, r *Results, d *report.Document) {
	for i := range r.Parts {
		p := &r.Parts[i]
		t := report.Table{Head: []string{"arm", "training loss", "test accuracy", "largest hidden bias"},
			Caption: "Mean ± standard deviation over seeds, those that did not diverge. The bias: the largest of any hidden layer, mean over seeds; growing: by more than a fifth over the last half, and beyond the level of rounding. " + p.conditions(r), Bold: "statistics are constants for the gradient"}
		for j := range p.Arms {
			a := &p.Arms[j]
			name := a.Name
			if len(p.lrs()) == 1 {
				name = a.Form()
			}
			size := report.StatOf(a.steady(func(s *SeedResult) float64 { return float64(s.MaxBias) })).Mean
			bias := short(size)
			loss := spread(a.steady(func(s *SeedResult) float64 { return float64(s.Loss) }), 1, 3)
			if norm.Class(a.Class) == norm.Uncompensated {
				bias = "**" + bias + "**"
			}
			if a.Growing && size > rounding {
				bias += ", growing"
			}
			t.Rows = append(t.Rows, []string{"`" + name + "`", loss + a.divergedText(), spread(a.accuracyAt(a.last()), 100, 1) + " %", bias})
		}
		d.Sections = append(d.Sections, report.Section{Name: p.Name, Heading: p.Title, Table: t})
	}
}
