package cli

import (
	"fmt"
	"io"
	"path/filepath"

	"driftless/benchmarks/presets"
	"driftless/internal/atomicfile"
	"driftless/internal/report"
	"driftless/models/norm"

	"github.com/spf13/cobra"
)

func newReport(t *terminal) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "report directory…",
		Short: "Write the page of a run anew, or one that compares runs",
		Long: `Report writes curves.png and report.html of a run directory anew, from its
config.yaml, metrics.jsonl and run.json: after a full disk, a crash or a kill,
or with a newer driftless.

Of several run directories it writes one page with the arms of all, named by
what differs between the configurations of the runs.`,
		Example: "  driftless report runs/train-mnist-batchnorm-lr0.1\n" +
			"  driftless report runs/first runs/second --out both.html",
		Args: someDirectories,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 || cmd.Flags().Changed("out") {
				return reportAll(t, args, out)
			}
			return reportOne(t, args[0])
		},
	}
	cmd.Flags().StringVar(&out, "out", "compare.html", "file for the page of several runs; what it holds is replaced")
	return cmd
}

// someDirectories accepts one argument or more, none of them twice.
func someDirectories(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return wrong("%s needs a run directory or several, and got none", cmd.CommandPath())
	}
	seen := map[string]bool{}
	for _, a := range args {
		if seen[filepath.Clean(a)] {
			return wrong("%s is named twice: name each run directory once", a)
		}
		seen[filepath.Clean(a)] = true
	}
	return nil
}

// reportOne writes a directory's page into it.
func reportOne(t *terminal, path string) error {
	dir, err := report.Open(path)
	if err != nil {
		return err
	}
	if res, err := presets.Read(filepath.Join(path, presets.ResultsFile)); err == nil { // an experiment of several parts
		_, err = writeExperiment(dir, res)
		if err != nil {
			return err
		}
	} else {
		run, err := readRun(path)
		if err != nil {
			return err
		}
		if err := dir.WriteReport(run); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(t.out, "report: %s\n", filepath.Join(path, report.ReportFile))
	return err
}

// reportAll writes one page of several directories.
func reportAll(t *terminal, paths []string, out string) error {
	run, err := overlay(paths)
	if err != nil {
		return err
	}
	page, err := run.Page(false)
	if err != nil {
		return err
	}
	err = atomicfile.Write(out, func(w io.Writer) error {
		_, err := w.Write(page.HTML)
		return err
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "report: %s\n", out)
	return err
}

// overlay returns the run that several directories hold, or the one that one does.
func overlay(paths []string) (report.Run, error) {
	var runs []report.Run
	for _, path := range paths {
		run, err := readRun(path)
		if err != nil {
			return report.Run{}, err
		}
		runs = append(runs, run)
	}
	if len(runs) == 1 {
		return runs[0], nil
	}
	return report.Overlay(paths, runs)
}

// readRun reads a run directory. Arms whose record does not say what they look like get what
// their normalization has now.
func readRun(path string) (report.Run, error) {
	dir, err := report.Open(path)
	if err != nil {
		return report.Run{}, err
	}
	run, err := dir.Read()
	for i := range run.Arms {
		if info, ok := norm.Lookup(run.Arms[i].Norm); ok {
			run.Arms[i].Look = info.Look
		}
	}
	return run, err
}
