package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/cpu"
)

// A peer is a framework that is timed by a script of this folder.
type peer struct {
	name, module, script, version string
	without                       string // a network that the script does not have, "" if it has all
}

// installed returns the peers that the interpreter has.
func installed(ctx context.Context, python string, stderr io.Writer) (found []peer) {
	for _, p := range []peer{
		{name: "pytorch", module: "torch", script: "pytorch.py"},
		{name: "jax", module: "jax", script: "jax_peer.py", without: "lenet"},
	} {
		var b bytes.Buffer
		if err := execute(ctx, "", &b, python, "-c", "import importlib.metadata as m; print(m.version('"+p.module+"'))"); err != nil {
			fmt.Fprintf(stderr, "%s is not installed, its rows will be missing; install it with: make peers\n", p.name)
			continue
		}
		p.version = strings.TrimSpace(b.String())
		found = append(found, p)
	}
	return found
}

// check has a peer train a little and reports whether it did as it should.
func (p peer) check(ctx context.Context, python, dir string, stderr io.Writer) bool {
	fmt.Fprintf(stderr, "%s: checking that it trains as it should ", p.name)
	err := execute(ctx, dir, io.Discard, python, p.script, "--check", "--threads", "1")
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "…")
	case err != nil:
		fmt.Fprintf(stderr, "… no, its rows will be missing: %v\n", err)
	default:
		fmt.Fprintln(stderr, "… yes")
	}
	return err == nil
}

// machine describes what is measured, and on what, in one line; load
// is what the processors had to do before.
func machine(peers []peer) string {
	parts := []string{runtime.Version()}
	for _, p := range peers {
		parts = append(parts, p.name+" "+p.version)
	}
	isa := features(runtime.GOARCH)
	if forced := os.Getenv("DRIFTLESS_ISA"); forced != "" {
		isa += ", driftless held to " + forced
	}
	parts = append(parts, processor(), fmt.Sprintf("%d processors", runtime.NumCPU()), isa)
	// Threads that wait for each other, as the peers' do, lose most by what else runs.
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		if load, _, ok := strings.Cut(string(b), " "); ok {
			parts = append(parts, "load "+load)
		}
	}
	return strings.Join(parts, "; ")
}

func features(arch string) string {
	var has []string
	for _, f := range []struct {
		name string
		ok   bool
	}{{"AVX2", cpu.X86.HasAVX2}, {"FMA", cpu.X86.HasFMA}, {"AVX-512", cpu.X86.HasAVX512F}, {"NEON", cpu.ARM64.HasASIMD}} {
		if f.ok {
			has = append(has, f.name)
		}
	}
	return strings.TrimSpace(arch + " " + strings.Join(has, " "))
}

// processor returns the model of the processor, as Linux tells it.
func processor() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}
