package benchmarks

import (
	"context"
	"fmt"
	"io"
	"strings"

	"driftless/dataset"
	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/internal/report"
)

// AuditResult is what `driftless audit --json` prints.
type AuditResult struct {
	Device    string     `json:"device"`
	Data      string     `json:"data"`
	Synthetic bool       `json:"synthetic"`
	Net       string     `json:"net"`
	Batch     int        `json:"batch"`
	Seed      int64      `json:"seed"`
	Steps     int        `json:"steps"` // trained before the audit
	Arms      []AuditArm `json:"arms"`
}

// AuditArm is an arm, and the parameters whose steps are partly or wholly in vain.
type AuditArm struct {
	Name     string         `json:"name"`
	LR       report.Number  `json:"lr"`
	Findings []AuditFinding `json:"findings"`
}

// AuditFinding is an engine.Finding in numbers for reports.
type AuditFinding struct {
	Param  string        `json:"param"`
	Wasted report.Number `json:"wasted"` // share of the decrease of the loss that a step promises
	Growth report.Number `json:"growth"` // what a step adds in vain to the unit that it adds the most to
	Held   []AuditHeld   `json:"held"`   // the statistic that matters most first
}

// AuditHeld is a statistic that the gradient takes for a constant.
type AuditHeld struct {
	Name string `json:"name"`
	From string `json:"from"`
}

// Audit trains each arm for a number of steps, 0 or more, and audits it with the batch of the
// next step (see engine.Audit): in float64, on the CPU. The growth is that of SGD, whatever
// the arm's optimizer. It fails with a *UsageError where settings, or settings and data, do
// not go together.
func Audit(ctx context.Context, c Config, steps int, set *dataset.Set, dev device.Device) (*AuditResult, error) {
	c, specs, err := c.on(set)
	if err != nil {
		return nil, err
	}
	r := &AuditResult{Device: dev.Name(), Data: set.Name, Synthetic: set.Synthetic, Net: c.net(formOf(set)), Batch: c.Batch, Seed: c.Seed, Steps: steps}
	for _, spec := range specs {
		a, err := NewArm(ctx, c, spec, set, dev)
		if err != nil {
			return nil, err
		}
		fs, err := a.audit(ctx, steps)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		} else if err != nil {
			return nil, fmt.Errorf("arm %s: %w", spec.Name, err)
		}
		arm := AuditArm{Name: spec.Name, LR: report.Number(spec.LR), Findings: []AuditFinding{}}
		for _, f := range fs {
			out := AuditFinding{Param: f.Param, Wasted: report.Number(f.Wasted), Growth: report.Number(f.Growth())}
			for _, h := range f.Held {
				out.Held = append(out.Held, AuditHeld(h))
			}
			arm.Findings = append(arm.Findings, out)
		}
		r.Arms = append(r.Arms, arm)
	}
	return r, nil
}

// audit trains the first seed for so many steps and audits it.
func (a *Arm) audit(ctx context.Context, steps int) ([]engine.Finding, error) {
	audit, err := a.net.Audit(a.layout, a.rows(ctx))
	if err != nil {
		return nil, err
	}
	s, err := a.open(ctx, []int64{a.cfg.Seed})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := engine.NewTrainer(s, a.train).Run(ctx, steps); err != nil {
		return nil, err
	}
	return audit.Run(ctx, s, 0, a.Rule.Rate(steps), cpu.New())
}

// Table prints what was found, in at most 80 columns.
func (r *AuditResult) Table(w io.Writer) error {
	var out strings.Builder
	r.header(&out)
	const row = "%-22s %8s %12s  %s\n"
	fmt.Fprintf(&out, "\n"+row, "arm, parameter", "wasted", "growth/step", "held constant")
	for _, a := range r.Arms {
		if fmt.Fprintf(&out, "\n%s\n", a.Name); len(a.Findings) == 0 {
			out.WriteString("  nothing is wasted\n")
		}
		for _, f := range a.Findings {
			held := f.Held[0].Name
			if n := len(f.Held) - 1; n > 0 {
				held += fmt.Sprintf(" and %d more", n)
			}
			fmt.Fprintf(&out, row, "  "+f.Param, percent(f.Wasted), digits(float64(f.Growth), 3), held)
		}
	}
	fmt.Fprintf(&out, "\n%s\n", r.conclusion())
	_, err := io.WriteString(w, out.String())
	return err
}

func (r *AuditResult) header(out *strings.Builder) {
	fmt.Fprintf(out, "%s\nbatch %d, seed %d, after %d steps; growth under SGD at the arm's lr\n", report.Wrap(r.Data+"; "+r.Net, 80), r.Batch, r.Seed, r.Steps)
	if r.Synthetic {
		out.WriteString("SYNTHETIC DATA: these numbers say nothing about real images\n")
	}
}

// conclusion is the closing sentence.
func (r *AuditResult) conclusion() string {
	var names []string
	for _, a := range r.Arms {
		if len(a.Findings) > 0 {
			names = append(names, a.Name)
		}
	}
	if len(names) == 0 {
		return "No arm holds a statistic constant that its parameters move."
	}
	return fmt.Sprintf("%d of %d arms hold statistics constant that their parameters move:\nthere, steps are taken that the next refresh takes out again.", len(names), len(r.Arms))
}

func percent(share report.Number) string {
	if share < 0.001 {
		return "< 0.1 %"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(share))
}

// Explain says in words what was found, in at most 80 columns: what is held, why the step
// moves nothing, and what to do.
func (r *AuditResult) Explain(w io.Writer) error {
	var out strings.Builder
	r.header(&out)
	for _, a := range r.Arms {
		fmt.Fprintf(&out, "\n%s\n", a.Name)
		if len(a.Findings) == 0 {
			out.WriteString("  Nothing is wasted: the loss reads no statistic that the parameters move and\n  the gradient takes for a constant.\n")
			continue
		}
		for _, f := range a.Findings {
			fmt.Fprintf(&out, "\n  %s\n", f.Param)
			for _, h := range f.Held {
				fmt.Fprintf(&out, "    held: %s\n", h.Name)
				fmt.Fprintf(&out, "      set to %s\n", cutTo(h.From, 65))
			}
			if f.Wasted > 1-1e-6 {
				out.WriteString("    No step in it moves the loss: what the step does, the refresh of what is\n    held takes out again, and the next step sees the same gradient.\n")
			} else {
				fmt.Fprintf(&out, "    Of the decrease that a step in it promises %s does not come once what\n    is held has been refreshed.\n", percent(f.Wasted))
			}
			fmt.Fprintf(&out, "    While the force lasts, each step adds %s to its largest unit in vain.\n", digits(float64(f.Growth), 3))
		}
	}
	fmt.Fprintf(&out, "\n%s\n", r.conclusion())
	if strings.HasPrefix(r.conclusion(), "No") {
		_, err := io.WriteString(w, out.String())
		return err
	}
	out.WriteString("\nWhat to do: let the gradient go through the statistics, as batch norm does; or\n" +
		"have the refresh move its change into the parameters; or train nothing that a\n" +
		"statistic takes out, as a bias before a normalization.\n")
	_, err := io.WriteString(w, out.String())
	return err
}

// cutTo shortens a text to so many characters.
func cutTo(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
