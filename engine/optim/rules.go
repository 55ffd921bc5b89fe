package optim

import (
	"driftless/kernels"
	"driftless/kernels/optim"
)

// rule is all that is known of an update rule, but for its kernels.
type rule struct {
	kind     Kind
	defaults Optimizer // its constants, but for the learning rate
	takes    setting   // its constants beside the weight decay, which every rule has
	apart    bool      // its weight decay is not added to the gradient
	slots    []string  // state of each parameter
	powers   bool      // it reads the powers of the betas
	adaptive bool      // it divides a gradient by a measure of the gradient's size
	fuses    bool      // without weight decay it adds −lr·g: a matrix product can do that
	flops    float64   // of the step of one element

	// The step on the CPU, for each float type.
	step32 func(o Optimizer) Step[float32]
	step64 func(o Optimizer) Step[float64]

	// kernel is the CUDA kernel, "" where there is none, and numbers its constants by the
	// names that its table has, beside the weight decay of the gradient, l2.
	kernel  string
	numbers func(o Optimizer) map[string]float64
}

// setting is a set of constants.
type setting uint8

const (
	takesMu setting = 1 << iota // and Nesterov
	takesBetas
	takesEps
)

// rules is the one place that knows the update rules, in the order in which they are listed.
var rules = []rule{{
	kind:   KindSGD,
	fuses:  true,
	flops:  2,
	step32: sgd[float32], step64: sgd[float64],
	kernel: "sgd",
}, {
	kind:     KindMomentum,
	defaults: Optimizer{Mu: 0.9},
	takes:    takesMu,
	slots:    []string{"momentum"},
	flops:    4,
	step32:   momentum[float32], step64: momentum[float64],
	kernel: "momentum",
	numbers: func(o Optimizer) map[string]float64 {
		return map[string]float64{"mu": o.Mu, "nesterov": map[bool]float64{true: 1}[o.Nesterov]}
	},
}, {
	kind:     KindAdam,
	defaults: Optimizer{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8},
	takes:    takesBetas | takesEps,
	slots:    []string{"exp_avg", "exp_avg_sq"},
	powers:   true,
	adaptive: true,
	flops:    12,
	step32:   adam[float32], step64: adam[float64],
	kernel:  "adam",
	numbers: func(o Optimizer) map[string]float64 { return adamNumbers(o, 0) },
}, {
	kind:     KindAdamW,
	defaults: Optimizer{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.01},
	takes:    takesBetas | takesEps,
	apart:    true,
	slots:    []string{"exp_avg", "exp_avg_sq"},
	powers:   true,
	adaptive: true,
	flops:    12,
	step32:   adamW[float32], step64: adamW[float64],
	kernel:  "adam",
	numbers: func(o Optimizer) map[string]float64 { return adamNumbers(o, o.WeightDecay) },
}}

// MaxSlots is the most state that a rule keeps for a parameter.
const MaxSlots = 2

// Step takes a rule's step on a run of a parameter with its gradient, weight decay
// included, and its slots.
type Step[T kernels.Float] func(p, g []T, slots [MaxSlots][]T, now Now)

// Now is what changes from step to step.
type Now struct {
	LR     float64
	Powers [2]float64 // beta1^t and beta2^t, for a rule that needs them
}

func sgd[T kernels.Float](Optimizer) Step[T] {
	return func(p, g []T, _ [MaxSlots][]T, now Now) { optim.SGD(p, g, T(now.LR)) }
}

func momentum[T kernels.Float](o Optimizer) Step[T] {
	mu := T(o.Mu)
	if o.Nesterov {
		return func(p, g []T, s [MaxSlots][]T, now Now) { optim.Nesterov(p, g, s[0], T(now.LR), mu) }
	}
	return func(p, g []T, s [MaxSlots][]T, now Now) { optim.Momentum(p, g, s[0], T(now.LR), mu) }
}

func adam[T kernels.Float](o Optimizer) Step[T] {
	return func(p, g []T, s [MaxSlots][]T, now Now) {
		optim.Adam(p, g, s[0], s[1], T(now.LR), o.Beta1, o.Beta2, T(o.Eps), T(1-now.Powers[0]), T(1-now.Powers[1]))
	}
}

func adamW[T kernels.Float](o Optimizer) Step[T] {
	return func(p, g []T, s [MaxSlots][]T, now Now) {
		optim.AdamW(p, g, s[0], s[1], T(now.LR), o.Beta1, o.Beta2, T(o.Eps), T(1-now.Powers[0]), T(1-now.Powers[1]), o.WeightDecay)
	}
}

func adamNumbers(o Optimizer, decay float64) map[string]float64 {
	return map[string]float64{"decay1": o.Beta1, "gain1": 1 - o.Beta1, "decay2": o.Beta2, "gain2": 1 - o.Beta2, "eps": o.Eps, "decay": decay}
}

// rule returns the row of an optimizer, nil if its kind is unknown.
func (o Optimizer) rule() *rule {
	for i := range rules {
		if rules[i].kind == o.Kind {
			return &rules[i]
		}
	}
	return nil
}

// known is rule for an optimizer that Validate has passed; of another it knows nothing.
func (o Optimizer) known() *rule {
	if r := o.rule(); r != nil {
		return r
	}
	return &rule{}
}

// Adaptive reports whether the rule divides a gradient by a measure of its own size,
// so that the size of a step does not depend on the gradient's.
func (o Optimizer) Adaptive() bool { return o.known().adaptive }

// NeedsBetaPowers reports whether the step reads the powers of Beta1 and Beta2.
func (o Optimizer) NeedsBetaPowers() bool { return o.known().powers }

// Slots names the state that the rule keeps for each parameter, each of the
// parameter's shape and zero at the start.
func (o Optimizer) Slots() []string { return o.known().slots }

// Fuses reports whether the step is to add −lr times the gradient and nothing else, so
// that the matrix product that is the gradient can take it.
func (o Optimizer) Fuses() bool { return o.known().fuses && o.WeightDecay == 0 && o.ClipNorm == 0 }

// Flops returns the floating-point operations of the step of one element, a nominal number.
func (o Optimizer) Flops() float64 { return o.known().flops }

// L2 returns the weight decay that is added to the gradient, 0 where there is none.
func (o Optimizer) L2() float64 {
	if o.known().apart {
		return 0
	}
	return o.WeightDecay
}

// StepOf returns the step of an optimizer in T.
func StepOf[T kernels.Float](o Optimizer) Step[T] {
	r := o.known()
	var step any = r.step64
	if kernels.IsFloat32[T]() {
		step = r.step32
	}
	return step.(func(Optimizer) Step[T])(o)
}

// Kernel returns the name of the CUDA kernel that takes the step, "" if there is none, and
// its constants by their names.
func (o Optimizer) Kernel() (name string, numbers map[string]float64) {
	r := o.known()
	if r.numbers != nil {
		numbers = r.numbers(o)
	} else {
		numbers = map[string]float64{}
	}
	numbers["l2"] = o.L2()
	return r.kernel, numbers
}
