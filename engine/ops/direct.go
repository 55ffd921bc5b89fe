package ops

import (
	"fmt"
	"math"
)

// Direct is an operation of one matrix that the engine leaves to the host and that need not
// allocate there.
type Direct interface {
	// Room is the number of float64 that Call works in, for a matrix of so many elements.
	Room(elements int) int

	// Call computes what Do does, from a slice into one of the result's length, both
	// []float32 or both []float64, row major. It keeps none of them.
	Call(in, out []any, room []float64) error
}

var (
	_ Direct = ZCAOp{}
	_ Direct = PrecisionOp{}
)

// call runs an operation for the type of its elements.
func call(in, out []any, room []float64, f32 func(x, y []float32, room []float64) error, f64 func(x, y, room []float64) error) error {
	switch x := in[0].(type) {
	case []float32:
		return f32(x, out[0].([]float32), room)
	case []float64:
		return f64(x, out[0].([]float64), room)
	}
	return fmt.Errorf("ops: elements of type %T are not supported", in[0])
}

// side is the number of rows of a square matrix of so many elements.
func side(elements int) int { return int(math.Sqrt(float64(elements))) }
