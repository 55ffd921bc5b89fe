package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// A part is one section of the report.
type part struct {
	name, title   string
	weight, least time.Duration // see allot
	run           func(ctx context.Context, o options, t *teller) error
}

// allParts are the parts in the order of their worth. The last two are what other
// programs watch.
func allParts() []part {
	const s = time.Second
	return []part{
		{"machine", "Machine", 5 * s, 60 * s, machine},
		{"graphs", "Graphs and clusters against plain launches", 15 * s, 10 * s, graphs},
		{"bits", "CPU against GPU", 15 * s, 10 * s, bits},
		{"replicas", "Replicas", 15 * s, 10 * s, replicas},
		{"plan", "Where a step's time goes", 15 * s, 10 * s, plan},
		{"bench", "Step benchmark", 100 * s, 20 * s, bench},
		{"conformance", "Conformance suite", 110 * s, 20 * s, conformance},
		{"ncu", "Nsight Compute", 60 * s, 20 * s, ncu},
		{"cli", "The command line", 15 * s, 10 * s, cli},
		{"sanitizer", "compute-sanitizer", 25 * s, 15 * s, sanitizer},
		{"pytorch", "Beside PyTorch", 25 * s, 30 * s, pytorch},
		{"steps", "", 0, 0, someSteps},
		{"launches", "", 0, 0, someLaunches},
	}
}

// reported are the parts that have a section.
func reported() []part {
	all := allParts()
	return all[:len(all)-2]
}

// partNames are what -only and -skip take.
func partNames() []string {
	var out []string
	for _, p := range reported()[1:] {
		out = append(out, p.name)
	}
	return out
}

// asked are the parts that the flags ask for.
func (o options) asked() []part {
	return slices.DeleteFunc(reported(), func(p part) bool {
		return p.name != "machine" && (len(o.only) > 0 && !slices.Contains(o.only, p.name) || slices.Contains(o.skip, p.name))
	})
}

// allot returns the time for the first of the parts, of what is left for all of them: its
// share by weight, but at least what it needs to find anything, and 0 if less than that is
// left. The parts after it get what it does not use.
func allot(left time.Duration, parts []part) time.Duration {
	var sum time.Duration
	for _, p := range parts {
		sum += p.weight
	}
	p := parts[0]
	if left < p.least {
		return 0
	}
	return max(p.least, time.Duration(float64(left)*float64(p.weight)/float64(sum)))
}

// runAll runs the parts, writes the report as they tell, and returns the exit code.
func (r *report) runAll(ctx context.Context, o options, self string, stdout, stderr io.Writer) int {
	env := environment(o)
	parts := o.asked()
	for i, p := range parts {
		s := &section{title: p.title}
		r.sections = append(r.sections, s)
		fmt.Fprintf(stderr, "%s … ", p.title)
		// Time is kept back to kill a part that does not stop.
		left := o.budget - time.Since(r.began) - 2*patience
		given := allot(left, parts[i:])
		if i == 0 {
			given = max(given, p.least)
		}
		if given == 0 {
			s.left = fmt.Sprintf("of the budget of %v there are %.0f s left, and it takes %.0f at least", o.budget, max(0, left.Seconds()), p.least.Seconds())
			fmt.Fprintf(stderr, "%s: %s\n", s.verdict(), s.left)
			continue
		}
		s.running = true
		began, wrote := time.Now(), time.Now()
		s.err = runProcess(ctx, given, self, append(o.args(p.name, given), "-leash"), env, func(e event) {
			s.add(e)
			if time.Since(wrote) > time.Second {
				_ = r.write() // at the part's end an error is said
				wrote = time.Now()
			}
		})
		s.running, s.took, s.given = false, time.Since(began), given
		r.interrupted = ctx.Err() != nil
		s.interrupted = r.interrupted
		fmt.Fprintf(stderr, "%s (%.1f s)\n", s.verdict(), s.took.Seconds())
		if s.left != "" {
			fmt.Fprintln(stderr, "  "+s.left)
		}
		for _, f := range s.failures() {
			fmt.Fprintln(stderr, "  "+f)
		}
		if i == 0 && s.device.Device != "" { // the others name the very same device
			o.device = s.device.Device
			r.device, r.title, r.virtual = s.device.Device, s.device.Title, s.device.Virtual
		}
		r.none = r.none || i == 0 && s.device.Device == ""
		if err := r.write(); err != nil {
			fmt.Fprintln(stderr, "gpucheck:", err)
		}
		if r.interrupted || r.none {
			break
		}
	}
	r.finished = true
	err := r.write()
	if err != nil { // the results are all the same worth having
		fmt.Fprintf(stderr, "gpucheck: %v\n", err)
		fmt.Fprintln(stdout, r.markdown())
	}
	fmt.Fprintf(stdout, "%s\nreport: %s\n", r.summary(), r.path)
	switch {
	case r.interrupted:
		return exitInterrupted
	case r.failed() || err != nil:
		return exitFailed
	}
	return exitOK
}
