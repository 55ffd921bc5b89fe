package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// LossLimit is the largest training loss, a mean cross-entropy in nats, that makes sense. A
// seed whose loss passes it counts as diverged.
const LossLimit = 1e6

// Bounds of what findings say.
const (
	accuracyGap   = 0.01  // if running and re-estimated accuracy differ by more, both are quoted
	spreadLimit   = 0.005 // arms whose accuracies differ by less are compared only with enoughSeeds
	enoughSeeds   = 5
	growthLimit   = 1.2  // growth over the last half of a run that counts as still growing
	roundingLevel = 1e-5 // far above what rounding alone makes of a float32 bias
	chanceMargin  = 0.02 // a loss within this relative distance of that of guessing counts as guessing
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
	byArm := pointsByArm(&run)
	f := finding{run: &run, arm: &run.Arms[i], points: byArm[i]}
	if len(f.points) == 0 {
		switch {
		case f.arm.diverged() > 0:
			return f.divergence()
		case run.Interrupted:
			return "Did not run: the run was interrupted before it."
		}
		return "Did not run."
	}
	if steps, at := evaluated(f.points, f.arm.steady()); len(steps) > 0 {
		f.lastStep, f.last = steps[len(steps)-1], at[len(at)-1]
	}
	if f.lastStep == 0 && f.arm.diverged() == 0 {
		if run.Interrupted {
			return "Interrupted before its first step."
		}
		return "Evaluated before its first step only."
	}
	f.findPlain(byArm)
	return joinNonEmpty(" ", f.divergence(), f.outcome(), f.stopping(), f.chosen(), f.statistics(), f.arrival(), f.bias(), f.comparison())
}

// finding holds what the sentences about one arm are made from.
type finding struct {
	run      *Run
	arm      *Arm
	points   []Point
	lastStep int     // the last at which all its steady seeds were evaluated
	last     []Point // these seeds' points there

	plain       *Arm // the arm without normalization, nil if there is none, it did not run or this is it
	plainPoints []Point
}

func (f *finding) seeds() int { return max(len(f.arm.Seeds), 1) }

// cutShort reports whether the interruption ended the arm before its last step.
func (f *finding) cutShort() bool { return f.run.Interrupted && f.lastStep < f.run.Steps }

func (f *finding) divergence() string {
	first, n := -1, f.arm.diverged()
	if n == 0 {
		return ""
	}
	for i := range f.arm.Seeds {
		if f.arm.divergedSeed(i) && (first < 0 || *f.arm.DivergedAt[i] < *f.arm.DivergedAt[first]) {
			first = i
		}
	}
	seen := ""
	if l := lastPoints(f.points)[f.arm.Seeds[first]].Loss; finite(l) && l > LossLimit { // only evaluations are judged
		seen = ", seen"
	}
	where := fmt.Sprintf("seed %d%s at step %s", f.arm.Seeds[first], seen, formatInt(*f.arm.DivergedAt[first]))
	limit := f.passedLimit()
	switch seeds := len(f.arm.Seeds); {
	case n == 1:
		why := "its loss was no longer a finite number"
		if limit {
			why = "its loss, " + formatNumber(lastPoints(f.points)[f.arm.Seeds[first]].Loss) + ", was above any sense"
		}
		if seeds == 1 {
			return fmt.Sprintf("Diverged (%s): %s.", where, why)
		}
		return fmt.Sprintf("1 of %d seeds diverged (%s): %s.", seeds, where, why)
	default:
		why := "their losses were no longer finite numbers"
		if limit {
			why = "their losses were not finite or above " + formatNumber(LossLimit)
		}
		return fmt.Sprintf("%d of %d seeds diverged, the first was %s: %s.", n, seeds, where, why)
	}
}

// passedLimit reports whether a seed ended on a loss that is finite and above
// LossLimit.
func (f *finding) passedLimit() bool {
	last := lastPoints(f.points)
	for i, seed := range f.arm.Seeds {
		if l := last[seed].Loss; f.arm.divergedSeed(i) && finite(l) && l > LossLimit {
			return true
		}
	}
	return false
}

// outcome quotes the final loss and accuracy, seeds and spread. If some seeds diverged it
// quotes those of the others, and says so.
func (f *finding) outcome() string {
	n := f.arm.diverged()
	if n == len(f.arm.Seeds) && n > 0 {
		return ""
	}
	loss, accuracy := f.arm.FinalLoss.orNaN(), f.arm.TestAccuracy.orNaN()
	if n > 0 {
		var losses, accuracies []float64
		ends := f.last
		if f.arm.stopped() != nil { // at different steps
			ends = nil
			for seed, p := range lastPoints(f.points) {
				if slices.Contains(f.arm.steady(), seed) {
					ends = append(ends, p)
				}
			}
		}
		for _, p := range ends {
			losses, accuracies = append(losses, p.Loss), append(accuracies, p.TestAccuracy)
		}
		loss, accuracy = StatOf(losses), StatOf(accuracies)
	}
	var parts []string
	if finite(loss.Mean) {
		parts = append(parts, "loss "+loss.formatLoss()+f.chance(loss.Mean))
	}
	if finite(accuracy.Mean) {
		parts = append(parts, accuracy.formatAccuracy()+" test accuracy")
	}
	if parts == nil {
		return ""
	}
	after := plural(f.lastStep, "step")
	if f.lastStep < f.run.Steps {
		after = fmt.Sprintf("%s of %s", formatInt(f.lastStep), plural(f.run.Steps, "step"))
	}
	if stops := f.arm.stopped(); stops != nil {
		from, to := f.endSteps()
		if after = plural(to, "step"); from < to {
			after = formatInt(from) + " to " + after
		}
	}
	alive := f.seeds() - n
	spread := plural(alive, "seed") + ", so no spread"
	if alive > 1 {
		spread = fmt.Sprintf("mean ± sample standard deviation of %d seeds", alive)
	}
	ended := "Ended"
	switch {
	case n > 0 && f.cutShort() && alive == 1:
		ended = "The 1 seed that did not diverge was interrupted"
	case n > 0 && f.cutShort():
		ended = fmt.Sprintf("The %d seeds that did not diverge were interrupted", alive)
	case n > 0:
		ended = fmt.Sprintf("The %s that did not diverge ended", plural(alive, "seed"))
	case f.cutShort():
		ended = "Interrupted"
	}
	return fmt.Sprintf("%s at %s after %s (%s).", ended, strings.Join(parts, " and "), after, spread)
}

// endSteps are the fewest and the most steps that a seed which did not diverge made.
func (f *finding) endSteps() (from, to int) {
	last := lastPoints(f.points)
	for i, seed := range f.arm.steady() {
		if s := last[seed].Step; i == 0 {
			from, to = s, s
		} else {
			from, to = min(from, s), max(to, s)
		}
	}
	return from, to
}

// stopping says that early stopping ended seeds.
func (f *finding) stopping() string {
	n := len(f.arm.stopped())
	switch {
	case n == 0:
		return ""
	case n == len(f.arm.Seeds):
		return "It was stopped early: its validation accuracy rose no more."
	case n == 1:
		return fmt.Sprintf("1 of %d seeds was stopped early: its validation accuracy rose no more.", len(f.arm.Seeds))
	}
	return fmt.Sprintf("%d of %d seeds were stopped early: their validation accuracy rose no more.", n, len(f.arm.Seeds))
}

// chosen quotes the test accuracy where the validation accuracy was highest.
func (f *finding) chosen() string {
	if !finite(f.arm.Chosen.orNaN().Mean) {
		return ""
	}
	steps := slices.Sorted(slices.Values(f.arm.ChosenSteps))
	at := "at step " + formatInt(steps[(len(steps)-1)/2])
	if len(steps) > 1 {
		at = fmt.Sprintf("at step %s, the median of %d seeds", formatInt(steps[(len(steps)-1)/2]), len(steps))
	}
	return fmt.Sprintf("Where its validation accuracy was highest (%s) its test accuracy was %s.", at, f.arm.Chosen.formatAccuracy())
}

// chance compares a loss with that of guessing all classes alike.
func (f *finding) chance(loss float64) string {
	if f.run.Classes < 2 {
		return ""
	}
	chance := math.Log(float64(f.run.Classes))
	switch {
	case loss > chance*(1+chanceMargin):
		return " (guessing: " + formatNumber(chance) + ")"
	case loss > chance*(1-chanceMargin):
		return " (no better than that of guessing, " + formatNumber(chance) + ")"
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
	return fmt.Sprintf("That accuracy is with running statistics, which are averages over steps in which the parameters moved; with statistics re-estimated over the training set it is %s.",
		f.arm.TestAccuracyReestimated.formatAccuracy())
}

// arrival quotes the highest threshold that half of the seeds reached.
func (f *finding) arrival() string {
	keys := thresholdKeys(f.arm.StepsTo)
	if len(keys) == 0 || f.lastStep == 0 {
		return ""
	}
	for _, key := range slices.Backward(keys) {
		steps := f.arm.StepsTo[key]
		if steps == nil {
			continue
		}
		var how []string
		if f.seeds() > 1 {
			how = append(how, fmt.Sprintf("median of %d seeds", f.seeds()))
		}
		if f.run.EvalEvery > 1 {
			how = append(how, "evaluated every "+formatInt(f.run.EvalEvery))
		}
		s := fmt.Sprintf("Reached %s by step %s", thresholdName(key), formatInt(*steps))
		if how != nil {
			s += " (" + strings.Join(how, "; ") + ")"
		}
		return s + f.without(key) + "."
	}
	within := ""
	if f.cutShort() {
		within = " before the interruption"
	}
	if f.seeds() == 1 {
		return "It did not reach " + thresholdName(keys[0]) + within + "."
	}
	return "Fewer than half of the seeds reached " + thresholdName(keys[0]) + within + "."
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
