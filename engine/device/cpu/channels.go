package cpu

import (
	"driftless/engine/program"
	"driftless/kernels/norm"
)

// channelStats binds the statistics of channels, a share of which a worker does.
func (b *binder[T]) channelStats(in *program.Instr) do {
	a := argsOf[T](in)
	x, mean, variance := a.x[0], a.y[0], a.y[1]
	c, s := mean.cols, x.cols
	return func(e *env, lo, hi int) {
		norm.PlaneStats(x.rows/c, c, s, lo, hi-lo, x.of(e), mean.of(e)[lo:hi], variance.of(e)[lo:hi])
	}
}

// channelsGrad binds the gradient of channels by their statistics.
func (b *binder[T]) channelsGrad(in *program.Instr) do {
	a := argsOf[T](in)
	x, g, center, invStd, weight, dx := a.x[0], a.x[1], a.x[2], a.x[3], a.x[4], a.y[0]
	c, s := center.cols, x.cols
	return func(e *env, lo, hi int) {
		norm.PlaneStandardizeGrad(x.rows/c, c, s, lo, hi-lo, x.of(e), center.of(e)[lo:hi], invStd.of(e)[lo:hi], weight.of(e)[0], g.of(e), dx.of(e))
	}
}
