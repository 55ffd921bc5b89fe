package probe

func init() {
	Register(Instrument{Name: "gradient-predictiveness", Title: "how far the gradient is from itself along the way", Paper: "Santurkar et al. 2018",
		About: "The least, the median and the largest ‖g' − g‖, g' being the gradient" + alongText + " Low: the gradient goes on to say what it said.",
		Columns: []Column{{Key: "gradient_predictiveness", Title: "change of the gradient", Band: true, Log: true},
			{Key: "gradient_predictiveness" + held, Title: "the same, statistics held", Band: true, Log: true}},
		Measure: func(lab Lab) (Values, error) {
			return walked(lab, "gradient_predictiveness", func(into Values, key string, stops []Stop) {
				lo, mid, hi := span(stops, func(s Stop) float64 { return s.Change })
				into.addBand(key, lo, mid, hi)
			})
		}})
}
