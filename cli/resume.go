package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"driftless/benchmarks"
	"driftless/internal/report"

	"github.com/spf13/pflag"
)

// stays are the flags that may be given with the first of them, since they change no number of
// the run.
var stays = []string{"resume", "checkpoint-every", "device", "data", "data-dir", "json", "live", "tensorboard"}

// resumed opens the run of --resume, of the same command, which says what is trained: nil without
// the flag.
func (s *settings) resumed(command string) (*report.Dir, error) {
	if s.resume == "" {
		return nil, nil
	}
	dir, err := report.Open(s.resume)
	if err != nil {
		return nil, fmt.Errorf("--resume: %w", err)
	}
	s.config = filepath.Join(s.resume, report.ConfigFile)
	s.flags.Visit(func(f *pflag.Flag) {
		if err == nil && !slices.Contains(stays, f.Name) {
			err = wrong("--%s cannot be given with --resume: %s says what is trained, and it goes on as it began; begin another run with --config %s", f.Name, s.config, shellWord(s.config))
		}
	})
	if err != nil {
		return nil, err
	}
	c, err := benchmarks.ReadConfig(s.config, s.Config)
	if err != nil {
		return nil, err
	}
	// The words of a command line are its program, its command and flags.
	if was, is := strings.Fields(c.Command), strings.Fields(command); len(was) > 1 && was[1] != is[1] {
		return nil, wrong("--resume: %s is a run of driftless %s: go on with driftless %s --resume %s", s.resume, was[1], was[1], shellWord(s.resume))
	}
	if info, err := os.Stat(filepath.Join(s.resume, eventsFolder)); err == nil && info.IsDir() {
		s.tensorboard = true
	}
	return dir, s.resumable(dir)
}

// resumable refuses a run that has measured something and keeps no checkpoints, which no kill
// leaves.
func (s *settings) resumable(dir *report.Dir) error {
	folder := filepath.Join(dir.Path(), benchmarks.CheckpointFolder)
	_, err := os.Stat(folder)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if info, err := os.Stat(filepath.Join(dir.Path(), report.MetricsFile)); err != nil || info.Size() == 0 {
		return nil
	}
	return wrong("--resume: %s has no checkpoints, since there is no %s: train it anew with --config %s", s.resume, folder, shellWord(s.config))
}

// goOn has an experiment go on with the run of a directory, whose files stay as they are.
func (s *settings) goOn(e *benchmarks.Experiment, dir *report.Dir, t *terminal) error {
	if err := e.Resume(filepath.Join(dir.Path(), benchmarks.CheckpointFolder)); err != nil {
		return err
	}
	steps, complete := e.Resumed()
	for _, err := range e.PassedOver() {
		fmt.Fprintf(t.err, "passed over for an older one: %v\n", err)
	}
	for _, a := range e.Run.Arms {
		switch step, ok := steps[a.Name]; {
		case complete:
		case !ok:
			fmt.Fprintf(t.err, "%-18s begins anew: it has no checkpoint\n", a.Name)
		case ended(&e.Run, a.Name) || step == e.Run.Steps:
			fmt.Fprintf(t.err, "%-18s has made its steps\n", a.Name)
		default:
			fmt.Fprintf(t.err, "%-18s goes on from step %d\n", a.Name, step)
		}
	}
	if complete {
		fmt.Fprintf(t.err, "%s has come to its end: its files are written anew\n", shellWord(dir.Path()))
	}
	return nil
}

// resumeLine says how to go on with a run, "" where that has come to its end or cannot.
func (s *settings) resumeLine(command string, e *benchmarks.Experiment, dir *report.Dir) string {
	if !e.Run.Interrupted || !e.Kept() {
		return ""
	}
	line := fmt.Sprintf("go on: driftless %s --resume %s", command, shellWord(dir.Path()))
	if f := s.flags.Lookup("data-dir"); f.Changed {
		line += " " + shellWord("--data-dir="+f.Value.String())
	}
	return line + "\n"
}
