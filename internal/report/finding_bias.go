package report

import (
	"fmt"
	"math"
)

// bias says what the hidden biases did, and why if the numbers show it.
func (f *finding) bias() string {
	t, ok := biasTrend(f.points, f.arm.steady())
	if !ok {
		return ""
	}
	subject := "The largest hidden bias"
	switch n := f.arm.diverged(); {
	case n > 0 && n == len(f.arm.Seeds):
		subject = fmt.Sprintf("Up to step %s, the last at which all seeds were evaluated, the largest hidden bias", formatInt(t.lastStep))
		if n == 1 {
			subject = fmt.Sprintf("Up to step %s the largest hidden bias", formatInt(t.lastStep))
		}
	case n > 0:
		subject = "In " + map[bool]string{true: "the seed", false: "the seeds"}[len(f.arm.Seeds)-n == 1] + " that did not diverge, the largest hidden bias"
	}
	switch {
	case t.most == 0:
		return subject + " stayed at 0."
	case f.cancelled():
		return subject + f.cancelledBias(t)
	case t.moved <= roundingLevel*max(1, math.Abs(t.first)):
		return fmt.Sprintf("%s moved by no more than %s (from %s).", subject, formatNumber(t.moved), formatNumber(t.first))
	case f.arm.Norm == NormNone:
		return subject + " " + t.path() + "; without normalization it is a parameter like any other."
	case f.arm.Grad == GradNaive:
		return subject + " " + t.path() + f.control() + f.naiveReason(t)
	case f.arm.Grad == GradCompensated:
		return subject + " " + t.path() + "; the statistics are outside the graph, but a refresh moves its change into the parameters, so no step is undone."
	default:
		return subject + " " + t.path() + "."
	}
}

// cancelled reports whether the exact gradient of the arm's hidden biases is 0: the
// normalization removes a bias, and the gradient goes through its statistics.
func (f *finding) cancelled() bool {
	return f.arm.CancelsBias && f.arm.Grad != GradNaive && f.arm.Grad != GradCompensated
}

// cancelledBias ends the sentence on biases whose exact gradient is 0.
func (f *finding) cancelledBias(t trend) string {
	switch {
	case t.moved <= roundingLevel*max(1, math.Abs(t.first)):
		s := fmt.Sprintf(" stayed at rounding level (at most %s%s)", formatNumber(t.most), f.overSeeds())
		if t.most > roundingLevel {
			s = fmt.Sprintf(" stayed at %s", formatNumber(t.first))
		}
		return s + ": the normalization cancels a bias exactly, and a gradient that goes through the statistics knows it."
	case f.arm.Adaptive:
		return fmt.Sprintf(" %s although its exact gradient is 0: what is left of it is rounding noise, and %s divides a gradient by its own size, so that even noise makes steps of the size of the learning rate. The normalization cancels them.",
			t.path(), f.arm.Optimizer)
	default:
		return " " + t.path() + " although its exact gradient is 0: what is left of it is rounding noise. The normalization cancels it."
	}
}

// overSeeds says that a number is a mean, where there are several seeds.
func (f *finding) overSeeds() string {
	if f.seeds()-f.arm.diverged() > 1 {
		return ", mean over seeds"
	}
	return ""
}

// control quotes the largest bias at the same step of the arm without normalization.
func (f *finding) control() string {
	if f.plain == nil || f.plain.diverged() > 0 {
		return ""
	}
	steps, at := evaluated(f.plainPoints, f.plain.Seeds)
	for i, step := range steps {
		if b := largestBias(at[i]); step == f.lastStep && finite(b) {
			return " (" + formatNumber(b) + " without normalization)"
		}
	}
	return ""
}

// naiveReason ends the sentence on the biases of an arm whose gradient takes the
// statistics for constants.
func (f *finding) naiveReason(t trend) string {
	end := "at the end"
	if f.cutShort() {
		end = "when it was interrupted"
	} else if f.arm.diverged() == len(f.arm.Seeds) {
		end = "then"
	}
	still := " and was still growing " + end + ", " + t.pace()
	switch {
	case t.growing() && f.arm.Affine:
		return still + ": the next normalization removes what the step did to it. A trained shift follows, driven by the same mean gradient; the growth should end when that settles, and had not yet."
	case t.growing():
		return still + ": the step moves a bias that the next normalization removes." + f.stillLearns()
	case !t.halved:
		return "; there are too few evaluations to say whether it keeps growing."
	}
	settled := "; over the last half it did not grow by more than a fifth (" + t.pace() + ")"
	if f.arm.Affine {
		settled += ": a trained shift after the normalization is driven by the same mean gradient, and when it settles so does the bias"
	}
	return settled + "."
}

// stillLearns says that the loss fell while biases grew, where it did.
func (f *finding) stillLearns() string {
	steps, at := evaluated(f.points, f.arm.steady())
	if len(steps) == 0 || steps[0] != 0 {
		return ""
	}
	var first, last float64
	for i := range at[0] {
		first += at[0][i].Loss / float64(len(at[0]))
		last += f.last[i].Loss / float64(len(f.last))
	}
	if !(last < first*(1-chanceMargin)) { // else the noise of batches
		return ""
	}
	return fmt.Sprintf(" The loss still fell (from %s to %s), since the weights learn as well.", formatNumber(first), formatNumber(last))
}
