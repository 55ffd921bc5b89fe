package probe

func init() {
	Register(Instrument{Name: "loss-variation", Title: "variation of the loss along the gradient", Paper: "Santurkar et al. 2018",
		About: "The least, the median and the largest loss of the batch" + alongText + " A wide band: steps of this size do not do what the gradient says.",
		Columns: []Column{{Key: "loss_variation", Title: "loss along the gradient", Band: true, Log: true},
			{Key: "loss_variation" + held, Title: "the same, statistics held", Band: true, Log: true}},
		Measure: func(lab Lab) (Values, error) {
			return walked(lab, "loss_variation", func(into Values, key string, stops []Stop) {
				lo, mid, hi := span(stops, func(s Stop) float64 { return s.Loss })
				into.addBand(key, lo, mid, hi)
			})
		}})
}
