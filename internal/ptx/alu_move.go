package ptx

// select16 and the like are selp: a where the predicate holds, else b.

func selectWords(r *regs, d, a, b, c int32) {
	x, y, z, p := &r.w[d], &r.w[a], &r.w[b], r.p[c]
	for i := range x {
		v := z[i]
		if p>>(i&31)&1 != 0 {
			v = y[i]
		}
		x[i] = v
	}
}

func selectLongs(r *regs, d, a, b, c int32) {
	x, y, z, p := &r.l[d], &r.l[a], &r.l[b], r.p[c]
	for i := range x {
		v := z[i]
		if p>>(i&31)&1 != 0 {
			v = y[i]
		}
		x[i] = v
	}
}

func moveWords(r *regs, d, a, _, _ int32) { r.w[d] = r.w[a] }
func moveLongs(r *regs, d, a, _, _ int32) { r.l[d] = r.l[a] }

// packWords is mov.b64 d, {a, b}, packHalves mov.b32 d, {a, b} of 16-bit
// registers.

func packWords(r *regs, d, a, b, _ int32) {
	x, y, z := &r.l[d], &r.w[a], &r.w[b]
	for i := range x {
		x[i] = uint64(y[i]) | uint64(z[i])<<32
	}
}

func packHalves(r *regs, d, a, b, _ int32) {
	x, y, z := &r.w[d], &r.w[a], &r.w[b]
	for i := range x {
		x[i] = y[i] | z[i]<<16
	}
}

// The generic address space has a window for shared and one for local memory;
// everything else is global.
const (
	sharedWindow = 1 << 60
	localWindow  = 2 << 60
	windowMask   = 3 << 60
)

// shift returns mov with an offset: cvta between a state space and the generic
// one.
func shift(by uint64) opFn {
	return func(r *regs, d, a, _, _ int32) {
		x, y := &r.l[d], &r.l[a]
		for i := range x {
			x[i] = y[i] + by
		}
	}
}

func registerMoves() {
	for _, t := range []string{"b16", "u16", "s16"} {
		register("mov."+t, "hh", moveWords)
		register("selp."+t, "hhhp", selectWords)
	}
	for _, t := range []string{"b32", "u32", "s32"} {
		register("mov."+t, "ww", moveWords)
		register("selp."+t, "wwwp", selectWords)
	}
	register("mov.f32", "ff", moveWords)
	register("selp.f32", "fffp", selectWords)
	for _, t := range []string{"b64", "u64", "s64"} {
		register("mov."+t, "ll", moveLongs)
		register("selp."+t, "lllp", selectLongs)
	}
	register("mov.f64", "dd", moveLongs)
	register("selp.f64", "dddp", selectLongs)
	for _, t := range []string{"u64", "s64"} {
		register("cvta.global."+t, "ll", moveLongs)
		register("cvta.to.global."+t, "ll", moveLongs)
		register("cvta.const."+t, "ll", moveLongs)
		register("cvta.to.const."+t, "ll", moveLongs)
	}
	register("cvta.shared.u64", "ll", shift(sharedWindow))
	register("cvta.to.shared.u64", "ll", shift(1<<64-sharedWindow))
	register("cvta.local.u64", "ll", shift(localWindow))
	register("cvta.to.local.u64", "ll", shift(1<<64-localWindow))
}
