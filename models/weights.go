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
		v := make([]float32, st.Len())
		if err := s.Read(name, replica, v); err != nil {
			return err
		}
		t := checkpoint.Tensor{Name: name, Shape: st.Shape, Data: v}
		if len(st.Shape) == 2 && strings.HasPrefix(name, "fc") {
			t = checkpoint.Tensor{Name: name, Shape: []int{st.Cols, st.Rows}, Data: transpose(v, st.Rows, st.Cols)}
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
		v, ok := t.Data.([]float32)
		if !ok {
			return fmt.Errorf("tensor %q is not float32", name)
		}
		want := st.Shape
		linear := len(st.Shape) == 2 && strings.HasPrefix(name, "fc")
		if linear {
			want = []int{st.Cols, st.Rows}
		}
		if fmt.Sprint(t.Shape) != fmt.Sprint(want) || len(v) != st.Len() {
			return fmt.Errorf("tensor %q has shape %v, the network %v needs %v", name, t.Shape, m, want)
		}
		if linear {
			v = transpose(v, st.Cols, st.Rows)
		}
		return s.Write(name, replica, v)
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

// transpose returns the cols × rows transpose of a rows × cols matrix.
func transpose(v []float32, rows, cols int) []float32 {
	out := make([]float32, len(v))
	for i := range rows {
		for j := range cols {
			out[j*rows+i] = v[i*cols+j]
		}
	}
	return out
}
