package ops

import (
	"fmt"
	"hash"
	"math"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Ramp is a limit that opens with the number of steps done: closed up to From, at Max from
// To on, and linear between.
type Ramp struct {
	Max      float64
	From, To float64 // steps
}

// At returns how far the ramp is open after so many steps, from 0 to 1.
func (r Ramp) At(steps float64) float64 {
	switch {
	case steps >= r.To:
		return 1
	case steps <= r.From:
		return 0
	}
	return (steps - r.From) / (r.To - r.From)
}

func (r Ramp) check() error {
	if !(r.From >= 0 && r.From <= r.To) || math.IsInf(r.To, 0) {
		return fmt.Errorf("the ramp goes from step %v to %v; want 0 ≤ from ≤ to", r.From, r.To)
	}
	return nil
}

// RenormScaleOp is batch renormalization's r [d] (Ioffe, 2017): the ratio of a batch's
// standard deviation to the running one,
//
//	r = sqrt((variance + Eps)/(running + Eps)), held between 1/limit and limit
//
// where the limit goes from 1 to Ramp.Max. It is a constant for Grad.
type RenormScaleOp struct {
	pure
	Eps  float64
	Ramp Ramp
}

// RenormShiftOp is batch renormalization's d [d] (Ioffe, 2017): how far a batch's mean is
// from the running one, in running standard deviations,
//
//	d = (mean - running)/sqrt(variance + Eps), held between -limit and limit
//
// where variance is the running one and the limit goes from 0 to Ramp.Max. It is a constant
// for Grad.
type RenormShiftOp struct {
	pure
	Eps  float64
	Ramp Ramp
}

var _, _ G.SDOp = RenormScaleOp{}, RenormShiftOp{}

// RenormScale returns r [d] of a batch's variance [d] and the running one, after so many
// steps [1].
func RenormScale(variance, running, steps *G.Node, eps float64, ramp Ramp) (*G.Node, error) {
	return apply(RenormScaleOp{Eps: eps, Ramp: ramp}, variance, running, steps)
}

// RenormShift returns d [d] of a batch's mean [d], the running mean and variance, after so
// many steps [1].
func RenormShift(mean, running, variance, steps *G.Node, eps float64, ramp Ramp) (*G.Node, error) {
	return apply(RenormShiftOp{Eps: eps, Ramp: ramp}, mean, running, variance, steps)
}

// Arity is 3: variance, running, steps.
func (op RenormScaleOp) Arity() int { return 3 }

// Arity is 4: mean, running, variance, steps.
func (op RenormShiftOp) Arity() int { return 4 }

// Type is vector → vector → vector → vector.
func (op RenormScaleOp) Type() hm.Type {
	return hm.NewFnType(vectorType, vectorType, vectorType, vectorType)
}

// Type is vector → vector → vector → vector → vector.
func (op RenormShiftOp) Type() hm.Type {
	return hm.NewFnType(vectorType, vectorType, vectorType, vectorType, vectorType)
}

// InferShape returns [d].
func (op RenormScaleOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	if !(op.Ramp.Max >= 1) {
		return nil, fmt.Errorf("the limit is %v; want at least 1", op.Ramp.Max)
	}
	return vectorsAndSteps(op, ds, op.Eps, op.Ramp, "variance", "running")
}

// InferShape returns [d].
func (op RenormShiftOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	if !(op.Ramp.Max >= 0) {
		return nil, fmt.Errorf("the limit is %v; want at least 0", op.Ramp.Max)
	}
	return vectorsAndSteps(op, ds, op.Eps, op.Ramp, "mean", "running", "variance")
}

// vectorsAndSteps is the rule of vectors of one length and a count [1].
func vectorsAndSteps(op G.Op, ds []G.DimSizer, eps float64, ramp Ramp, roles ...string) (tensor.Shape, error) {
	if err := wantNonNegative("eps", eps); err != nil {
		return nil, err
	}
	if err := ramp.check(); err != nil {
		return nil, err
	}
	s, err := dims(op, ds)
	if err != nil {
		return nil, err
	}
	for i, role := range roles {
		if s[i].Dims() != 1 || s[i][0] != s[0][0] {
			return nil, fmt.Errorf("%s has shape %v; want a vector as long as %s, %v", role, s[i], roles[0], s[0])
		}
	}
	if n := len(roles); s[n].Dims() != 1 || s[n][0] != 1 {
		return nil, fmt.Errorf("steps has shape %v; want one number, (1)", s[n])
	}
	return s[0].Clone(), nil
}

// Do is the reference implementation.
func (op RenormScaleOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	limit := 1 + (op.Ramp.Max-1)*op.Ramp.At(in.data[2][0])
	r := make([]float64, len(in.data[0]))
	for j, v := range in.data[0] {
		own := v + op.Eps // 0/0 where it is 0, as in the kernel
		r[j] = held(own/math.Sqrt(own)/math.Sqrt(in.data[1][j]+op.Eps), 1/limit, limit)
	}
	return in.value(r), nil
}

// Do is the reference implementation.
func (op RenormShiftOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	limit := op.Ramp.Max * op.Ramp.At(in.data[3][0])
	d := make([]float64, len(in.data[0]))
	for j, mean := range in.data[0] {
		d[j] = held((mean-in.data[1][j])/math.Sqrt(in.data[2][j]+op.Eps), -limit, limit)
	}
	return in.value(d), nil
}

// held is v within bounds, NaN where it is NaN.
func held(v, lo, hi float64) float64 {
	switch {
	case v < lo:
		return lo
	case v > hi:
		return hi
	}
	return v
}

// DiffWRT says that the operation is a constant in all inputs.
func (op RenormScaleOp) DiffWRT(int) []bool { return []bool{false, false, false} }

// DiffWRT says that the operation is a constant in all inputs.
func (op RenormShiftOp) DiffWRT(int) []bool { return []bool{false, false, false, false} }

// SymDiff returns no gradient.
func (op RenormScaleOp) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) {
	return G.Nodes{nil, nil, nil}, nil
}

// SymDiff returns no gradient.
func (op RenormShiftOp) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) {
	return G.Nodes{nil, nil, nil, nil}, nil
}

// Hashcode returns the hash of the operation and its parameters.
func (op RenormScaleOp) Hashcode() uint32 { return hashcode(op) }

// Hashcode returns the hash of the operation and its parameters.
func (op RenormShiftOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op RenormScaleOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// WriteHash writes the operation and its parameters to h.
func (op RenormShiftOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with Eps and Ramp.
func (op RenormScaleOp) String() string {
	return fmt.Sprintf("RenormScale{eps=%v,max=%v,from=%v,to=%v}", op.Eps, op.Ramp.Max, op.Ramp.From, op.Ramp.To)
}

// String prints the operation with Eps and Ramp.
func (op RenormShiftOp) String() string {
	return fmt.Sprintf("RenormShift{eps=%v,max=%v,from=%v,to=%v}", op.Eps, op.Ramp.Max, op.Ramp.From, op.Ramp.To)
}
