package probe

import "math"

func init() {
	Register(Instrument{Name: "growth", Title: "exponent of the biases' growth",
		About:   "The slope of log |b| (rms) over log t, by least squares, over the last half of the evaluations so far. About 1: a force that stays. About ½: one that shrinks as the scale grows, or chance. 0: no growth. Of biases that are rounding, as behind batch norm, it says nothing. It needs 4 evaluations in that half.",
		Columns: []Column{{Key: "growth_exponent", Title: "growth exponent of |b|", Layer: true}},
		Measure: func(lab Lab) (Values, error) {
			past := lab.Past()
			out := make([]float64, lab.Arm().Layers)
			for i := range out {
				var t, b []float64
				for _, p := range past[len(past)/2:] {
					t, b = append(t, float64(p.Step)), append(b, p.BiasRMS[i])
				}
				out[i] = GrowthExponent(t, b)
			}
			return Values{"growth_exponent": out}, nil
		}})
}

// leastPoints is how many points a slope needs.
const leastPoints = 4

// GrowthExponent is the slope of log b over log t by least squares, without points at which
// one is not positive; NaN of fewer than 4 of them.
func GrowthExponent(t, b []float64) float64 {
	var x, y []float64
	for i := range t {
		if t[i] > 0 && b[i] > 0 {
			x, y = append(x, math.Log(t[i])), append(y, math.Log(b[i]))
		}
	}
	if len(x) < leastPoints {
		return math.NaN()
	}
	mx, my := mean(x), mean(y)
	var xy, xx float64
	for i := range x {
		xy += (x[i] - mx) * (y[i] - my)
		xx += (x[i] - mx) * (x[i] - mx)
	}
	return xy / xx
}
