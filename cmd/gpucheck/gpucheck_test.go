package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"driftless/engine/device/cpu"
	"driftless/engine/program"
)

// TestMain lets this test binary be the process of a part.
func TestMain(m *testing.M) {
	switch os.Getenv("GPUCHECK_TEST_PROCESS") {
	case "":
		os.Exit(m.Run())
	case "crash":
		newTeller(os.Stdout).check(true, "before the crash", "")
		panic("the device is lost")
	case "hang":
		newTeller(os.Stdout).check(true, "before the hang", "")
		time.Sleep(time.Minute)
	case "stubborn": // so are what it starts
		signal.Ignore(os.Interrupt)
		cmd := exec.Command("sleep", "8")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		_ = cmd.Start()
		time.Sleep(time.Minute)
	case "error":
		os.Stdout.WriteString("a stray line\n")
		os.Stderr.WriteString("no such device\n")
		os.Exit(exitFailed)
	}
}

// collect runs a part in this process and returns what it tells.
func collect(t *testing.T, f func(ctx context.Context, o options, t *teller) error, o options) *section {
	t.Helper()
	var b bytes.Buffer
	s := &section{title: "part", err: f(t.Context(), o, newTeller(&b))}
	for line := range strings.Lines(b.String()) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		s.add(e)
	}
	return s
}

func quick(device string) options {
	return options{device: device, quick: true, steps: []int{1, 3}, limit: time.Minute, out: "gpu-check.md", python: "no-such-interpreter"}
}

// TestPartsOnCPU runs the comparisons with the CPU as the device: all are equal.
func TestPartsOnCPU(t *testing.T) {
	for _, c := range []struct {
		name   string
		run    func(context.Context, options, *teller) error
		checks int
	}{{"bits", bits, 24}, {"replicas", replicas, 6}, {"steps", someSteps, 0}, {"bench", bench, 0}, {"plan", plan, 0}} {
		s := collect(t, c.run, quick("cpu"))
		if passed, all := s.checks(); s.err != nil || passed != all || all != c.checks {
			t.Errorf("%s: %d of %d checks passed, want all of %d; error %v", c.name, passed, all, c.checks, s.err)
		}
	}
}

// TestDifferencesAreFound: other seeds are other weights, and one changed bit is one
// element.
func TestDifferencesAreFound(t *testing.T) {
	net, err := tiny.compile(caseNone, synthetic())
	if err != nil {
		t.Fatal(err)
	}
	s, err := net.open(cpu.New(), 1, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	compare := func(a, b int) difference {
		t.Helper()
		d, err := compareStates(net.layout, s, a, s, b)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := compare(0, 1); d.differ != 0 || d.nmse() != 0 || d.states < 8 || d.elements < 784*12 {
		t.Errorf("equal replicas: %+v", d)
	}
	if d := compare(0, 2); d.differ < 784*12 || d.largest == 0 || d.nmse() == 0 || !strings.Contains(d.String(), "fc1.weight") {
		t.Errorf("other seeds: %v", d)
	}
	if err := s.Write(program.StateSeed, 1, []int64{2}); err != nil {
		t.Fatal(err)
	}
	if d := compare(0, 1); d.differ != 1 || len(d.lines) != 1 || !strings.HasPrefix(d.lines[0], "seed: 1 of 1 elements") {
		t.Errorf("one other element: %v", d)
	}
	if err := s.Run(net.train, 1); err != nil {
		t.Fatal(err)
	}
	if d := compare(0, 1); d.differ < 100 {
		t.Errorf("another order of rows: %v", d)
	}

	// The same through the part, whose check fails and says by how much.
	b, err := net.open(cpu.New(), 8)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	sec := collect(t, func(ctx context.Context, o options, tell *teller) error {
		d, err := compareStates(net.layout, s, 0, b, 0)
		tell.check(d.differ == 0, "net", "%v", d)
		return err
	}, quick("cpu"))
	r := report{sections: []*section{sec}}
	if text := r.markdown(); !r.failed() || !strings.Contains(text, "**FAIL net**") || !strings.Contains(text, "NMSE") || !strings.Contains(text, "FAIL: 1 of 1 check") {
		t.Errorf("report:\n%s", text)
	}
}

// TestProcesses: a part that crashes, hangs or fails keeps what it told, and its
// reason.
func TestProcesses(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	defer func(d time.Duration) { patience = d }(patience)
	patience = time.Second
	for _, c := range []struct {
		how, want string
		limit     time.Duration
		events    int
	}{{"crash", "the device is lost", time.Minute, 1}, {"hang", "did not end within 1s", time.Second, 1}, {"stubborn", "did not end within 1s", time.Second, 0}, {"error", "a stray line\nno such device", time.Minute, 0}} {
		t.Setenv("GPUCHECK_TEST_PROCESS", c.how)
		var s section
		s.err = runProcess(t.Context(), c.limit, self, nil, s.add)
		if s.err == nil || !strings.Contains(s.err.Error(), c.want) || len(s.events) != c.events || !s.failed() {
			t.Errorf("%s: %d events, error %v", c.how, len(s.events), s.err)
		}
	}
	t.Setenv("GPUCHECK_TEST_PROCESS", "hang")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := runProcess(ctx, time.Minute, self, nil, func(event) {}); err == nil || err.Error() != "interrupted" {
		t.Errorf("interrupted: %v", err)
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-device gpu", "cuda:N or virtual"}, {"-device cuda:x", "cuda:N"}, {"-steps 10,1", "rising"}, {"-steps x", "rising"}, {"-only benches", "unknown part"},
		{"-skip machine", "unknown part"}, {"-limit 0s", "not positive"}, {"now", "unknown argument"},
	} {
		if _, err := parseFlags(strings.Fields(c.args), &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.args, err, c.want)
		}
	}
	for _, c := range []struct {
		args  string
		steps []int
	}{{"", []int{1, 10, 1000}}, {"-device virtual", []int{1, 10}}, {"-quick", []int{1, 4}}, {"-quick -steps 7", []int{7}}} {
		o, err := parseFlags(strings.Fields(c.args), &bytes.Buffer{})
		if err != nil || !slices.Equal(o.steps, c.steps) {
			t.Errorf("%q: steps %v, error %v, want %v", c.args, o.steps, err, c.steps)
		}
		again, err := parseFlags(o.args("bits"), &bytes.Buffer{})
		if o.part = "bits"; err != nil || !slices.Equal(again.steps, o.steps) || again.device != o.device || again.quick != o.quick || again.limit != o.limit || again.part != o.part {
			t.Errorf("%q: a part's process gets %+v, error %v", c.args, again, err)
		}
	}
}

func TestReport(t *testing.T) {
	r := &report{began: time.Unix(0, 0), device: "cuda", title: "GPU X, driver 1.2", sections: []*section{
		{title: "A", events: []event{{Head: []string{"a", "b"}}, {Row: []string{"1", "x|y"}}, {Check: "c1", OK: true, Text: "fine"}, {Text: "a note"}}},
		{title: "B", events: []event{{Check: "c2", Text: "off by\n```1"}}},
		{title: "C", err: errors.New("killed\nlast words")},
	}}
	text := r.markdown()
	for _, want := range []string{"device: **GPU X, driver 1.2**", "**FAIL: 1 of 2 checks, 1 part did not come to its end**", "| A | PASS: 1 check |", "| a | b |\n|---|---|\n| 1 | x\\|y |",
		"a note", "- PASS c1: fine", "**FAIL c2**\n\n```\noff by\n'''1\n```", "killed\nlast words"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "virtual") {
		t.Error("the report speaks of the virtual device")
	}
	r.virtual = true
	if text := r.markdown(); !strings.Contains(text, "Verified on a virtual PTX device, not on NVIDIA hardware") {
		t.Error("the report does not say that the device is virtual")
	}
	path := filepath.Join(t.TempDir(), "r.md")
	if err := r.write(path); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != r.markdown() {
		t.Errorf("the file has %d bytes, error %v", len(data), err)
	}
	if err := r.write(filepath.Join(path, "r.md")); err == nil || !strings.Contains(err.Error(), "-out") {
		t.Errorf("error %v, want one that names -out", err)
	}
}
