package presets

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"driftless/internal/report"
	"driftless/models/norm"
)

// shows says by name what tables and figures are made of results.
var shows = map[string]func(*Preset, *Results, *report.Document){
	"arms": showArms, "paper": showPaper, "blowup": showBlowup, "families": showFamilies, "udacity": showUdacity,
}

// Document makes the tables and figures of the results.
func (r *Results) Document() (*report.Document, error) {
	p, err := Load(r.Preset)
	if err != nil {
		return nil, err
	}
	d := &report.Document{Title: p.Title, Lead: slices.Clone(p.About)}
	if len(r.Changed) > 0 {
		d.Lead = append(d.Lead, fmt.Sprintf("A quick look, not the experiment: %s.", strings.Join(r.Changed, "; ")))
	}
	if r.Interrupted {
		d.Lead = append(d.Lead, "Interrupted: this is what ran until then.")
	}
	shows[p.Show](p, r, d)
	if len(p.Notes) > 0 {
		d.Sections = append(d.Sections, report.Section{Heading: "What must be known beside it", Notes: p.Notes})
	}
	return d, nil
}

// Figures returns the pictures of a document as PNG, by file name.
func Figures(d *report.Document) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, s := range d.Sections {
		if s.Figure == nil {
			continue
		}
		png, err := s.Figure.PNG()
		if err != nil {
			return nil, fmt.Errorf("cannot draw %s: %w", s.Figure.File, err)
		}
		out[s.Figure.File] = png
	}
	return out, nil
}

// run returns a part's results as the run that they are of, as far as they hold it.
func (p *PartResult) run(r *Results) *report.Run {
	run := &report.Run{Title: p.Title, Version: r.Version, Device: p.Device, Data: p.Data, Synthetic: p.Synthetic, Interrupted: p.Unfinished,
		Net: p.Net, Batch: p.Batch, Steps: p.Steps, EvalEvery: p.EvalEvery, Optimizer: p.Optimizer, PercentileUnit: p.Unit, PercentileRows: p.UnitRows}
	for i := range p.Arms {
		a := &p.Arms[i]
		info, _ := norm.Lookup(a.Norm)
		arm := report.Arm{Name: a.Name, Norm: a.Norm, Look: info.Look, Grad: a.Class, LR: a.LR, SecondsPerStep: a.SecondsPerStep, FlopsPerStep: a.FlopsPerStep}
		for _, s := range a.Seeds {
			arm.Seeds, arm.DivergedAt = append(arm.Seeds, s.Seed), append(arm.DivergedAt, s.DivergedAt)
			for j, step := range a.Steps {
				if j >= max(len(s.Accuracies), len(s.Losses), len(s.Biases), len(s.Unit)) {
					break
				}
				q := report.Point{Arm: a.Name, Seed: s.Seed, Step: step, Seconds: float64(step) * a.SecondsPerStep,
					TestAccuracy: at(s.Accuracies, j), Loss: at(s.Losses, j), BiasRMS: []float64{at(s.Biases, j)}, Percentiles: [3]float64{math.NaN(), math.NaN(), math.NaN()}}
				if j < len(s.Unit) {
					u := s.Unit[j]
					q.Percentiles = [3]float64{float64(u[0]), float64(u[1]), float64(u[2])}
				}
				run.Points = append(run.Points, q)
			}
		}
		run.Arms = append(run.Arms, arm)
	}
	return run
}

// at is a number of a list, NaN past its end.
func at(xs []report.Number, i int) float64 {
	if i < len(xs) {
		return float64(xs[i])
	}
	return math.NaN()
}

// conditions says in a line what the numbers of a part were made under.
func (p *PartResult) conditions(r *Results) string {
	s := fmt.Sprintf("%s, %s, weights N(0, %v²), batches of %d, %s, %s steps, %s, device %s, %s, %s.",
		p.Data, p.Net, p.InitSD, p.Batch, p.Optimizer, thousands(p.Steps), p.seedText(), p.Device, versionText(r.Version), r.Date)
	if p.Synthetic {
		s = "SYNTHETIC DATA, drawn by the program: " + s
	}
	return s
}

// versionText names the commit of a module's version, which is its last part.
func versionText(v string) string {
	if i := strings.LastIndexByte(v, '-'); i >= 0 {
		return "commit " + v[i+1:]
	}
	return "version " + v
}

func (p *PartResult) seedText() string {
	if len(p.Arms) == 0 || len(p.Arms[0].Seeds) == 0 {
		return "no seeds"
	}
	s := p.Arms[0].Seeds
	if len(s) == 1 {
		return fmt.Sprintf("seed %d", s[0].Seed)
	}
	return fmt.Sprintf("seeds %d to %d", s[0].Seed, s[len(s)-1].Seed)
}

// warning is what a picture of a part must say.
func (p *PartResult) warning(r *Results) string {
	var w []string
	if p.Synthetic {
		w = append(w, "SYNTHETIC DATA")
	}
	if r.Interrupted {
		w = append(w, "INTERRUPTED")
	}
	if len(r.Changed) > 0 {
		w = append(w, "A QUICK LOOK: "+strings.Join(r.Changed, "; "))
	}
	return strings.Join(w, " · ")
}

// arm returns the arm of a form and a learning rate.
func (p *PartResult) arm(form string, lr float64) *ArmResult {
	for i := range p.Arms {
		if a := &p.Arms[i]; a.Form() == form && a.LR == lr {
			return a
		}
	}
	return nil
}

// lrs lists the learning rates of a part's arms.
func (p *PartResult) lrs() []float64 {
	var out []float64
	for _, a := range p.Arms {
		if !slices.Contains(out, a.LR) {
			out = append(out, a.LR)
		}
	}
	slices.Sort(out)
	return out
}

// diverged counts the seeds that diverged.
func (a *ArmResult) diverged() int {
	n := 0
	for _, s := range a.Seeds {
		if s.DivergedAt != nil {
			n++
		}
	}
	return n
}

// accuracyAt returns the seeds' accuracies at a step: of those that came that far.
func (a *ArmResult) accuracyAt(step int) []float64 {
	i := slices.Index(a.Steps, step)
	var out []float64
	for _, s := range a.Seeds {
		if i >= 0 && i < len(s.Accuracies) && (s.DivergedAt == nil || *s.DivergedAt > step) {
			out = append(out, float64(s.Accuracies[i]))
		}
	}
	return out
}

// last returns the step of the last evaluation, 0 where there is none.
func (a *ArmResult) last() int {
	if len(a.Steps) == 0 {
		return 0
	}
	return a.Steps[len(a.Steps)-1]
}

// steady returns a number of each seed that did not diverge.
func (a *ArmResult) steady(of func(*SeedResult) float64) []float64 {
	var out []float64
	for i := range a.Seeds {
		if a.Seeds[i].DivergedAt == nil {
			out = append(out, of(&a.Seeds[i]))
		}
	}
	return out
}

// divergedText says how many seeds diverged, "" for none.
func (a *ArmResult) divergedText() string {
	switch n := a.diverged(); {
	case n == 0:
		return ""
	case n == len(a.Seeds):
		return "diverged"
	default:
		return fmt.Sprintf(", %d of %d diverged", n, len(a.Seeds))
	}
}

// spread prints a mean and standard deviation of the values, each times scale.
func spread(xs []float64, scale float64, digits int) string {
	s := report.StatOf(xs)
	switch {
	case len(xs) == 0 || s.Mean-s.Mean != 0:
		return "—"
	case len(xs) == 1:
		return strconv.FormatFloat(scale*s.Mean, 'f', digits, 64)
	}
	return fmt.Sprintf("%.*f ± %.*f", digits, scale*s.Mean, digits, scale*s.Std)
}

// median returns the median of values in any order.
func median(xs []float64) float64 {
	s := slices.Sorted(slices.Values(xs))
	return report.Quantile(s, 0.5)
}

// short prints a number in three digits.
func short(x float64) string {
	switch {
	case x-x != 0:
		return "—"
	case x != 0 && math.Abs(x) < 0.001 || math.Abs(x) >= 1e6:
		return strconv.FormatFloat(x, 'e', 1, 64)
	case math.Abs(x) >= 100:
		return thousands(int(math.Round(x)))
	}
	return strconv.FormatFloat(sig(x, 3), 'f', -1, 64)
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func exact(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
