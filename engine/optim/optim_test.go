package optim

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// New gives every documented rule PyTorch's defaults.
func TestNew(t *testing.T) {
	for _, c := range []struct {
		name  string
		want  Optimizer
		slots []string
	}{
		{"sgd", Optimizer{Kind: KindSGD, LR: 0.1}, nil},
		{"momentum", Optimizer{Kind: KindMomentum, LR: 0.1, Mu: 0.9}, []string{"momentum"}},
		{"adam", Optimizer{Kind: KindAdam, LR: 0.1, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8}, []string{"exp_avg", "exp_avg_sq"}},
		{"adamw", Optimizer{Kind: KindAdamW, LR: 0.1, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.01}, []string{"exp_avg", "exp_avg_sq"}},
	} {
		got, err := New(c.name, 0.1)
		if err != nil || got != c.want || !slices.Equal(got.Slots(), c.slots) {
			t.Errorf("New(%q) = %+v with %v, %v", c.name, got, got.Slots(), err)
		}
	}
	if _, err := New("lion", 0.1); err == nil || err.Error() != `unknown optimizer "lion": choose one of sgd, momentum, adam, adamw` {
		t.Errorf("an unknown name gives %v", err)
	}
	for _, lr := range []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		if _, err := New("sgd", lr); err == nil || !strings.Contains(err.Error(), "is not a positive finite number") {
			t.Errorf("lr %v gives %v", lr, err)
		}
	}
}

func TestValidate(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		o    Optimizer
		want string // "" for valid
	}{
		{SGD(1e-3), ""},
		{Momentum(0.1, 0), ""},
		{Adam(1e-3), ""},
		{AdamW(1e-3), ""},
		{Optimizer{Kind: KindAdamW, LR: 1, WeightDecay: -1}, "weight decay -1 is not"},
		{Optimizer{Kind: KindAdamW, LR: 1, WeightDecay: nan}, "weight decay NaN is not"},
		{Optimizer{Kind: KindAdam, LR: 1, WeightDecay: 0.01}, ""},
		{Optimizer{Kind: KindSGD, LR: 1, WeightDecay: math.Inf(1)}, "weight decay +Inf is not"},
		{Optimizer{Kind: KindMomentum, LR: 1, Mu: 0.9, Nesterov: true}, ""},
		{Optimizer{Kind: KindMomentum, LR: 1, Nesterov: true}, "needs the optimizer momentum"},
		{Optimizer{Kind: KindAdam, LR: 1, Nesterov: true}, "needs the optimizer momentum"},
		{Optimizer{Kind: KindSGD, LR: 1, Mu: 0.9}, "sgd has no momentum"},
		{Optimizer{Kind: KindSGD, LR: 1, Beta2: 0.9}, "sgd has no betas"},
		{Optimizer{Kind: KindMomentum, LR: 1, Eps: 1}, "momentum has no eps"},
		{Optimizer{Kind: KindAdam, LR: 1, Eps: math.Inf(1)}, "eps"},
		{Optimizer{}, "unknown"},
		{Optimizer{Kind: "lion", LR: 1}, "unknown"},
		{Momentum(0.1, 1), "momentum 1 is outside [0, 1)"},
		{Momentum(0.1, -0.1), "momentum -0.1 is outside"},
		{Momentum(0.1, nan), "momentum NaN is outside"},
		{Optimizer{Kind: KindAdam, LR: 1, Beta1: 1}, "betas"},
		{Optimizer{Kind: KindAdam, LR: 1, Beta2: nan}, "betas"},
		{Optimizer{Kind: KindAdam, LR: 1, Eps: -1}, "eps"},
		{Optimizer{Kind: KindAdam, LR: 1, Eps: nan}, "eps"},
		{Optimizer{Kind: KindSGD, LR: 1, ClipNorm: 0.5}, ""},
		{Optimizer{Kind: KindSGD, LR: 1, ClipNorm: -1}, "norm of the gradients cannot be bounded by -1"},
		{Optimizer{Kind: KindSGD, LR: 1, ClipNorm: nan}, "norm of the gradients cannot be bounded by NaN"},
		{Optimizer{Kind: KindSGD, LR: 1, ClipNorm: math.Inf(1)}, "norm of the gradients cannot be bounded by +Inf"},
		{Optimizer{Kind: KindSGD, LR: 1, Schedule: Schedule{Kind: "cyclic"}}, `unknown learning-rate schedule "cyclic": choose one of constant, step, cosine, linear`},
	} {
		err := c.o.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
}

// TestRules: each rule has what the devices take of it.
func TestRules(t *testing.T) {
	seen := map[Kind]bool{}
	for _, r := range rules {
		if r.kind == "" || seen[r.kind] || r.step32 == nil || r.step64 == nil || r.flops == 0 || len(r.slots) > MaxSlots {
			t.Errorf("row %q lacks something, or there are two", r.kind)
		}
		seen[r.kind] = true
		o, err := New(string(r.kind), 0.1)
		if err != nil {
			t.Errorf("the defaults of %s: %v", r.kind, err)
		}
		if o.NeedsBetaPowers() && (o.Beta1 == 0 || o.Beta2 == 0) {
			t.Errorf("%s needs powers of betas that are 0", r.kind)
		}
		StepOf[float32](o)
		StepOf[float64](o)
	}
	decays, clipped, scheduled := SGD(0.1), SGD(0.1), SGD(0.1)
	decays.WeightDecay, clipped.ClipNorm, scheduled.Schedule.WarmUp = 0.1, 1, 5
	for _, c := range []struct {
		o      Optimizer
		fuses  bool
		powers bool
		l2     float64
	}{{SGD(0.1), true, false, 0}, {decays, false, false, 0.1}, {clipped, false, false, 0}, {scheduled, true, false, 0}, {Momentum(0.1, 0), false, false, 0}, {Adam(0.1), false, true, 0}, {AdamW(0.1), false, true, 0}} {
		if c.o.Fuses() != c.fuses || c.o.NeedsBetaPowers() != c.powers || c.o.L2() != c.l2 {
			t.Errorf("%+v: fuses %v, powers %v, decay of the gradient %v", c.o, c.o.Fuses(), c.o.NeedsBetaPowers(), c.o.L2())
		}
	}
}
