package report

import (
	"math"
	"slices"
)

// summarize makes an arm's results of its points: the loss and accuracy of each seed's
// last evaluation, the steps to given accuracies and the largest biases. A seed that
// diverged has no final loss, and so the mean over seeds has none.
func (a *Arm) summarize(points []Point) {
	last := lastPoints(points)
	var losses, accuracies, again []float64
	var biases [][]float64
	for i, seed := range a.Seeds {
		p, ran := last[seed]
		switch {
		case a.divergedSeed(i):
			losses, accuracies = append(losses, math.NaN()), append(accuracies, math.NaN())
		case ran:
			losses, accuracies = append(losses, p.Loss), append(accuracies, p.TestAccuracy)
			biases = append(biases, p.BiasMaxAbs)
		}
	}
	for _, x := range a.Reestimated {
		again = append(again, float64(x))
	}
	a.FinalLoss, a.TestAccuracy, a.TestAccuracyReestimated = StatOf(losses), StatOf(accuracies), StatOf(again)
	a.StepsTo = StepsTo(a.Seeds, points)
	var chosen []float64
	a.ChosenSteps = nil
	for _, seed := range a.Seeds {
		if p := Chosen(points, seed); p != nil {
			chosen, a.ChosenSteps = append(chosen, p.TestAccuracy), append(a.ChosenSteps, p.Step)
		}
	}
	a.Chosen = StatOf(chosen)
	a.MaxAbsBias = columnMeans(biases)
}

// lastPoints returns each seed's last evaluation.
func lastPoints(points []Point) map[int]Point {
	last := make(map[int]Point)
	for _, p := range points {
		if q, ok := last[p.Seed]; !ok || p.Step >= q.Step {
			last[p.Seed] = p
		}
	}
	return last
}

// Chosen returns the first of a seed's points of the highest validation accuracy, after the
// step 0; nil where there is none.
func Chosen(points []Point, seed int) *Point {
	var best *Point
	for i := range points {
		p := &points[i]
		if p.Seed == seed && p.Step > 0 && p.Validation != nil && (best == nil || p.Validation.Accuracy > best.Validation.Accuracy) {
			best = p
		}
	}
	return best
}

// stopped returns the steps at which seeds were ended early.
func (a *Arm) stopped() (steps []int) {
	for _, at := range a.StoppedAt {
		if at != nil {
			steps = append(steps, *at)
		}
	}
	slices.Sort(steps)
	return steps
}

// columnMeans averages rows entry by entry, as far as all rows go.
func columnMeans(rows [][]float64) []float64 {
	if len(rows) == 0 {
		return nil
	}
	n := len(rows[0])
	for _, r := range rows {
		n = min(n, len(r))
	}
	out := make([]float64, n)
	for j := range out {
		for _, r := range rows {
			out[j] += r[j]
		}
		out[j] /= float64(len(rows))
	}
	return out
}

// divergedSeed reports whether seed number i of the arm diverged.
func (a *Arm) divergedSeed(i int) bool { return i < len(a.DivergedAt) && a.DivergedAt[i] != nil }

// diverged counts the arm's seeds that diverged.
func (a *Arm) diverged() int {
	n := 0
	for i := range a.Seeds {
		if a.divergedSeed(i) {
			n++
		}
	}
	return n
}

// steady returns the seeds that an arm's course is told by: those that did not
// diverge, or all if all did. Their number does not change in the course of a run, so
// that no trend comes from seeds that leave.
func (a *Arm) steady() []int {
	var out []int
	for i, seed := range a.Seeds {
		if !a.divergedSeed(i) {
			out = append(out, seed)
		}
	}
	if out == nil {
		return a.Seeds
	}
	return out
}

// evaluated returns the steps, in order, at which every one of the seeds was
// evaluated, with their points in the order of the seeds.
func evaluated(points []Point, seeds []int) (steps []int, at [][]Point) {
	byStep := make(map[int][]Point)
	for _, p := range points {
		if slices.Contains(seeds, p.Seed) {
			byStep[p.Step] = append(byStep[p.Step], p)
		}
	}
	for step, ps := range byStep {
		if len(ps) == len(seeds) {
			steps = append(steps, step)
		}
	}
	slices.Sort(steps)
	for _, step := range steps {
		ps := byStep[step]
		slices.SortFunc(ps, func(a, b Point) int { return slices.Index(seeds, a.Seed) - slices.Index(seeds, b.Seed) })
		at = append(at, ps)
	}
	return steps, at
}

// largestBias is the one measure of the biases that the table, the findings and the
// README quote: the largest absolute bias of each hidden layer, mean over seeds, and of
// these layers the largest. It is NaN where nothing was measured.
func largestBias(ps []Point) float64 {
	rows := make([][]float64, len(ps))
	for i, p := range ps {
		rows[i] = p.BiasMaxAbs
	}
	return largest(columnMeans(rows))
}
