package models

import (
	"fmt"
	"strings"

	"driftless/engine/checkpoint"
	"driftless/engine/device"
	"driftless/engine/program"
)

// kept lists the statistics of a layer that a weight file holds.
var kept = []string{"weight", "bias", "running_mean", "running_var", "whitening"}

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
			out = append(out, checkpoint.Tensor{Name: norm + "num_batches_tracked", Data: []int64{step[0]}})
		}
	}
	return out, nil
}

// SetWeights writes tensors, as Weights returns them, into a replica. It fails
// when one that the layout holds is missing or has another shape.
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
		have := program.Float32
		n := 0
		switch v := t.Data.(type) {
		case []float32:
			n = len(v)
		case []float64:
			have, n = program.Float64, len(v)
		}
		if have != st.DType {
			return fmt.Errorf("tensor %q is %v, the network %v computes in %v", name, have, m, st.DType)
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
	}
	return nil
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
