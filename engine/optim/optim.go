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
//	momentum   v = mu v + g;  p -= lr v, or with Nesterov p -= lr (g + mu v)
//	adam       m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g²
//	           p -= lr (m / (1-b1^t)) / (sqrt(v / (1-b2^t)) + eps)
//	adamw      p -= lr wd p;  then as adam
//
// Weight decay wd of the others adds wd p to g.
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
	LR           float64 // learning rate, which Schedule multiplies
	Mu           float64 // momentum
	Nesterov     bool    // Nesterov's momentum, which looks one step ahead
	Beta1, Beta2 float64 // Adam's decay rates
	Eps          float64 // Adam's denominator offset, outside the square root
	WeightDecay  float64 // added to the gradient as wd·p; AdamW shrinks p by lr·wd apart from it
	// ClipNorm bounds the 2-norm of the gradients of all parameters together, in each replica by
	// itself, before weight decay: all are multiplied by min(1, ClipNorm/(norm + 1e-6)), as
	// torch.nn.utils.clip_grad_norm_(parameters, ClipNorm) does. Gradients that are read
	// (engine.Training.Gradients) are those before. 0, the default: no bound.
	ClipNorm float64
	Schedule Schedule // of the learning rate; the zero value, the default: constant
}

// SGD is plain stochastic gradient descent.
func SGD(lr float64) Optimizer { return defaults(KindSGD, lr) }

// Momentum is SGD with heavy-ball momentum mu, as torch.optim.SGD(momentum=mu).
func Momentum(lr, mu float64) Optimizer {
	o := defaults(KindMomentum, lr)
	o.Mu = mu
	return o
}

// Adam is Adam with PyTorch's defaults: betas 0.9 and 0.999, eps 1e-8.
func Adam(lr float64) Optimizer { return defaults(KindAdam, lr) }

// AdamW is AdamW with PyTorch's defaults: those of Adam, weight decay 0.01.
func AdamW(lr float64) Optimizer { return defaults(KindAdamW, lr) }

func defaults(k Kind, lr float64) Optimizer {
	o := Optimizer{Kind: k}.known().defaults
	o.Kind, o.LR = k, lr
	return o
}

// New returns the rule of that name with its default constants (momentum 0.9).
// It fails when the name is unknown or lr is not a positive finite number.
func New(name string, lr float64) (Optimizer, error) {
	if (Optimizer{Kind: Kind(name)}).rule() == nil {
		return Optimizer{}, fmt.Errorf("unknown optimizer %q: choose one of %s", name, strings.Join(Names(), ", "))
	}
	o := defaults(Kind(name), lr)
	return o, o.Validate()
}

// Names lists what New takes.
func Names() []string {
	var out []string
	for _, r := range rules {
		out = append(out, string(r.kind))
	}
	return out
}

// Validate reports the first constant that cannot work.
func (o Optimizer) Validate() error {
	r := o.rule()
	has := func(s setting) bool { return r.takes&s != 0 }
	switch {
	case r == nil:
		return fmt.Errorf("optimizer %q is unknown: choose one of %s", o.Kind, strings.Join(Names(), ", "))
	case !(o.LR > 0) || math.IsInf(o.LR, 0):
		return fmt.Errorf("learning rate %v is not a positive finite number", o.LR)
	case o.Mu != 0 && !has(takesMu):
		return fmt.Errorf("%s has no momentum (%v given): the optimizer momentum has", o.Kind, o.Mu)
	case !(o.Mu >= 0 && o.Mu < 1):
		return fmt.Errorf("momentum %v is outside [0, 1)", o.Mu)
	case o.Nesterov && !(has(takesMu) && o.Mu > 0):
		return fmt.Errorf("nesterov's momentum needs the optimizer momentum and a momentum above 0, not %s with %v", o.Kind, o.Mu)
	case (o.Beta1 != 0 || o.Beta2 != 0) && !has(takesBetas):
		return fmt.Errorf("%s has no betas (%v and %v given)", o.Kind, o.Beta1, o.Beta2)
	case !(o.Beta1 >= 0 && o.Beta1 < 1) || !(o.Beta2 >= 0 && o.Beta2 < 1):
		return fmt.Errorf("%s's betas %v, %v are outside [0, 1)", o.Kind, o.Beta1, o.Beta2)
	case o.Eps != 0 && !has(takesEps):
		return fmt.Errorf("%s has no eps (%v given)", o.Kind, o.Eps)
	case !(o.Eps >= 0) || math.IsInf(o.Eps, 0):
		return fmt.Errorf("%s's eps %v is not a finite number from 0 on", o.Kind, o.Eps)
	case !(o.WeightDecay >= 0) || math.IsInf(o.WeightDecay, 0):
		return fmt.Errorf("weight decay %v is not a finite number from 0 on", o.WeightDecay)
	case !(o.ClipNorm >= 0) || math.IsInf(o.ClipNorm, 0):
		return fmt.Errorf("the norm of the gradients cannot be bounded by %v: give a number above 0, or 0 for no bound", o.ClipNorm)
	}
	return o.Schedule.Validate()
}
