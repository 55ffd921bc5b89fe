package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"driftless/dataset"
	"driftless/internal/cuda"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

func main() {
	// A closed terminal or pipe ends nothing that has begun: the report is the result.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options are the flags.
type options struct {
	device     string
	out        string // the report: a file
	steps      []int
	suite      string
	data       string
	python     string
	quick      bool
	plan       string
	only, skip []string
	budget     time.Duration

	// Of the process of a part.
	part  string
	time  time.Duration // that it has
	work  string        // folder of what is not to stay
	leash bool          // it ends when its standard input does
}

// reportName is the report's name in a folder.
const reportName = "gpu-check.md"

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
	f.StringVar(&o.out, "out", reportName, "the report: a file *.md, or a folder for "+reportName)
	steps := f.String("steps", "", "after how many steps CPU and GPU are compared (default "+defaultSteps+"; virtual "+virtualSteps+"; -quick "+quickSteps+")")
	f.StringVar(&o.suite, "suite", "", "folder of the binaries cuda.test and driftless, plain or gzipped, and of cubins (default: that of this binary)")
	f.StringVar(&o.data, "data", "", "folder of the data sets (default: driftless in the user's cache folder)")
	f.StringVar(&o.python, "python", "python3", "interpreter that has PyTorch")
	f.BoolVar(&o.quick, "quick", false, "tiny networks and few steps: does everything run?")
	f.StringVar(&o.plan, "plan", planAll, "which parts, and in how much time: "+planNames())
	only := f.String("only", "", "these parts only, besides machine, whatever the plan: "+strings.Join(partNames(), ","))
	skip := f.String("skip", "", "all parts but these")
	f.Func("budget", "the time for all parts, which is shared out by their worth (default: the plan's)", func(s string) (err error) {
		if o.budget, err = time.ParseDuration(s); err == nil && o.budget <= 0 {
			err = errors.New("it is not positive: give a time such as 5m")
		}
		return err
	})
	f.StringVar(&o.part, "part", "", "for gpucheck itself: run this part alone and print what it finds as lines of JSON")
	f.DurationVar(&o.time, "time", time.Hour, "for gpucheck itself: the time of that part")
	f.StringVar(&o.work, "work", "", "for gpucheck itself: folder of what is not to stay")
	f.BoolVar(&o.leash, "leash", false, "for gpucheck itself: end when standard input does")
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
		case o.virtual():
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
	most, ok := planBudgets[o.plan]
	if !ok {
		return o, fmt.Errorf("-plan %q is none: use %s", o.plan, planNames())
	}
	o.budget = cmp.Or(o.budget, most)
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

// planNames lists the plans with their times.
func planNames() string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(planBudgets)) {
		out = append(out, fmt.Sprintf("%s (%v)", name, planBudgets[name]))
	}
	return strings.Join(out, ", ")
}

func isNumber(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 0
}

// reportPath is the file that -out means. What is not called *.md is a folder.
func reportPath(out string) (string, error) {
	if filepath.Ext(out) != ".md" || isFolder(out) {
		out = filepath.Join(out, reportName)
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return "", fmt.Errorf("-out: %w", err)
	}
	return filepath.Abs(out)
}

// virtual reports whether the device is the virtual one.
func (o options) virtual() bool { return o.device == "virtual" }

// args are the flags that give a part's process the same options, and so much time.
func (o options) args(part string, time time.Duration) []string {
	steps := make([]string, len(o.steps))
	for i, n := range o.steps {
		steps[i] = strconv.Itoa(n)
	}
	return []string{"-part", part, "-time", time.String(), "-work", o.work, "-device", o.device, "-steps", strings.Join(steps, ","), "-suite", o.suite,
		"-data", o.data, "-out", o.out, "-python", o.python, "-quick=" + strconv.FormatBool(o.quick)}
}

// file is the path of what a part writes beside the report.
func (o options) file(what string) string {
	return strings.TrimSuffix(o.out, filepath.Ext(o.out)) + "-" + what
}

// run is the command: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseFlags(args, stderr)
	if o.work != "" && o.part == "" { // that of run.sh, in which this program lies
		defer os.RemoveAll(o.work)
	}
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
	if o.data == "" {
		o.data, _ = dataset.DefaultDir() // without a home: no data set, which the parts say
	}
	if err == nil && !cuda.Built {
		err = cuda.Require()
	}
	if err == nil && o.part == "" {
		o.out, err = reportPath(o.out)
	}
	if err != nil {
		fmt.Fprintln(stderr, "gpucheck:", err)
		return exitFailed
	}
	if o.part != "" {
		if o.virtual() && o.part != "machine" { // which tells of the machine code that is there
			_ = os.Unsetenv("DRIFTLESS_CUBINS") // the virtual device takes none, and would say so file by file
		}
		return runPart(ctx, o, allParts(), stdout, stderr)
	}
	r := newReport(o, time.Now())
	if err := r.write(); err != nil { // before anything has taken long
		fmt.Fprintln(stderr, "gpucheck:", err)
		return exitFailed
	}
	if o.work == "" {
		if o.work, err = workFolder(os.TempDir(), filepath.Dir(o.out), filepath.Dir(self), "/dev/shm"); err != nil {
			fmt.Fprintln(stderr, "gpucheck:", err)
			return exitFailed
		}
		defer os.RemoveAll(o.work)
	}
	if held := hold(o.work); held != nil {
		defer held.Close()
	}
	removeAbandoned(filepath.Dir(o.work))
	return r.runAll(ctx, o, self, stdout, stderr)
}

// runPart is the process of one part.
func runPart(ctx context.Context, o options, parts []part, stdout, stderr io.Writer) int {
	if o.leash {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			endGroup(os.Getpid())
			os.Exit(exitFailed)
		}()
	}
	for _, p := range parts {
		if p.name != o.part {
			continue
		}
		limited, cancel := context.WithTimeout(ctx, o.time)
		defer cancel()
		t := newTeller(stdout)
		err := p.run(limited, o, t)
		if err == nil {
			return exitOK
		}
		if timeUp := errors.Is(err, context.DeadlineExceeded); ctx.Err() == nil && (timeUp || limited.Err() != nil) {
			if !timeUp {
				t.note("When the time was up: %v", err)
			}
			t.tell(event{Cut: true})
			return exitOK
		}
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	fmt.Fprintf(stderr, "gpucheck: -part: unknown part %q\n", o.part)
	return exitUsage
}
