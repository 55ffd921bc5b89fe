package probe

func init() {
	Register(Instrument{Name: "train-eval-gap", Title: "accuracy by a batch's statistics and by running ones",
		About:   "Accuracy on the first 1,000 test rows, in batches of the training's size (a last one that is not full is left out): with each batch's statistics, as in training, less that with running statistics, as in evaluation. Above 0: running statistics lag behind the parameters.",
		Columns: []Column{{Key: "train_eval_gap", Title: "accuracy gap, batch − running"}},
		Measure: func(lab Lab) (Values, error) {
			batch, running, err := lab.Accuracy()
			return Values{"train_eval_gap": {batch - running}}, err
		}})
}
