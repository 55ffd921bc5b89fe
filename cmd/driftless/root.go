package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// terminal is where a command prints: results to out, the rest to err.
type terminal struct{ out, err io.Writer }

// interactive tells whether messages go to a person's terminal.
func (t *terminal) interactive() bool {
	f, ok := t.err.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func newRoot(t *terminal) *cobra.Command {
	root := &cobra.Command{
		Use:           "driftless",
		Short:         "Train networks whose normalization lives in the graph, and see what happens when it does not",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newData(t), newDrift(t), newCompare(t), newTrain(t), newEval(t))
	return root
}
