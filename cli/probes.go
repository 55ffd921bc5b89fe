package cli

import (
	"io"
	"slices"
	"strings"

	"driftless/benchmarks/probe"
	"driftless/internal/report"

	"github.com/spf13/cobra"
)

func newProbes(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "probes [name]",
		Short: "List the instruments for --probe, or describe one",
		Long: `Probes lists the instruments that train and compare take with --probe. With a name
it says what that one computes, how to read it, and which columns of
metrics.jsonl it fills.`,
		Example: "  driftless probes undo-ratio",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return wrong("%s takes one name, and got %d", cmd.CommandPath(), len(args))
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return probe.Names(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			var b strings.Builder
			if len(args) == 0 {
				listProbes(&b)
			} else if err := describeProbe(&b, args[0]); err != nil {
				return err
			}
			_, err := io.WriteString(t.out, b.String())
			return err
		},
	}
}

// probeColumn is the width of the instruments' names and keys.
const probeColumn = 32

func listProbes(b *strings.Builder) {
	for _, name := range probe.Names() {
		in, _ := probe.Lookup(name)
		hang(b, probeColumn, "  "+name, entitled(in))
	}
	b.WriteString("\n")
	hang(b, 0, "", "They look into a training after each of its evaluations, and change none of its bits: --probe undo-ratio,decrease or --probe all.")
}

func describeProbe(b *strings.Builder, name string) error {
	ins, err := probe.Parse([]string{name})
	if err != nil {
		return wrong("%w", err)
	}
	if len(ins) > 1 {
		return wrong("%s is every instrument: name one", name)
	}
	in := ins[0]
	hang(b, 0, "", name+": "+entitled(in)+".")
	hang(b, 0, "", in.About)
	b.WriteString("\n")
	for _, c := range in.Columns {
		what := c.Title
		if c.Layer {
			what += ", of each layer"
		}
		if c.Band {
			what += "; its edges with " + report.BandLow + " and " + report.BandHigh
		}
		hang(b, probeColumn, "  "+c.Key, what)
	}
	return nil
}

func entitled(in probe.Instrument) string {
	if in.Paper == "" {
		return in.Title
	}
	return in.Title + " (" + in.Paper + ")"
}

// probeFlag declares --probe, of which the shell completes the last name of a list.
func probeFlag(cmd *cobra.Command, to *string) {
	cmd.Flags().StringVar(to, "probe", "", "instruments that look into the training after each evaluation, of those that driftless probes lists, or all")
	fn := func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		before := typed[:strings.LastIndexByte(typed, ',')+1]
		var out []string
		for _, n := range slices.Concat(probe.Names(), []string{probe.All}) {
			out = append(out, before+n)
		}
		return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	if err := cmd.RegisterFlagCompletionFunc("probe", fn); err != nil {
		panic(err)
	}
}
