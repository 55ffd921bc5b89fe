package probe

func init() {
	Register(Instrument{Name: "undo-ratio", Title: "what a refresh of statistics undoes of a step", Paper: "after Ioffe & Szegedy 2015, section 2",
		About: "1 − ‖f(θ', statistics refreshed) − f(θ, statistics)‖ / ‖f(θ', statistics) − f(θ, statistics)‖, where f is the input of a layer's activation on the step's batch, and θ' the parameters after the step. " +
			"0: the step lands as the gradient saw it. 1: the refresh takes all of it out again. Below 0: the refresh adds to it.",
		Columns: []Column{{Key: "undo_ratio", Title: "undo ratio", Layer: true}},
		Measure: func(lab Lab) (Values, error) {
			now, held, landed, err := landing(lab)
			if err != nil {
				return nil, err
			}
			out := make([]float64, len(now.Layers))
			for i := range out {
				out[i] = UndoRatio(now.Layers[i].Before.Data, held.Layers[i].Before.Data, landed.Layers[i].Before.Data)
			}
			return Values{"undo_ratio": out}, nil
		}})
}

// UndoRatio is 1 − ‖landed − now‖/‖held − now‖: which share of a step, from now to held, is
// undone where it lands. It is NaN where the step changes nothing.
func UndoRatio(now, held, landed []float64) float64 {
	return 1 - length(minus(landed, now))/length(minus(held, now))
}
