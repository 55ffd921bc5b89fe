// Command gen writes the vector kernels of package optim.
package main

import (
	. "github.com/mmcloughlin/avo/build"

	"driftless/kernels/internal/vec"
)

func main() {
	ConstraintExpr("!noasm")
	vec.All(func(v vec.V) {
		sgd(v)
		momentum(v, false)
		momentum(v, true)
		adam(v)
	})
	Generate()
}

func sgd(v vec.V) {
	vec.Text("sgd"+v.Name, v.Signature("func(n int, p, dp *T, lr T)"),
		"sgd"+v.Name+" sets p to p − lr·dp, rounded once.")
	p, dp, lr := vec.Arg("p"), vec.Arg("dp"), v.BroadcastArg("lr")
	v.Columns(vec.Arg("n")).EachBy(2, func(s vec.Span) {
		s.Store(v.NegFMA(lr, s.Load(dp), s.Load(p)), p)
	})
	vec.End()
}

// momentum writes Momentum, and Nesterov, which steps by g + mu·v.
func momentum(v vec.V, nesterov bool) {
	name, by := "momentum"+v.Name, "v"
	if nesterov {
		name, by = "nesterov"+v.Name, "(mu·v + dp)"
	}
	vec.Text(name, v.Signature("func(n int, p, dp, v *T, lr, mu T)"),
		name+" sets v to mu·v + dp and p to p − lr·"+by+", every operation rounded.")
	p, dp, vel := vec.Arg("p"), vec.Arg("dp"), vec.Arg("v")
	lr, mu := v.BroadcastArg("lr"), v.BroadcastArg("mu")
	v.Columns(vec.Arg("n")).EachBy(2, func(s vec.Span) {
		grad := s.Load(dp)
		next := v.Add(v.Mul(mu, s.Load(vel)), grad)
		s.Store(next, vel)
		if nesterov {
			next = v.Add(v.Mul(mu, next), grad)
		}
		s.Store(v.Sub(s.Load(p), v.Mul(lr, next)), p)
	})
	vec.End()
}

// adam writes Adam, and AdamW, which shrinks p first.
func adam(v vec.V) {
	vec.Text("adam"+v.Name, v.Signature("func(n int, p, dp, m, v *T, shrink, decay1, gain1, decay2, gain2, step, root, perRoot, eps T)"),
		"adam"+v.Name+" sets m to decay1·m + gain1·dp, v to decay2·v + (gain2·dp)·dp and p to",
		"shrink·p − (step·m)/(√v/root + eps), every operation rounded; perRoot is 1/root.")
	p, dp, m, vel := vec.Arg("p"), vec.Arg("dp"), vec.Arg("m"), vec.Arg("v")
	shrink, step, root, eps := v.BroadcastArg("shrink"), v.BroadcastArg("step"), v.BroadcastArg("root"), v.BroadcastArg("eps")
	perRoot := v.BroadcastArg("perRoot")
	decay1, gain1 := v.BroadcastArg("decay1"), v.BroadcastArg("gain1")
	decay2, gain2 := v.BroadcastArg("decay2"), v.BroadcastArg("gain2")
	v.Columns(vec.Arg("n")).Each(func(s vec.Span) {
		grad := s.Load(dp)
		m1 := v.Add(v.Mul(decay1, s.Load(m)), v.Mul(gain1, grad))
		m2 := v.Add(v.Mul(decay2, s.Load(vel)), v.Mul(v.Mul(gain2, grad), grad))
		s.Store(m1, m)
		s.Store(m2, vel)
		d := v.Div(v.Mul(step, m1), v.Add(v.DivBy(v.Sqrt(m2), root, perRoot), eps))
		s.Store(v.Sub(v.Mul(shrink, s.Load(p)), d), p)
	})
	vec.End()
}
