package cli

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"driftless/dataset"
	"driftless/internal/atomicfile"
	"driftless/internal/report"

	"github.com/spf13/cobra"
)

func newEval(t *terminal) *cobra.Command {
	var (
		data, dir, dev, precision, predictions string
		asJSON                                 bool
	)
	cmd := &cobra.Command{
		Use:   "eval weights",
		Short: "Evaluate a trained network on a data set's test images",
		Long: `Eval evaluates the weights that driftless train kept, a safetensors file or the
run directory that holds one, on the test images of the data set that they were
trained on, or of another.`,
		Example: "  driftless eval runs/train-mnist-batchnorm-lr0.1",
		Args:    oneArgument("the path of a weights file or of a run directory"),
	}
	dataFlags(cmd, &data, &dir, "")
	cmd.Flags().Lookup("data").Usage += " (default: what the weights were trained on)"
	cmd.Flags().StringVar(&predictions, "predictions", "", "CSV file to write: of each test image the row, label, prediction and logits")
	deviceFlag(cmd, &dev)
	precisionFlag(cmd, &precision)
	jsonFlag(cmd.Flags(), &asJSON)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if data != "" {
			if err := dataset.Check(data); err != nil {
				return wrong("%w", err)
			}
		}
		d, err := openDevice(dev, precision, t)
		if err != nil {
			return err
		}
		w, path, err := openWeights(args[0], t)
		if err != nil {
			return err
		}
		defer w.Close()
		recorded := false // data of one's own are those that the file names
		switch trained := w.Data(); {
		case data != "" && trained != "" && data != trained:
			fmt.Fprintf(t.err, "data: these weights were trained on %s, not on %s\n", trained, data)
		case data == "" && trained == "":
			return fmt.Errorf("%s does not say which data set it was trained on: name one with --data", path)
		case data == "" && dataset.Check(trained) != nil:
			return fmt.Errorf("%s was trained on %.80q, which is no data set that can be read here: name one with --data", path, trained)
		case data == "":
			data, recorded = trained, dataset.Own(trained)
		}
		set, err := loadData(data, dir)
		if err != nil && recorded {
			return fmt.Errorf("%w; it is what the weights were trained on: name the data with --data", err)
		}
		if err != nil {
			return err
		}
		var table predictionTable
		each := table.add
		if predictions == "" {
			each = nil
		}
		out, err := w.Eval(cmd.Context(), set, d, each)
		if err != nil {
			return err
		}
		if predictions != "" {
			if err := table.write(predictions); err != nil {
				return err
			}
		}
		if asJSON {
			return printJSON(t.out, out)
		}
		trained := ""
		if out.TrainedOn != "" {
			trained = fmt.Sprintf(", trained for %s on %s", plural(out.Step, "step"), out.TrainedOn)
		}
		_, err = fmt.Fprintf(t.out, "%s\n%s\ntest loss %.4f, test accuracy %.4f\n", report.Wrap(out.Net+", "+out.Norm+trained, 80), report.Wrap(out.Data, 80), float64(out.TestLoss), float64(out.TestAccuracy))
		return err
	}
	return cmd
}

// predictionTable is the CSV of what a network says of each image.
type predictionTable struct{ rows [][]string }

func (p *predictionTable) add(label int, logits []float32) error {
	best := 0
	for i, v := range logits {
		if v > logits[best] {
			best = i
		}
	}
	row := []string{strconv.Itoa(len(p.rows)), strconv.Itoa(label), strconv.Itoa(best)}
	for _, v := range logits {
		row = append(row, strconv.FormatFloat(float64(v), 'g', -1, 32))
	}
	p.rows = append(p.rows, row)
	return nil
}

func (p *predictionTable) write(path string) error {
	head := []string{"row", "label", "prediction"}
	for i := range len(p.rows[0]) - len(head) {
		head = append(head, fmt.Sprintf("logit%d", i))
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.WriteAll(append([][]string{head}, p.rows...)); err != nil {
		return err
	}
	return atomicfile.Write(path, func(to io.Writer) error {
		_, err := b.WriteTo(to)
		return err
	})
}
