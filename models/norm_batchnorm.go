package models

// batchNorm is batch normalization (Ioffe & Szegedy 2015): standardization
// differentiated in the graph, followed by a trained scale gamma and shift beta.
type batchNorm struct{ standardize }

func (batchNorm) Forms() []Norm { return []Norm{BatchNorm} }
