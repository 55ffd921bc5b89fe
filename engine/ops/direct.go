package ops

import (
	"fmt"
	"math"
	"sync"
)

// Direct is an operation that the engine leaves to the host and that need not allocate there:
// Call computes what Do does, from slices into one of the result's length. All are []float32
// or all []float64, row major, and it may not keep them.
type Direct interface {
	Call(in, out []any) error
}

var (
	_ Direct = ZCAOp{}
	_ Direct = PrecisionOp{}
)

// call runs an operation of one matrix.
func call(in, out []any, f32 func(x, y []float32) error, f64 func(x, y []float64) error) error {
	switch x := in[0].(type) {
	case []float32:
		return f32(x, out[0].([]float32))
	case []float64:
		return f64(x, out[0].([]float64))
	}
	return fmt.Errorf("ops: elements of type %T are not supported", in[0])
}

// side is the number of rows of a square matrix.
func side[T any](x []T) int { return int(math.Sqrt(float64(len(x)))) }

// rooms are what host operations work in.
var rooms = sync.Pool{New: func() any { return new([]float64) }}

// take returns room of n numbers, for put to take back.
func take(n int) *[]float64 {
	room := rooms.Get().(*[]float64)
	if cap(*room) < n {
		*room = make([]float64, n)
	}
	*room = (*room)[:n]
	return room
}

func put(room *[]float64) { rooms.Put(room) }
