// Package optim describes optimizers.
//
// An Optimizer is a value: the update rule, its constants and its initial
// learning rate. The compiler turns it into update operations of the Program, so
// that the step runs where the parameters live; the learning rate and Adam's powers
// of beta are device state that a hook may write between runs.
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
// rules.go has a row for each rule with all that is known of it; the documentation of
// package program says how to add one.
package optim
