package probe

import "math"

func init() {
	Register(Instrument{Name: "dead-units", Title: "units that give nothing",
		About:   "The share of a ReLU layer's units that give 0 for each of the first 1,000 test rows. A layer of another activation has none.",
		Columns: []Column{{Key: "dead_units", Title: "share of dead units", Layer: true}},
		Measure: func(lab Lab) (Values, error) {
			rows, err := lab.Rows(false)
			if err != nil {
				return nil, err
			}
			return Values{"dead_units": each(rows, func(l Layer) float64 {
				if l.Activation != "relu" {
					return math.NaN()
				}
				return Dead(l.Before)
			})}, nil
		}})
}

// Dead is the share of columns that are nowhere above 0.
func Dead(before Matrix) float64 {
	n := 0
	for j := range before.Cols {
		if !(quantile(before.Column(j), 1) > 0) {
			n++
		}
	}
	return float64(n) / float64(before.Cols)
}
