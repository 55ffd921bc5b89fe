package cli

import (
	"fmt"
	"path/filepath"

	"driftless/benchmarks/presets"
	"driftless/internal/report"

	"github.com/spf13/cobra"
)

func newReport(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "report directory",
		Short: "Write the page of a run anew",
		Long: `Report writes curves.png and report.html of a run directory anew, from its
config.yaml, metrics.jsonl and run.json: after a full disk, a crash or a kill,
or with a newer driftless.`,
		Example: "  driftless report runs/train-mnist-batchnorm-lr0.1",
		Args:    oneArgument("a run directory"),
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := report.Open(args[0])
			if err != nil {
				return err
			}
			if res, err := presets.Read(filepath.Join(dir.Path(), presets.ResultsFile)); err == nil { // an experiment of several parts
				if _, err := writeExperiment(dir, res); err != nil {
					return err
				}
				_, err = fmt.Fprintf(t.out, "report: %s\n", filepath.Join(dir.Path(), report.ReportFile))
				return err
			}
			run, err := dir.Read()
			if err != nil {
				return err
			}
			if err := dir.WriteReport(run); err != nil {
				return err
			}
			_, err = fmt.Fprintf(t.out, "report: %s\n", filepath.Join(dir.Path(), report.ReportFile))
			return err
		},
	}
}
