package models

import (
	"fmt"
	"maps"
	"reflect"
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
		if st.DType == program.Float32 {
			narrow, err := t.Float32s()
			if err != nil {
				return err
			}
			t.Data = narrow
		}
		n := 0
		switch v := t.Data.(type) {
		case []float32:
			n = len(v)
		case []float64:
			n = len(v)
		}
		if _, wide := t.Data.([]float64); wide != (st.DType == program.Float64) {
			return fmt.Errorf("tensor %q has elements of type %T, the network %v computes in %v", name, t.Data, m, st.DType)
		}
		if err := sound(t); err != nil {
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
func sound(t checkpoint.Tensor) error {
	if i := t.NonFinite(); i >= 0 {
		return fmt.Errorf("tensor %q holds %v at index %d: the weights are of no use", t.Name, reflect.ValueOf(t.Data).Index(i), i)
	}
	if !strings.HasSuffix(t.Name, ".running_var") {
		return nil
	}
	values := reflect.ValueOf(t.Data)
	for i := range values.Len() {
		if v := values.Index(i).Float(); v < 0 {
			return fmt.Errorf("tensor %q holds a negative variance, %v, at index %d: the weights are of no use", t.Name, v, i)
		}
	}
	return nil
}

// Expects returns the number of elements of the tensors that SetWeights takes, by name.
func (m MLP) Expects(l *program.Layout) map[string]int {
	out := map[string]int{}
	add := func(name string) {
		if st := l.Lookup(name); st != nil {
			out[name] = st.Len()
		}
	}
	for i, layer := range m.Layers() {
		add(layer + ".weight")
		add(layer + ".bias")
		if i == len(m.Hidden) {
			break
		}
		norm := fmt.Sprintf("norm%d.", i+1)
		for _, k := range kept {
			add(norm + k)
		}
		if l.Lookup(norm+"running_mean") != nil {
			out[norm+tracked] = 1
		}
	}
	return out
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
