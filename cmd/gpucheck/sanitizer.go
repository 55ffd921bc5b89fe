package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// sanitizer runs some steps under each of compute-sanitizer's tools. What they print is in
// a file beside the report as it comes.
func sanitizer(ctx context.Context, o options, t *teller) error {
	path := findSanitizer()
	switch {
	case o.virtual():
		t.leave("the virtual device itself reports races, stray and uninitialised accesses")
		return nil
	case path == "":
		t.leave(noSanitizer)
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.Create(o.file("sanitizer.txt"))
	if err != nil {
		return err
	}
	defer log.Close()
	if out, err := command(ctx, path, "--version").Output(); err == nil {
		t.note("%s: %s. What it printed is in %s.", path, lastLines(string(out), 1), filepath.Base(log.Name()))
	}
	// memcheck finds most, racecheck makes a step a hundred times slower.
	tools := []string{"memcheck", "initcheck", "synccheck", "racecheck"}
	for i, tool := range tools {
		cmd := command(ctx, path, append([]string{"--tool", tool, self}, o.args("steps", o.time)...)...)
		var out bytes.Buffer
		cmd.Stdout = io.MultiWriter(log, &out)
		cmd.Stderr = cmd.Stdout
		err := cmd.Run()
		if ctx.Err() != nil {
			t.note("The time was up in %s; not run: %s.", tool, orNone(tools[i+1:]))
			return ctx.Err()
		}
		found := parseSanitizer(out.String())
		switch {
		case strings.Contains(out.String(), "Device not supported"):
			t.leave("compute-sanitizer says that it does not support the device here")
			return nil
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
