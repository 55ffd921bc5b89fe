package probe

func init() {
	Register(Instrument{Name: "smoothness", Title: "effective β-smoothness of the loss", Paper: "Santurkar et al. 2018",
		About: "The largest ‖g' − g‖ over the distance ‖a·g‖ to the point, g' being the gradient" + alongText + " Low: a landscape that is smooth on the scale of a step. Others divide by a alone; this divides by the distance.",
		Columns: []Column{{Key: "smoothness", Title: "effective smoothness", Log: true},
			{Key: "smoothness" + held, Title: "the same, statistics held", Log: true}},
		Measure: func(lab Lab) (Values, error) {
			return walked(lab, "smoothness", func(into Values, key string, stops []Stop) {
				into[key] = []float64{Smoothness(stops)}
			})
		}})
}

// Smoothness is the largest change of the gradient over the distance moved.
func Smoothness(stops []Stop) float64 {
	_, _, largest := span(stops, func(s Stop) float64 { return s.Change / s.Distance })
	return largest
}
