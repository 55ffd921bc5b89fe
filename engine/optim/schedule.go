package optim

import (
	"fmt"
	"math"
	"strings"

	"driftless/kernels/optim"
)

// ScheduleKind names a schedule of the learning rate.
type ScheduleKind string

// The schedules. In the step that follows t others the learning rate is LR times a factor. With
// a warm-up of W steps, k = t-W, and N = Total-W:
//
//	t < W      (t+1) / (W+1)
//	constant   1
//	step       Gamma^⌊k/Every⌋
//	cosine     End + (1-End) (1 + cos(πk/N)) / 2;  End from k = N on
//	linear     1 + (End-1) k/N;  End from k = N on
//
// In PyTorch, stepped once a step of training: StepLR(Every, Gamma);
// CosineAnnealingLR(T_max=N, eta_min=End·lr), which after its end rises again, where ours stays;
// LinearLR(start_factor=1, end_factor=End, total_iters=N), whose defaults are 1/3, 1 and 5. The
// warm-up is LinearLR(start_factor=1/(W+1), end_factor=1, total_iters=W), with the other behind
// it in a SequentialLR. PyTorch multiplies rate by rate, so that its rates differ in rounding.
const (
	ScheduleConstant ScheduleKind = "constant"
	ScheduleStep     ScheduleKind = "step"
	ScheduleCosine   ScheduleKind = "cosine" // Loshchilov & Hutter (2017), without restarts
	ScheduleLinear   ScheduleKind = "linear"
)

var scheduleKinds = []ScheduleKind{ScheduleConstant, ScheduleStep, ScheduleCosine, ScheduleLinear}

// Schedule says what the learning rate is multiplied by at each step: a function of the number
// of steps done and of nothing else. The zero value is a constant rate without a warm-up.
type Schedule struct {
	Kind   ScheduleKind // "": constant
	WarmUp int          // steps in which the rate rises evenly to LR; 0: none
	Every  int          // of step, which needs it: steps from one decay to the next, counted after the warm-up
	Gamma  float64      // of step: what a decay multiplies by, up to 1; 0: 0.1, PyTorch's default
	Total  int          // of cosine and linear, which need it: steps to the end, those of the warm-up included
	End    float64      // of cosine and linear: the factor at the end and from there on, 0 (the default) to 1
}

// ScheduleNames lists the kinds.
func ScheduleNames() []string {
	var out []string
	for _, k := range scheduleKinds {
		out = append(out, string(k))
	}
	return out
}

// Validate reports the first setting that cannot work.
func (s Schedule) Validate() error {
	const most = math.MaxInt32
	kind := s.Kind
	if kind == "" {
		kind = ScheduleConstant
	}
	decays, ends := kind == ScheduleStep, kind == ScheduleCosine || kind == ScheduleLinear
	switch {
	case !decays && !ends && kind != ScheduleConstant:
		return fmt.Errorf("unknown learning-rate schedule %q: choose one of %s", kind, strings.Join(ScheduleNames(), ", "))
	case s.WarmUp < 0 || s.WarmUp > most:
		return fmt.Errorf("the learning rate cannot warm up for %d steps: give 0 to %d", s.WarmUp, most)
	case !decays && (s.Every != 0 || s.Gamma != 0):
		return fmt.Errorf("the %s schedule does not decay every so many steps (%d, and gamma %v, given): the schedule step does", kind, s.Every, s.Gamma)
	case !ends && (s.Total != 0 || s.End != 0):
		return fmt.Errorf("the %s schedule has no end (after %d steps, at a factor of %v, given): the schedules cosine and linear have", kind, s.Total, s.End)
	case decays && (s.Every < 1 || s.Every > most):
		return fmt.Errorf("the step schedule cannot decay every %d steps: give 1 to %d", s.Every, most)
	case decays && !(s.Gamma >= 0 && s.Gamma <= 1):
		return fmt.Errorf("the step schedule cannot decay by a gamma of %v: give a number above 0 and at most 1, or 0 for 0.1", s.Gamma)
	case ends && (s.Total < 1 || s.Total > most):
		return fmt.Errorf("the %s schedule cannot end after %d steps: give their total, 1 to %d", kind, s.Total, most)
	case ends && s.Total <= s.WarmUp:
		return fmt.Errorf("the %s schedule ends after %d steps, all of which are its warm-up of %d: give more steps, or a shorter warm-up", kind, s.Total, s.WarmUp)
	case ends && !(s.End >= 0 && s.End <= 1):
		return fmt.Errorf("the %s schedule cannot end at %v times the learning rate: give 0 to 1", kind, s.End)
	}
	return nil
}

// Varies reports whether the rate changes at all.
func (s Schedule) Varies() bool {
	c, _, _ := s.Curve()
	return c != optim.Flat || s.WarmUp > 0
}

// Curve returns the schedule as the kernels take it, WarmUp apart.
func (s Schedule) Curve() (c optim.Curve, span int, to float64) {
	switch s.Kind {
	case ScheduleStep:
		if s.Gamma == 0 {
			return optim.Steps, s.Every, 0.1
		}
		return optim.Steps, s.Every, s.Gamma
	case ScheduleCosine:
		return optim.Cosine, s.Total - s.WarmUp, s.End
	case ScheduleLinear:
		return optim.Linear, s.Total - s.WarmUp, s.End
	}
	return optim.Flat, 0, 1
}

// Factor returns what the learning rate is multiplied by in the step that follows so many.
func (s Schedule) Factor(steps int) float64 {
	c, span, to := s.Curve()
	return optim.Factor(c, int64(steps), int64(s.WarmUp), int64(span), to)
}

// Rate returns the learning rate of the step that follows so many.
func (o Optimizer) Rate(steps int) float64 { return o.LR * o.Schedule.Factor(steps) }
