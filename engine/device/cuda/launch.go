//go:build gpu

package cuda

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"unsafe"

	"driftless/engine/program"
	driver "driftless/internal/cuda"
	kernels "driftless/kernels/cuda"
	"driftless/kernels/cuda/fused"

	"gorgonia.org/cu"
)

// launch is a kernel with its arguments, but for where the replicas lie.
type launch struct {
	kernel     *entry
	fn         cu.Function
	early      bool      // its threads wait for the launch before by themselves
	rows, cols int       // of what the grid covers
	operands   []operand // in the order of Kernel.Tensors, and behind them those of beside, if any
	ints       []int
	floats     []float64
	round      int // which of the ints is the number of the round, -1: none
	valid      int // which is the number of rows that count
	per        int // of those, for each row of the batch
	varies     *varying
	table      []*launch // the operations of a fused kernel
	first      int       // of an operation: the number of its first tile
	act        int       // of an operation that does more than its kernel: as fused.Op.Act
}

// place returns where in l.ints the argument of a name is, or -1.
func (l *launch) place(name string) int { return slices.Index(strings.Fields(l.kernel.Ints), name) }

// int returns the argument of a name, or 0.
func (l *launch) int(name string) int {
	if i := l.place(name); i >= 0 {
		return l.ints[i]
	}
	return 0
}

// varying is a number that may be another in the next run, on which floats of a launch depend.
type varying struct {
	now func() float64
	set func(r *ready, v float64)
}

// operand is a tensor of a launch. It is missing if it has no place at all.
type operand struct {
	tensor *program.Tensor // or
	word   int             // what follows the offset of one of the replica's words, or 0; or
	table  bool            // the table of the launch
	write  bool
	off    int // of the tensor, as program.Tensor has it, once the block's memory is laid out
}

// shape is what a kernel's arguments are made of. Ints and floats go by their names; ints that
// it does not list are rows and columns of over, and leading dimensions.
type shape struct {
	kernel string
	over   *program.Tensor
	in     []*program.Tensor // nil: missing
	out    []*program.Tensor
	state  []operand
	ints   map[string]int
	floats map[string]float64
	valid  string // the int that is the number of rows that count
	per    int    // of those, for each row of the batch; 0: 1
	table  bool   // the last of in is the launch's table
}

// launch binds a kernel.
func (b *binder) launch(s shape) (*launch, error) {
	k := catalogue[s.kernel]
	if k == nil {
		return nil, fmt.Errorf("there is no kernel %q", s.kernel)
	}
	if m, n := s.over.Rows, s.over.Cols; m > 0 && n > math.MaxInt32/m {
		return nil, fmt.Errorf("kernel %s: %d × %d elements are more than the %d that kernels count: take a smaller batch, or the CPU (--device cpu)", k.Name, m, n, math.MaxInt32)
	}
	l := &launch{kernel: k, rows: s.over.Rows, cols: s.over.Cols, round: -1, valid: -1, per: max(1, s.per)}
	var err error
	if l.fn, err = b.s.dev.context.function(k, b.s.dev.options.warn); err != nil {
		return nil, err
	}
	l.early = b.waits(k)
	if !k.NoControl {
		l.operands = append(l.operands, word(controlHalted))
	}
	lds := map[string]int{}
	add := func(names string, ts []*program.Tensor, write bool) error {
		if n := len(strings.Fields(names)); n != len(ts) {
			return fmt.Errorf("kernel %s takes %d tensors, %q, and the instruction has %d", k.Name, n, names, len(ts))
		}
		for i, name := range strings.Fields(names) {
			l.operands = append(l.operands, operand{tensor: ts[i], write: write && ts[i] != nil})
			if ts[i] != nil {
				lds[name] = ts[i].LD
			}
		}
		return nil
	}
	if err := add(k.In, s.in, false); err != nil {
		return nil, err
	}
	if s.table {
		l.operands[len(l.operands)-1].table = true
	}
	if err := add(k.Out, s.out, true); err != nil {
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
	for _, name := range strings.Fields(k.Floats + " " + k.Doubles) {
		v, ok := s.floats[name]
		if !ok {
			return nil, fmt.Errorf("kernel %s takes a number %q, which is not known", k.Name, name)
		}
		l.floats = append(l.floats, v)
	}
	return l, nil
}

// waits reports whether a kernel waits for the launch before by itself, on the session's device.
func (b *binder) waits(k *entry) bool {
	_, form := k.module.For(capability(b.s.dev.context.major, b.s.dev.context.minor))
	return form.Dependent
}

// word is one of a replica's control words.
func word(off int) operand { return operand{word: off + 1} }

// stateOperand is a state of a replica, of the engine's.
func (b *binder) stateOperand(name string) operand { return operand{tensor: b.tensorOf(name)} }

// operand returns an operand of a launch by its name.
func (l *launch) operand(name string) *operand {
	return &l.operands[slices.Index(l.kernel.Tensors(), name)]
}

// used are the operands that are there.
func (l *launch) used() iter.Seq[*operand] {
	return func(yield func(*operand) bool) {
		for i := range l.operands {
			if l.operands[i].tensor != nil && !yield(&l.operands[i]) {
				return
			}
		}
	}
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

// operations returns the table of a fused launch for a view.
func (l *launch) operations(s *session, consts uint64, v view) []byte {
	var ops []fused.Op
	for _, of := range l.table {
		at := s.locateAll(consts, of.operands[1:], v, 0)
		own := len(of.kernel.Tensors()) - 1
		op := fused.Op{Kernel: &of.kernel.Kernel, Tensors: at[:own], Ints: of.ints, Floats: of.floats, First: of.first, Act: of.act}
		for i, to := range []*fused.Matrix{activated: &op.Activated, packed: &op.Packed} {
			if o := of.beside(i); o != nil && o.tensor != nil {
				*to = fused.Matrix{Tensor: at[own+i], LD: o.tensor.LD}
			}
		}
		ops = append(ops, op)
	}
	return fused.Pack(ops)
}

// prepare computes the arguments for a view of the replicas; table is where the launch's
// own is, if it has one.
func (l *launch) prepare(s *session, consts uint64, v view, table uint64) ready {
	r := ready{launch: l, firstInt: 2 * len(l.operands)}
	packed := append(l.kernel.Params(s.locateAll(consts, l.operands, v, table), l.ints, l.floats), make([]byte, 8)...)
	r.grid, r.block = l.kernel.Grid(l.rows, l.cols, v.count)
	for _, at := range l.kernel.Offsets() {
		r.boxes = append(r.boxes, binary.LittleEndian.Uint64(packed[at:]))
	}
	for i := range r.boxes {
		r.args = append(r.args, unsafe.Pointer(&r.boxes[i]))
	}
	return r
}

func (s *session) locateAll(consts uint64, operands []operand, v view, table uint64) []kernels.Tensor {
	tensors := make([]kernels.Tensor, len(operands))
	for i, o := range operands {
		tensors[i] = s.locate(consts, o, v, table)
	}
	return tensors
}

// locate returns where an operand of the view's first replica lies.
func (s *session) locate(consts uint64, o operand, v view, table uint64) kernels.Tensor {
	in := func(a arena, off int) kernels.Tensor {
		return kernels.Tensor{Ptr: a.at(v.first, off), Distance: a.stride}
	}
	switch {
	case o.table:
		return kernels.Tensor{Ptr: table}
	case o.word > 0:
		return in(s.state, s.control()+o.word-1)
	case o.tensor == nil:
		return kernels.Tensor{}
	}
	switch o.tensor.Space {
	case program.SpaceReplica:
		if int64(o.off) >= s.state.stride {
			return in(s.beside(o.off))
		}
		return in(s.state, o.off)
	case program.SpaceShared:
		return kernels.Tensor{Ptr: s.shared[o.off]}
	case program.SpaceConst:
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

// setFloat sets a float, setDouble a double, which come after the floats and count from the first of those.
func (r *ready) setFloat(i int, v float64) {
	r.boxes[r.firstInt+len(r.ints)+i] = uint64(math.Float32bits(float32(v)))
}
func (r *ready) setDouble(i int, v float64) {
	r.boxes[r.firstInt+len(r.ints)+i] = math.Float64bits(v)
}

// launch queues the kernel for a round.
func (s *session) launch(r *ready, round, valid int) error {
	r.setInt(r.round, round)
	r.setInt(r.valid, valid*r.per)
	if v := r.varies; v != nil {
		v.set(r, v.now())
	}
	var err error
	if s.overlap.next() && r.early {
		s.overlap.early++
		err = driver.LaunchDependent(r.fn, r.grid, r.block, s.stream, r.args)
	} else {
		err = r.fn.Launch(r.grid[0], r.grid[1], r.grid[2], r.block[0], r.block[1], r.block[2], 0, s.stream, r.args)
	}
	if err != nil {
		return driver.Explain("launch of "+r.kernel.Name, err)
	}
	s.counters.Launches++
	return nil
}
