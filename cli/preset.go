package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"driftless/benchmarks"
	"driftless/benchmarks/presets"
	"driftless/dataset"
	"driftless/internal/report"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// presetFlags are the flags that a preset leaves free.
var presetFlags = []string{"preset", "data", "data-dir", "steps", "eval-every", "seed", "seeds", "device", "out", "json"}

// look is what the flags of a preset's command hold.
type look struct {
	presets.Override
	dataDir, device, out string
	json                 bool
}

// newPaper is the command of the paper's own experiment.
func newPaper(t *terminal) *cobra.Command {
	return newExperiment(t, "paper", &cobra.Command{
		Use:   "paper",
		Short: "The paper's MNIST experiment, with its figure 1",
		Long: `Paper runs section 4.1 of Ioffe & Szegedy (2015): 784-100-100-100-10, sigmoid,
50,000 steps, with and without batch normalization, at two learning rates and
five seeds. It draws figure 1 (a, b, c), checks what is claimed of it, and says
what the paper leaves open. Flags make a quick look of it.`,
		Example: "  driftless paper --steps 2000 --seeds 2",
	})
}

// newTable holds the commands of public tables.
func newTable(t *terminal) *cobra.Command {
	cmd := &cobra.Command{Use: "table", Short: "Public tables, ours beside theirs"}
	group(cmd)
	cmd.AddCommand(newExperiment(t, "udacity", &cobra.Command{
		Use:   "udacity",
		Short: "The table of Udacity's batch normalization lesson",
		Long: `Udacity trains the nets of Udacity's lesson on batch normalization (sigmoid and
ReLU, learning rates 0.01, 1 and 2, small and large initial weights) under their
conventions, and prints our cells beside theirs, after 2,000 and 50,000 steps.`,
		Example: "  driftless table udacity --steps 2000 --seeds 1",
	}))
	return cmd
}

// newExperiment makes a command run the preset of that name.
func newExperiment(t *terminal, name string, cmd *cobra.Command) *cobra.Command {
	l, f := &look{}, cmd.Flags()
	cmd.Args = noArguments
	dataFlags(cmd, &l.Data, &l.dataDir, "")
	f.IntVar(&l.Steps, "steps", 0, "training steps (default: the preset's)")
	f.IntVar(&l.EvalEvery, "eval-every", 0, "steps between evaluations (default: the preset's)")
	f.Int64Var(&l.Seed, "seed", 0, "first seed (default: the preset's)")
	f.IntVar(&l.Seeds, "seeds", 0, "seeds of each arm (default: the preset's)")
	deviceFlag(cmd, &l.device)
	f.StringVar(&l.out, "out", "", "directory, new or empty (default: a new one under runs/)")
	jsonFlag(f, &l.json)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return runPreset(cmd, name, l, t) }
	return cmd
}

// presetLook reads the flags of compare for a preset. It refuses those that a preset fixes.
func (s *settings) presetLook(name string) (*look, error) {
	l := &look{dataDir: s.dataDir, device: s.Device, out: s.out, json: s.json}
	var fixed error
	s.flags.Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "data":
			l.Data = s.Data
		case "steps":
			l.Steps = s.Steps
		case "eval-every":
			l.EvalEvery = s.EvalEvery
		case "seed":
			l.Seed = s.Seed
		case "seeds":
			l.Seeds = s.Seeds
		}
		if !slices.Contains(presetFlags, f.Name) && fixed == nil {
			fixed = wrong("--%s is fixed by --preset %s: leave one of them out", f.Name, name)
		}
	})
	return l, fixed
}

// runPreset runs a preset into a directory and prints its tables.
func runPreset(cmd *cobra.Command, name string, l *look, t *terminal) error {
	p, err := presets.Load(name)
	if err != nil {
		return err
	}
	for flag, v := range map[string]int{"steps": l.Steps, "eval-every": l.EvalEvery, "seeds": l.Seeds} {
		if cmd.Flags().Changed(flag) && v < 1 {
			return wrong("--%s %d is not a positive number", flag, v)
		}
	}
	if err := p.Apply(l.Override); err != nil {
		return err
	}
	if len(p.Changed) > 0 {
		fmt.Fprintf(t.err, "a quick look, not the whole preset %s: %s\n", name, strings.Join(p.Changed, "; "))
	}
	p.Command = commandLine(cmd)
	dev, err := openDevice(l.device, "", t)
	if err != nil {
		return err
	}
	dir, err := runDir(l.out, name, p)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	x := &presetRun{p: p, dir: dir, t: t, dataDir: l.dataDir}
	res, runErr := p.Run(ctx, dev, presets.Hooks{Load: x.load, Choosing: x.choosing, Part: x.part, Kept: x.kept})
	if runErr != nil && !errors.Is(runErr, context.Canceled) {
		return runErr
	}
	if len(res.Parts) == 0 {
		fmt.Fprintln(t.err, "no part has begun: no results are kept")
		return runErr
	}
	doc, err := writeExperiment(dir, res)
	if err != nil {
		return err
	}
	if l.json {
		err = printJSON(t.out, res)
	} else {
		_, err = fmt.Fprintf(t.out, "\n%s\nreport: %s\n", doc.Text(), filepath.Join(dir.Path(), report.ReportFile))
	}
	return cmp.Or(err, runErr)
}

// presetRun follows a preset's run into its directory.
type presetRun struct {
	p       *presets.Preset
	dir     *report.Dir
	t       *terminal
	dataDir string
}

func (x *presetRun) load(name string) (*dataset.Set, error) {
	set, err := loadData(name, x.dataDir)
	if err == nil && set.Synthetic {
		fmt.Fprintln(x.t.err, "data: SYNTHETIC images drawn by the program, not real data")
	}
	return set, err
}

func (x *presetRun) choosing(part *presets.Part, done, all int, text string) {
	fmt.Fprintf(x.t.err, "%s: choosing learning rates, %d of %d: %s\n", part.Name, done, all, text)
}

// part gives a part's run a directory of its own in the preset's.
func (x *presetRun) part(ctx context.Context, part *presets.Part, e *benchmarks.Experiment) (context.Context, benchmarks.Observer, func() error, error) {
	dir, err := runDir(filepath.Join(x.dir.Path(), part.Name), part.Name, e.Run.Config)
	if err != nil {
		return nil, benchmarks.Observer{}, nil, err
	}
	fmt.Fprintf(x.t.err, "%s: %s of %s\n", part.Name, plural(len(e.Run.Arms), "arm"), plural(part.Seeds, "seed"))
	ctx, rec := newRecorder(ctx, dir, x.t, e)
	return ctx, rec.observer(), func() error {
		_, err := rec.finish(ctx, &e.Run)
		rec.cancel(nil)
		return err
	}, nil
}

func (x *presetRun) kept(res *presets.Results) error { return writeResults(x.dir, res) }

func writeResults(dir *report.Dir, res *presets.Results) error {
	data, err := res.Encode()
	if err != nil {
		return err
	}
	return dir.WriteFile(presets.ResultsFile, data)
}

// writeExperiment writes an experiment's results, pictures and page.
func writeExperiment(dir *report.Dir, res *presets.Results) (*report.Document, error) {
	if err := writeResults(dir, res); err != nil {
		return nil, err
	}
	doc, err := res.Document()
	if err != nil {
		return nil, err
	}
	pictures, err := presets.Figures(doc)
	if err != nil {
		return nil, err
	}
	for name, png := range pictures {
		if err := dir.WriteFile(name, png); err != nil {
			return nil, err
		}
	}
	page, err := doc.Page()
	if err != nil {
		return nil, err
	}
	return doc, dir.WriteFile(report.ReportFile, page.HTML)
}
