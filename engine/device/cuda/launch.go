//go:build gpu

package cuda

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unsafe"

	"driftless/engine/program"
	driver "driftless/internal/cuda"
	kernels "driftless/kernels/cuda"

	"gorgonia.org/cu"
)

// launch is a kernel with its arguments, but for where the replicas lie.
type launch struct {
	kernel     *entry
	fn         cu.Function
	rows, cols int       // of what the grid covers
	operands   []operand // in the order of Kernel.Tensors
	ints       []int
	floats     []float64
	round      int // which of the ints is the number of the round, -1: none
	valid      int // which is the number of rows that count
}

// operand is a tensor of a launch.
type operand struct {
	space program.Space
	off   int // as that of program.Tensor
	at    place
}

// place says where an operand is looked for.
type place uint8

const (
	inSpace    place = iota // in the memory of its space
	nowhere                 // it is missing: null
	amongWords              // among the replica's words
)

// shape is what a kernel's arguments are made of. Ints that it does not list are
// rows and columns of over, and leading dimensions.
type shape struct {
	kernel string
	over   *program.Tensor
	in     []*program.Tensor // nil: missing
	out    []*program.Tensor
	state  []operand
	ints   map[string]int
	floats []float64
	valid  string // the int that is the number of rows that count
}

// launch binds a kernel.
func (b *binder) launch(s shape) (*launch, error) {
	k := catalogue[s.kernel]
	if k == nil {
		return nil, fmt.Errorf("there is no kernel %q", s.kernel)
	}
	l := &launch{kernel: k, rows: s.over.Rows, cols: s.over.Cols, round: -1, valid: -1, floats: s.floats}
	var err error
	if l.fn, err = b.s.dev.function(k); err != nil {
		return nil, err
	}
	if !k.NoControl {
		l.operands = append(l.operands, word(controlHalted))
	}
	lds := map[string]int{}
	add := func(names string, ts []*program.Tensor) error {
		for i, name := range strings.Fields(names) {
			if i >= len(ts) {
				return fmt.Errorf("kernel %s needs %q, and the instruction has %d", k.Name, names, len(ts))
			}
			if ts[i] == nil {
				l.operands = append(l.operands, operand{at: nowhere})
				continue
			}
			l.operands = append(l.operands, operand{space: ts[i].Space, off: ts[i].Off})
			lds[name] = ts[i].LD
		}
		return nil
	}
	if err := add(k.In, s.in); err != nil {
		return nil, err
	}
	if err := add(k.Out, s.out); err != nil {
		return nil, err
	}
	l.operands = append(l.operands, s.state...)
	for i, name := range strings.Fields(k.Ints) {
		v, ok := s.ints[name]
		switch {
		case ok:
		case name == "m":
			v = s.over.Rows
		case name == "d" || name == "n":
			v = s.over.Cols
		case strings.HasPrefix(name, "ld"):
			v = lds[name[2:]]
		case name == "round":
			l.round = i
		case name != s.valid:
			return nil, fmt.Errorf("kernel %s takes an int %q, which is not known", k.Name, name)
		}
		if name == s.valid {
			l.valid = i
		}
		l.ints = append(l.ints, v)
	}
	return l, nil
}

// word is one of a replica's control words.
func word(off int) operand { return operand{at: amongWords, off: off} }

// stateOperand is a state of a replica, of the engine's.
func (b *binder) stateOperand(name string) operand {
	return operand{space: program.SpaceReplica, off: b.s.layout.Lookup(name).Off}
}

// ready is a launch for a view: what the driver takes. cu copies 8 bytes of each
// argument, of which the driver reads as many as there are.
type ready struct {
	*launch
	grid, block kernels.Dim
	boxes       []uint64
	args        []unsafe.Pointer // to the boxes
	firstInt    int
}

// prepare computes the arguments for a view of the replicas.
func (l *launch) prepare(s *session, consts uint64, v view) ready {
	tensors := make([]kernels.Tensor, len(l.operands))
	for i, o := range l.operands {
		tensors[i] = s.locate(consts, o, v)
	}
	packed := append(l.kernel.Params(tensors, l.ints, l.floats), make([]byte, 8)...)
	r := ready{launch: l, firstInt: 2 * len(tensors)}
	r.grid, r.block = l.kernel.Grid(l.rows, l.cols, v.count)
	for _, at := range l.kernel.Offsets() {
		r.boxes = append(r.boxes, binary.LittleEndian.Uint64(packed[at:]))
	}
	for i := range r.boxes {
		r.args = append(r.args, unsafe.Pointer(&r.boxes[i]))
	}
	return r
}

// locate returns where an operand of the view's first replica lies.
func (s *session) locate(consts uint64, o operand, v view) kernels.Tensor {
	in := func(a arena, off int) kernels.Tensor {
		return kernels.Tensor{Ptr: a.at(v.first, off), Distance: a.stride}
	}
	switch {
	case o.at == nowhere:
		return kernels.Tensor{}
	case o.at == amongWords:
		return in(s.state, s.control()+o.off)
	case o.space == program.SpaceReplica:
		return in(s.state, o.off)
	case o.space == program.SpaceShared:
		return kernels.Tensor{Ptr: s.shared[o.off]}
	case o.space == program.SpaceConst:
		return kernels.Tensor{Ptr: consts + uint64(o.off)}
	}
	return in(s.scratch, o.off)
}

// setInt sets an int, if there is such. The driver copies arguments when a kernel is
// launched or captured.
func (r *ready) setInt(i, v int) {
	if i >= 0 {
		r.boxes[r.firstInt+i] = uint64(uint32(v))
	}
}

// launch queues the kernel for a round.
func (s *session) launch(r *ready, round, valid int) error {
	r.setInt(r.round, round)
	r.setInt(r.valid, valid)
	err := r.fn.Launch(r.grid[0], r.grid[1], r.grid[2], r.block[0], r.block[1], r.block[2], 0, s.stream, r.args)
	if err != nil {
		return driver.Explain("launch of "+r.kernel.Name, err)
	}
	s.counters.Launches++
	return nil
}
