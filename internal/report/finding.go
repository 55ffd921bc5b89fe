package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Bounds of what findings say.
const (
	accuracyGap   = 0.01  // running and re-estimated accuracy differ by more: both are quoted
	spreadLimit   = 0.005 // accuracies of arms that are closer need enoughSeeds
	enoughSeeds   = 5
	growthLimit   = 1.2  // growth over the last half of a run that counts as still growing
	roundingLevel = 1e-5 // a float32 bias that only rounding moves stays far below
	chanceMargin  = 0.02 // relative distance from the loss of guessing that counts as at it
)

// Finding says in plain language what an arm did: how many seeds diverged and
// where, the final loss and accuracy with seeds and spread, the steps to the
// highest accuracy reached, what the hidden biases did and why, and how it
// compares with the arm without normalization. It is computed from the arm's
// numbers and points; a clause whose numbers are missing is left out.
func Finding(run Run, arm string) string {
	i := slices.IndexFunc(run.Arms, func(a Arm) bool { return a.Name == arm })
	if i < 0 {
		return fmt.Sprintf("No arm %q in this run.", arm)
	}
	a := &run.Arms[i]
	byArm := pointsByArm(&run)
	points := byArm[i]
	if len(points) == 0 {
		if run.Interrupted {
			return "Did not run: the run was interrupted before it."
		}
		for _, at := range a.DivergedAt {
			if at != nil {
				return fmt.Sprintf("Diverged before its first evaluation: the loss of step %d was not finite.", *at)
			}
		}
		return "Did not run."
	}
	f := finding{run: &run, arm: a, points: points, lastStep: points[len(points)-1].Step}
	if a.Norm != NormNone {
		if j := slices.IndexFunc(run.Arms, func(a Arm) bool { return a.Norm == NormNone }); j >= 0 {
			f.plain, f.plainPoints = &run.Arms[j], byArm[j]
		}
	}
	return joinNonEmpty(" ", f.divergence(), f.outcome(), f.statistics(), f.arrival(), f.bias(), f.comparison())
}

// finding holds what the sentences about one arm are made from.
type finding struct {
	run      *Run
	arm      *Arm
	points   []Point
	lastStep int

	plain       *Arm // the arm without normalization, nil if there is none or this is it
	plainPoints []Point
}

// diverged counts the arm's seeds that diverged.
func (a *Arm) diverged() int {
	n := 0
	for _, at := range a.DivergedAt {
		if at != nil {
			n++
		}
	}
	return n
}

func (f *finding) divergence() string {
	n := f.arm.diverged()
	if n == 0 {
		return ""
	}
	first := -1
	for i, at := range f.arm.DivergedAt {
		if at != nil && i < len(f.arm.Seeds) && (first < 0 || *at < *f.arm.DivergedAt[first]) {
			first = i
		}
	}
	if first < 0 {
		return ""
	}
	where := fmt.Sprintf("seed %d at step %s", f.arm.Seeds[first], formatInt(*f.arm.DivergedAt[first]))
	switch seeds := len(f.arm.Seeds); {
	case seeds == 1:
		return fmt.Sprintf("Diverged (%s): the loss was no longer a finite number.", where)
	case n == 1:
		return fmt.Sprintf("1 of %d seeds diverged (%s): its loss was no longer a finite number.", seeds, where)
	default:
		return fmt.Sprintf("%d of %d seeds diverged, the first was %s: their loss was no longer a finite number.", n, seeds, where)
	}
}

// outcome quotes the final loss and accuracy, seeds and spread.
func (f *finding) outcome() string {
	loss, accuracy := f.arm.FinalLoss.orNaN(), f.arm.TestAccuracy.orNaN()
	var parts []string
	if finite(loss.Mean) {
		parts = append(parts, "loss "+loss.formatLoss()+f.chance(loss.Mean))
	}
	if finite(accuracy.Mean) {
		parts = append(parts, accuracy.formatAccuracy()+" test accuracy")
	}
	if parts == nil {
		return f.survivors()
	}
	after := formatInt(f.lastStep)
	if f.lastStep < f.run.Steps {
		after += " of " + formatInt(f.run.Steps)
	}
	spread := plural(f.seeds(), "seed") + ", so no spread"
	if f.seeds() > 1 {
		spread = fmt.Sprintf("mean ± sample standard deviation of %d seeds", f.seeds())
	}
	verb := "Ended at "
	if f.run.Interrupted && f.lastStep < f.run.Steps {
		verb = "Interrupted at "
	}
	return joinNonEmpty(" ", fmt.Sprintf("%s%s after %s steps (%s).", verb, strings.Join(parts, " and "), after, spread), f.survivors())
}

// survivors quotes the last loss of the seeds that did not diverge, where others
// did and left the mean without a value.
func (f *finding) survivors() string {
	if finite(f.arm.FinalLoss.orNaN().Mean) || f.arm.diverged() == 0 {
		return ""
	}
	var losses []float64
	for i, seed := range f.arm.Seeds {
		if i < len(f.arm.DivergedAt) && f.arm.DivergedAt[i] != nil {
			continue
		}
		for _, p := range slices.Backward(f.points) {
			if p.Seed == seed {
				losses = append(losses, p.Loss)
				break
			}
		}
	}
	loss := StatOf(losses)
	if !finite(loss.Mean) {
		return ""
	}
	return fmt.Sprintf("The %s that did not diverge ended at loss %s.",
		plural(len(losses), "seed"), strings.TrimSuffix(loss.formatLoss()+f.chance(loss.Mean), ","))
}

func (f *finding) seeds() int { return max(len(f.arm.Seeds), 1) }

// chance compares a loss with that of guessing all classes alike.
func (f *finding) chance(loss float64) string {
	if f.run.Classes < 2 {
		return ""
	}
	chance := math.Log(float64(f.run.Classes))
	switch {
	case loss > chance*(1+chanceMargin):
		return ", above chance (" + formatNumber(chance) + "),"
	case loss > chance*(1-chanceMargin):
		return ", no better than chance (" + formatNumber(chance) + "),"
	default:
		return ""
	}
}

// statistics quotes both test accuracies where the choice of statistics matters.
func (f *finding) statistics() string {
	running, again := f.arm.TestAccuracy.orNaN().Mean, f.arm.TestAccuracyReestimated.orNaN().Mean
	if !(math.Abs(running-again) > accuracyGap) {
		return ""
	}
	return fmt.Sprintf("That accuracy is with running statistics; with statistics re-estimated over the training set it is %s: running statistics lag behind parameters that keep moving.",
		f.arm.TestAccuracyReestimated.formatAccuracy())
}

// arrival quotes the highest threshold that half of the seeds reached.
func (f *finding) arrival() string {
	keys := thresholdKeys(f.arm.StepsTo)
	if len(keys) == 0 {
		return ""
	}
	for _, key := range slices.Backward(keys) {
		steps := f.arm.StepsTo[key]
		if steps == nil {
			continue
		}
		s := fmt.Sprintf("Reached %s after %s", thresholdName(key), plural(*steps, "step"))
		if f.seeds() > 1 {
			s += fmt.Sprintf(" (median of %d seeds)", f.seeds())
		}
		return s + f.sooner(key, *steps) + "."
	}
	if f.seeds() == 1 {
		return "It did not reach " + thresholdName(keys[0]) + "."
	}
	return "Fewer than half of the seeds reached " + thresholdName(keys[0]) + "."
}

// sooner compares the steps to one threshold with the arm without normalization.
func (f *finding) sooner(key string, steps int) string {
	if f.plain == nil {
		return ""
	}
	plain, measured := f.plain.StepsTo[key]
	switch {
	case !measured:
		return ""
	case plain == nil && f.seeds() == 1:
		return ", which the arm without normalization did not"
	case plain == nil:
		return ", which fewer than half of the seeds without normalization did"
	case steps > 0 && *plain > steps:
		return fmt.Sprintf(", %s times sooner than without normalization (%s)", formatRatio(float64(*plain)/float64(steps)), formatInt(*plain))
	case *plain > 0 && steps > *plain:
		return fmt.Sprintf(", %s times later than without normalization (%s)", formatRatio(float64(steps)/float64(*plain)), formatInt(*plain))
	default:
		return fmt.Sprintf(", without normalization after %s", formatInt(*plain))
	}
}

func formatRatio(x float64) string { return strconv.FormatFloat(x, 'f', 1, 64) }

// bias says what the hidden biases did, and why as far as the numbers bear it out.
func (f *finding) bias() string {
	t, ok := biasTrend(f.points)
	if !ok {
		return ""
	}
	normalized := f.arm.Norm != NormNone
	inGraph := normalized && f.arm.Grad != GradNaive && f.arm.Grad != GradCompensated
	if t.moved <= roundingLevel*max(1, math.Abs(t.first)) {
		level := fmt.Sprintf("stayed at rounding level (max %s)", formatNumber(t.most))
		if t.most > roundingLevel {
			level = fmt.Sprintf("did not move (max %s throughout)", formatNumber(t.most))
		}
		switch {
		case t.most == 0:
			return "The hidden biases stayed at zero."
		case inGraph:
			return "The biases before normalization " + level + ": the normalization cancels a bias exactly, and a gradient that goes through the statistics knows it."
		default:
			return "The hidden biases " + level + "."
		}
	}
	path := fmt.Sprintf("The largest hidden bias went from %s to %s", formatNumber(t.first), formatNumber(t.last))
	switch {
	case f.arm.Grad == GradNaive && normalized:
		if t.growing() {
			path = fmt.Sprintf("The largest hidden bias grew from %s to %s", formatNumber(t.first), formatNumber(t.last))
		}
		return path + f.control() + f.naiveReason(t)
	case f.arm.Grad == GradCompensated && normalized:
		return path + "; the statistics are outside the graph, but a refresh moves its change into the parameters, so no step is undone."
	case !normalized:
		return path + "; without normalization it is a parameter like any other."
	default:
		return path + "."
	}
}

// control quotes the largest bias at the end without normalization.
func (f *finding) control() string {
	if f.plain == nil {
		return ""
	}
	t, ok := biasTrend(f.plainPoints)
	if !ok {
		return ""
	}
	return " (" + formatNumber(t.last) + " without normalization)"
}

// naiveReason ends the sentence on the biases of an arm whose gradient takes the
// statistics for constants.
func (f *finding) naiveReason(t trend) string {
	undoing := "normalization"
	if f.arm.Norm == "center" {
		undoing = "centring"
	}
	growing := t.growing()
	still := " and was still growing at the end, " + t.pace()
	switch {
	case growing && f.arm.Affine:
		return still + ": the next " + undoing + " removes what the step did to it. A trained shift follows and receives the same force; the growth should end when that settles, and had not yet."
	case growing:
		s := still + ": the step moves a bias that the next " + undoing + " removes."
		if chance := math.Log(float64(f.run.Classes)); f.run.Classes > 1 && f.arm.FinalLoss.orNaN().Mean < chance*(1-chanceMargin) {
			s += " The loss still fell, since the weights learn as well."
		}
		return s
	case !t.halved:
		return "; the run is too short to say whether it keeps growing."
	case f.arm.Affine:
		return " and changed little over the last half (" + t.pace() + "): a trained shift after the normalization receives the same force, and when it settles so does the bias."
	default:
		return "; it changed little over the last half (" + t.pace() + ")."
	}
}

// comparison puts the final accuracy beside that of the arm without
// normalization.
func (f *finding) comparison() string {
	if f.plain == nil {
		return ""
	}
	diff := f.arm.TestAccuracy.orNaN().Mean - f.plain.TestAccuracy.orNaN().Mean
	if !finite(diff) {
		return ""
	}
	points := strconv.FormatFloat(100*math.Abs(diff), 'f', 1, 64)
	distance := points + " points above"
	switch {
	case points == "0.0":
		distance = "level with"
	case diff < 0:
		distance = points + " points below"
	}
	s := fmt.Sprintf("Its test accuracy is %s that of the arm without normalization (%s)", distance, formatPercent(f.plain.TestAccuracy.Mean))
	if math.Abs(diff) < spreadLimit && min(f.seeds(), len(f.plain.Seeds)) < enoughSeeds {
		s += fmt.Sprintf("; differences under half a point need %d or more seeds", enoughSeeds)
	}
	return s + "."
}

// joinNonEmpty joins the parts that are not empty.
func joinNonEmpty(separator string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), separator)
}

// thresholdKeys returns the keys of StepsTo in ascending order.
func thresholdKeys(steps map[string]*int) []string {
	keys := make([]string, 0, len(steps))
	for key := range steps {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, compareThresholds)
	return keys
}

// compareThresholds orders keys as numbers, others after them as text.
func compareThresholds(a, b string) int {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	switch {
	case errX == nil && errY == nil && x < y, errX == nil && errY != nil:
		return -1
	case errX == nil && errY == nil && x > y, errX != nil && errY == nil:
		return 1
	default:
		return strings.Compare(a, b)
	}
}

// thresholdName prints the key "0.95" as "95 %".
func thresholdName(key string) string {
	x, err := strconv.ParseFloat(key, 64)
	if err != nil {
		return key
	}
	return strconv.FormatFloat(100*x, 'f', -1, 32) + " %"
}
