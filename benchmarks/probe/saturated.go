package probe

import "math"

// saturation is the absolute input above which an activation hardly has a slope: the sigmoid's
// is below 0.018, tanh's below 0.071.
var saturation = map[string]float64{"sigmoid": 4, "tanh": 2}

func init() {
	Register(Instrument{Name: "saturated-units", Title: "activations with hardly a slope",
		About:   "The share of a layer's activation inputs, over units and the first 1,000 test rows, beyond ±4 (sigmoid) or ±2 (tanh), where the slope is below 0.018 or 0.071. A ReLU layer has none.",
		Columns: []Column{{Key: "saturated_units", Title: "share saturated", Layer: true}},
		Measure: func(lab Lab) (Values, error) {
			rows, err := lab.Rows(false)
			if err != nil {
				return nil, err
			}
			return Values{"saturated_units": each(rows, func(l Layer) float64 {
				limit, ok := saturation[l.Activation]
				if !ok {
					return math.NaN()
				}
				return Saturated(l.Before, limit)
			})}, nil
		}})
}

// Saturated is the share of elements whose absolute value is above a limit.
func Saturated(before Matrix, limit float64) float64 {
	n := 0
	for _, y := range before.Data {
		if math.Abs(y) > limit {
			n++
		}
	}
	return float64(n) / float64(len(before.Data))
}
