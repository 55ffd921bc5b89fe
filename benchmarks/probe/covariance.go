package probe

import "math"

func init() {
	Register(Instrument{Name: "covariance", Title: "how the outputs of a layer spread",
		About: "Of the eigenvalues λ of the covariance of what a layer gives, the next one's input, on the first 1,000 test rows: the largest over the smallest, which is at least taken for 1e-12 of it; and the effective rank, exp of the entropy of λ/Σλ, between 1 and the number of units. Both also with the mean left in, whose direction then dominates. Layers of more than 512 units have none.",
		Columns: []Column{{Key: "covariance_condition", Title: "condition of the covariance", Layer: true, Log: true},
			{Key: "effective_rank", Title: "effective rank", Layer: true},
			{Key: "covariance_condition_mean", Title: "condition, mean left in", Layer: true, Log: true},
			{Key: "effective_rank_mean", Title: "effective rank, mean left in", Layer: true}},
		Measure: func(lab Lab) (Values, error) {
			rows, err := lab.Rows(false)
			if err != nil {
				return nil, err
			}
			out := Values{}
			for _, l := range rows {
				for _, suffix := range []string{"", "_mean"} {
					condition, rank := Spread(spectrum(secondMoment(l.Output, suffix == "")))
					out["covariance_condition"+suffix] = append(out["covariance_condition"+suffix], condition)
					out["effective_rank"+suffix] = append(out["effective_rank"+suffix], rank)
				}
			}
			return out, nil
		}})
}

// Spread returns the condition of ascending eigenvalues, largest over smallest, the latter at
// least 1e-12 of the largest, and their effective rank (Roy & Vetterli 2007). Both are NaN of
// none, and of zeros.
func Spread(values []float64) (condition, rank float64) {
	if len(values) == 0 {
		return math.NaN(), math.NaN()
	}
	largest := values[len(values)-1]
	sum := 0.0
	for _, v := range values {
		sum += max(v, 0)
	}
	if !(largest > 0) {
		return math.NaN(), math.NaN()
	}
	entropy := 0.0
	for _, v := range values {
		if p := v / sum; p > 0 {
			entropy -= p * math.Log(p)
		}
	}
	return largest / max(values[0], 1e-12*largest), math.Exp(entropy)
}
