package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// findPlain finds the arm without normalization to compare with: of those that ran the first
// that is otherwise like this one, or like it but for the learning rate, or has its learning
// rate.
func (f *finding) findPlain(byArm [][]Point) {
	if f.arm.Norm == NormNone {
		return
	}
	best := -1
	for j := range f.run.Arms {
		a := &f.run.Arms[j]
		if a.Norm != NormNone || len(byArm[j]) == 0 {
			continue
		}
		alike := 0
		if slices.Equal(a.Own, f.arm.Own) {
			alike += 2
		}
		if f.run.lrOf(a) == f.run.lrOf(f.arm) {
			alike++
		}
		if alike > best {
			best, f.plain, f.plainPoints = alike, a, byArm[j]
		}
	}
}

// under says which learning rate, and what else of its own, one of the two arms has, where the
// other has another.
func (f *finding) under(a *Arm) string {
	if f.plain == nil {
		return ""
	}
	s := ""
	if f.run.lrOf(f.plain) != f.run.lrOf(f.arm) {
		s = fmt.Sprintf(" at learning rate %v", f.run.lrOf(a))
	}
	if !slices.Equal(f.plain.Own, f.arm.Own) && len(a.Own) > 0 {
		s += " with " + strings.Join(a.Own, ", ")
	}
	return s
}

// without says when the arm without normalization reached a threshold. It says "not at all"
// only if that arm had all its steps.
func (f *finding) without(key string) string {
	if f.plain == nil {
		return ""
	}
	steps, measured := f.plain.StepsTo[key]
	switch {
	case !measured:
		return ""
	case steps != nil:
		return ", without normalization" + f.under(f.plain) + " by step " + formatInt(*steps)
	case f.run.unfinished(f.plain, f.plainPoints):
		return ""
	case len(f.plain.Seeds) == 1:
		return ", which the arm without normalization" + f.under(f.plain) + " did not"
	default:
		return ", which fewer than half of the seeds without normalization" + f.under(f.plain) + " did"
	}
}

// comparison puts the test accuracy beside that of the arm without normalization: at
// the last step at which all seeds of both were evaluated. Seeds that diverged have
// no accuracy to compare.
func (f *finding) comparison() string {
	if f.plain == nil || f.arm.diverged() > 0 || f.plain.diverged() > 0 {
		return ""
	}
	if a, b := f.arm.Chosen, f.plain.Chosen; a.N > 0 && b.N > 0 {
		return f.apart("Chosen so, its test accuracy"+f.under(f.arm)+" is ", a.Mean, b.Mean, nanToZero(a.Std)+nanToZero(b.Std))
	}
	mine, myPoints := evaluated(f.points, f.arm.Seeds)
	theirs, theirPoints := evaluated(f.plainPoints, f.plain.Seeds)
	common := -1
	for i, step := range mine {
		if slices.Contains(theirs, step) {
			common = i
		}
	}
	if common < 0 || mine[common] == 0 {
		return "It is not compared with the arm without normalization" + f.under(f.plain) + ": no step after the first was evaluated in both."
	}
	step := mine[common]
	accuracy, plain := meanAccuracy(myPoints[common]), meanAccuracy(theirPoints[slices.Index(theirs, step)])
	when := "Its test accuracy" + f.under(f.arm) + " is "
	if step < f.run.Steps {
		when = fmt.Sprintf("At step %s, the last that was evaluated in both, its test accuracy%s is ", formatInt(step), f.under(f.arm))
	}
	return f.apart(when, accuracy, plain, spreadOf(myPoints[common])+spreadOf(theirPoints[slices.Index(theirs, step)]))
}

// apart says how far accuracies of this arm and the one without normalization lie apart.
func (f *finding) apart(when string, accuracy, plain, spread float64) string {
	diff := accuracy - plain
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
	s := fmt.Sprintf("%s%s that of the arm without normalization%s (%s)", when, distance, f.under(f.plain), formatPercent(plain))
	if points != "0.0" && math.Abs(diff) < spread {
		s += "; their seeds differ by more"
	} else if math.Abs(diff) < spreadLimit && min(f.seeds(), len(f.plain.Seeds)) < enoughSeeds {
		s += fmt.Sprintf("; differences under half a point need %d or more seeds", enoughSeeds)
	}
	return s + "."
}

// spreadOf is the sample standard deviation of the seeds' accuracies, 0 for one.
func spreadOf(ps []Point) float64 {
	var accuracies []float64
	for _, p := range ps {
		accuracies = append(accuracies, p.TestAccuracy)
	}
	return nanToZero(StatOf(accuracies).Std)
}

func nanToZero(x float64) float64 {
	if finite(x) {
		return x
	}
	return 0
}

func meanAccuracy(ps []Point) float64 {
	var sum float64
	for _, p := range ps {
		sum += p.TestAccuracy
	}
	return sum / float64(len(ps))
}
