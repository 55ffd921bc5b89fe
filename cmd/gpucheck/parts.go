package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// A part is one section of the report.
type part struct {
	name, title string
	run         func(ctx context.Context, o options, t *teller) error
}

// allParts are the parts in their order; the last is what the sanitizer watches.
func allParts() []part {
	return []part{
		{"machine", "Machine", machine},
		{"conformance", "Conformance suite", conformance},
		{"bits", "CPU against GPU", bits},
		{"graphs", "Graph replay against plain launches", graphs},
		{"replicas", "Replicas", replicas},
		{"sanitizer", "compute-sanitizer", sanitizer},
		{"cli", "The command line", cli},
		{"bench", "Step benchmark", bench},
		{"plan", "Where a step's time goes", plan},
		{"steps", "", someSteps},
	}
}

// reported are the parts that have a section.
func reported() []part {
	all := allParts()
	return all[:len(all)-1]
}

// partNames are what -only and -skip take.
func partNames() []string {
	var out []string
	for _, p := range reported()[1:] {
		out = append(out, p.name)
	}
	return out
}

// runAll runs the parts, writes the report after each, and returns the exit code.
func (r *report) runAll(ctx context.Context, o options, self string, stdout, stderr io.Writer) int {
	for i, p := range reported() {
		if i > 0 && (len(o.only) > 0 && !slices.Contains(o.only, p.name) || slices.Contains(o.skip, p.name)) {
			continue
		}
		s := &section{title: p.title}
		r.sections = append(r.sections, s)
		fmt.Fprintf(stderr, "%s … ", p.title)
		began := time.Now()
		s.err = runProcess(ctx, o.limit, self, o.args(p.name), s.add)
		s.took = time.Since(began)
		r.interrupted = ctx.Err() != nil
		s.interrupted = r.interrupted
		fmt.Fprintf(stderr, "%s (%.1f s)\n", s.verdict(), s.took.Seconds())
		for _, f := range s.failures() {
			fmt.Fprintln(stderr, "  "+f)
		}
		if i == 0 && s.device.Device != "" { // the others name the very same device
			o.device = s.device.Device
			r.device, r.title, r.virtual = s.device.Device, s.device.Title, s.device.Virtual
		}
		none := i == 0 && s.device.Device == ""
		if none {
			r.none = true
		}
		if err := r.write(o.out); err != nil {
			fmt.Fprintln(stderr, "gpucheck:", err)
			return exitFailed
		}
		if r.interrupted || none {
			break
		}
	}
	fmt.Fprintf(stdout, "%s\nreport: %s\n", r.summary(), o.out)
	switch {
	case r.interrupted:
		return exitInterrupted
	case r.failed():
		return exitFailed
	}
	return exitOK
}

// patience is how long a process that is asked to end may take.
var patience = 10 * time.Second

// runProcess runs a part's process and hands its events on. Its error has the reason
// for which the process did not come to its end.
func runProcess(ctx context.Context, limit time.Duration, self string, args []string, add func(event)) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(limited, self, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = patience // then it is killed
	out, errs := &listener{add: add}, &tail{}
	cmd.Stdout, cmd.Stderr = out, errs
	err := cmd.Run()
	reason := strings.TrimSpace(out.rest() + errs.String())
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errors.New("interrupted")
	case limited.Err() != nil:
		return fmt.Errorf("it did not end within %v and was stopped (-limit allows more)\n%s", limit, reason)
	case reason == "":
		return err
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == exitFailed {
		return errors.New(reason)
	}
	return fmt.Errorf("%w\n%s", err, reason)
}

// listener hands the events among what is written to it on, line by line, and keeps
// the rest.
type listener struct {
	add   func(event)
	part  []byte // of a line
	stray strings.Builder
}

func (l *listener) Write(p []byte) (int, error) {
	l.part = append(l.part, p...)
	for {
		line, rest, ok := bytes.Cut(l.part, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		l.part = rest
		var e event
		if json.Unmarshal(line, &e) == nil {
			l.add(e)
		} else if len(bytes.TrimSpace(line)) > 0 {
			l.stray.Write(append(line, '\n'))
		}
	}
}

// rest is what was no event.
func (l *listener) rest() string { return l.stray.String() + string(l.part) }

// tail keeps the beginning and the end of what is written to it: Go prints a
// crash's reason first, Python last.
type tail struct {
	mu         sync.Mutex
	head, last []byte
	cut        bool
}

const tailBytes = 3000

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	if room := tailBytes - len(t.head); room > 0 {
		take := min(room, len(p))
		t.head, p = append(t.head, p[:take]...), p[take:]
	}
	t.last = append(t.last, p...)
	if over := len(t.last) - tailBytes; over > 0 {
		t.last, t.cut = append([]byte(nil), t.last[over:]...), true
	}
	return n, nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cut {
		return string(t.head) + "\n…\n" + string(t.last)
	}
	return string(t.head) + string(t.last)
}
