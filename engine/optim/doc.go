// Package optim describes optimizers.
//
// An Optimizer is a value: the update rule, its constants, its learning rate and what
// becomes of that, and a bound of the gradients. The compiler turns it into instructions
// of the Program, so that the step runs where the parameters live; the learning rate and
// Adam's powers of beta are device state that a hook may write between runs.
//
//	optim.SGD(0.1)
//	optim.Momentum(0.1, 0.9)
//	optim.Adam(1e-3)
//	optim.AdamW(1e-3)
//
// The rules and defaults are PyTorch's: momentum without dampening or Nesterov,
// Adam with betas 0.9 and 0.999 and eps 1e-8, AdamW with a weight decay of 0.01 as
// well, the others with none. Other settings are fields:
//
//	o := optim.Momentum(0.1, 0.9)
//	o.Nesterov, o.WeightDecay = true, 5e-4
//
// # Schedules and clipping
//
// The learning rate is constant, and gradients are taken as they are, unless fields say
// otherwise:
//
//	o.Schedule = optim.Schedule{Kind: optim.ScheduleCosine, Total: 10000, WarmUp: 500}
//	o.ClipNorm = 1
//
// A schedule (constant, step, cosine, linear, each after a linear warm-up) gives each step's
// rate as a function of the steps done, so that a training that is kept and loaded goes on
// where it was; Total, the number of steps that cosine and linear go over, has to be given.
// Rate tells the rate of any step. On the device the state program.StateLR is the rate of the
// last step; what the schedule multiplies is program.StateBaseLR, which is there only with a
// schedule, and which a hook writes then: the next step sets StateLR anew.
//
// ClipNorm is torch.nn.utils.clip_grad_norm_. The norm is of all parameters of a replica.
// SGD with it takes a step of its own for each parameter, where it else is part of the
// product that is the gradient.
//
// rules.go has a row for each rule with all that is known of it; the documentation of
// package program says how to add one.
package optim
