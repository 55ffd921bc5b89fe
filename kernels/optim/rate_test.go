package optim

import (
	"math"
	"testing"
)

// TestFactor: the curves are what they are said to be, and begin and end exactly where they
// should.
func TestFactor(t *testing.T) {
	const warm, to = 10, 0.05
	near := func(c Curve, step, span int64, to, want float64) {
		t.Helper()
		if got := Factor(c, step, warm, span, to); !(math.Abs(got-want) <= 4e-16) {
			t.Errorf("curve %d of %d steps to %v: %v after %d steps, want %v", c, span, to, got, step, want)
		}
	}
	for c := Flat; c <= Linear; c++ {
		for step := range int64(warm) {
			near(c, step, 100, to, float64(step+1)/11)
		}
	}
	for _, span := range []int64{1, 2, 3, 10, 999, 1000} {
		for k := range span + 3 {
			x := min(1, float64(k)/float64(span))
			near(Flat, warm+k, span, to, 1)
			near(Cosine, warm+k, span, to, to+(1-to)*(1+math.Cos(math.Pi*x))/2)
			near(Cosine, warm+k, span, 0, (1+math.Cos(math.Pi*x))/2)
			near(Linear, warm+k, span, to, 1+(to-1)*x)
		}
		for k := range 20 * span {
			near(Steps, warm+k, span, 0.7, math.Pow(0.7, float64(k/span)))
			near(Steps, warm+k, span, 0.5, math.Ldexp(1, -int(k/span)))
		}
		for _, c := range []Curve{Cosine, Linear} {
			if first, last := Factor(c, warm, warm, span, to), Factor(c, warm+span, warm, span, to); first != 1 || last != to {
				t.Errorf("curve %d of %d steps goes from %v to %v, not from 1 to %v", c, span, first, last, to)
			}
			for k := range span {
				if a, b := Factor(c, k, 0, span, to), Factor(c, k+1, 0, span, to); !(a > b) {
					t.Errorf("curve %d of %d steps goes from %v to %v at step %d", c, span, a, b, k)
				}
			}
		}
	}
	for _, step := range []int64{1 << 31, 1 << 62} {
		for c, want := range map[Curve]float64{Flat: 1, Steps: 0, Cosine: to, Linear: to} {
			if got := Factor(c, step, warm, 100, to); got != want {
				t.Errorf("curve %d: %v after %d steps, want %v", c, got, step, want)
			}
		}
	}
}

// TestClipScale: what norms beyond the numbers give.
func TestClipScale(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		squares []float32
		bound   float64
		want    float32
	}{
		{[]float32{9, 16}, 2.5, float32(2.5 / (5 + 1e-6))},
		{[]float32{9, 16}, 5, float32(5 / (5 + 1e-6))},
		{[]float32{9, 16}, 5.1, 1},
		{[]float32{0, 0}, 1e-7, float32(1e-7 / 1e-6)},
		{nil, 1, 1},
		{[]float32{inf, 1}, 5, 0},
		{[]float32{3e38, 3e38}, 1, float32(1 / math.Sqrt(2*float64(float32(3e38))))},
	} {
		if got := ClipScale(c.squares, c.bound); got != c.want {
			t.Errorf("squares %v bounded by %v: %v, want %v", c.squares, c.bound, got, c.want)
		}
	}
	if got := ClipScale([]float32{1, float32(math.NaN())}, 5); got == got {
		t.Errorf("a norm that is no number gives %v", got)
	}
}
