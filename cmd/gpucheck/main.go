package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"driftless/internal/cuda"
	"driftless/internal/dataset"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options are the flags.
type options struct {
	device     string
	out        string
	steps      []int
	suite      string
	data       string
	python     string
	quick      bool
	only, skip []string
	limit      time.Duration
	part       string
}

// After how many steps CPU and GPU are compared; fewer with -quick and on the virtual
// device.
const (
	defaultSteps = "1,10,1000"
	virtualSteps = "1,10"
	quickSteps   = "1,4"
)

func parseFlags(args []string, stderr io.Writer) (options, error) {
	f := flag.NewFlagSet("gpucheck", flag.ContinueOnError)
	f.SetOutput(stderr)
	var o options
	f.StringVar(&o.device, "device", "cuda", "cuda (the first that is usable), cuda:N or virtual")
	f.StringVar(&o.out, "out", "gpu-check.md", "the report")
	steps := f.String("steps", "", "after how many steps CPU and GPU are compared (default "+defaultSteps+"; virtual "+virtualSteps+"; -quick "+quickSteps+")")
	f.StringVar(&o.suite, "suite", "", "folder of the binaries cuda.test and driftless, plain or gzipped (default: that of this binary)")
	f.StringVar(&o.data, "data", "", "folder of the data sets (default: driftless in the user's cache folder)")
	f.StringVar(&o.python, "python", "python3", "interpreter that has PyTorch")
	f.BoolVar(&o.quick, "quick", false, "tiny networks and few steps: does everything run?")
	only := f.String("only", "", "these parts only, besides machine: "+strings.Join(partNames(), ","))
	skip := f.String("skip", "", "all parts but these")
	f.DurationVar(&o.limit, "limit", 30*time.Minute, "the longest that a part may take")
	f.StringVar(&o.part, "part", "", "run this part alone and print what it finds as lines of JSON: for gpucheck itself")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q: all settings are flags, see -help", f.Arg(0))
	}
	if o.device != "virtual" && o.device != "cuda" {
		if n, ok := strings.CutPrefix(o.device, "cuda:"); !ok || !isNumber(n) {
			return o, fmt.Errorf("-device %q is none: use cuda, cuda:N or virtual", o.device)
		}
	}
	if *steps == "" {
		switch *steps = defaultSteps; {
		case o.quick:
			*steps = quickSteps
		case o.device == "virtual":
			*steps = virtualSteps
		}
	}
	for _, s := range strings.Split(*steps, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || len(o.steps) > 0 && n <= o.steps[len(o.steps)-1] {
			return o, fmt.Errorf("-steps %q is not a list of rising numbers such as %s", *steps, defaultSteps)
		}
		o.steps = append(o.steps, n)
	}
	if o.limit <= 0 {
		return o, fmt.Errorf("-limit %v is not positive", o.limit)
	}
	for _, list := range []struct {
		flag, value string
		to          *[]string
	}{{"only", *only, &o.only}, {"skip", *skip, &o.skip}} {
		if list.value == "" {
			continue
		}
		*list.to = strings.Split(list.value, ",")
		for _, p := range *list.to {
			if !slices.Contains(partNames(), p) {
				return o, fmt.Errorf("-%s: unknown part %q: choose from %s", list.flag, p, strings.Join(partNames(), ", "))
			}
		}
	}
	return o, nil
}

func isNumber(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 0
}

// virtual tells whether the device is the virtual one.
func (o options) virtual() bool { return o.device == "virtual" }

// args are the flags that give a part's process the same options.
func (o options) args(part string) []string {
	steps := make([]string, len(o.steps))
	for i, n := range o.steps {
		steps[i] = strconv.Itoa(n)
	}
	return []string{"-part", part, "-device", o.device, "-steps", strings.Join(steps, ","), "-suite", o.suite, "-data", o.data, "-out", o.out,
		"-python", o.python, "-limit", o.limit.String(), "-quick=" + strconv.FormatBool(o.quick)}
}

// run is the command: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseFlags(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintln(stderr, "gpucheck:", err)
		return exitUsage
	}
	self, err := os.Executable()
	if err == nil && o.suite == "" {
		o.suite = filepath.Dir(self)
	}
	if err == nil && o.data == "" {
		o.data, err = dataset.DefaultDir()
	}
	if err == nil && !cuda.Built {
		err = cuda.Require()
	}
	if err != nil {
		fmt.Fprintln(stderr, "gpucheck:", err)
		return exitFailed
	}
	if o.part != "" {
		return runPart(ctx, o, stdout, stderr)
	}
	r := newReport(o, time.Now())
	if err := r.write(o.out); err != nil { // before anything has taken long
		fmt.Fprintln(stderr, "gpucheck:", err)
		return exitFailed
	}
	return r.runAll(ctx, o, self, stdout, stderr)
}

// runPart is the process of one part.
func runPart(ctx context.Context, o options, stdout, stderr io.Writer) int {
	for _, p := range allParts() {
		if p.name != o.part {
			continue
		}
		if err := p.run(ctx, o, newTeller(stdout)); err != nil {
			fmt.Fprintln(stderr, err)
			return exitFailed
		}
		return exitOK
	}
	fmt.Fprintf(stderr, "gpucheck: -part: unknown part %q\n", o.part)
	return exitUsage
}
