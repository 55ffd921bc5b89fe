package optim

import (
	"math"
	"strings"
	"testing"
)

// TestSchedules: each schedule is what it is documented to be.
func TestSchedules(t *testing.T) {
	for _, c := range []struct {
		s    Schedule
		want map[int]float64 // factors after so many steps
	}{
		{Schedule{}, map[int]float64{0: 1, 100: 1}},
		{Schedule{Kind: ScheduleConstant, WarmUp: 3}, map[int]float64{0: 0.25, 1: 0.5, 2: 0.75, 3: 1, 4: 1}},
		{Schedule{Kind: ScheduleStep, Every: 10, Gamma: 0.5}, map[int]float64{0: 1, 9: 1, 10: 0.5, 19: 0.5, 20: 0.25}},
		{Schedule{Kind: ScheduleStep, Every: 10}, map[int]float64{9: 1, 10: 0.1}},
		{Schedule{Kind: ScheduleStep, Every: 10, Gamma: 0.5, WarmUp: 4}, map[int]float64{0: 0.2, 4: 1, 13: 1, 14: 0.5}},
		{Schedule{Kind: ScheduleCosine, Total: 100}, map[int]float64{0: 1, 25: (2 + math.Sqrt2) / 4, 50: 0.5, 75: (2 - math.Sqrt2) / 4, 100: 0, 200: 0}},
		{Schedule{Kind: ScheduleCosine, Total: 100, WarmUp: 20, End: 0.2}, map[int]float64{0: 1. / 21, 20: 1, 60: 0.6, 100: 0.2, 101: 0.2}},
		{Schedule{Kind: ScheduleLinear, Total: 100}, map[int]float64{0: 1, 25: 0.75, 99: 0.01, 100: 0, 200: 0}},
		{Schedule{Kind: ScheduleLinear, Total: 100, WarmUp: 20, End: 0.2}, map[int]float64{19: 20. / 21, 20: 1, 60: 0.6, 100: 0.2, 101: 0.2}},
	} {
		if err := c.s.Validate(); err != nil {
			t.Error(err)
		}
		if got, want := c.s.Varies(), c.s != (Schedule{}); got != want {
			t.Errorf("%+v varies: %v", c.s, got)
		}
		o := SGD(0.5)
		o.Schedule = c.s
		for steps, want := range c.want {
			if got := c.s.Factor(steps); !(math.Abs(got-want) <= 1e-15) || o.Rate(steps) != 0.5*got {
				t.Errorf("%+v: a factor of %v and a rate of %v after %d steps, want %v of 0.5", c.s, got, o.Rate(steps), steps, want)
			}
		}
	}
	if (Schedule{Kind: ScheduleConstant}).Varies() {
		t.Error("a constant rate varies")
	}
}

// TestScheduleRefused: what cannot work is refused with what is wrong and what would be right.
func TestScheduleRefused(t *testing.T) {
	for _, c := range []struct {
		s    Schedule
		want string
	}{
		{Schedule{Kind: "cyclic"}, `unknown learning-rate schedule "cyclic": choose one of constant, step, cosine, linear`},
		{Schedule{WarmUp: -1}, "cannot warm up for -1 steps: give 0 to"},
		{Schedule{Every: 3}, "the constant schedule does not decay every so many steps (3, and gamma 0, given): the schedule step does"},
		{Schedule{Kind: ScheduleLinear, Total: 5, Gamma: 0.5}, "the linear schedule does not decay"},
		{Schedule{Kind: ScheduleStep, Every: 3, Total: 9}, "the step schedule has no end (after 9 steps, at a factor of 0, given): the schedules cosine and linear have"},
		{Schedule{End: 0.5}, "the constant schedule has no end"},
		{Schedule{Kind: ScheduleStep}, "the step schedule cannot decay every 0 steps: give 1 to"},
		{Schedule{Kind: ScheduleStep, Every: 1, Gamma: 1.5}, "the step schedule cannot decay by a gamma of 1.5"},
		{Schedule{Kind: ScheduleStep, Every: 1, Gamma: math.NaN()}, "the step schedule cannot decay by a gamma of NaN"},
		{Schedule{Kind: ScheduleCosine}, "the cosine schedule cannot end after 0 steps: give their total, 1 to"},
		{Schedule{Kind: ScheduleCosine, Total: -3}, "cannot end after -3 steps"},
		{Schedule{Kind: ScheduleLinear, Total: 5, WarmUp: 5}, "the linear schedule ends after 5 steps, all of which are its warm-up of 5: give more steps, or a shorter warm-up"},
		{Schedule{Kind: ScheduleLinear, Total: 5, End: 2}, "the linear schedule cannot end at 2 times the learning rate: give 0 to 1"},
		{Schedule{Kind: ScheduleCosine, Total: 5, End: math.NaN()}, "cannot end at NaN times"},
	} {
		if err := c.s.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.s, err, c.want)
		}
	}
}
