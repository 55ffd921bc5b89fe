package cli

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"

	"driftless/benchmarks"

	"github.com/spf13/cobra"
)

// errDisagrees is the end of a worked example whose numbers are not the closed
// forms'.
var errDisagrees = errors.New("the measured numbers disagree with the closed forms: see the table")

// driftPicture is the name of the worked example's picture in the run directory.
const driftPicture = "drift.png"

func newDrift(t *terminal) *cobra.Command {
	var (
		out, dev        string
		asJSON, explain bool
	)
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "The worked example: a bias that grows while nothing changes",
		Long: `Drift runs the worked example of Ioffe & Szegedy (2015, section 2) in float64:
one layer x = u·w + b, normalized, under statistics that the gradient takes for
constants and under statistics in the graph. It prints a table, draws a picture,
and checks both against closed forms; the exit code is 1 where they disagree.

With --explain it walks through one batch with all the numbers instead.`,
		Args: noArguments,
	}
	cmd.Flags().StringVar(&out, "out", "", "directory for the picture, new or empty (default: a new one under runs/)")
	cmd.Flags().BoolVar(&explain, "explain", false, "walk through one batch, line by line")
	deviceFlag(cmd, &dev)
	jsonFlag(cmd.Flags(), &asJSON)
	cmd.RunE = func(*cobra.Command, []string) error {
		if explain {
			if asJSON {
				return wrong("--explain prints text: leave out --json")
			}
			for _, name := range []string{"out", "device"} {
				if cmd.Flags().Changed(name) {
					fmt.Fprintf(t.err, "--%s changes nothing here: --explain only prints\n", name)
				}
			}
			return benchmarks.Explain(t.out)
		}
		d, err := openFloat64(dev, t)
		if err != nil {
			return err
		}
		dir, err := runDir(out, "drift", map[string]string{"experiment": "drift", "device": d.Name()})
		if err != nil {
			return err
		}
		res, err := benchmarks.Drift(d)
		if err != nil {
			return err
		}
		var picture bytes.Buffer
		if err := res.Plot(&picture); err != nil {
			return err
		}
		if err := dir.WriteFile(driftPicture, picture.Bytes()); err != nil {
			return err
		}
		if asJSON {
			err = printJSON(t.out, res)
		} else if err = res.Table(t.out); err == nil {
			_, err = fmt.Fprintf(t.out, "\npicture: %s\n", filepath.Join(dir.Path(), driftPicture))
		}
		if err == nil && !res.Agrees {
			err = errDisagrees
		}
		return err
	}
	return cmd
}
