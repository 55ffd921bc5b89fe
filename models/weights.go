package models

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"driftless/engine/checkpoint"
	"driftless/engine/device"
	"driftless/engine/program"
)

// kept lists the statistics of a layer that a weight file holds.
var kept = []string{"weight", "bias", "running_mean", "running_var", "whitening"}

// tracked is PyTorch's count of the batches that running statistics have seen.
const tracked = "num_batches_tracked"

// Weights copies a replica's parameters and running statistics, under PyTorch's
// names and in its orientation: fc1.weight is out × in, norm1.weight and
// norm1.bias are gamma and beta, and each normalization with statistics has
// num_batches_tracked.
func (m MLP) Weights(s device.Session, l *program.Layout, replica int) ([]checkpoint.Tensor, error) {
	var out []checkpoint.Tensor
	add := func(name string) error {
		st := l.Lookup(name)
		if st == nil {
			return nil
		}
		t := checkpoint.Tensor{Name: name, Shape: st.Shape, Data: make([]float32, st.Len())}
		if st.DType == program.Float64 {
			t.Data = make([]float64, st.Len())
		}
		if err := s.Read(name, replica, t.Data); err != nil {
			return err
		}
		if len(st.Shape) == 2 && strings.HasPrefix(name, "fc") {
			t.Shape, t.Data = []int{st.Cols, st.Rows}, transposed(t.Data, st.Rows, st.Cols)
		}
		out = append(out, t)
		return nil
	}
	for i, layer := range m.Layers() {
		if err := add(layer + ".weight"); err != nil {
			return nil, err
		}
		if err := add(layer + ".bias"); err != nil {
			return nil, err
		}
		if i == len(m.Hidden) {
			break
		}
		norm := fmt.Sprintf("norm%d.", i+1)
		for _, k := range kept {
			if err := add(norm + k); err != nil {
				return nil, err
			}
		}
		if l.Lookup(norm+"running_mean") != nil {
			var step [1]int64
			if err := s.Read(program.StateStep, replica, step[:]); err != nil {
				return nil, err
			}
			out = append(out, checkpoint.Tensor{Name: norm + tracked, Data: []int64{step[0]}})
		}
	}
	return out, nil
}

// SetWeights writes tensors, as Weights returns them, into a replica; of float64 ones
// for a float32 network the nearest float32. It fails when one that the layout holds is
// missing or has another shape, when there is one that it does not hold, and when a
// value is not finite or a variance is negative.
func (m MLP) SetWeights(s device.Session, l *program.Layout, replica int, ts []checkpoint.Tensor) error {
	byName := map[string]checkpoint.Tensor{}
	for _, t := range ts {
		byName[t.Name] = t
	}
	set := func(name string) error {
		st := l.Lookup(name)
		if st == nil {
			return nil
		}
		t, ok := byName[name]
		if !ok {
			return fmt.Errorf("the weights hold no tensor %q, which the network %v needs", name, m)
		}
		delete(byName, name)
		if v, wide := t.Data.([]float64); wide && st.DType == program.Float32 {
			narrow := make([]float32, len(v))
			for i, x := range v {
				narrow[i] = float32(x)
			}
			t.Data = narrow
		}
		n := 0
		switch v := t.Data.(type) {
		case []float32:
			n = len(v)
		case []float64:
			n = len(v)
		default:
			return fmt.Errorf("tensor %q has elements of type %T, the network %v computes in %v", name, t.Data, m, st.DType)
		}
		if _, wide := t.Data.([]float64); wide != (st.DType == program.Float64) {
			return fmt.Errorf("tensor %q has elements of type %T, the network %v computes in %v", name, t.Data, m, st.DType)
		}
		if err := sound(name, t.Data); err != nil {
			return err
		}
		want := st.Shape
		linear := len(st.Shape) == 2 && strings.HasPrefix(name, "fc")
		if linear {
			want = []int{st.Cols, st.Rows}
		}
		if fmt.Sprint(t.Shape) != fmt.Sprint(want) || n != st.Len() {
			return fmt.Errorf("tensor %q has shape %v, the network %v needs %v", name, t.Shape, m, want)
		}
		if linear {
			t.Data = transposed(t.Data, st.Cols, st.Rows)
		}
		return s.Write(name, replica, t.Data)
	}
	for i, layer := range m.Layers() {
		names := []string{layer + ".weight", layer + ".bias"}
		if i < len(m.Hidden) {
			for _, k := range kept {
				names = append(names, fmt.Sprintf("norm%d.%s", i+1, k))
			}
		}
		for _, n := range names {
			if err := set(n); err != nil {
				return err
			}
		}
		if norm := fmt.Sprintf("norm%d.", i+1); l.Lookup(norm+"running_mean") != nil {
			delete(byName, norm+tracked)
		}
	}
	if len(byName) > 0 {
		return fmt.Errorf("the weights hold a tensor %q, which the network %v with %v does not have", slices.Min(slices.Collect(maps.Keys(byName))), m, m.Norm)
	}
	return nil
}

// sound reports, as an error, the first value of a tensor that no training leaves.
func sound(name string, data any) error {
	least := math.Inf(-1)
	if strings.HasSuffix(name, ".running_var") {
		least = 0
	}
	var err error
	check := func(i int, v float64) bool {
		switch {
		case math.IsNaN(v) || math.IsInf(v, 0):
			err = fmt.Errorf("tensor %q holds %v at index %d: the weights are of no use", name, v, i)
		case v < least:
			err = fmt.Errorf("tensor %q holds a negative variance, %v, at index %d: the weights are of no use", name, v, i)
		}
		return err == nil
	}
	switch v := data.(type) {
	case []float32:
		for i, x := range v {
			if !check(i, float64(x)) {
				break
			}
		}
	case []float64:
		for i, x := range v {
			if !check(i, x) {
				break
			}
		}
	}
	return err
}

// transposed returns the cols × rows transpose of a rows × cols matrix.
func transposed(data any, rows, cols int) any {
	if v, ok := data.([]float64); ok {
		return transpose(v, rows, cols)
	}
	return transpose(data.([]float32), rows, cols)
}

func transpose[T any](v []T, rows, cols int) []T {
	out := make([]T, len(v))
	for i := range rows {
		for j := range cols {
			out[j*rows+i] = v[i*cols+j]
		}
	}
	return out
}
