package probe

func init() {
	Register(Instrument{Name: "decrease", Title: "realized decrease of the loss over the predicted one",
		About: "ρ = (L − L') / ⟨g, θ − θ'⟩: how much the loss of the step's batch falls with the step, its statistics refreshed, over what the gradient g promises; for SGD the latter is lr·‖g‖². " +
			"As the learning rate goes to 0 it goes to 1, unless the gradient is not that of the loss as it lands.",
		Columns: []Column{{Key: "decrease_ratio", Title: "realized / predicted decrease"}},
		Measure: func(lab Lab) (Values, error) {
			now, held, landed, err := landing(lab)
			if err != nil {
				return nil, err
			}
			return Values{"decrease_ratio": {DecreaseRatio(now, held.Params, landed.Loss)}}, nil
		}})
}

// DecreaseRatio is (L − L')/⟨g, θ − θ'⟩ for a step from now to the parameters next with the
// loss after.
func DecreaseRatio(now *View, next []Param, after float64) float64 {
	predicted := 0.0
	for i, p := range now.Params {
		predicted += dot(p.Grad, minus(p.Value, next[i].Value))
	}
	return (now.Loss - after) / predicted
}
