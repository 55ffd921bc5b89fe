package probe

// unit is the unit of each layer whose input is followed, or the last of a narrower layer, as
// the evaluations do with the last layer.
const unit = 7

func init() {
	Register(Instrument{Name: "percentiles", Title: "input of one unit's activation", Paper: "Ioffe & Szegedy 2015, figure 1",
		About: "The 15th, 50th and 85th percentile of the input of unit 7 (counted from 0) of each layer: over the first 1,000 test rows with the statistics of evaluation, and over the batch of the next step as training sees it. Bands that move apart between the two are statistics of evaluation that lag.",
		Columns: []Column{{Key: "activation", Title: "test rows, 15/50/85 %", Layer: true, Band: true},
			{Key: "activation_batch", Title: "training batch, 15/50/85 %", Layer: true, Band: true}},
		Measure: func(lab Lab) (Values, error) {
			rows, err := lab.Rows(false)
			if err != nil {
				return nil, err
			}
			now, err := lab.Now()
			if err != nil {
				return nil, err
			}
			out := Values{}
			bands(out, "activation", rows, percentiles)
			bands(out, "activation_batch", now.Layers, percentiles)
			return out, nil
		}})
}

func percentiles(l Layer) (lo, mid, hi float64) {
	x := l.Before.Column(min(unit, l.Before.Cols-1))
	return quantile(x, 0.15), quantile(x, 0.5), quantile(x, 0.85)
}
