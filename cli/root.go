package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"driftless/benchmarks"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// terminal is where a command prints: results to out, the rest to err. Once rush is
// done, a command that was interrupted leaves out what can be made again.
type terminal struct {
	out, err io.Writer
	rush     context.Context
}

// interactive reports whether messages go to a person's terminal.
func (t *terminal) interactive() bool {
	f, ok := t.err.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func newRoot(t *terminal) *cobra.Command {
	root := &cobra.Command{
		Use:           "driftless",
		Long:          "Train networks with normalization in the graph, and see why it must be there.\n\n" + exitCodes,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       benchmarks.Version(),
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newData(t), newDrift(t), newAudit(t), newCompare(t), newPaper(t), newTable(t), newTrain(t), newEval(t), newExport(t), newReport(t), newView(t), newNorms(t), newProbes(t), newEnv(t), newLicences(t))
	group(root)
	root.SetHelpCommand(&cobra.Command{
		Use:   "help [command]",
		Short: "Help about a command",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err == nil && len(rest) > 0 {
				err = noArguments(cmd, rest)
			}
			if err != nil {
				return err
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	})
	root.SetFlagErrorFunc(flagError)
	// Help fits a terminal of 80 columns.
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages ", ".FlagUsagesWrapped 80 "))
	return root
}

// group makes a command that only holds subcommands refuse other arguments.
func group(cmd *cobra.Command) {
	cmd.Args = noArguments
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf(" (did you mean %q?)", near[0])
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	if len(names) == 0 {
		return wrong("%s takes no arguments but flags, and got %q: see %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return wrong("unknown command %q%s: %s has %s", args[0], hint, cmd.CommandPath(), strings.Join(names, ", "))
}

// oneArgument accepts exactly one argument; needs says in the error what that is.
func oneArgument(needs string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return wrong("%s needs one argument, %s, and got %d", cmd.CommandPath(), needs, len(args))
	}
}

// flagError puts the flag parser's errors into words.
func flagError(cmd *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &value):
		what := map[string]string{"float64": "a number", "int": "a whole number", "int64": "a whole number", "bool": "true or false"}[value.GetFlag().Value.Type()]
		if errors.Is(err, strconv.ErrRange) {
			what += " in range"
		}
		return wrong("--%s %q is not %s", value.GetFlag().Name, value.GetValue(), what)
	case errors.As(err, &unknown):
		return wrong("%w: see %s --help", err, cmd.CommandPath())
	}
	return wrong("%w", err)
}
