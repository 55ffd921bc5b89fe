package ptx

import (
	"math"
	"strings"
)

// A numType is a type of cvt.
type numType struct {
	bits   uint
	signed bool
	float  bool
}

var numTypes = map[string]numType{
	"u8": {8, false, false}, "u16": {16, false, false}, "u32": {32, false, false}, "u64": {64, false, false},
	"s8": {8, true, false}, "s16": {16, true, false}, "s32": {32, true, false}, "s64": {64, true, false},
	"f32": {32, true, true}, "f64": {64, true, true},
}

// load reads an integer from the low bits of a register.
func (t numType) load(v uint64) uint64 {
	shift := 64 - t.bits
	if t.signed {
		return uint64(int64(v<<shift) >> shift)
	}
	return v << shift >> shift
}

// float reads a floating-point number.
func (t numType) load64(v uint64) float64 {
	if t.bits == 32 {
		return float64(f32(uint32(v)))
	}
	return f64(v)
}

var roundings = map[string]func(float64) float64{
	"rni": math.RoundToEven, "rzi": math.Trunc, "rmi": math.Floor, "rpi": math.Ceil,
}

// floatToInt converts a number without fraction; what is out of range becomes
// the nearest that is in range.
func floatToInt(y float64, from, to numType) uint64 {
	if y != y {
		if from.bits == 64 || to.bits == 64 {
			return 1 << (to.bits - 1)
		}
		return 0
	}
	if to.signed {
		limit := math.Ldexp(1, int(to.bits)-1)
		switch {
		case y >= limit:
			return 1<<(to.bits-1) - 1
		case y < -limit:
			return -(uint64(1) << (to.bits - 1))
		}
		return uint64(int64(y))
	}
	switch {
	case y >= math.Ldexp(1, int(to.bits)):
		return ^uint64(0) >> (64 - to.bits)
	case y <= 0:
		return 0
	}
	return uint64(y)
}

// toF32 rounds to float32 in the direction that mode names.
func toF32(x float64, mode string) float32 {
	r := float32(x)
	inf := float32(math.Inf(1))
	switch y := float64(r); {
	case mode == "rz" && math.Abs(y) > math.Abs(x):
		return math.Nextafter32(r, 0)
	case mode == "rm" && y > x:
		return math.Nextafter32(r, -inf)
	case mode == "rp" && y < x:
		return math.Nextafter32(r, inf)
	}
	return r
}

// saturateInt clamps an integer to the range of to.
func saturateInt(v uint64, from, to numType) uint64 {
	if from.signed && int64(v) < 0 {
		if !to.signed {
			return 0
		}
		return uint64(max(int64(v), -1<<(to.bits-1)))
	}
	limit := ^uint64(0) >> (64 - to.bits)
	if to.signed {
		limit >>= 1
	}
	return min(v, limit)
}

// conversion returns the conversion of one lane that the instruction name asks
// for, or nil. The result is extended to 64 bits.
func conversion(name string) (f func(uint64) uint64, from, to numType) {
	parts := strings.Split(strings.TrimPrefix(name, "cvt."), ".")
	if len(parts) < 2 || !strings.HasPrefix(name, "cvt.") {
		return nil, from, to
	}
	to, ok1 := numTypes[parts[len(parts)-2]]
	from, ok2 := numTypes[parts[len(parts)-1]]
	mods := parts[:len(parts)-2]
	sat := len(mods) > 0 && mods[len(mods)-1] == "sat"
	if sat {
		mods = mods[:len(mods)-1]
	}
	mode := strings.Join(mods, ".")
	if !ok1 || !ok2 {
		return nil, from, to
	}
	round := roundings[mode]
	switch {
	case !from.float && !to.float && mode == "" && sat:
		f = func(v uint64) uint64 { return saturateInt(from.load(v), from, to) }
	case !from.float && !to.float && mode == "":
		f = func(v uint64) uint64 { return to.load(from.load(v)) }
	case !from.float && to == numTypes["f32"] && mode == "rn" && from.signed:
		f = func(v uint64) uint64 { return uint64(math.Float32bits(float32(int64(from.load(v))))) }
	case !from.float && to == numTypes["f32"] && mode == "rn":
		f = func(v uint64) uint64 { return uint64(math.Float32bits(float32(from.load(v)))) }
	case !from.float && to.float && mode == "rn" && from.signed:
		f = func(v uint64) uint64 { return math.Float64bits(float64(int64(from.load(v)))) }
	case !from.float && to.float && mode == "rn":
		f = func(v uint64) uint64 { return math.Float64bits(float64(from.load(v))) }
	case from.float && !to.float && round != nil: // .sat changes nothing: it is implied
		f = func(v uint64) uint64 { return floatToInt(round(from.load64(v)), from, to) }
	case from.float && to.float && from.bits < to.bits && mode == "":
		f = func(v uint64) uint64 { return bits64(from.load64(v)) }
	case from.float && to.float && from.bits > to.bits && (mode == "rn" || mode == "rz" || mode == "rm" || mode == "rp"):
		f = func(v uint64) uint64 { return uint64(bits32(toF32(from.load64(v), mode))) }
	case from.float && from == to && (round != nil || mode == ""):
		f = func(v uint64) uint64 {
			x := from.load64(v)
			if round != nil {
				x = round(x)
			}
			if from.bits == 32 {
				return uint64(bits32(float32(x)))
			}
			return bits64(x)
		}
	}
	if f == nil || !to.float || !sat {
		return f, from, to
	}
	unclamped := f // cvt.sat to a float: to [0, 1], NaN to 0
	return func(v uint64) uint64 {
		w := unclamped(v)
		switch x := to.load64(w); {
		case !(x > 0):
			return 0
		case x > 1 && to.bits == 32:
			return uint64(math.Float32bits(1))
		case x > 1:
			return math.Float64bits(1)
		}
		return w
	}, from, to
}

// convert makes a loop over lanes for registers of the given classes.
func convert(f func(uint64) uint64, from, to byte) opFn {
	mask := uint32(0xffffffff)
	if to == 'h' {
		mask = 0xffff
	}
	switch {
	case from == 'l' && to == 'l':
		return l1(each1(f))
	case from == 'l':
		return func(r *regs, d, a, _, _ int32) {
			for i := range lanes {
				r.w[d][i] = uint32(f(r.l[a][i])) & mask
			}
		}
	case to == 'l':
		return func(r *regs, d, a, _, _ int32) {
			for i := range lanes {
				r.l[d][i] = f(uint64(r.w[a][i]))
			}
		}
	}
	return w1(each1(func(a uint32) uint32 { return uint32(f(uint64(a))) & mask }))
}

// registerConversions registers the conversions that are common in address
// arithmetic; statement.convert makes all others.
func registerConversions() {
	register("cvt.u64.u32", "lw", func(r *regs, d, a, _, _ int32) {
		x, y := &r.l[d], &r.w[a]
		for i := range x {
			x[i] = uint64(y[i])
		}
	})
	register("cvt.s64.s32", "lw", func(r *regs, d, a, _, _ int32) {
		x, y := &r.l[d], &r.w[a]
		for i := range x {
			x[i] = uint64(int64(int32(y[i])))
		}
	})
	register("cvt.u32.u64", "wl", func(r *regs, d, a, _, _ int32) {
		x, y := &r.w[d], &r.l[a]
		for i := range x {
			x[i] = uint32(y[i])
		}
	})
	register("cvt.rn.f32.s32", "fw", w1(func(d, a *words) {
		for i := range d {
			d[i] = math.Float32bits(float32(int32(a[i])))
		}
	}))
	register("cvt.rn.f32.u32", "fw", w1(func(d, a *words) {
		for i := range d {
			d[i] = math.Float32bits(float32(a[i]))
		}
	}))
}
