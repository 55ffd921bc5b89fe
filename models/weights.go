package models

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"driftless/engine/checkpoint"
	"driftless/engine/device"
	"driftless/engine/program"
	"driftless/models/norm"

	"gorgonia.org/tensor"
)

// tracked is PyTorch's count of the batches that running statistics have seen.
const tracked = "num_batches_tracked"

// kept lists the state that a weights file holds: of each layer the parameters first.
func (n *Network) kept() ([]norm.State, error) {
	states, err := n.states()
	if err != nil {
		return nil, err
	}
	states = slices.DeleteFunc(states, func(t norm.State) bool { return !t.Kept })
	layer := map[string]int{}
	for _, t := range states {
		if name, _, _ := strings.Cut(t.Name, "."); layer[name] == 0 {
			layer[name] = len(layer) + 1
		}
	}
	later := map[bool]int{true: 0, false: 1}
	slices.SortStableFunc(states, func(a, b norm.State) int {
		x, _, _ := strings.Cut(a.Name, ".")
		y, _, _ := strings.Cut(b.Name, ".")
		return cmp.Or(layer[x]-layer[y], later[a.Trained]-later[b.Trained])
	})
	return states, nil
}

// countOf is the name of the count of batches beside a state.
func countOf(t norm.State) string {
	layer, _, _ := strings.Cut(t.Name, ".")
	return layer + "." + tracked
}

// kernelOf returns what the rows of a state that a weights file holds transposed stand for: the
// positions and channels that a linear layer sees, one of each where it sees no image. A file
// of a convolution has them as axes of their own.
func (n *Network) kernelOf(t norm.State) (m Image, convolves bool) {
	name, _, _ := strings.Cut(t.Name, ".")
	k := slices.Index(n.Layers(), name)
	images, err := n.images()
	if err != nil || k < 0 || k >= len(images) || t.Shape[0] == 1 {
		return Image{1, 1, t.Shape[0]}, err == nil && k >= 0 && k < n.convs()
	}
	if m = images[k]; k < n.convs() {
		m.Height, m.Width, convolves = n.Hidden[k].Conv.Kernel, n.Hidden[k].Conv.Kernel, true
	}
	return m, convolves
}

// shapeOf is the shape that a weights file has for a state.
func (n *Network) shapeOf(t norm.State) []int {
	if !t.Transposed {
		return t.Shape
	}
	if m, convolves := n.kernelOf(t); convolves {
		return []int{t.Shape[1], m.Channels, m.Height, m.Width}
	}
	return []int{t.Shape[1], t.Shape[0]}
}

// Save copies a replica's parameters and running statistics, under PyTorch's names and
// in its orientation: fc1.weight is out × in, conv1.weight out × channels × height × width, and
// the first fully connected layer takes an image's channels first. norm1.weight and norm1.bias
// are gamma and beta, and each normalization with running statistics has num_batches_tracked.
func (n *Network) Save(s device.Session, replica int) ([]checkpoint.Tensor, error) {
	states, err := n.kept()
	if err != nil {
		return nil, err
	}
	var out []checkpoint.Tensor
	for i, t := range states {
		v := checkpoint.Tensor{Name: t.Name, Shape: n.shapeOf(t), Data: t.Values()}
		if err := s.Read(t.Name, replica, v.Data); err != nil {
			return nil, err
		}
		if t.Transposed {
			v.Data = n.toFile(v.Data, t)
		}
		out = append(out, v)
		if last := i+1 == len(states) || countOf(states[i+1]) != countOf(t); last && counted(states[:i+1], t) {
			var step [1]int64
			if err := s.Read(program.StateStep, replica, step[:]); err != nil {
				return nil, err
			}
			out = append(out, checkpoint.Tensor{Name: countOf(t), Data: []int64{step[0]}})
		}
	}
	return out, nil
}

// counted reports whether a state of the same layer as t has a count beside it.
func counted(states []norm.State, t norm.State) bool {
	return slices.ContainsFunc(states, func(o norm.State) bool { return o.Counted && countOf(o) == countOf(t) })
}

// Expects returns the number of elements of the tensors that Load takes, by name.
func (n *Network) Expects() (map[string]int, error) {
	states, err := n.kept()
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for _, t := range states {
		out[t.Name] = tensor.Shape(t.Shape).TotalSize()
		if t.Counted {
			out[countOf(t)] = 1
		}
	}
	return out, nil
}

// Load writes tensors, as Save returns them, into a replica; of float64 ones for a
// float32 network the nearest float32. It fails when one that the network has is missing
// or has another shape, when there is one that it does not have, and when a value is not
// finite or a variance is negative.
func (n *Network) Load(s device.Session, replica int, ts []checkpoint.Tensor) error {
	states, err := n.kept()
	if err != nil {
		return err
	}
	byName := map[string]checkpoint.Tensor{}
	for _, t := range ts {
		byName[t.Name] = t
	}
	for _, t := range states {
		v, ok := byName[t.Name]
		if !ok {
			return fmt.Errorf("the weights hold no tensor %q, which the network %v needs", t.Name, n)
		}
		delete(byName, t.Name)
		if t.Counted {
			delete(byName, countOf(t))
		}
		if err := n.fit(&v, t); err != nil {
			return err
		}
		if err := s.Write(t.Name, replica, v.Data); err != nil {
			return err
		}
	}
	if len(byName) > 0 {
		return fmt.Errorf("the weights hold a tensor %q, which the network %v with %s does not have", slices.Min(slices.Collect(maps.Keys(byName))), n, norm.String(n.Norm))
	}
	return nil
}

// fit checks a tensor and gives its data the type and orientation of the state.
func (n *Network) fit(v *checkpoint.Tensor, t norm.State) error {
	if n.DType == program.Float32 {
		narrow, err := v.Float32s()
		if err != nil {
			return err
		}
		v.Data = narrow
	}
	want := t.Values()
	if reflect.TypeOf(v.Data) != reflect.TypeOf(want) {
		return fmt.Errorf("tensor %q has elements of type %T, the network %v computes in %v", v.Name, v.Data, n, n.DType)
	}
	if !slices.Equal(v.Shape, n.shapeOf(t)) || reflect.ValueOf(v.Data).Len() != reflect.ValueOf(want).Len() {
		return fmt.Errorf("tensor %q has shape %v, the network %v needs %v", v.Name, v.Shape, n, n.shapeOf(t))
	}
	if i := v.NonFinite(); i >= 0 {
		return fmt.Errorf("tensor %q holds %v at index %d: the weights are of no use", v.Name, reflect.ValueOf(v.Data).Index(i), i)
	}
	if t.NonNegative {
		values := reflect.ValueOf(v.Data)
		for i := range values.Len() {
			if x := values.Index(i).Float(); x < 0 {
				return fmt.Errorf("tensor %q holds a negative variance, %v, at index %d: the weights are of no use", v.Name, x, i)
			}
		}
	}
	if t.Transposed {
		v.Data = n.fromFile(v.Data, t)
	}
	return nil
}

// toFile returns a state's elements in the order of a weights file, output by output and
// channels before positions; fromFile is its inverse.
func (n *Network) toFile(data any, t norm.State) any {
	m, _ := n.kernelOf(t)
	data = transposed(data, 1, t.Shape[0], t.Shape[1])
	return transposed(data, t.Shape[1], m.Height*m.Width, m.Channels)
}

func (n *Network) fromFile(data any, t norm.State) any {
	m, _ := n.kernelOf(t)
	data = transposed(data, t.Shape[1], m.Channels, m.Height*m.Width)
	return transposed(data, 1, t.Shape[1], t.Shape[0])
}

// transposed returns the cols × rows transposes of so many rows × cols matrices.
func transposed(data any, count, rows, cols int) any {
	if v, ok := data.([]float64); ok {
		return transpose(v, count, rows, cols)
	}
	return transpose(data.([]float32), count, rows, cols)
}

func transpose[T any](v []T, count, rows, cols int) []T {
	out := make([]T, len(v))
	for k := range count {
		at := k * rows * cols
		for i := range rows {
			for j := range cols {
				out[at+j*rows+i] = v[at+i*cols+j]
			}
		}
	}
	return out
}
