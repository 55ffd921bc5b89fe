package probe

import "math"

func init() {
	Register(Instrument{Name: "staleness", Title: "how stale statistics are before they are found anew", Paper: "after Desjardins et al. 2015",
		About:   "Where a method whitens by statistics that it finds anew every so many steps: the largest eigenvalue of the covariance of what it whitens, on the rows that the statistics are of, just before it does so again, or 100 steps on if that is sooner. At most 1 with fresh statistics. The last layer is the output layer.",
		Columns: []Column{{Key: "staleness", Title: "largest eigenvalue, stale", Layer: true, Log: true}},
		Measure: func(lab Lab) (Values, error) {
			whitened, err := lab.Stale()
			if err != nil {
				return nil, err
			}
			out := make([]float64, len(whitened))
			for i, x := range whitened {
				out[i] = Largest(spectrum(secondMoment(x, true)))
			}
			return Values{"staleness": out}, nil
		}})
}

// Largest is the last of ascending eigenvalues, NaN of none.
func Largest(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	return values[len(values)-1]
}
