package probe

import "math"

func init() {
	Register(Instrument{Name: "whiteness", Title: "distance of a layer's normalized outputs from white",
		About:   "‖Cov[x̂] − I‖ / √d, Frobenius's norm, of the d outputs of a layer's normalization before gamma and beta, on the first 1,000 test rows with the statistics of evaluation. 0: uncorrelated, of variance 1. Layers of more than 512 units, and arms that do not normalize outputs, have none.",
		Columns: []Column{{Key: "whiteness", Title: "distance from white", Layer: true, Log: true}},
		Measure: func(lab Lab) (Values, error) {
			rows, err := lab.Rows(false)
			if err != nil || !lab.Arm().Norm {
				return nil, err
			}
			return Values{"whiteness": each(rows, func(l Layer) float64 { return Whiteness(secondMoment(l.Normalized, true)) })}, nil
		}})
}

// Whiteness is ‖cov − I‖/√d of a covariance [d,d], NaN of an empty one.
func Whiteness(cov Matrix) float64 {
	sum := 0.0
	for i, v := range cov.Data {
		if i%(cov.Cols+1) == 0 {
			v--
		}
		sum += v * v
	}
	return math.Sqrt(sum / float64(cov.Rows))
}
