package norm

import "driftless/kernels"

// RenormScale computes batch renormalization's r (Ioffe 2017) for vectors of length d,
//
//	r = ((variance + eps)·a)·b, held between 1/limit and limit, in T
//
// with a = 1/√(variance + eps) and b = 1/√(running + eps) as in InvStd. A NaN stays. out may
// be variance or running.
func RenormScale[T kernels.Float](d int, variance, running []T, eps float64, limit T, out []T) {
	kernels.CheckVector(d, len(variance), "norm: variance is shorter than d")
	kernels.CheckVector(d, len(running), "norm: running is shorter than d")
	kernels.CheckVector(d, len(out), "norm: out is shorter than d")
	for j0 := 0; j0 < d; j0 += block {
		var own, other [block]T
		w := min(block, d-j0)
		InvStd(w, variance[j0:], eps, own[:])
		InvStd(w, running[j0:], eps, other[:])
		dst, e := out[j0:][:w], T(eps)
		for j, v := range variance[j0:][:w] {
			dst[j] = held(T(T(v+e)*own[j])*other[j], 1/limit, limit)
		}
	}
}

// RenormShift computes batch renormalization's d for vectors of length d,
//
//	out = (mean − running)·b, held between −limit and limit, in T
//
// with b = 1/√(variance + eps) as in InvStd, variance being the running one. A NaN stays. out
// may be any of the others.
func RenormShift[T kernels.Float](d int, mean, running, variance []T, eps float64, limit T, out []T) {
	kernels.CheckVector(d, len(mean), "norm: mean is shorter than d")
	kernels.CheckVector(d, len(running), "norm: running is shorter than d")
	kernels.CheckVector(d, len(variance), "norm: variance is shorter than d")
	kernels.CheckVector(d, len(out), "norm: out is shorter than d")
	for j0 := 0; j0 < d; j0 += block {
		var inv [block]T
		w := min(block, d-j0)
		InvStd(w, variance[j0:], eps, inv[:])
		dst, mu := out[j0:][:w], running[j0:][:w]
		for j, v := range mean[j0:][:w] {
			dst[j] = held((v-mu[j])*inv[j], -limit, limit)
		}
	}
}

// held is v within bounds, NaN where it is NaN.
func held[T kernels.Float](v, lo, hi T) T {
	if v < lo {
		return lo
	}
	if v > hi {
		return hi
	}
	return v
}
