package probe

import "math"

func init() {
	Register(Instrument{Name: "ics-moments", Title: "internal covariate shift, by moments", Paper: "after Ioffe & Szegedy 2015",
		About:   "How far a step moves the distribution of a layer's activation inputs on the first 1,000 test rows: the change of each unit's mean, in its standard deviations, and of the logarithm of its standard deviation; both rms over units.",
		Columns: []Column{{Key: "ics_mean", Title: "shift of the mean, sd", Layer: true, Log: true}, {Key: "ics_sd", Title: "shift of log sd", Layer: true, Log: true}},
		Measure: func(lab Lab) (Values, error) {
			before, err := lab.Rows(false)
			if err != nil {
				return nil, err
			}
			after, err := lab.Rows(true)
			if err != nil {
				return nil, err
			}
			out := Values{}
			for i, l := range before {
				m, sd := MomentShift(l.Before, after[i].Before)
				out["ics_mean"], out["ics_sd"] = append(out["ics_mean"], m), append(out["ics_sd"], sd)
			}
			return out, nil
		}})
}

// MomentShift compares the columns of x and y: the change of the mean over the standard
// deviation, and of the logarithm of the latter, both rms over the columns. Columns in which one is
// constant are left out.
func MomentShift(x, y Matrix) (ofMean, ofSD float64) {
	n := 0.0
	for j := range x.Cols {
		m, s := moments(x.Column(j))
		m2, s2 := moments(y.Column(j))
		if s == 0 || s2 == 0 {
			continue
		}
		n++
		ofMean += (m2 - m) * (m2 - m) / (s * s)
		ofSD += math.Pow(math.Log(s2/s), 2)
	}
	return math.Sqrt(ofMean / n), math.Sqrt(ofSD / n)
}
