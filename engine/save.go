package engine

import (
	"encoding/json"
	"fmt"
	"slices"

	"driftless/engine/checkpoint"
	"driftless/engine/program"
)

// checkpointKey holds a checkpoint's description in its file's metadata.
const checkpointKey = "driftless.checkpoint"

// described is what a checkpoint says of itself.
type described struct {
	Format int `json:"format"` // checkpointFormat
	Step   int `json:"step"`   // steps asked for
	// Sum is checkpoint.Checksum of the tensors, "" in files from before there was one.
	Sum string `json:"sum,omitempty"`
}

// checkpointFormat is 1: each state with a leading axis of replicas.
const checkpointFormat = 1

// States returns the names of the state that Save keeps, in the order in which it was added:
// parameters, statistics, the optimizer's, and the control state, such as the step and the seed,
// that decides what the next step does.
func (t *Trainer) States() []string {
	var out []string
	for _, s := range t.kept() {
		out = append(out, s.Name)
	}
	return out
}

// kept is all state but data sets.
func (t *Trainer) kept() []*program.State {
	return slices.DeleteFunc(t.program.Layout.States(), func(s *program.State) bool { return s.Shared })
}

// Save keeps the training as it stands in a safetensors file, from which Load continues it to
// the same bits. The file is whole or as it was before, whatever happens meanwhile. Each state is
// a tensor of its name and shape with a leading axis, one entry a replica; data sets are not
// among them.
//
// It fails with one sentence where the file cannot be written, and where the graph has an
// operation that keeps state in itself from step to step, such as one of another package, or draws
// Gorgonia's random numbers (a random node), which no file could continue. Dropout's masks follow
// from the seed and the step, which are kept, as are the running statistics of BatchNorm.
func (t *Trainer) Save(path string) error {
	s, err := t.Snapshot()
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return s.Write(path, nil)
}

// Snapshot is a training as it stood after a step.
type Snapshot struct {
	step    int
	tensors []checkpoint.Tensor
}

// Snapshot copies the training as it stands: what Save keeps. It fails where Save does for the
// graph's sake.
func (t *Trainer) Snapshot() (*Snapshot, error) {
	if node := t.program.Hidden(); node != "" {
		return nil, fmt.Errorf("node %q is an operation that keeps state in itself or draws random numbers of its own, so that no file could continue the training", node)
	}
	out := &Snapshot{step: t.step}
	for _, s := range t.kept() {
		x, err := t.collect(s)
		if err != nil {
			return nil, err
		}
		out.tensors = append(out.tensors, x)
	}
	return out, nil
}

// noteName is the tensor of a checkpoint that holds what its writer added.
const noteName = "driftless.note"

// Write keeps the training in a file as Save does, with a note of the caller's, which ReadNote
// gives back; nil adds none.
func (s *Snapshot) Write(path string, note []byte) error {
	ts := s.tensors
	if note != nil {
		ts = append(slices.Clone(ts), checkpoint.Tensor{Name: noteName, Shape: []int{len(note)}, Data: note})
	}
	d, err := json.Marshal(described{checkpointFormat, s.step, checkpoint.Checksum(ts)})
	if err != nil {
		return err
	}
	return checkpoint.Write(path, ts, map[string]string{checkpointKey: string(d)})
}

// ReadNote reads a checkpoint whole and returns its note. It fails, with a sentence that names
// the file, where that has none, is damaged or is no checkpoint.
func ReadNote(path string) ([]byte, error) {
	ts, metadata, err := checkpoint.Read(path)
	if err != nil {
		return nil, err
	}
	d, err := describe(path, metadata)
	if err != nil {
		return nil, err
	}
	if err := d.check(path, ts); err != nil {
		return nil, err
	}
	for _, t := range ts {
		if note, ok := t.Data.([]byte); ok && t.Name == noteName {
			return note, nil
		}
	}
	return nil, fmt.Errorf("%s is a checkpoint without a note", path)
}

// describe returns what a file says of itself.
func describe(path string, metadata map[string]string) (d described, err error) {
	if text := metadata[checkpointKey]; text == "" || json.Unmarshal([]byte(text), &d) != nil || d.Step < 0 {
		return d, fmt.Errorf("%s is no checkpoint of a training: it has weights alone, or another program wrote it", path)
	}
	if d.Format != checkpointFormat {
		return d, fmt.Errorf("%s is a checkpoint of format %d, and this version reads format %d: continue it with the version that wrote it", path, d.Format, checkpointFormat)
	}
	return d, nil
}

// check compares a file's tensors with its checksum.
func (d described) check(path string, ts []checkpoint.Tensor) error {
	if d.Sum != "" && d.Sum != checkpoint.Checksum(ts) {
		return fmt.Errorf("%s is damaged: its content is not what was written", path)
	}
	return nil
}

// collect reads a state of all replicas.
func (t *Trainer) collect(s *program.State) (x checkpoint.Tensor, err error) {
	n := t.session.Replicas()
	x = checkpoint.Tensor{Name: s.Name, Shape: append([]int{n}, s.Shape...)}
	switch s.DType {
	case program.Float32:
		x.Data, err = collect[float32](t, s)
	case program.Float64:
		x.Data, err = collect[float64](t, s)
	case program.Int64:
		x.Data, err = collect[int64](t, s)
	default:
		err = fmt.Errorf("state %q has elements of type %v, which no checkpoint holds", s.Name, s.DType)
	}
	return x, err
}

func collect[T any](t *Trainer, s *program.State) ([]T, error) {
	k := s.Len()
	all := make([]T, t.session.Replicas()*k)
	for r := range t.session.Replicas() {
		if err := t.session.Read(s.Name, r, all[r*k:][:k:k]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Load continues the training that a file of Save's holds: Step is its step, and the steps that
// follow are those that would have followed there, bit for bit, on any device. The Trainer must
// be of the same network, optimizer and data, with as many replicas.
//
// It fails with one sentence that names the file, and the state at fault, where the file is
// broken, no checkpoint, or of another training; the Trainer is then as it was.
func (t *Trainer) Load(path string) error {
	f, err := checkpoint.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	d, err := describe(path, f.Metadata())
	if err != nil {
		return err
	}
	states := t.kept()
	if err := t.matches(path, f, states); err != nil {
		return err
	}
	var ts []checkpoint.Tensor
	for _, s := range states {
		x, err := f.Tensor(s.Name)
		if err != nil {
			return err
		}
		ts = append(ts, x)
	}
	all := ts
	if slices.ContainsFunc(f.Tensors(), func(i checkpoint.Info) bool { return i.Name == noteName }) {
		x, err := f.Tensor(noteName)
		if err != nil {
			return err
		}
		all = append(slices.Clone(ts), x)
	}
	if err := d.check(path, all); err != nil {
		return err
	}
	for i, s := range states {
		if err := t.scatter(s, ts[i].Data); err != nil {
			return fmt.Errorf("%s: write state %q: %w", path, s.Name, err)
		}
	}
	t.step = d.Step
	return follow(t.stats, t.session, nil)
}

// matches reports what keeps a file from being a checkpoint of this training.
func (t *Trainer) matches(path string, f *checkpoint.File, states []*program.State) error {
	have := map[string]checkpoint.Info{}
	for _, i := range f.Tensors() {
		if i.Name == noteName {
			continue
		}
		have[i.Name] = i
	}
	types := map[program.DType]string{program.Float32: "F32", program.Float64: "F64", program.Int64: "I64"}
	for _, s := range states {
		i, ok := have[s.Name]
		if !ok {
			return fmt.Errorf("%s holds no state %q, which this training has: it is of another network, normalization or optimizer", path, s.Name)
		}
		delete(have, s.Name)
		want := append([]int{t.session.Replicas()}, s.Shape...)
		if i.DType == types[s.DType] && len(i.Shape) > 0 && i.Shape[0] != want[0] && slices.Equal(i.Shape[1:], want[1:]) {
			return fmt.Errorf("%s is of %d replicas, and this training has %d", path, i.Shape[0], want[0])
		}
		if i.DType != types[s.DType] || !slices.Equal(i.Shape, want) {
			return fmt.Errorf("%s holds %q as %s of shape %v, and this training has it as %s of shape %v: it is of another network or element type",
				path, s.Name, i.DType, i.Shape, types[s.DType], want)
		}
	}
	for _, i := range f.Tensors() {
		if _, extra := have[i.Name]; extra {
			return fmt.Errorf("%s holds a state %q, which this training does not have: it is of another network, normalization or optimizer", path, i.Name)
		}
	}
	return nil
}

// scatter writes a state of all replicas.
func (t *Trainer) scatter(s *program.State, data any) error {
	k := s.Len()
	for r := range t.session.Replicas() {
		var part any
		switch x := data.(type) {
		case []float32:
			part = x[r*k:][:k:k]
		case []float64:
			part = x[r*k:][:k:k]
		case []int64:
			part = x[r*k:][:k:k]
		}
		if err := t.session.Write(s.Name, r, part); err != nil {
			return err
		}
	}
	return nil
}
