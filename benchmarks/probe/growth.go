package probe

import "driftless/internal/report"

func init() {
	Register(Instrument{Name: "growth", Title: "exponent of the biases' growth",
		About:   "The slope of log |b| (rms) over log t, by least squares, over the last half of the evaluations so far. About 1: a force that stays. About ½: one that shrinks as the scale grows, or chance. 0: no growth. Of biases that are rounding, as behind batch norm, it says nothing. It needs 3 evaluations in that half.",
		Columns: []Column{{Key: "growth_exponent", Title: "growth exponent of |b|", Layer: true}},
		Measure: func(lab Lab) (Values, error) {
			past := lab.Past()
			out := make([]float64, lab.Arm().Layers)
			for i := range out {
				var t, b []float64
				for _, p := range past[len(past)/2:] {
					t, b = append(t, float64(p.Step)), append(b, p.BiasRMS[i])
				}
				out[i] = report.GrowthExponent(t, b)
			}
			return Values{"growth_exponent": out}, nil
		}})
}
