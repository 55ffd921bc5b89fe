package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// sanitizer runs some steps under each of compute-sanitizer's tools.
func sanitizer(ctx context.Context, o options, t *teller) error {
	path := findSanitizer()
	switch {
	case path == "":
		t.note("Not run: compute-sanitizer is neither on the PATH nor in a toolkit's usual place.")
		return nil
	case o.virtual():
		t.note("Not run: the virtual device itself reports races, stray and uninitialised accesses, and the other parts would have failed.")
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if out, err := command(ctx, path, "--version").Output(); err == nil {
		t.note("%s: %s", path, lastLines(string(out), 1))
	}
	for _, tool := range []string{"memcheck", "racecheck", "initcheck", "synccheck"} {
		// Graph nodes and few steps: racecheck makes a step a hundred times slower.
		cmd := command(ctx, path, append([]string{"--tool", tool, self}, o.args("steps")...)...)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		found := parseSanitizer(out.String())
		switch {
		case !found.complete || err != nil && found.errors == 0:
			t.check(false, tool, "it did not come to its end: %v\n%s", err, lastLines(out.String(), 40))
		case found.errors > 0:
			t.check(false, tool, "%s\n%s", plural(found.errors, "error"), found.text)
		default:
			t.check(true, tool, "no errors%s", found.warnings())
		}
	}
	return nil
}

// findSanitizer returns the path of compute-sanitizer, or nothing.
func findSanitizer() string {
	if path, err := exec.LookPath("compute-sanitizer"); err == nil {
		return path
	}
	for _, dir := range []string{os.Getenv("CUDA_HOME"), os.Getenv("CUDA_PATH"), "/usr/local/cuda", "/opt/cuda"} {
		if dir == "" {
			continue
		}
		for _, sub := range []string{"bin", "compute-sanitizer"} {
			path := filepath.Join(dir, sub, "compute-sanitizer")
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				return path
			}
		}
	}
	return ""
}

// findings are what a tool of compute-sanitizer printed.
type findings struct {
	complete bool // it printed its summary
	errors   int
	warned   int
	text     string // the first of what it found
}

func (f findings) warnings() string {
	if f.warned == 0 {
		return ""
	}
	return ", " + plural(f.warned, "warning")
}

var (
	errorSummary = regexp.MustCompile(`ERROR SUMMARY: (\d+) error`)
	raceSummary  = regexp.MustCompile(`RACECHECK SUMMARY: (\d+) hazards? displayed \((\d+) errors?, (\d+) warnings?\)`)
)

// parseSanitizer reads compute-sanitizer's output, whose lines begin with =========.
func parseSanitizer(out string) findings {
	var f findings
	number := func(s string) int { n, _ := strconv.Atoi(s); return n }
	const most = 60 // lines
	var text []string
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		rest, ours := strings.CutPrefix(line, "=========")
		if !ours {
			continue
		}
		if m := errorSummary.FindStringSubmatch(rest); m != nil {
			f.complete, f.errors = true, f.errors+number(m[1])
			continue
		}
		if m := raceSummary.FindStringSubmatch(rest); m != nil {
			f.complete, f.errors, f.warned = true, f.errors+number(m[2]), f.warned+number(m[3])
			continue
		}
		if len(text) < most {
			text = append(text, strings.TrimPrefix(rest, " "))
		}
	}
	f.text = strings.Join(text, "\n")
	return f
}
