package report

import (
	"strings"
	"testing"
)

// What is chosen is the first evaluation of the highest validation accuracy of each seed, never
// by the test accuracy, and the finding says it.
func TestChosen(t *testing.T) {
	five, stop := 5, 20
	run := Run{Steps: 30, EvalEvery: 10, Classes: 10, Arms: []Arm{
		{Name: "none", Norm: NormNone, Seeds: []int{1, 2}, DivergedAt: []*int{nil, nil}, StoppedAt: []*int{nil, nil}},
		{Name: "batchnorm", Norm: "batchnorm", Seeds: []int{1, 2}, DivergedAt: []*int{nil, nil}, StoppedAt: []*int{&stop, nil}},
		{Name: "wild", Norm: "batchnorm", Seeds: []int{1, 2}, DivergedAt: []*int{&five, nil}, StoppedAt: []*int{nil, &stop}},
	}}
	add := func(arm string, seed, step int, validation, test float64) {
		run.Points = append(run.Points, Point{Arm: arm, Seed: seed, Step: step, Loss: 1, TestLoss: 1, TestAccuracy: test, Validation: &Validation{1, validation}})
	}
	for _, arm := range []string{"none", "batchnorm", "wild"} {
		for _, seed := range []int{1, 2} {
			add(arm, seed, 0, 0.99, 0.99) // the initial network is none to choose
		}
	}
	add("none", 1, 10, 0.5, 0.9)
	add("none", 1, 20, 0.7, 0.6) // chosen
	add("none", 1, 30, 0.7, 0.8)
	add("none", 2, 10, 0.8, 0.6) // chosen
	add("none", 2, 20, 0.7, 0.9)
	add("none", 2, 30, 0.7, 0.9)
	add("batchnorm", 1, 10, 0.8, 0.7) // chosen
	add("batchnorm", 1, 20, 0.7, 0.9)
	add("batchnorm", 2, 10, 0.7, 0.9)
	add("batchnorm", 2, 20, 0.8, 0.9)
	add("batchnorm", 2, 30, 0.9, 0.8) // chosen
	add("wild", 2, 10, 0.9, 0.5)      // chosen
	add("wild", 2, 20, 0.8, 0.4)
	run.Summarize()
	for i, want := range []struct {
		mean  float64
		steps [2]int
		says  []string
	}{
		{0.6, [2]int{20, 10}, []string{"highest (at step 10, the median of 2 seeds) its test accuracy was 60.0 ± 0.0 %"}},
		{0.75, [2]int{10, 30}, []string{"after 20 to 30 steps", "1 of 2 seeds was stopped early", "its test accuracy was 75.0 ± 7.1 %", "Chosen so, its test accuracy is 15.0 points above that of the arm without normalization (60.0 %)"}},
		{0.5, [2]int{10, 0}, []string{"1 of 2 seeds diverged", "40.0 % test accuracy after 20 steps", "1 of 2 seeds was stopped early", "highest (at step 10) its test accuracy was 50.0 %"}},
	} {
		a := run.Arms[i]
		if d := a.Chosen.Mean - want.mean; d > 1e-12 || d < -1e-12 || a.ChosenSteps[0] != want.steps[0] || len(a.ChosenSteps) > 1 && a.ChosenSteps[1] != want.steps[1] {
			t.Errorf("%s: chosen %+v at %v, want %v at %v", a.Name, a.Chosen, a.ChosenSteps, want.mean, want.steps)
		}
		for _, s := range want.says {
			if !strings.Contains(a.Finding, s) {
				t.Errorf("%s: the finding lacks %q: %s", a.Name, s, a.Finding)
			}
		}
	}
	var back Point
	text, err := run.Points[0].MarshalJSON()
	if err == nil {
		err = back.UnmarshalJSON(text)
	}
	if err != nil || back.Validation == nil || *back.Validation != *run.Points[0].Validation {
		t.Errorf("%s becomes %+v, %v", text, back.Validation, err)
	}
	page, err := run.Page(false)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"Validation accuracy", "1 of 2 stopped early", "1 of 2 seeds diverged, 1 of 2 stopped early"} {
		if !strings.Contains(string(page.HTML), s) {
			t.Errorf("the page lacks %q", s)
		}
	}
}
