package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"driftless/benchmarks"
	"driftless/benchmarks/presets"
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
metrics.jsonl, run.json, curves.png and report.html.

An arm is a norm (driftless norms lists them), followed by how the gradient
treats its statistics (naive or graph), by affine or noaffine, by settings where
the defaults are not meant, and by what else it has for itself, lr or hidden or
optimizer: none, center:naive, standardize:naive:affine:interval=10,
batchnorm:lr=1:hidden=200-100, …

The config.yaml of a run says all of it: with --config it runs again to the same
bits.

With --preset it runs a committed experiment of several seeds and learning
rates, and writes besides results.json and figures; --data, --steps, --seed,
--seeds and --eval-every make a quick look of it, and the output says so.`,
		Example: "  driftless compare --norms none,center:naive,center:graph,batchnorm --seeds 3",
		Args:    noArguments,
	}
	s.register(cmd)
	cmd.Flags().StringVar(&s.norms, "norms", "none,center:naive,center:graph,standardize:naive,standardize:graph,batchnorm", "arms to train (default: none, center and standardize both ways, batchnorm)")
	cmd.Flags().Lookup("norms").DefValue = "" // too long for a line
	offerArms(cmd, "norms", true)
	cmd.Flags().IntVar(&s.Seeds, "seeds", s.Seeds, "seeds of each arm")
	var preset string
	cmd.Flags().StringVar(&preset, "preset", "", "a committed experiment: "+strings.Join(presets.Names(), ", "))
	offer(cmd, "preset", presets.Names()...)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !cmd.Flags().Changed("preset") {
			return compare(cmd, s, t)
		}
		l, err := s.presetLook(preset)
		if err != nil {
			return err
		}
		return runPreset(cmd, preset, l, t)
	}
	return cmd
}

func compare(cmd *cobra.Command, s *settings, t *terminal) error {
	e, dir, err := s.prepare(cmd.Context(), t, commandLine(cmd), func() string { return fmt.Sprintf("compare-%s-lr%v-%darms", dataName(s.Data), s.LR, len(s.Norms)) })
	if err != nil {
		return err
	}
	defer e.Close()
	e.Run.Title = plural(len(s.Norms), "arm")
	ctx, rec := newRecorder(cmd.Context(), dir, t, e)
	defer rec.cancel(nil)
	defer s.cast.follow(rec)()
	watch := rec.observer()
	events := s.events(rec, &watch)
	runErr := e.Compare(ctx, watch)
	page, writeErr := rec.finish(ctx, &e.Run)
	if !ranOn(runErr) {
		return runErr
	}
	if s.json {
		err = printJSON(t.out, e.Output(dir.Path()))
	} else {
		files := ""
		if page {
			files = fmt.Sprintf("report: %s\n", filepath.Join(dir.Path(), report.ReportFile))
		}
		err = summarize(t.out, e.Run, files+events+s.resumeLine(cmd.Name(), e, dir))
	}
	return cmp.Or(writeErr, err, runErr)
}

// commandLine is the command with the flags that were set, for a POSIX shell; control
// characters are in the form $'…' that bash and its kin read.
func commandLine(cmd *cobra.Command) string {
	w := []string{cmd.CommandPath()}
	cmd.Flags().Visit(func(f *pflag.Flag) { w = append(w, shellWord("--"+f.Name+"="+f.Value.String())) })
	return strings.Join(w, " ")
}

// shellWord quotes a text for a shell where it needs it.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_=+.,:/@%", r))
	}
	odd := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	switch {
	case s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0:
		return s
	case strings.IndexFunc(s, odd) < 0:
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	var b strings.Builder
	b.WriteString("$'")
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\'' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case odd(r):
			for _, c := range []byte(s[i : i+n]) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	b.WriteByte('\'')
	return b.String()
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// summarize prints one screen: a row and a finding for each arm, then what files hold.
func summarize(w io.Writer, run report.Run, files string) error {
	var b strings.Builder
	lr := run.LRText()
	if run.Schedule != "" {
		lr += ", " + run.Schedule
	}
	fmt.Fprintf(&b, "\n%s\n%s\n", report.Wrap(run.Data+"; "+run.Net, 80),
		report.Wrap(fmt.Sprintf("batch %d, %s, lr %s, %s, device %s", run.Batch, run.Optimizer, lr, plural(run.Steps, "step"), run.Device), 80))
	if run.Synthetic {
		b.WriteString("SYNTHETIC DATA: these numbers say nothing about real images\n")
	}
	if run.Interrupted {
		b.WriteString("INTERRUPTED: what follows is what ran\n")
	}
	ran := map[string]bool{}
	for _, p := range run.Points {
		ran[p.Arm] = true
	}
	survivors := false
	fmt.Fprintf(&b, "\n%-26s %15s %17s %10s %8s\n", "arm", "training loss", "test accuracy", "max |b|", "ms/step")
	for _, a := range run.Arms {
		diverged := 0
		for _, at := range a.DivergedAt {
			if at != nil {
				diverged++
			}
		}
		loss, accuracy, bias := spread(a.FinalLoss, 3), spread(a.TestAccuracy, 4), "-"
		switch {
		case diverged == len(a.Seeds):
			loss, accuracy = "diverged", "diverged"
		case diverged > 0:
			loss = fmt.Sprintf("%d/%d diverged", diverged, len(a.Seeds))
			accuracy = loss
		case !ran[a.Name]:
			loss, accuracy = "did not run", "did not run"
		}
		if len(a.MaxAbsBias) > 0 {
			bias = fmt.Sprintf("%.2g", slices.Max(a.MaxAbsBias))
			if diverged > 0 {
				bias, survivors = bias+"*", true
			}
		}
		name := a.Name
		if len(name) > 26 {
			fmt.Fprintf(&b, "%s\n", name)
			name = ""
		}
		speed := "-"
		if a.SecondsPerStep > 0 {
			speed = fmt.Sprintf("%.2f", 1000*a.SecondsPerStep)
		}
		fmt.Fprintf(&b, "%-26s %15s %17s %10s %8s\n", name, loss, accuracy, bias, speed)
	}
	note := "max |b|: of each hidden layer"
	if slices.ContainsFunc(run.Arms, func(a report.Arm) bool { return len(a.Seeds) > 1 }) {
		note += ", mean over seeds"
	}
	if note += "; of the layers, the largest."; survivors {
		note += " *: of the seeds that did not diverge."
	}
	fmt.Fprintf(&b, "%s\n", report.Wrap(note, 80))
	for _, a := range run.Arms {
		fmt.Fprintf(&b, "\n%s\n", report.Wrap(a.Name+": "+a.Finding, 80))
	}
	fmt.Fprintf(&b, "\n%s", files)
	_, err := io.WriteString(w, b.String())
	return err
}

// spread prints a mean with its standard deviation where there is one.
func spread(s report.Stat, digits int) string {
	switch {
	case s.Mean-s.Mean != 0 || s.N == 0:
		return "-"
	case s.Mean >= 1e4:
		return fmt.Sprintf("%.3g", s.Mean)
	case s.Std-s.Std != 0:
		return fmt.Sprintf("%.*f", digits, s.Mean)
	}
	return fmt.Sprintf("%.*f ± %.*f", digits, s.Mean, digits, s.Std)
}
