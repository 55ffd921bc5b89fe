package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"driftless/engine/device/cuda"
)

// A part is one section of the report.
type part struct {
	name, title   string
	plan          string        // that has it, beside planAll
	weight, least time.Duration // see allot
	run           func(ctx context.Context, o options, t *teller) error
}

// Plans are what -plan takes, with the time for all of their parts. The last two are for a
// device that is there for a quarter of an hour: with what run.sh does before, 400 s and 330 s.
const planAll, planQuarter, planRest = "all", "quarter-hour", "rest"

var planBudgets = map[string]time.Duration{planAll: time.Hour, planQuarter: 395 * time.Second, planRest: 325 * time.Second}

// allParts are the parts in the order of their worth. Every plan has the first. The last two are
// what other programs watch.
func allParts() []part {
	const s = time.Second
	return []part{
		{"machine", "Machine", "", 60 * s, 60 * s, machine},
		{"graphs", "Graphs and clusters against plain launches", planQuarter, 15 * s, 10 * s, graphs},
		{"bits", "CPU against GPU", planQuarter, 15 * s, 10 * s, bits},
		{"replicas", "Replicas", planQuarter, 15 * s, 10 * s, replicas},
		{"plan", "Where a step's time goes", planQuarter, 15 * s, 10 * s, plan},
		{"bench", "Step benchmark", planQuarter, 75 * s, 20 * s, bench},
		{"precision", "TF32 and BF16: not the bits of float32", planQuarter, 25 * s, 10 * s, precision},
		{"conformance", "Conformance suite", planQuarter, 110 * s, 20 * s, conformance},
		{"ncu", "Nsight Compute", planQuarter, 60 * s, 20 * s, ncu},
		{"pytorch", "Beside PyTorch", planRest, 200 * s, 30 * s, pytorch},
		{"sanitizer", "compute-sanitizer", planRest, 40 * s, 15 * s, sanitizer},
		{"cli", "The command line", planRest, 15 * s, 10 * s, cli},
		{"steps", "", "", 0, 0, someSteps},
		{"launches", "", "", 0, 0, someLaunches},
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

// asked are the parts that the flags ask for: those of the plan, or of -only.
func (o options) asked() []part {
	return slices.DeleteFunc(reported(), func(p part) bool {
		has := o.plan == planAll || o.plan == p.plan
		if len(o.only) > 0 {
			has = slices.Contains(o.only, p.name)
		}
		return p.name != "machine" && (!has || slices.Contains(o.skip, p.name))
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

// again is the time in which a part is repeated whose kernels were at fault.
const again = 20 * time.Second

// oneByOne runs a part again, with each kernel waited for, so that the driver names the one that is
// at fault.
func (r *report) oneByOne(ctx context.Context, p part, self string, args, env []string, stderr io.Writer) {
	s := &section{title: p.title + ", kernel by kernel", running: true, given: again}
	fmt.Fprintf(stderr, "%s … ", s.title)
	s.add(event{Text: "The part once more, with " + cuda.OneByOne + ", of which only faults of kernels are told: the error names the kernel. " +
		"If there is none, it takes a graph, where kernels overlap, or clusters."})
	r.change(func() { r.sections = append(r.sections, s) })
	began := time.Now()
	err := runProcess(ctx, again, self, args, append(slices.Clone(env), strings.Fields(cuda.OneByOne)...), func(e event) {
		if e.Check != "" && e.faulty() {
			r.change(func() { s.add(e) })
		}
	})
	r.change(func() { s.err, s.running, s.took = err, false, time.Since(began) })
	s.say(stderr)
}

// runAll runs the parts, writes the report as they tell, and returns the exit code.
func (r *report) runAll(ctx context.Context, o options, self string, stdout, stderr io.Writer) int {
	env := environment(o)
	parts := o.asked()
	stop := r.keep()
	for i, p := range parts {
		s := &section{title: p.title}
		fmt.Fprintf(stderr, "%s … ", p.title)
		// Time is kept back to kill a part that does not stop.
		left := o.budget - time.Since(r.began) - 2*patience
		given := allot(left, parts[i:])
		if i == 0 {
			given = max(given, p.least)
		}
		if given == 0 {
			s.left = fmt.Sprintf("of the budget of %v there are %.0f s left, and it takes %.0f at least", o.budget, max(0, left.Seconds()), p.least.Seconds())
			r.change(func() { r.sections = append(r.sections, s) })
			fmt.Fprintf(stderr, "%s: %s\n", s.verdict(), s.left)
			continue
		}
		s.running = true
		r.change(func() { r.sections = append(r.sections, s) })
		began := time.Now()
		err := runProcess(ctx, given, self, append(o.args(p.name, given), "-leash"), env, func(e event) {
			r.change(func() { s.add(e) })
		})
		r.change(func() {
			s.err, s.running, s.took, s.given = err, false, time.Since(began), given
			r.interrupted = ctx.Err() != nil
			s.interrupted = r.interrupted
			if i == 0 && s.device.Device != "" { // the others name the very same device
				o.device = s.device.Device
				r.device, r.title, r.virtual = s.device.Device, s.device.Title, s.device.Virtual
			}
			r.none = r.none || i == 0 && s.device.Device == ""
		})
		s.say(stderr)
		if left := o.budget - time.Since(r.began) - 2*patience; s.faulty() && !r.virtual && left > again && ctx.Err() == nil {
			r.oneByOne(ctx, p, self, append(o.args(p.name, again), "-leash"), env, stderr)
		}
		if r.interrupted || r.none {
			break
		}
	}
	stop()
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
