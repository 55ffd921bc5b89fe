package scalar

import (
	"math"
	"unsafe"

	"driftless/kernels"
)

// Sigmoid sets y[i] to the logistic function 1/(1+e**-x[i]); y may be x. With
// e = Exp(-|x|), which cannot overflow, it is 1/(1+e) where the sign bit of x is
// clear and e/(1+e) where it is set, so that neither tail loses its digits.
func Sigmoid[T kernels.Float](x, y []T) {
	y = y[:len(x)]
	var z T
	if unsafe.Sizeof(z) != 4 {
		for i, v := range x {
			y[i] = T(sigmoid64(float64(v)))
		}
		return
	}
	x32 := unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
	y32 := unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(y))), len(y))
	for len(x32) > 0 {
		if n := sigmoidFast(x32, y32); n > 0 {
			x32, y32 = x32[n:], y32[n:]
			continue
		}
		n := len(x32)
		if kernels.CurrentISA() != kernels.Go {
			n = min(8, n) // what vectors left out
		}
		sigmoid32(x32[:n], y32[:n])
		x32, y32 = x32[n:], y32[n:]
	}
}

// sigmoid32 is Sigmoid in float32, with exp32 written out, since a call an
// element would cost a quarter of the time.
func sigmoid32(x, y []float32) {
	y = y[:len(x)]
	for i, v := range x {
		b := math.Float32bits(v)
		a := math.Float32frombits(b | 1<<31)
		var e float32
		if a >= least32 {
			t := round32(a)
			e = shift32(poly32(reduce32(a, t)), t)
		} else { // the tail, or NaN
			e = exp32(a)
		}
		n := math.Float32bits(e)
		if b>>31 == 0 {
			n = 0x3f800000 // 1
		}
		y[i] = math.Float32frombits(n) / (1 + e)
	}
}

func sigmoid64(x float64) float64 {
	e := exp64(-math.Abs(x))
	if math.Signbit(x) {
		return e / (1 + e)
	}
	return 1 / (1 + e)
}
