package probe

import "math"

func init() {
	Register(Instrument{Name: "drift", Title: "drift against its exact accounting",
		About: "Over the next 10 steps of SGD: how far b − b₀ is from −lr·Σ F, and ‖w‖² from ‖w₀‖² − 2lr·Σ M + lr²·Σ‖dw‖², where F is the sum over the batch of the loss's gradient by what the linear map gives, x, and M that of its product with x − b; behind a naive normalization these are G/s and Γ + G·w·ū/s. " +
			"Both relative to the sizes of all terms, the worst unit. Rounding is some 1e-16; more is a force that is not accounted for. There is none where a step is other than lr times the loss's gradient.",
		Columns: []Column{{Key: "drift_bias_error", Title: "bias: discrepancy", Layer: true, Log: true},
			{Key: "drift_weight_error", Title: "‖w‖²: discrepancy", Layer: true, Log: true}},
		Measure: func(lab Lab) (Values, error) {
			if !lab.Arm().Plain {
				return nil, nil
			}
			views, err := lab.Advance()
			if err != nil {
				return nil, err
			}
			out := Values{}
			for i := range lab.Arm().Layers {
				steps := make([]Layer, len(views))
				for k, v := range views {
					steps[k] = v.Layers[i]
				}
				bias, weight := DriftErrors(lab.Arm().Rate, steps)
				out["drift_bias_error"] = append(out["drift_bias_error"], bias)
				out["drift_weight_error"] = append(out["drift_weight_error"], weight)
			}
			return out, nil
		}})
}

// DriftErrors compares, for steps of which rate gives the learning rates, what a layer's bias and the squared lengths of its units' weights have
// become, in the last of steps, with what the forces of the steps before add up to. Each is the
// largest over units, relative to the sum of the absolute values of all that is added, which
// is 0 if nothing is.
func DriftErrors(rate func(step int) float64, steps []Layer) (bias, weight float64) {
	first, last := steps[0], steps[len(steps)-1]
	for j := range first.Bias {
		b, size := first.Bias[j], math.Abs(first.Bias[j])
		w := first.Weight.Column(j)
		square := dot(w, w)
		squareSize := square
		for k, l := range steps[:len(steps)-1] {
			lr := rate(k)
			var force, scale float64
			for i := range l.Linear.Rows {
				g := l.LinearGrad.At(i, j)
				m := g * (l.Linear.At(i, j) - l.Bias[j])
				force, size = force+g, size+lr*math.Abs(g)
				scale, squareSize = scale+m, squareSize+2*lr*math.Abs(m)
			}
			dw := l.WeightGrad.Column(j)
			b -= lr * force
			square += lr*lr*dot(dw, dw) - 2*lr*scale
			squareSize += lr * lr * dot(dw, dw)
		}
		w = last.Weight.Column(j)
		bias = max(bias, discrepancy(b, last.Bias[j], size))
		weight = max(weight, discrepancy(square, dot(w, w), squareSize))
	}
	return bias, weight
}

func discrepancy(forecast, found, size float64) float64 {
	if size == 0 {
		return 0
	}
	return math.Abs(forecast-found) / size
}
