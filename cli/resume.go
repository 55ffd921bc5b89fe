package cli

import (
	"fmt"
	"path/filepath"
	"slices"

	"driftless/benchmarks"
	"driftless/internal/atomicfile"
	"driftless/internal/report"

	"github.com/spf13/pflag"
)

// stays are the flags that may be given with --resume, since they change no number of the run.
var stays = []string{"resume", "checkpoint-every", "device", "data-dir", "plan", "json", "live", "tensorboard"}

// resumed opens the run of --resume, which says what is trained: nil without the flag.
func (s *settings) resumed() (*report.Dir, error) {
	if s.resume == "" {
		return nil, nil
	}
	dir, err := report.Open(s.resume)
	if err != nil {
		return nil, wrong("--resume: %w", err)
	}
	s.config = filepath.Join(s.resume, report.ConfigFile)
	s.flags.Visit(func(f *pflag.Flag) {
		if err == nil && !slices.Contains(stays, f.Name) {
			err = wrong("--%s cannot be given with --resume: %s says what is trained, and it goes on as it began", f.Name, s.config)
		}
	})
	return dir, err
}

// goOn has an experiment go on with the run of a directory.
func (s *settings) goOn(e *benchmarks.Experiment, dir *report.Dir, t *terminal) error {
	if err := e.Resume(filepath.Join(dir.Path(), benchmarks.CheckpointFolder)); err != nil {
		return err
	}
	atomicfile.Sweep(dir.Path(), 0)
	steps, complete := e.Resumed()
	for _, a := range e.Run.Arms {
		if step, ok := steps[a.Name]; ok && !complete {
			fmt.Fprintf(t.err, "%-18s goes on from step %d\n", a.Name, step)
		}
	}
	if complete {
		fmt.Fprintf(t.err, "%s has come to its end: its files are written anew\n", shellWord(dir.Path()))
	}
	return dir.WriteMetrics(e.Run.Points) // without those that come again
}

// resumeLine says how to go on with a run, "" where that has come to its end.
func resumeLine(command string, run *report.Run, dir *report.Dir) string {
	if !run.Interrupted {
		return ""
	}
	return fmt.Sprintf("go on: driftless %s --resume %s\n", command, shellWord(dir.Path()))
}
