package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"driftless/benchmarks"

	"github.com/spf13/cobra"
)

// Main runs the command line of the process and ends it with its exit code.
func Main() { os.Exit(Run(os.Args[1:], os.Stdout, os.Stderr)) }

const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitFault       = 3
	exitInterrupted = 130
)

// exitCodes is what the program's help says of them.
const exitCodes = `The exit code is 0 when done, 1 when the command failed, 2 for wrong usage,
3 for a fault of the program itself and 130 after an interrupt. Memory that runs
out, and faults in goroutines of a device or of a library, cannot be caught:
Go's runtime ends the program, with its own code, which is 2 as well.`

// Run runs a command line, without the program's name, and returns its exit code.
func Run(args []string, stdout, stderr io.Writer) (code int) {
	defer func() {
		if r := recover(); r != nil {
			code = fault(stderr, fmt.Sprint(r), debug.Stack())
		}
	}()
	ctx, rush, stop := interrupts(stderr)
	defer stop()
	root := newRoot(&terminal{out: stdout, err: stderr, rush: rush})
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	started := false
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	err := root.ExecuteContext(ctx)
	var wrong *benchmarks.UsageError
	var bug *benchmarks.PanicError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &bug):
		return fault(stderr, bug.Error(), bug.Stack)
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "interrupted")
		return exitInterrupted
	case errors.As(err, &wrong) || !started:
		fmt.Fprintf(stderr, "driftless: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(stderr, "driftless: %v\n", err)
	return exitFailed
}

func fault(stderr io.Writer, what string, stack []byte) int {
	fmt.Fprintf(stderr, "driftless: a fault of the program itself: %s\n%s", what, stack)
	return exitFault
}

// interrupts returns a context that the first interrupt ends and one that the second
// does; the third ends the program. A hangup counts as one unless the program was
// started to ignore it, as nohup does. Writing to a closed pipe gives an error and does not
// end the program.
func interrupts(stderr io.Writer) (ctx, rush context.Context, stop func()) {
	signal.Ignore(syscall.SIGPIPE)
	which := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		which = append(which, syscall.SIGHUP)
	}
	came, done := make(chan os.Signal, 3), make(chan struct{})
	signal.Notify(came, which...)
	ctx, first := context.WithCancel(context.Background())
	rush, second := context.WithCancel(context.Background())
	go func() {
		for _, then := range []func(){
			first,
			func() {
				fmt.Fprintln(stderr, "interrupted twice: a third interrupt ends the program where it is")
				second()
			},
			func() { os.Exit(exitInterrupted) },
		} {
			select {
			case <-came:
				then()
			case <-done:
				return
			}
		}
	}()
	return ctx, rush, func() {
		signal.Stop(came)
		close(done)
		first()
		second()
	}
}
