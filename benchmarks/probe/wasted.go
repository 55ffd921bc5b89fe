package probe

func init() {
	Register(Instrument{Name: "wasted-gradient", Title: "share of the gradient that a batch's own statistics cancel", Paper: "after Santurkar et al. 2018, theorem 4.1",
		About: "(‖P₁ g‖² + ‖P_x̂ g‖²) / ‖g‖², where g is the loss's gradient by the output x̂ of a layer's normalization, and P projects each unit's onto the batch directions 1 and x̂ − mean. " +
			"A gradient through mean and scale has these parts taken out; a naive one takes steps along them. An arm that does not normalize a layer's output has none.",
		Columns: []Column{{Key: "wasted_gradient", Title: "wasted share of the gradient", Layer: true}},
		Measure: func(lab Lab) (Values, error) {
			now, err := lab.Now()
			if err != nil || !lab.Arm().Norm {
				return nil, err
			}
			return Values{"wasted_gradient": each(now.Layers, func(l Layer) float64 { return WastedGradient(l.NormalizedGrad, l.Normalized) })}, nil
		}})
}

// WastedGradient is the share of the squares of g, the gradient by x, in the span of 1 and of
// x, unit by unit: of each column of g and x.
func WastedGradient(g, x Matrix) float64 {
	var wasted, all float64
	for j := range g.Cols {
		gj, xj := g.Column(j), x.Column(j)
		all += dot(gj, gj)
		sum := mean(gj) * float64(g.Rows)
		wasted += sum * sum / float64(g.Rows)
		m := mean(xj)
		for i := range xj {
			xj[i] -= m
		}
		if xx := dot(xj, xj); xx > 0 {
			along := dot(gj, xj)
			wasted += along * along / xx
		}
	}
	return wasted / all
}
