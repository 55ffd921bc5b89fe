package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"driftless/benchmarks"
	"driftless/internal/report"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newCompare(t *terminal) *cobra.Command {
	s := &settings{Config: benchmarks.Defaults()}
	s.Steps, s.EvalEvery, s.Seeds = 5000, 250, 3
	cmd := &cobra.Command{
		Use:   "compare",
		Short: "Train several normalizations side by side",
		Long: `Compare trains arms (normalizations) from identical initial weights on identical
batches, for several seeds, and writes a run directory: config.yaml,
metrics.jsonl, curves.png and report.html.

An arm is a norm, followed by how the gradient treats its statistics (naive or
graph) and by affine or noaffine where the default is not meant:
none, center:naive, center:graph, standardize:naive, standardize:graph,
whiten:naive, batchnorm; standardize:naive:affine, …`,
		Example: "  driftless compare --norms none,center:naive,center:graph,batchnorm --seeds 3",
		Args:    noArguments,
	}
	s.register(cmd)
	cmd.Flags().StringVar(&s.norms, "norms", "none,center:naive,center:graph,standardize:naive,standardize:graph,batchnorm", "arms to train (default: all of the above but whiten)")
	cmd.Flags().Lookup("norms").DefValue = "" // too long for a line
	cmd.Flags().IntVar(&s.Seeds, "seeds", s.Seeds, "seeds of each arm")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return compare(cmd, s, t) }
	return cmd
}

func compare(cmd *cobra.Command, s *settings, t *terminal) error {
	dev, set, dir, err := s.prepare(t, func() string { return fmt.Sprintf("compare-%s-lr%v-%darms", s.Data, s.LR, len(s.Norms)) })
	if err != nil {
		return err
	}
	ctx, rec := newRecorder(cmd.Context(), dir, t, len(s.Norms), s.Steps)
	defer rec.cancel(nil)
	res, runErr := benchmarks.Compare(ctx, s.Config, set, dev, rec.observer())
	var run *report.Run
	if res != nil {
		run = &res.Run
		run.Title, run.Command = fmt.Sprintf("%d arms", len(s.Norms)), commandLine(cmd)
	}
	if runErr = rec.finish(ctx, run, runErr); run == nil {
		return runErr
	}
	if s.json {
		if err := printJSON(t.out, res.Output(dir.Path())); err != nil {
			return err
		}
	} else if err := summarize(t.out, *run, dir.Path()); err != nil {
		return err
	}
	return runErr
}

// commandLine is the command with the flags that were set.
func commandLine(cmd *cobra.Command) string {
	w := []string{cmd.CommandPath()}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		v := f.Value.String()
		if strings.ContainsAny(v, " \t'\"$") {
			v = "'" + strings.ReplaceAll(v, "'", `'\''`) + "'"
		}
		w = append(w, "--"+f.Name+"="+v)
	})
	return strings.Join(w, " ")
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// summarize prints one screen: a row and a finding for each arm.
func summarize(w io.Writer, run report.Run, dir string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s; %s\nbatch %d, %s, lr %v, %d steps, device %s\n", run.Data, run.Net, run.Batch, run.Optimizer, run.LR, run.Steps, run.Device)
	if run.Synthetic {
		b.WriteString("SYNTHETIC DATA: these numbers say nothing about real images\n")
	}
	if run.Interrupted {
		b.WriteString("INTERRUPTED: what follows is what ran\n")
	}
	fmt.Fprintf(&b, "\n%-26s %15s %17s %10s %8s\n", "arm", "final loss", "test accuracy", "max |b|", "ms/step")
	for _, a := range run.Arms {
		largest := 0.0
		for _, v := range a.MaxAbsBias {
			largest = max(largest, v)
		}
		fmt.Fprintf(&b, "%-26s %15s %17s %10.2g %8.2f\n", a.Name, spread(a.FinalLoss, 3), spread(a.TestAccuracy, 4), largest, 1000*a.SecondsPerStep)
	}
	for _, a := range run.Arms {
		fmt.Fprintf(&b, "\n%s\n", wrap(a.Name+": "+a.Finding, 80))
	}
	fmt.Fprintf(&b, "\nreport: %s\n", filepath.Join(dir, report.ReportFile))
	_, err := io.WriteString(w, b.String())
	return err
}

// spread prints a mean with its standard deviation where there is one.
func spread(s report.Stat, digits int) string {
	switch {
	case s.Mean-s.Mean != 0:
		return "diverged"
	case s.Mean >= 1e4:
		return fmt.Sprintf("%.3g", s.Mean)
	case s.Std-s.Std != 0:
		return fmt.Sprintf("%.*f", digits, s.Mean)
	}
	return fmt.Sprintf("%.*f ± %.*f", digits, s.Mean, digits, s.Std)
}

// wrap breaks text into lines of at most width characters.
func wrap(text string, width int) string {
	var b strings.Builder
	n := 0
	for _, word := range strings.Fields(text) {
		l := len([]rune(word))
		switch {
		case n == 0:
		case n+1+l > width:
			b.WriteByte('\n')
			n = 0
		default:
			b.WriteByte(' ')
			n++
		}
		b.WriteString(word)
		n += l
	}
	return b.String()
}
