package optim

import (
	"fmt"
	"math"
	"strings"
)

// Kind names an update rule.
type Kind string

// The update rules. For a parameter p with gradient g and learning rate lr:
//
//	sgd        p -= lr g
//	momentum   v = mu v + g;  p -= lr v
//	adam       m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g²
//	           p -= lr (m / (1-b1^t)) / (sqrt(v / (1-b2^t)) + eps)
//	adamw      p -= lr wd p;  then as adam
const (
	KindSGD      Kind = "sgd"
	KindMomentum Kind = "momentum"
	KindAdam     Kind = "adam"  // Kingma & Ba (2015)
	KindAdamW    Kind = "adamw" // Loshchilov & Hutter (2019): decay apart from the gradient
)

// Optimizer is an update rule with its constants. The zero value is not valid;
// use SGD, Momentum, Adam, AdamW or New.
type Optimizer struct {
	Kind         Kind
	LR           float64 // initial learning rate; device state "lr" afterwards
	Mu           float64 // momentum
	Beta1, Beta2 float64 // Adam's decay rates
	Eps          float64 // Adam's denominator offset, outside the square root
	WeightDecay  float64 // AdamW's; the others have none
}

// SGD is plain stochastic gradient descent.
func SGD(lr float64) Optimizer { return Optimizer{Kind: KindSGD, LR: lr} }

// Momentum is SGD with heavy-ball momentum mu, as torch.optim.SGD(momentum=mu).
func Momentum(lr, mu float64) Optimizer { return Optimizer{Kind: KindMomentum, LR: lr, Mu: mu} }

// Adam is Adam with PyTorch's defaults: betas 0.9 and 0.999, eps 1e-8.
func Adam(lr float64) Optimizer {
	return Optimizer{Kind: KindAdam, LR: lr, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8}
}

// AdamW is AdamW with PyTorch's defaults: those of Adam, weight decay 0.01.
func AdamW(lr float64) Optimizer {
	o := Adam(lr)
	o.Kind, o.WeightDecay = KindAdamW, 0.01
	return o
}

// New returns the rule of that name with its default constants (momentum 0.9).
// It fails when the name is unknown or lr is not a positive finite number.
func New(name string, lr float64) (Optimizer, error) {
	var o Optimizer
	switch Kind(name) {
	case KindSGD:
		o = SGD(lr)
	case KindMomentum:
		o = Momentum(lr, 0.9)
	case KindAdam:
		o = Adam(lr)
	case KindAdamW:
		o = AdamW(lr)
	default:
		return o, fmt.Errorf("unknown optimizer %q: choose one of %s", name, strings.Join(Names(), ", "))
	}
	return o, o.Validate()
}

// Names lists what New takes.
func Names() []string {
	return []string{string(KindSGD), string(KindMomentum), string(KindAdam), string(KindAdamW)}
}

// Validate reports the first constant that cannot work.
func (o Optimizer) Validate() error {
	switch {
	case o.Kind != KindSGD && o.Kind != KindMomentum && o.Kind != KindAdam && o.Kind != KindAdamW:
		return fmt.Errorf("optimizer %q is unknown: use optim.SGD, optim.Momentum, optim.Adam or optim.AdamW", o.Kind)
	case !(o.LR > 0) || math.IsInf(o.LR, 0):
		return fmt.Errorf("learning rate %v is not a positive finite number", o.LR)
	case !(o.Mu >= 0 && o.Mu < 1):
		return fmt.Errorf("momentum %v is outside [0, 1)", o.Mu)
	case !(o.Beta1 >= 0 && o.Beta1 < 1) || !(o.Beta2 >= 0 && o.Beta2 < 1):
		return fmt.Errorf("adam's betas %v, %v are outside [0, 1)", o.Beta1, o.Beta2)
	case !(o.Eps >= 0):
		return fmt.Errorf("adam's eps %v is negative", o.Eps)
	case o.WeightDecay != 0 && o.Kind != KindAdamW:
		return fmt.Errorf("%s has no weight decay (%v given): use optim.AdamW", o.Kind, o.WeightDecay)
	case !(o.WeightDecay >= 0) || math.IsInf(o.WeightDecay, 0):
		return fmt.Errorf("weight decay %v is not a finite number from 0 on", o.WeightDecay)
	}
	return nil
}

// Adaptive reports whether the rule divides a gradient by a measure of its own size,
// so that the size of a step does not depend on the gradient's.
func (o Optimizer) Adaptive() bool { return o.Kind == KindAdam || o.Kind == KindAdamW }

// Slots names the state that the rule keeps for each parameter, each of the
// parameter's shape and zero at the start.
func (o Optimizer) Slots() []string {
	switch o.Kind {
	case KindMomentum:
		return []string{"momentum"}
	case KindAdam, KindAdamW:
		return []string{"exp_avg", "exp_avg_sq"}
	}
	return nil
}
