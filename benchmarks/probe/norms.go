package probe

import "math"

func init() {
	Register(Instrument{Name: "norms", Title: "size of biases and weights",
		About: "The root mean square of a layer's biases; the lengths ‖w‖ of its units' weights, with the 5th, 50th and 95th percentile over units; and the root of the sum of the squares of all its weights.",
		Columns: []Column{{Key: "bias_norm", Title: "bias, rms", Layer: true, Log: true},
			{Key: "weight_norm", Title: "‖w‖ of units, 5/50/95 %", Layer: true, Band: true, Log: true},
			{Key: "weight_frobenius", Title: "‖W‖ of the layer", Layer: true, Log: true}},
		Measure: func(lab Lab) (Values, error) {
			now, err := lab.Now()
			if err != nil {
				return nil, err
			}
			out := Values{"bias_norm": each(now.Layers, func(l Layer) float64 { return length(l.Bias) / math.Sqrt(float64(len(l.Bias))) }),
				"weight_frobenius": each(now.Layers, func(l Layer) float64 { return length(l.Weight.Data) })}
			bands(out, "weight_norm", now.Layers, func(l Layer) (lo, mid, hi float64) {
				norms := unitNorms(l.Weight)
				return quantile(norms, 0.05), quantile(norms, 0.5), quantile(norms, 0.95)
			})
			return out, nil
		}})
}
