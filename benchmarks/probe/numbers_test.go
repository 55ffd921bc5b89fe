package probe

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"driftless/internal/report"
)

// matrix makes a matrix of rows.
func matrix(rows ...[]float64) Matrix {
	return Matrix{len(rows), len(rows[0]), slices.Concat(rows...)}
}

// near reports whether two numbers agree to about rounding; NaN agrees with NaN.
func near(a, b float64) bool {
	return math.Abs(a-b) <= 1e-12*max(1, math.Abs(b)) || math.IsNaN(a) && math.IsNaN(b)
}

// TestByHand: each instrument's arithmetic against a case worked out by hand.
func TestByHand(t *testing.T) {
	nan := math.NaN()
	pair := func(a, b float64) []float64 { return []float64{a, b} }
	// Units (3, 4) and (0, 1), turned by a right angle and by 45 degrees.
	w := matrix([]float64{3, 0}, []float64{4, 1})
	turned := matrix([]float64{-4, 1}, []float64{3, 1})
	// Angles too small for an arc cosine: cos 1e-9 is 1.
	tiny := matrix([]float64{1}, []float64{1e-9})
	// Two columns of variance 1 and 4 without correlation.
	white := matrix([]float64{1, 2}, []float64{1, -2}, []float64{-1, 2}, []float64{-1, -2})
	// The same, moved by (3, 4).
	moved := matrix([]float64{4, 6}, []float64{4, 2}, []float64{2, 6}, []float64{2, 2})
	stops := []Stop{{Loss: 3, Change: 2, Distance: 1}, {Loss: 1, Change: 3, Distance: 2}, {Loss: 2, Change: 1, Distance: 4}}
	b4 := []float64{0, 2, 4, 8, 16} // at t = 0, 1, 4, 16, 64
	for name, c := range map[string]struct{ got, want []float64 }{
		"quantile at 0.15·3 = 0.45 of the way from 1 to 2": {[]float64{quantile([]float64{4, 1, 3, 2}, 0.15)}, []float64{1.45}},
		"norms of units":                         {unitNorms(w), []float64{5, 1}},
		"effective lr: 0.5/25 and 0.5/1, median": {[]float64{EffectiveLR(0.5, w)}, []float64{0.26}},
		"angle: π/2 and π/4, median":             {[]float64{AngularUpdate(w, turned)}, []float64{3 * math.Pi / 8}},
		"a small angle":                          {[]float64{1e9 * AngularUpdate(matrix([]float64{1}, []float64{0}), tiny)}, []float64{1}},
		// A step from 0 to (3, 4), of length 5, that lands at (0, 4): 1 of 5 is undone. At 0 all is,
		// at the same nothing, at twice that less than nothing.
		"undo": {[]float64{UndoRatio(pair(0, 0), pair(3, 4), pair(0, 4)), UndoRatio(pair(1, 1), pair(4, 5), pair(1, 1)),
			UndoRatio(pair(0, 0), pair(3, 4), pair(3, 4)), UndoRatio(pair(0, 0), pair(3, 4), pair(6, 8))}, []float64{0.2, 1, 0, -1}},
		// θ 1 → 0.8 and 2 → 1.9 with gradients 3 and 1: 0.6 + 0.1 promised, 0.35 found.
		"decrease": {[]float64{DecreaseRatio(&View{Loss: 1, Params: []Param{{[]float64{1}, []float64{3}}, {[]float64{2}, []float64{1}}}},
			[]Param{{Value: []float64{0.8}}, {Value: []float64{1.9}}}, 0.65)}, []float64{0.5}},
		// x = (1, 0, -1) + 5, g = (3, 0, 0): ‖g‖² = 9, along 1: 3²/3 = 3, along x − 5: 3²/2 = 4.5.
		"wasted": {[]float64{WastedGradient(matrix([]float64{3}, []float64{0}, []float64{0}), matrix([]float64{6}, []float64{5}, []float64{4}))}, []float64{7.5 / 9}},
		// g along 1 is all wasted, g = (1, −2, 1) not at all; a constant x has no direction.
		"wasted, extremes": {[]float64{WastedGradient(matrix([]float64{2}, []float64{2}, []float64{2}), matrix([]float64{1}, []float64{0}, []float64{-1})),
			WastedGradient(matrix([]float64{1}, []float64{-2}, []float64{1}), matrix([]float64{1}, []float64{0}, []float64{-1})),
			WastedGradient(matrix([]float64{1}, []float64{-1}), matrix([]float64{7}, []float64{7}))}, []float64{1, 0, 0}},
		"growth ½ of √t, 1 of 3t, none of two points": {[]float64{report.GrowthExponent([]float64{0, 1, 4, 16, 64}, b4), report.GrowthExponent([]float64{1, 2, 3, 4}, []float64{3, 6, 9, 12}),
			report.GrowthExponent([]float64{0, 1, 2}, []float64{1, 1, 1})}, []float64{0.5, 1, nan}},
		"13 multipliers":  {[]float64{float64(len(Multipliers())), Multipliers()[0], Multipliers()[1], Multipliers()[12]}, []float64{13, 0.5, 0.8, 4.1}},
		"smoothness: 2/1": {[]float64{Smoothness(stops)}, []float64{2}},
		// Across: g (3, 4), h (4, 3): apart √2, cosine 24/25.
		"gradient shift": {pair(GradientShift(pair(3, 4), pair(4, 3))), []float64{math.Sqrt2, 0.96}},
		// Means move by 3 of sd 1 and 4 of sd 2: √((9 + 4)/2). Standard deviations do not.
		"moment shift":        {pair(MomentShift(white, moved)), []float64{math.Sqrt(6.5), 0}},
		"moment shift of sd":  {pair(MomentShift(matrix([]float64{1}, []float64{-1}), matrix([]float64{math.E}, []float64{-math.E}))), []float64{0, 1}},
		"covariance":          {secondMoment(moved, true).Data, []float64{1, 0, 0, 4}},
		"second moment":       {secondMoment(moved, false).Data, []float64{10, 12, 12, 20}},
		"spectrum":            {spectrum(secondMoment(moved, true)), []float64{1, 4}},
		"spread of 1, 4":      {pair(Spread([]float64{1, 4})), []float64{4, math.Exp(-0.2*math.Log(0.2) - 0.8*math.Log(0.8))}},
		"spread of equals":    {pair(Spread([]float64{2, 2, 2})), []float64{1, 3}},
		"spread, rank 1 of 2": {pair(Spread([]float64{0, 5})), []float64{1e12, 1}},
		"no spread":           {slices.Concat(pair(Spread(nil)), pair(Spread([]float64{0, 0}))), []float64{nan, nan, nan, nan}},
		// Covariance diag(1, 4): √((0 + 9)/2).
		"whiteness":         {[]float64{Whiteness(secondMoment(white, true)), Whiteness(Matrix{2, 2, []float64{1, 0, 0, 1}}), Whiteness(Matrix{})}, []float64{math.Sqrt(4.5), 0, nan}},
		"staleness":         {[]float64{Largest(spectrum(secondMoment(white, true))), Largest(nil)}, []float64{4, nan}},
		"dead: 1 of 3":      {[]float64{Dead(matrix([]float64{-1, 0, 1}, []float64{0, 2, -3}))}, []float64{1. / 3}},
		"saturated: 2 of 4": {[]float64{Saturated(matrix([]float64{4, -4.5}, []float64{7, 0}), 4)}, []float64{0.5}},
	} {
		if !slices.EqualFunc(c.got, c.want, near) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
}

// A layer of more units than its covariance is taken for has none, nor has one of NaNs.
func TestNoCovariance(t *testing.T) {
	wide := Matrix{2, widest + 1, make([]float64, 2*(widest+1))}
	if v := spectrum(secondMoment(wide, true)); len(v) != 0 {
		t.Errorf("a wide layer has %d eigenvalues", len(v))
	}
	if v := spectrum(secondMoment(matrix([]float64{1, math.NaN()}, []float64{2, 1}), true)); !math.IsNaN(Largest(v)) {
		t.Errorf("NaNs have the eigenvalues %v", v)
	}
}

// TestDriftByHand: one unit, two steps at lr 0.1 on a batch of two rows u = 1 and 2, w = 2 and
// b = 1 at first. Gradients by x: (1, −3), then (2, 2).
//
//	step 1: F = −2, dw = 1·1 − 3·2 = −5, b = 1.2, w = 2.5
//	step 2: F = 4, dw = 2·1 + 2·2 = 6, b = 0.8, w = 1.9
func TestDriftByHand(t *testing.T) {
	layer := func(w, b float64, g ...float64) Layer {
		l := Layer{Weight: matrix([]float64{w}), Bias: []float64{b}}
		if g != nil {
			l.Linear, l.LinearGrad = matrix([]float64{w + b}, []float64{2*w + b}), matrix(g[:1], g[1:])
			l.WeightGrad = matrix([]float64{g[0] + 2*g[1]})
		}
		return l
	}
	steps := []Layer{layer(2, 1, 1, -3), layer(2.5, 1.2, 2, 2), layer(1.9, 0.8)}
	if b, w := DriftErrors(func(int) float64 { return 0.1 }, steps); b > 1e-15 || w > 1e-15 {
		t.Errorf("exact steps are off by %v and %v", b, w)
	}
	// A bias that is 0.1 off, of |1| + 0.1·(1+3+2+2) = 1.8; weights whose square is 0.39 off, of
	// 4 + 0.2·(2+12) + 0.25 + 0.2·(5+10) + 0.36 = 10.41.
	steps[2] = layer(2, 0.9)
	if b, w := DriftErrors(func(int) float64 { return 0.1 }, steps); !near(b, 0.1/1.8) || !near(w, 0.39/10.41) {
		t.Errorf("off by %v and %v, want %v and %v", b, w, 0.1/1.8, 0.39/10.41)
	}
	if b, w := DriftErrors(func(int) float64 { return 0.1 }, []Layer{{Weight: matrix([]float64{0}), Bias: []float64{0}}, {Weight: matrix([]float64{0}), Bias: []float64{0}}}); b != 0 || w != 0 {
		t.Errorf("nothing that moves nothing is off by %v and %v", b, w)
	}
}

// The way along the gradient of θ²/2 from θ = 2 at lr 1: at a the loss is (2 − 2a)²/2, the
// gradient has changed by 2a, as far as θ has moved, so that the smoothness is 1.
func TestWalk(t *testing.T) {
	view := func(x float64) *View { return &View{Loss: x * x / 2, Params: []Param{{[]float64{x}, []float64{x}}}} }
	stops, err := Walk(view(2), 1, func(a float64) (*View, error) { return view(2 - 2*a), nil })
	if err != nil || len(stops) != 13 {
		t.Fatalf("%v, %v", stops, err)
	}
	for i, a := range Multipliers() {
		want := Stop{(2 - 2*a) * (2 - 2*a) / 2, 2 * a, 2 * a}
		if s := stops[i]; !near(s.Loss, want.Loss) || !near(s.Change, want.Change) || !near(s.Distance, want.Distance) {
			t.Errorf("at %v: %v, want %v", a, s, want)
		}
	}
	if s := Smoothness(stops); !near(s, 1) {
		t.Errorf("smoothness %v", s)
	}
	// The losses 2(a − 1)²: the least at a = 1.1, the seventh of 13 at 2.3, the largest at 4.1.
	lo, mid, hi := span(stops, func(s Stop) float64 { return s.Loss })
	for _, c := range [][2]float64{{lo, 2 * 0.1 * 0.1}, {mid, 2 * 1.3 * 1.3}, {hi, 2 * 3.1 * 3.1}} {
		if !near(c[0], c[1]) {
			t.Errorf("band %v %v %v", lo, mid, hi)
		}
	}
	if _, err := Walk(view(2), 1, func(float64) (*View, error) { return nil, ErrNotFinite }); !errors.Is(err, ErrNotFinite) {
		t.Errorf("an error on the way is %v", err)
	}
}

func TestParse(t *testing.T) {
	all, err := Parse([]string{All, "undo-ratio"})
	if err != nil || len(all) != len(Names()) {
		t.Errorf("all are %d of %d, %v", len(all), len(Names()), err)
	}
	two, err := Parse([]string{"undo-ratio", " decrease", "undo-ratio"})
	if err != nil || len(two) != 2 || two[0].Name != "decrease" {
		t.Errorf("%v, %v", two, err)
	}
	if _, err := Parse([]string{"undo-ration"}); err == nil || !strings.Contains(err.Error(), `unknown probe "undo-ration" (did you mean "undo-ratio"?): choose one of `) {
		t.Errorf("an unknown name: %v", err)
	}
	for _, n := range Names() {
		in, _ := Lookup(n)
		if in.Title == "" || !strings.HasSuffix(in.About, ".") {
			t.Errorf("%s says too little of itself", n)
		}
		for _, c := range in.Columns {
			if c.Title == "" || strings.ContainsAny(c.Key, "- ") {
				t.Errorf("%s: column %+v", n, c)
			}
		}
	}
}
