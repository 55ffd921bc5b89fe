package probe

import "math"

func init() {
	Register(Instrument{Name: "effective-lr", Title: "learning rate of the weights' direction", Paper: "van Laarhoven 2017",
		About:   "lr/‖w‖², the median over a layer's units: what the learning rate of SGD is worth to a unit whose scale a normalization takes out. It falls as the weights grow. Of another optimizer there is none.",
		Columns: []Column{{Key: "effective_lr", Title: "lr / ‖w‖², median unit", Layer: true, Log: true}},
		Measure: func(lab Lab) (Values, error) {
			now, err := lab.Now()
			if err != nil || !lab.Arm().SGD {
				return nil, err
			}
			return Values{"effective_lr": each(now.Layers, func(l Layer) float64 { return EffectiveLR(lab.Arm().Rate(0), l.Weight) })}, nil
		}})
}

// EffectiveLR is the median over units, the columns of w, of lr/‖w_j‖².
func EffectiveLR(lr float64, w Matrix) float64 {
	rates := unitNorms(w)
	for j, n := range rates {
		rates[j] = lr / math.Pow(n, 2)
	}
	return quantile(rates, 0.5)
}
