package report

import (
	"math"
	"strings"
	"testing"
)

// armWith returns a run of one arm with three seeds whose largest hidden bias
// takes the given values at steps 0, 100, 200 and so on.
func armWith(arm Arm, biases ...float64) Run {
	run := Run{Classes: 10, Steps: 100 * (len(biases) - 1), Arms: []Arm{arm}}
	for _, seed := range arm.Seeds {
		for i, b := range biases {
			run.Points = append(run.Points, Point{Arm: arm.Name, Seed: seed, Step: 100 * i,
				Loss: arm.FinalLoss.Mean, TestAccuracy: arm.TestAccuracy.Mean, BiasMaxAbs: []float64{b / 2, b}})
		}
	}
	return run
}

// withPlain adds an arm without normalization.
func withPlain(run Run, accuracy float64, stepsTo map[string]*int) Run {
	plain := armWith(Arm{Name: "none", Norm: NormNone, Seeds: []int{1, 2, 3},
		TestAccuracy: Stat{accuracy, .01}, StepsTo: stepsTo}, 0, .01, .02, .03, .04)
	run.Arms = append(run.Arms, plain.Arms...)
	run.Points = append(run.Points, plain.Points...)
	return run
}

func ptr(n int) *int { return &n }

func TestFinding(t *testing.T) {
	three := []int{1, 2, 3}
	naive := Arm{Name: "x", Norm: "center", Grad: GradNaive, Seeds: three,
		FinalLoss: Stat{11.68, .8}, TestAccuracy: Stat{.097, .001}}
	learning := naive
	learning.FinalLoss = Stat{.87, .01}
	affine := naive
	affine.Affine = true
	graph := Arm{Name: "x", Norm: "batchnorm", Grad: "graph", Seeds: three,
		FinalLoss: Stat{.2, .01}, TestAccuracy: Stat{.942, .003},
		StepsTo: map[string]*int{"0.90": ptr(500), "0.95": ptr(1250), "0.97": nil}}
	layer := graph
	layer.Norm = "layernorm"
	plainArm := Arm{Name: "x", Norm: NormNone, Seeds: three, FinalLoss: Stat{.5, .1}, TestAccuracy: Stat{.9, .01}}
	lagging := graph
	lagging.TestAccuracy, lagging.TestAccuracyReestimated = Stat{.7, .02}, Stat{.931, .004}
	agreeing := graph
	agreeing.TestAccuracyReestimated = Stat{.9515, .004}
	single := graph
	single.Seeds, single.FinalLoss, single.TestAccuracy = []int{7}, StatOf([]float64{.2}), StatOf([]float64{.942})
	diverged := naive
	diverged.FinalLoss, diverged.DivergedAt = Stat{math.NaN(), math.NaN()}, []*int{nil, ptr(1250), ptr(300)}
	allDiverged := diverged
	allDiverged.DivergedAt = []*int{ptr(5), ptr(6), ptr(7)}
	compensated := naive
	compensated.Grad = GradCompensated
	compensated.FinalLoss = Stat{.3, .01}

	growing := []float64{.1, 2, 4, 6, 8}
	settled := []float64{0, .5, .8, .82, .83}
	rounding := []float64{0, 1e-8, 2e-8, 3e-8, 2.5e-8}
	interrupted := armWith(naive, growing...)
	interrupted.Interrupted, interrupted.Steps = true, 5000
	unclassed := armWith(naive, growing...)
	unclassed.Classes = 0

	for _, c := range []struct {
		name   string
		run    Run
		has    []string
		hasNot []string
	}{
		{"naive blow-up", armWith(naive, growing...),
			[]string{"Ended at loss 11.7 ± 0.8, above chance (2.30), and 9.7 ± 0.1 % test accuracy after 400 steps (mean ± sample standard deviation of 3 seeds).",
				"The largest hidden bias grew from 0.100 to 8.00 and was still growing at the end, +100 % over the last half, roughly as steps^1.00: the step moves a bias that the next centring removes."},
			[]string{"loss still fell", "diverged", "stopped", "without normalization"}},
		{"naive that learns", armWith(learning, growing...),
			[]string{"The loss still fell, since the weights learn as well."}, []string{"chance"}},
		{"number of classes unknown", unclassed, []string{"loss 11.7 ± 0.8 and"}, []string{"chance", "loss still fell"}},
		{"naive with a trained shift, settled", armWith(affine, settled...),
			[]string{"went from 0 to 0.830 and changed little over the last half (+4 %): a trained shift"}, []string{"growing", "grew", "removes"}},
		{"naive with a trained shift, growing", armWith(affine, growing...),
			[]string{"still growing at the end", "had not yet"}, []string{"changed little"}},
		{"naive without a shift, settled", armWith(naive, settled...),
			[]string{"changed little over the last half (+4 %)."}, []string{"growing", "grew", "trained shift", "removes"}},
		{"naive, growth of a fifth is not growth", armWith(naive, 0, .5, 1, 1.1, 1.2),
			[]string{"(+20 %)"}, []string{"growing"}},
		{"naive, shrinking", armWith(naive, 0, 2, 4, 3, 2), []string{"(-50 %)"}, []string{"growing", "grew"}},
		{"naive, two evaluations", armWith(naive, 0, 5), []string{"too short to say"}, []string{"growing at the end", "grew"}},
		{"naive beside none", withPlain(armWith(naive, growing...), .97, nil),
			[]string{"grew from 0.100 to 8.00 (0.0400 without normalization)", "87.3 points below that of the arm without normalization (97.0 %)."},
			[]string{"need 5"}},
		{"in graph", armWith(graph, rounding...),
			[]string{"Reached 95 % after 1,250 steps (median of 3 seeds).", "stayed at rounding level (max 3e-8): the normalization cancels a bias exactly"},
			[]string{"growing", "97 %", "chance"}},
		{"in graph, biases fixed at zero", armWith(graph, 0, 0, 0), []string{"stayed at zero"}, []string{"cancels"}},
		{"in graph, from an initial bias", armWith(graph, .1, .1, .1+1e-8), []string{"did not move (max 0.100 throughout): the normalization cancels"}, nil},
		{"in graph, but the bias moves", armWith(layer, growing...), []string{"went from 0.100 to 8.00."}, []string{"cancels", "removes", "growing"}},
		{"in graph beside none", withPlain(armWith(graph, rounding...), .939, map[string]*int{"0.90": ptr(2000), "0.95": ptr(5250)}),
			[]string{"Reached 95 % after 1,250 steps (median of 3 seeds), 4.2 times sooner than without normalization (5,250).",
				"0.3 points above that of the arm without normalization (93.9 %); differences under half a point need 5 or more seeds."}, nil},
		{"in graph beside a none that never arrives", withPlain(armWith(graph, rounding...), .8, map[string]*int{"0.95": nil}),
			[]string{", which fewer than half of the seeds without normalization did."}, []string{"need 5"}},
		{"in graph beside an equal none", withPlain(armWith(graph, rounding...), .942, map[string]*int{"0.95": ptr(1250)}),
			[]string{"level with that of", "without normalization after 1,250."}, []string{"0.0 points"}},
		{"in graph beside a faster none", withPlain(armWith(graph, rounding...), .95, map[string]*int{"0.95": ptr(625)}),
			[]string{"2.0 times later than without normalization (625)"}, nil},
		{"none itself", armWith(plainArm, growing...), []string{"a parameter like any other"}, []string{"growing", "removes", "above that"}},
		{"compensated", armWith(compensated, growing...), []string{"no step is undone"}, []string{"removes", "growing"}},
		{"lagging statistics", armWith(lagging, settled...),
			[]string{"70.0 ± 2.0 % test accuracy", "re-estimated over the training set it is 93.1 ± 0.4 %: running statistics lag behind"}, nil},
		{"agreeing statistics", armWith(agreeing, settled...), nil, []string{"re-estimated"}},
		{"one seed", armWith(single, rounding...),
			[]string{"loss 0.200 and 94.2 % test accuracy", "(1 seed, so no spread)", "Reached 95 % after 1,250 steps."}, []string{"±", "median", "NaN", "—"}},
		{"two of three diverged", armWith(diverged, growing...),
			[]string{"2 of 3 seeds diverged, the first was seed 3 at step 300", "9.7 ± 0.1 % test accuracy"}, []string{"—", "NaN"}},
		{"all diverged", armWith(allDiverged, growing...), []string{"3 of 3 seeds diverged, the first was seed 1 at step 5"}, []string{"did not diverge"}},
		{"interrupted", interrupted, []string{"Interrupted at loss 11.7 ± 0.8", "after 400 of 5,000 steps"}, []string{"Ended"}},
		{"did not run", Run{Arms: []Arm{naive}}, []string{"Did not run."}, []string{"interrupted"}},
		{"interrupted before", Run{Arms: []Arm{naive}, Interrupted: true}, []string{"Did not run: the run was interrupted"}, nil},
		{"unknown", Run{}, []string{`No arm "x"`}, nil},
	} {
		got := Finding(c.run, "x")
		for _, s := range c.has {
			if !strings.Contains(got, s) {
				t.Errorf("%s: %q\nlacks %q", c.name, got, s)
			}
		}
		for _, s := range c.hasNot {
			if strings.Contains(got, s) {
				t.Errorf("%s: %q\nhas %q", c.name, got, s)
			}
		}
	}
}

func TestFindingOfSurvivors(t *testing.T) {
	run := fakeRun()
	got := Finding(run, "center:naive")
	for _, s := range []string{"1 of 3 seeds diverged (seed 2 at step 3,150)", "The 2 seeds that did not diverge ended at loss 1", "above chance (2.30)."} {
		if !strings.Contains(got, s) {
			t.Errorf("%q\nlacks %q", got, s)
		}
	}
}

func TestGrowthExponent(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		xs, ys []float64
		want   float64
	}{
		{[]float64{1, 2, 4}, []float64{3, 6, 12}, 1},
		{[]float64{1, 4, 16}, []float64{5, 10, 20}, .5},
		{[]float64{0, 1, 2, 4}, []float64{0, 3, 6, 12}, 1}, // zeros are left out
		{[]float64{1, 2}, []float64{1, 2}, nan},
		{[]float64{3, 3, 3}, []float64{1, 2, 3}, nan},
	} {
		got := growthExponent(c.xs, c.ys)
		if math.IsNaN(got) != math.IsNaN(c.want) || math.Abs(got-c.want) > 1e-12 {
			t.Errorf("growthExponent(%v, %v) = %v, want %v", c.xs, c.ys, got, c.want)
		}
	}
}
