//go:build !amd64 || noasm

package activation

func reluRows(_, _ int, _ []float32, _ int, _ []float32, _ int) bool { return false }

func gradRows(_ Kind, _, _ int, _ []float32, _ int, _ []float32, _ int, _ []float32, _ int) bool {
	return false
}
