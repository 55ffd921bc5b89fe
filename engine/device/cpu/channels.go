package cpu

import (
	"driftless/engine/program"
	"driftless/kernels/norm"
)

// channelNorm binds what channels are standardized by, a share of which a worker does.
func (b *binder[T]) channelNorm(in *program.Instr) do {
	a := argsOf[T](in)
	x, center, invStd, running := a.x[0], a.y[0], a.y[1], a.y[2:]
	c, s := center.cols, x.cols
	return func(e *env, lo, hi int) {
		r := norm.Running[T]{Momentum: T(in.Alpha), Training: in.StatsWeight() > 0}
		if len(running) > 0 {
			r.Mean, r.Variance = running[0].of(e)[lo:hi], running[1].of(e)[lo:hi]
		}
		norm.ChannelNorm(x.rows/c, c, s, lo, hi-lo, x.of(e), in.Eps, r, center.of(e)[lo:hi], invStd.of(e)[lo:hi])
	}
}

// channelsGrad binds the gradient of channels by their statistics.
func (b *binder[T]) channelsGrad(in *program.Instr) do {
	a := argsOf[T](in)
	x, g, center, invStd, dx := a.x[0], a.x[1], a.x[2], a.x[3], a.y[0]
	c, s := center.cols, x.cols
	return func(e *env, lo, hi int) {
		norm.PlaneStandardizeGrad(x.rows/c, c, s, lo, hi-lo, x.of(e), center.of(e)[lo:hi], invStd.of(e)[lo:hi], T(in.StatsWeight()), g.of(e), dx.of(e))
	}
}
