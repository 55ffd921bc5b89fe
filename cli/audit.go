package cli

import (
	"fmt"

	"driftless/benchmarks"
	"driftless/engine/device/cpu"
	"driftless/kernels"

	"github.com/spf13/cobra"
)

func newAudit(t *terminal) *cobra.Command {
	s := &settings{Config: benchmarks.Defaults()}
	s.Steps = 100
	explain := false
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Find steps that a refresh of statistics takes out again",
		Long: `Audit trains arms a few steps and looks, with the batch of the next step, for
parameters in which the optimizer has a gradient and the loss does not move once
the statistics that the gradient takes for constants are refreshed: the share of
the step that is in vain, the growth that it forecasts under SGD while the force
lasts, and the statistic that is held. It computes gradients in float64, on the
CPU. Finding something is no failure.

Arms are those of driftless compare.`,
		Example: "  driftless audit --norms center:naive,batchnorm --explain",
		Args:    noArguments,
	}
	s.trained(cmd)
	cmd.Flags().StringVar(&s.norms, "norms", "none,center:naive,center:graph,standardize:naive,standardize:graph,batchnorm", "arms to audit (default: none, center and standardize both ways, batchnorm)")
	cmd.Flags().Lookup("norms").DefValue = "" // too long for a line
	cmd.Flags().Lookup("steps").Usage = "training steps before the audit, 0 for the start"
	offerArms(cmd, "norms", true)
	cmd.Flags().BoolVar(&explain, "explain", false, "say in words what is held, what it does and what to do")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return audit(cmd, s, explain, t) }
	return cmd
}

func audit(cmd *cobra.Command, s *settings, explain bool, t *terminal) error {
	if explain && s.json {
		return wrong("--explain prints text: leave out --json")
	}
	if err := kernels.CheckEnv(); err != nil {
		return wrong("%w", err)
	}
	steps := s.Steps
	if steps == 0 {
		s.Steps = 1 // of a training; none is taken
	}
	if err := s.resolve(); err != nil {
		return err
	}
	set, err := loadData(s.Data, s.dataDir)
	if err != nil {
		return err
	}
	for _, flag := range s.idle(set) {
		fmt.Fprintf(t.err, "--%s changes nothing here: %s\n", flag.name, flag.why)
	}
	r, err := benchmarks.Audit(cmd.Context(), s.Config, steps, set, cpu.New())
	switch {
	case err != nil:
		return err
	case s.json:
		return printJSON(t.out, r)
	case explain:
		return r.Explain(t.out)
	}
	return r.Table(t.out)
}
