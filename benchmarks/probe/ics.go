package probe

func init() {
	Register(Instrument{Name: "ics", Title: "internal covariate shift, by gradients", Paper: "Santurkar et al. 2018, definition 2.1",
		About:   "What the step of the layers before does to a layer's gradient, on the step's batch: G is the gradient by its weights before the step, G' that with the layers before as they are after it. ‖G − G'‖ and the cosine of their angle. 0 and 1: the layers before do not shift what the layer learns from; so it is in the first.",
		Columns: []Column{{Key: "ics_gradient", Title: "‖G − G'‖", Layer: true, Log: true}, {Key: "ics_cosine", Title: "cos(G, G')", Layer: true}},
		Measure: func(lab Lab) (Values, error) {
			now, err := lab.Now()
			if err != nil {
				return nil, err
			}
			out := Values{}
			for i, l := range now.Layers {
				after := l
				if i > 0 {
					v, err := lab.Mixed(i)
					if err != nil {
						return nil, err
					}
					after = v.Layers[i]
				}
				change, cosine := GradientShift(l.WeightGrad.Data, after.WeightGrad.Data)
				out["ics_gradient"], out["ics_cosine"] = append(out["ics_gradient"], change), append(out["ics_cosine"], cosine)
			}
			return out, nil
		}})
}

// GradientShift is ‖g − h‖ and the cosine of the angle between g and h.
func GradientShift(g, h []float64) (change, cosine float64) {
	return length(minus(g, h)), dot(g, h) / (length(g) * length(h))
}
