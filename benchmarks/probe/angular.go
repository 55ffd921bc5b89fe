package probe

import "math"

func init() {
	Register(Instrument{Name: "angular-update", Title: "angle by which a step turns the weights",
		About:   "The angle between a unit's weights before a step and after it, in radians, the median over a layer's units. Behind a normalization that takes the scale out only the direction of the weights is learned.",
		Columns: []Column{{Key: "angular_update", Title: "angle of a step, rad", Layer: true, Log: true}},
		Measure: func(lab Lab) (Values, error) {
			now, err := lab.Now()
			if err != nil {
				return nil, err
			}
			next, err := lab.Held()
			if err != nil {
				return nil, err
			}
			var out []float64
			for i, l := range now.Layers {
				out = append(out, AngularUpdate(l.Weight, next.Layers[i].Weight))
			}
			return Values{"angular_update": out}, nil
		}})
}

// AngularUpdate is the median over units, the columns, of the angle between the weights v and
// w. It is exact for small angles too, where the arc cosine is not: 2·atan(‖v̂ − ŵ‖/‖v̂ + ŵ‖) of
// the unit vectors (Kahan).
func AngularUpdate(v, w Matrix) float64 {
	angles := make([]float64, v.Cols)
	for j := range angles {
		a, b := v.Column(j), w.Column(j)
		la, lb := length(a), length(b)
		var apart, along float64
		for i := range a {
			x, y := a[i]/la, b[i]/lb
			apart, along = apart+(x-y)*(x-y), along+(x+y)*(x+y)
		}
		angles[j] = 2 * math.Atan2(math.Sqrt(apart), math.Sqrt(along))
	}
	return quantile(angles, 0.5)
}
