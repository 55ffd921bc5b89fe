package report

import (
	"maps"
	"slices"
	"strconv"
)

// DefaultThresholds are the test accuracies that StepsTo looks for when it is
// given none.
var DefaultThresholds = []float64{0.90, 0.95, 0.97}

// StepsTo returns for each threshold the median over an arm's seeds of the first
// evaluated step at which its test accuracy is at least the threshold. Points are
// those of one arm. Keys are the thresholds with two decimals ("0.95").
//
// A seed that never arrives, because it diverged, was never evaluated or did not get
// that far, counts as later than all others: the value is nil if fewer than half of
// the seeds arrive. With an even number of seeds it is the lower of the two middle
// ones, so that it is always a step that was evaluated.
func StepsTo(seeds []int, points []Point, thresholds ...float64) map[string]*int {
	if len(thresholds) == 0 {
		thresholds = DefaultThresholds
	}
	out := make(map[string]*int, len(thresholds))
	for _, threshold := range thresholds {
		first := make(map[int]int)
		for _, p := range points {
			if !(p.TestAccuracy >= threshold) || !slices.Contains(seeds, p.Seed) { // NaN never arrives
				continue
			}
			if step, ok := first[p.Seed]; !ok || p.Step < step {
				first[p.Seed] = p.Step
			}
		}
		key := strconv.FormatFloat(threshold, 'f', 2, 64)
		out[key] = nil
		steps := slices.Sorted(maps.Values(first))
		if middle := (len(seeds) - 1) / 2; middle < len(steps) {
			out[key] = &steps[middle]
		}
	}
	return out
}
