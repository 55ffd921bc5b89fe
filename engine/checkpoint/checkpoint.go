package checkpoint

import (
	"fmt"
	"math"
)

// Tensor is a named tensor, row major. Data is []float32, []float64, []int64 or
// []uint8.
type Tensor struct {
	Name  string
	Shape []int
	Data  any
}

// Float32s returns the elements as float32: Data itself where it is []float32, a copy
// where it is []float64, rounded to the nearest (out of range to an infinity). Whole
// numbers give an error.
func (t Tensor) Float32s() ([]float32, error) {
	switch x := t.Data.(type) {
	case []float32:
		return x, nil
	case []float64:
		out := make([]float32, len(x))
		for i, v := range x {
			out[i] = float32(v)
		}
		return out, nil
	}
	return nil, fmt.Errorf("tensor %q holds %s elements, not floating point numbers", t.Name, dtypeOf(t.Data))
}

// NonFinite returns the index of the first element that is an infinity or not a
// number, or -1. Whole numbers are finite.
func (t Tensor) NonFinite() int {
	switch x := t.Data.(type) {
	case []float32:
		for i, v := range x {
			if v-v != 0 { // NaN for infinities and NaN
				return i
			}
		}
	case []float64:
		for i, v := range x {
			if v-v != 0 {
				return i
			}
		}
	}
	return -1
}

// sizes are the element types of a file, with their bytes an element.
var sizes = map[string]int64{
	"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1,
	"U16": 2, "I16": 2, "F16": 2, "BF16": 2,
	"U32": 4, "I32": 4, "F32": 4,
	"U64": 8, "I64": 8, "F64": 8,
}

// dtypeOf returns the element type that Write gives to a tensor's Data, "" for one
// that it does not write.
func dtypeOf(data any) string {
	switch data.(type) {
	case []float32:
		return "F32"
	case []float64:
		return "F64"
	case []int64:
		return "I64"
	case []uint8:
		return "U8"
	}
	return ""
}

// half returns the number that IEEE 754's binary16 holds in h.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch {
	case exp == 31: // infinities and NaN, whose bits are kept
		return math.Float32frombits(sign | 255<<23 | frac<<13)
	case exp > 0:
		return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
	}
	v := float32(frac) * (1.0 / (1 << 24)) // zero and subnormal: exact
	return math.Float32frombits(sign | math.Float32bits(v))
}

// brain returns the number that a bfloat16 holds: the upper half of a float32.
func brain(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }
