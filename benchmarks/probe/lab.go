package probe

// Lab shows one moment of a training, before its next step. What it shows it makes once; it
// is of the training's data and order, so that the step is the very one that comes next. Its
// slices are not to be changed.
type Lab interface {
	Arm() Arm
	Past() []Past // the evaluations so far, this one last

	// Now is the network before the step, on the step's batch, with the statistics that the
	// step uses.
	Now() (*View, error)

	// Held is the network after the step on the same batch with the statistics that the
	// step used, Landed with those refreshed, and what a refresh moves into the parameters.
	// For a method whose gradient goes through its statistics they are the same: those of
	// the batch in both.
	Held() (*View, error)
	Landed() (*View, error)

	// Walk is the way from Now along its gradient, on the same batch; with statistics
	// refreshed at every stop as Landed is, or with those that the step uses. What a refresh
	// moves into parameters is left out.
	Walk(refreshed bool) ([]Stop, error)

	// Mixed is the network, on the same batch, with the parameters of the layers before one
	// as they are after the step, the others as before; refreshed as Walk is.
	Mixed(layer int) (*View, error)

	// Rows is what evaluation makes of the first rows of the test set, before the step and
	// after: Linear, Normalized, Before and Output of each layer.
	Rows(after bool) ([]Layer, error)

	// Advance is the training's next steps: of each the network before it, as Now, and last
	// the network after them all, of which only parameters are given.
	Advance() ([]*View, error)

	// Stale is what the method whitens of each linear layer, the output layer last, on the
	// rows that its statistics are of, when they are at their oldest: just before they are
	// found anew. Matrices are empty for what is not whitened.
	Stale() ([]Matrix, error)

	// Accuracy is that of the first rows of the test set, in batches of the training's size
	// with the batches' statistics, and as evaluation has it.
	Accuracy() (batch, running float64, err error)
}

// landing shows a step before it, as the gradient saw it, and as it lands.
func landing(lab Lab) (now, held, landed *View, err error) {
	if now, err = lab.Now(); err != nil {
		return nil, nil, nil, err
	}
	if held, err = lab.Held(); err != nil {
		return nil, nil, nil, err
	}
	landed, err = lab.Landed()
	return now, held, landed, err
}

// Arm is what instruments know of what is trained.
type Arm struct {
	Rate   func(ahead int) float64 // learning rate of the step that comes next, or so many later
	Layers int                     // hidden ones
	Naive  bool                    // the gradient takes statistics for constants, and nothing makes up for that
	Norm   bool                    // a layer's output is normalized

	SGD bool // the optimizer is plain SGD
	// Plain says that a step subtracts the learning rate times the loss's gradients from the parameters,
	// and nothing else moves them.
	Plain bool
}

// Past is an evaluation.
type Past struct {
	Step    int
	BiasRMS []float64 // of each hidden layer
}

// Matrix is a matrix, row by row.
type Matrix struct {
	Rows, Cols int
	Data       []float64
}

// At returns an element.
func (m Matrix) At(i, j int) float64 { return m.Data[i*m.Cols+j] }

// Column returns a copy of a column.
func (m Matrix) Column(j int) []float64 {
	out := make([]float64, m.Rows)
	for i := range out {
		out[i] = m.At(i, j)
	}
	return out
}

// View is a network in one state on one batch.
type View struct {
	Loss   float64 // mean over the batch
	Params []Param // everything trained, in one order in all views of a Lab
	Layers []Layer // the hidden ones
}

// Param is a trained tensor and the loss's gradient by it.
type Param struct{ Value, Grad []float64 }

// Layer is a hidden layer. Rows of a batch are rows of the matrices, and units are columns.
type Layer struct {
	Activation string
	Weight     Matrix    // that the layer trains, [inputs, units]
	WeightGrad Matrix    // of the loss, as Weight
	Bias       []float64 // [units]

	Linear, LinearGrad         Matrix // what the linear map gives, and the loss's gradient
	Normalized, NormalizedGrad Matrix // what the normalization makes of it, before gamma and beta
	Before                     Matrix // the activation's input
	Output                     Matrix // what the layer gives
}
