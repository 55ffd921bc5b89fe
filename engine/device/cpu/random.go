package cpu

import "driftless/kernels/random"

// dropout draws the numbers of this step, and round, of the replica's seed.
func dropout[T kernel](a *args[T], e *env, q rect) {
	x, y, mask := a.x[0], a.y[0], a.y[1]
	key := random.Key(uint64(e.seed[0]), uint64(e.now), uint32(e.round), uint32(a.Draw))
	random.Dropout(a.Drop(), key, q.i*a.cols+q.j, a.cols, q.m, q.d, x.in(e, q), x.ld, y.in(e, q), y.ld, mask.in(e, q), mask.ld)
}
