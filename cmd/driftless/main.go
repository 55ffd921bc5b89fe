// Command driftless trains networks whose normalization lives in the graph, and
// shows what goes wrong when it does not.
//
//	driftless data fetch mnist      get a data set
//	driftless drift                 the worked example of Ioffe & Szegedy (2015, section 2)
//	driftless compare               train several normalizations side by side
//	driftless train                 train one network
//	driftless eval weights          evaluate a trained network
//	driftless env                   what there is to run on
//	driftless licences              of Driftless and of what it contains
//
// Results go to standard output, progress and messages to standard error. The
// exit code is 0 when done, 1 when the run failed, 2 for wrong usage and 130
// after an interrupt, which keeps what ran.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"driftless/benchmarks"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// Exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt ends the process at once
	root := newRoot(&terminal{out: stdout, err: stderr})
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	started := false
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	err := root.ExecuteContext(ctx)
	var wrong *benchmarks.UsageError
	switch {
	case err == nil:
		return exitDone
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
