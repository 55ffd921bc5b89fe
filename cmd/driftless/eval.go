package main

import (
	"fmt"
	"slices"

	"driftless/benchmarks"
	"driftless/internal/dataset"

	"github.com/spf13/cobra"
)

func newEval(t *terminal) *cobra.Command {
	var (
		data, dir, dev string
		asJSON         bool
	)
	cmd := &cobra.Command{
		Use:     "eval weights.safetensors",
		Short:   "Evaluate a trained network on a data set's test images",
		Example: "  driftless eval runs/train-mnist-batchnorm-lr0.1/weights.safetensors",
		Args:    oneArgument("the path of a weights file"),
	}
	dataFlags(cmd, &data, &dir, "mnist")
	deviceFlag(cmd.Flags(), &dev)
	jsonFlag(cmd.Flags(), &asJSON)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if !slices.Contains(dataset.Names(), data) {
			return unknownData(data)
		}
		d, err := openDevice(dev, t)
		if err != nil {
			return err
		}
		set, err := loadData(data, dir)
		if err != nil {
			return err
		}
		out, err := benchmarks.Eval(args[0], set, d)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(t.out, out)
		}
		_, err = fmt.Fprintf(t.out, "%s, %s\n%s\ntest loss %.4f, test accuracy %.4f\n", out.Net, out.Norm, out.Data, float64(out.TestLoss), float64(out.TestAccuracy))
		return err
	}
	return cmd
}
