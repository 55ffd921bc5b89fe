package ops

import (
	"fmt"
	"math"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// The helpers of this file state shape rules. Their errors begin with the role
// of the argument at fault; the caller adds the operation and its arguments.

// dims converts the arguments of InferShape and checks their number.
func dims(op G.Op, ds []G.DimSizer) ([]tensor.Shape, error) {
	if len(ds) != op.Arity() {
		return nil, fmt.Errorf("got %d arguments; want %d", len(ds), op.Arity())
	}
	return G.DimSizersToShapes(ds)
}

// sameMatrices is the rule of arguments that are all matrices of one shape. It
// returns that shape.
func sameMatrices(op G.Op, ds []G.DimSizer, roles ...string) (tensor.Shape, error) {
	s, err := dims(op, ds)
	if err != nil {
		return nil, err
	}
	if err := wantMatrix(roles[0], s[0]); err != nil {
		return nil, err
	}
	for i, role := range roles {
		if !slices.Equal(s[i], s[0]) {
			return nil, fmt.Errorf("%s has shape %v; want %v, the shape of %s", role, s[i], s[0], roles[0])
		}
	}
	return s[0].Clone(), nil
}

// matrixAndColumns is the rule of a matrix followed by vectors that have one
// element for each of its columns. It returns the shape of the matrix.
func matrixAndColumns(op G.Op, ds []G.DimSizer, roles ...string) (tensor.Shape, error) {
	s, err := dims(op, ds)
	if err != nil {
		return nil, err
	}
	return matrixAndVectors(s, 1, "column", roles)
}

// matrixAndRows is the rule of a matrix followed by vectors that have one
// element for each of its rows. It returns the shape of the matrix.
func matrixAndRows(op G.Op, ds []G.DimSizer, roles ...string) (tensor.Shape, error) {
	s, err := dims(op, ds)
	if err != nil {
		return nil, err
	}
	return matrixAndVectors(s, 0, "row", roles)
}

func matrixAndVectors(s []tensor.Shape, axis int, per string, roles []string) (tensor.Shape, error) {
	if err := wantMatrix(roles[0], s[0]); err != nil {
		return nil, err
	}
	for i, role := range roles[1:] {
		if v := s[i+1]; v.Dims() != 1 || v[0] != s[0][axis] {
			return nil, fmt.Errorf("%s has shape %v; want a vector of %d, one element for each %s of %s",
				role, v, s[0][axis], per, roles[0])
		}
	}
	return s[0].Clone(), nil
}

// sameShapes is the rule of arguments of any one shape. It returns that shape.
func sameShapes(op G.Op, ds []G.DimSizer, roles ...string) (tensor.Shape, error) {
	s, err := dims(op, ds)
	if err != nil {
		return nil, err
	}
	for i, role := range roles {
		if !slices.Equal(s[i], s[0]) {
			return nil, fmt.Errorf("%s has shape %v; want %v, the shape of %s", role, s[i], s[0], roles[0])
		}
	}
	return s[0].Clone(), nil
}

func wantMatrix(role string, s tensor.Shape) error {
	if s.Dims() != 2 || s[0] < 1 || s[1] < 1 {
		return fmt.Errorf("%s has shape %v; want a matrix of at least one row and one column", role, s)
	}
	return nil
}

// wantNonNegative checks a parameter such as eps.
func wantNonNegative(name string, v float64) error {
	if !(v >= 0) || math.IsInf(v, 1) {
		return fmt.Errorf("%s is %v; want a finite number that is not negative", name, v)
	}
	return nil
}

// matrixRowsAndScalar is the rule of a matrix, a vector with one element for each
// of its rows, and a scalar. It returns the shape of the matrix.
func matrixRowsAndScalar(op G.Op, ds []G.DimSizer, matrix, vector, scalar string) (tensor.Shape, error) {
	s, err := dims(op, ds)
	if err != nil {
		return nil, err
	}
	if !s[2].IsScalarEquiv() {
		return nil, fmt.Errorf("%s has shape %v; want a scalar", scalar, s[2])
	}
	return matrixAndVectors(s[:2], 0, "row", []string{matrix, vector})
}
