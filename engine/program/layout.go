package program

import (
	"fmt"
	"slices"
)

// DType is the element type of a tensor.
type DType uint8

// The element types. A Program computes in Float32 or Float64; the others hold
// data sets, indices, counters and accumulators.
const (
	Float32 DType = iota
	Float64
	Uint8
	Int32
	Int64
	Bool
	Int
	Uint64 // words of masks
)

// Size returns the bytes of one element.
func (d DType) Size() int {
	switch d {
	case Float32, Int32:
		return 4
	case Uint8, Bool:
		return 1
	}
	return 8
}

func (d DType) String() string {
	return [...]string{"float32", "float64", "uint8", "int32", "int64", "bool", "int", "uint64"}[d]
}

// Names of the control state that every Layout holds. Everything that changes
// between steps is here, on the device, one copy a replica.
const (
	StateStep      = "step"      // int64: steps done
	StateSeed      = "seed"      // int64: key of the data order, and of random numbers
	StateLR        = "lr"        // float64: learning rate of the last step done, before any that of the first
	StateLosses    = "losses"    // ring of the last LossRing training losses, step t at t mod LossRing
	StateNonFinite = "nonfinite" // int64: the first step with a non-finite loss, -1 if none; the replica stops there
	StateBetaPower = "betapower" // float64 [2]: Adam's beta1^t and beta2^t
)

// StateBaseLR is float64 state that a Layout has only where the learning rate follows a schedule:
// what that multiplies. Each step sets StateLR to the product before it reads it.
const StateBaseLR = "lr.base"

// LossRing is the length of the ring of losses.
const LossRing = 1024

// State is a named tensor that outlives a step: a parameter, a statistic, an
// optimizer slot, a counter, or a data set.
type State struct {
	Name       string
	DType      DType
	Rows, Cols int   // a vector is one row; a scalar 1×1
	LD         int   // elements from one row to the next, in the device's memory
	Shape      []int // as the graph sees it
	Shared     bool  // one copy for all replicas (data sets)
	Apart      bool  // in memory of its own, which the host hands in or takes over (device.Hander)
	Off        int   // bytes from the start of a replica's arena; of a shared one its number; of one apart see ApartAt
	Init       any   // initial content: a slice of the element type, or nil for zeros
	Mirror     *Mirror

	owner owner
}

// owner says what a name is taken for, so that a parameter called "lr" cannot
// become the learning rate.
type owner uint8

const (
	byGraph owner = iota // parameters, statistics: whatever a graph's inputs name
	byEngine
	byOptimizer
	byOutput
	byData
	byOperation
)

func (o owner) String() string {
	return [...]string{"an input of a graph", "the engine's", "the optimizer's", "an output", "a data set", "an operation's"}[o]
}

// Len returns the number of elements.
func (s *State) Len() int { return s.Rows * s.Cols }

// Mirror is memory of the host that has what a state holds between runs, such as a running statistic of an
// operation of Gorgonia's: who runs a Program writes it to the state before if it has changed, and reads it from there after.
type Mirror struct {
	Data  any         // a slice of the state's element type
	Moves func() bool // whether runs change the state now
}

// Layout is the named state that Programs share: train, evaluation and refresh
// Programs compiled against one Layout work on the same tensors.
type Layout struct {
	DType  DType // float type that Programs compute in
	Plain  bool  // rows of matrices follow one another without gaps, in state and in scratch memory
	states []*State
	byName map[string]*State
	of     map[any][]*State // an operation → its states

	size, shared, apart int
}

// Offsets of state are addresses of one space, so that whatever compares them need not know of states
// apart: these begin 1 TiB from one another, behind all others.
const apartBase, apartBits = 1 << 60, 40

// ApartAt returns the number of the state apart that the offset of a tensor in state lies in, and
// how far in; ok is false for other states.
func ApartAt(off int) (number, at int, ok bool) {
	if off < apartBase {
		return 0, off, false
	}
	off -= apartBase
	return off >> apartBits, off & (1<<apartBits - 1), true
}

// NewLayout returns a Layout for Programs that compute in dt, Float32 or
// Float64, holding the control state.
func NewLayout(dt DType) *Layout {
	l := &Layout{DType: dt, byName: map[string]*State{}, of: map[any][]*State{}}
	for _, s := range []State{
		{Name: StateStep, DType: Int64, Rows: 1, Cols: 1},
		{Name: StateSeed, DType: Int64, Rows: 1, Cols: 1},
		{Name: StateLR, DType: Float64, Rows: 1, Cols: 1},
		{Name: StateLosses, DType: dt, Rows: 1, Cols: LossRing, Shape: []int{LossRing}},
		{Name: StateNonFinite, DType: Int64, Rows: 1, Cols: 1, Init: []int64{-1}},
		{Name: StateBetaPower, DType: Float64, Rows: 1, Cols: 2, Shape: []int{2}, Init: []float64{1, 1}},
	} {
		s.owner = byEngine
		if _, err := l.Add(s); err != nil {
			panic("program: control state: " + err.Error())
		}
	}
	return l
}

// Align is the alignment of every buffer, a cache line.
const Align = 64

func align(n int) int { return (n + Align - 1) &^ (Align - 1) }

// leading returns the leading dimension of a matrix, of elements of so many bytes, in memory
// that the engine lays out: rows start on cache lines, and never a multiple of 1 KiB apart, which
// would put a column's elements into few sets of the caches. Where there are very many
// short rows, as of images with few channels, they lie without gaps, which would be most
// of the memory.
func leading(rows, cols, size int) int {
	if rows == 1 || cols < 16 && rows >= 1024 {
		return cols
	}
	ld := (cols + 15) &^ 15
	if ld*size%1024 == 0 {
		ld += 16
	}
	return ld
}

// Add registers a state tensor and gives it its place. A name that is taken is
// refused unless shape and type are the same, in which case the first one is
// returned: that is how Programs share state.
func (l *Layout) Add(s State) (*State, error) {
	if s.Name == "" {
		return nil, fmt.Errorf("a state tensor needs a name")
	}
	if old := l.byName[s.Name]; old != nil {
		if old.owner != s.owner {
			return nil, fmt.Errorf("state %q is %v and cannot also be %v: rename one of them", s.Name, old.owner, s.owner)
		}
		if old.DType != s.DType || old.Rows != s.Rows || old.Cols != s.Cols || old.Shared != s.Shared {
			return nil, fmt.Errorf("state %q exists as %v %d×%d and cannot also be %v %d×%d: rename one of them",
				s.Name, old.DType, old.Rows, old.Cols, s.DType, s.Rows, s.Cols)
		}
		if old.Init == nil {
			old.Init = s.Init
		}
		return old, nil
	}
	s.LD = s.Cols
	switch {
	case s.Shared:
		s.Off, l.shared = l.shared, l.shared+1
	case s.Apart:
		s.Off, l.apart = apartBase+l.apart<<apartBits, l.apart+1
	default:
		if s.DType == l.DType && !l.Plain {
			s.LD = leading(s.Rows, s.Cols, s.DType.Size())
		}
		s.Off, l.size = l.size, l.size+align(s.Rows*s.LD*s.DType.Size())
	}
	p := &s
	l.states = append(l.states, p)
	l.byName[s.Name] = p
	return p, nil
}

// AddData registers a data set of n rows of cols values, shared by all
// replicas. Feeds name it. A device may use init in place, so it must not change
// while a session is open.
func (l *Layout) AddData(name string, dt DType, n, cols int, init any) (*State, error) {
	ok := init == nil
	switch v := init.(type) {
	case []uint8:
		ok = dt == Uint8 && len(v) == n*cols
	case []float32:
		ok = dt == Float32 && len(v) == n*cols
	case []float64:
		ok = dt == Float64 && len(v) == n*cols
	}
	if !ok {
		return nil, fmt.Errorf("data set %q: a %T does not hold %d rows of %d values of type %v", name, init, n, cols, dt)
	}
	return l.Add(State{Name: name, DType: dt, Rows: n, Cols: cols, Shape: []int{n, cols}, Shared: true, Init: init, owner: byData})
}

// Lookup returns the state of that name, or nil.
func (l *Layout) Lookup(name string) *State { return l.byName[name] }

// States returns all state tensors in the order in which they were added.
func (l *Layout) States() []*State { return slices.Clone(l.states) }

// Bytes returns the size of one replica's state arena.
func (l *Layout) Bytes() int { return l.size }
