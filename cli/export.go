package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"driftless/benchmarks"
	"driftless/models/norm"

	"github.com/spf13/cobra"
)

func newExport(t *terminal) *cobra.Command {
	var format, out string
	cmd := &cobra.Command{
		Use:   "export run",
		Short: "Write a trained network for other programs",
		Long: `Export writes the network that driftless train kept, a weights file or the run
directory that holds one, for other programs.

  onnx          an ONNX model (opset 17) of its evaluation, with running
                statistics: float32 [N, inputs], or [N, channels, height, width]
                where it convolves, to logits [N, classes]. The input is the
                values of pixels as training mapped them, which the model says
                in its property "input"
  safetensors   the weights alone, under PyTorch's names: a copy of the file`,
		Example: "  driftless export runs/train-mnist-batchnorm-lr0.1 --out digits.onnx",
		Args:    oneArgument("the path of a weights file or of a run directory"),
	}
	cmd.Flags().StringVar(&format, "format", "onnx", strings.Join(benchmarks.ExportFormats, " or "))
	cmd.Flags().StringVar(&out, "out", "", "file to write (default: of onnx beside the weights)")
	offer(cmd, "format", benchmarks.ExportFormats...)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if !slices.Contains(benchmarks.ExportFormats, format) {
			return wrong("--format: %w", norm.Unknown("format", format, benchmarks.ExportFormats))
		}
		w, path, err := openWeights(args[0], t)
		if err != nil {
			return err
		}
		defer w.Close()
		if out == "" && format == "onnx" {
			out = strings.TrimSuffix(path, filepath.Ext(path)) + ".onnx"
		}
		if out == "" {
			return wrong("--out says which file to write: the weights are in %s", path)
		}
		if sameFile(path, out) {
			return wrong("--out %s is the file with the weights: name another", out)
		}
		if err := w.Export(format, out); err != nil {
			return err
		}
		_, err = fmt.Fprintf(t.out, "%s: %s\n  (after %s)\n", format, out, plural(w.Step(), "step"))
		return err
	}
	return cmd
}

// openWeights opens weights: a file, or that of a run directory. It says where validation chose
// others.
func openWeights(path string, t *terminal) (*benchmarks.Weights, string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		w, err := benchmarks.OpenWeights(path)
		return w, path, err
	}
	file := filepath.Join(path, benchmarks.WeightsFile)
	best := benchmarks.BestWeights(path)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		if len(best) > 0 {
			return nil, "", fmt.Errorf("%s holds the weights of no single network: name one of those that validation chose, such as %s", path, shellWord(best[0]))
		}
		return nil, "", fmt.Errorf("%s holds no weights: driftless train keeps them, and driftless compare the best ones with --validation", path)
	}
	if len(best) > 0 {
		fmt.Fprintf(t.err, "these are the last weights; validation chose those of %s\n", shellWord(best[0]))
	}
	w, err := benchmarks.OpenWeights(file)
	return w, file, err
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
