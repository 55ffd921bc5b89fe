// Command peers times the training steps of driftless, of stock Gorgonia and of
// the installed ones among PyTorch and JAX, and writes one table.
//
//	make peers          # once: installs PyTorch and JAX into .venv
//	make bench-peers    # or: go run ./cmd/peers -rounds 3 -nets paper
//
// Every round runs all of them, each as its own process, one after the other,
// each round beginning with another one: what disturbs the machine hits all
// alike. The rows are those of BenchmarkStep and BenchmarkCompare of package
// benchmarks, and what pytorch.py and jax_peer.py print under the same names.
// Before the first round each peer checks that it trains as it should.
//
// The folder out gets the lines of each as a text file for benchstat
//
//	benchstat -col /impl cmd/peers/out/*.txt
//
// and the table as table.md: for each way of running its best number of threads,
// the median and range over the rounds, and the median and range of its time over
// that of driftless in the same round. Ctrl-C ends with the table of what ran.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"driftless/dataset"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	rounds    int
	nets      []string
	benchtime time.Duration
	check     bool
	all       bool
	python    string
}

func parseFlags(args []string, stderr io.Writer) (options, error) {
	f := flag.NewFlagSet("peers", flag.ContinueOnError)
	f.SetOutput(stderr)
	var o options
	var quick bool
	nets := f.String("nets", "paper,wide,lenet", "networks: paper, wide, lenet")
	f.IntVar(&o.rounds, "rounds", 5, "how often everything runs")
	f.DurationVar(&o.benchtime, "benchtime", time.Second, "about the time of one benchmark in a round")
	f.BoolVar(&o.check, "check", true, "check first that the peers train as they should")
	f.BoolVar(&o.all, "all", false, "show every number of threads, not the best only")
	f.BoolVar(&quick, "quick", false, "a look: -rounds 1 -nets paper -benchtime 200ms -check=false, each unless given")
	f.StringVar(&o.python, "python", "", "interpreter that has the peers (default: that of .venv)")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q", f.Arg(0))
	}
	if quick {
		given := map[string]bool{}
		f.Visit(func(f *flag.Flag) { given[f.Name] = true })
		for name, value := range map[string]string{"rounds": "1", "nets": "paper", "benchtime": "200ms", "check": "false"} {
			if !given[name] {
				f.Set(name, value)
			}
		}
	}
	o.nets = strings.Split(*nets, ",")
	for _, n := range o.nets {
		if flops(n) == 0 {
			return o, fmt.Errorf("unknown net %q: choose from paper, wide, lenet", n)
		}
	}
	if o.rounds < 1 || o.benchtime <= 0 {
		return o, errors.New("-rounds and -benchtime must be positive")
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	here := filepath.Join(root, "cmd", "peers")
	out := filepath.Join(here, "out")
	if o.python == "" {
		o.python = filepath.Join(here, ".venv", "bin", "python")
	}
	peers := installed(ctx, o.python, stderr)
	title := machine(peers)
	fmt.Fprintln(stderr, title)
	if o.check {
		peers = slices.DeleteFunc(peers, func(p peer) bool { return !p.check(ctx, o.python, here, stderr) })
	}

	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	binary := filepath.Join(out, "benchmarks.test") // not among temporary files: the run is long
	if err := execute(ctx, root, io.Discard, "go", "test", "-c", "-o", binary, "./benchmarks"); err != nil {
		return err
	}
	defer os.Remove(binary)
	for _, name := range []string{"driftless", "gorgonia", "pytorch", "jax"} { // of an earlier run
		if err := os.Remove(filepath.Join(out, name+".txt")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	var rec recorder
	var failed []error
	for round := range o.rounds {
		for _, net := range o.nets {
			jobs := jobsOf(net, o, binary, filepath.Dir(here), here, peers)
			for i := range jobs {
				j := jobs[(round+i)%len(jobs)]
				if ctx.Err() != nil {
					break
				}
				began := time.Now()
				if err := rec.run(ctx, round, j, filepath.Join(out, j.name+".txt")); err != nil && ctx.Err() == nil {
					failed = append(failed, err)
					fmt.Fprintf(stderr, "%s: %v\n", j.name, err)
				}
				end := ""
				if ctx.Err() != nil {
					end = ", interrupted"
				}
				fmt.Fprintf(stderr, "round %d of %d: %s %s, %.0f s%s\n", round+1, o.rounds, net, j.name, time.Since(began).Seconds(), end)
			}
		}
	}
	if len(rec.samples) == 0 {
		return errors.Join(append(failed, errors.New("nothing ran"))...)
	}
	table := title + "\n" + render(rec.samples, o.all)
	if err := os.WriteFile(filepath.Join(out, "table.md"), []byte(table), 0o644); err != nil {
		return err
	}
	if _, err := fmt.Fprint(stdout, table); err != nil {
		return err
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of the runs failed, see above", len(failed))
	}
	return nil
}

// moduleRoot returns the folder of the module that the command is run in.
func moduleRoot(ctx context.Context) (string, error) {
	var b bytes.Buffer
	if err := execute(ctx, "", &b, "go", "list", "-m", "-f", "{{.Path}} {{.Dir}}"); err != nil {
		return "", err
	}
	path, dir, _ := strings.Cut(strings.TrimSpace(b.String()), " ")
	if path != "driftless" {
		return "", fmt.Errorf("run it inside the module driftless, not %s", path)
	}
	return dir, nil
}

// A job is a command that prints benchmark lines.
type job struct {
	name string // of its output file
	dir  string
	args []string
}

// jobsOf returns what a round runs of a network.
func jobsOf(net string, o options, binary, benchmarks, here string, peers []peer) []job {
	const norms = "norm=(none|batchnorm)"
	ours := func(name string, pattern ...string) job {
		for i := range pattern {
			pattern[i] = "^" + pattern[i] + "$"
		}
		return job{name, benchmarks, []string{binary, "-test.run", "^$", "-test.benchtime", o.benchtime.String(), "-test.bench", strings.Join(pattern, "/")}}
	}
	jobs := []job{ours("driftless", "BenchmarkStep", "net="+net, norms, "input=.*", "impl=driftless")}
	if net == "paper" {
		jobs = append(jobs, ours("driftless", "BenchmarkCompare", "net="+net, "replicas=.*", norms, "input=.*", "impl=driftless"))
	}
	for _, p := range peers {
		if p.without == net {
			continue
		}
		args := []string{o.python, p.script, "--nets", net, "--benchtime", fmt.Sprint(o.benchtime.Seconds())}
		if dir, ok := mnist(); ok {
			args = append(args, "--mnist", dir)
		}
		jobs = append(jobs, job{p.name, here, args})
	}
	return append(jobs, ours("gorgonia", "BenchmarkStep", "net="+net, norms, "input=.*", "impl=gorgonia"))
}

// mnist returns the folder that "driftless data fetch mnist" fills, if it is
// there: package benchmarks takes its rows input=mnist from it too.
func mnist() (dir string, ok bool) {
	dir, err := dataset.DefaultDir()
	if err != nil {
		return "", false
	}
	dir = filepath.Join(dir, "mnist")
	_, err = os.Stat(dir)
	return dir, err == nil
}

// A recorder keeps the samples of jobs.
type recorder struct{ samples []sample }

// run runs a job, appends its output to a file and keeps its samples, even if the job fails
// or is ended half way.
func (r *recorder) run(ctx context.Context, round int, j job, file string) (err error) {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var b bytes.Buffer
	err = execute(ctx, j.dir, io.MultiWriter(f, &b), j.args...)
	for s := bufio.NewScanner(&b); s.Scan(); {
		if smp, ok := parseLine(s.Text()); ok {
			smp.round = round
			r.samples = append(r.samples, smp)
		}
	}
	return err
}

// execute runs a command; its error ends with the last lines that it printed as
// errors. If ctx ends the command is interrupted as Ctrl-C would.
func execute(ctx context.Context, dir string, stdout io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Stdout = dir, stdout
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	if err == nil {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
	return fmt.Errorf("%s: %w\n%s", filepath.Base(args[0]), err, strings.Join(lines[max(0, len(lines)-8):], "\n"))
}
