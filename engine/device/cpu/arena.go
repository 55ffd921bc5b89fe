package cpu

import (
	"unsafe"

	"driftless/engine/program"
	"driftless/internal/hugepage"
)

// arena is memory that starts on a cache line.
type arena []byte

func newArena(n int) arena {
	if n == 0 {
		return nil
	}
	if n >= leastHuge {
		return hugepage.Make(n)
	}
	const align = program.Align
	b := make([]byte, n+align)
	o := int(-addressOf(b) & (align - 1))
	return b[o : o+n : o+n]
}

// memory is the state of a replica.
type memory struct {
	arena
	apart []arena // of states apart, by their numbers; nil: it was handed over
	lent  []bool  // which of these are the host's
	sizes []int   // of those, in bytes
}

func newMemory(l *program.Layout) *memory {
	m := &memory{arena: newArena(l.Bytes())}
	for _, s := range l.States() {
		if s.Apart {
			m.sizes = append(m.sizes, s.Len()*s.DType.Size())
		}
	}
	m.apart, m.lent = make([]arena, len(m.sizes)), make([]bool, len(m.sizes))
	return m
}

// from returns the memory from a state's offset on.
func (m *memory) from(off int) arena {
	if k, at, ok := program.ApartAt(off); ok {
		return m.apart[k][at:]
	}
	return m.arena[off:]
}

// renew makes memory for what was handed over, or not handed in.
func (m *memory) renew() {
	for k := range m.sizes {
		if m.apart[k] == nil {
			m.own(k)
		}
	}
}

// own makes memory of the replica's own for a state apart.
func (m *memory) own(k int) {
	if size := m.sizes[k]; size > 0 {
		m.apart[k] = raw(make([]float64, (size+7)/8))[:size]
	}
	m.lent[k] = false
}

// leastHuge is how many bytes an arena has on huge pages. A step of a small network touches some hundred
// pages of 4 KiB, more than the processor has translations of at hand.
const leastHuge = 128 << 10

// element is the set of types that tensors hold.
type element interface {
	float32 | float64 | uint8 | int32 | int64 | uint64 | bool | int
}

// at views n elements of an arena from a byte offset.
func at[T element](a arena, off, n int) []T {
	var z T
	s := a[off : off+n*int(unsafe.Sizeof(z))]
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&s[0])), n)
}

// anyAt is at for an element type known at run time.
func anyAt(a arena, off, n int, dt program.DType) any {
	switch dt {
	case program.Float32:
		return at[float32](a, off, n)
	case program.Float64:
		return at[float64](a, off, n)
	case program.Uint8:
		return at[uint8](a, off, n)
	case program.Int32:
		return at[int32](a, off, n)
	case program.Int64:
		return at[int64](a, off, n)
	case program.Uint64:
		return at[uint64](a, off, n)
	case program.Bool:
		return at[bool](a, off, n)
	}
	return at[int](a, off, n)
}

// bytesOf views a data set's slice in place, without a copy; nil for others.
func bytesOf(x any) arena {
	switch x := x.(type) {
	case []uint8:
		return x
	case []float32:
		return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
	case []float64:
		return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 8*len(x))
	}
	return nil
}

// rawBytes views a slice of any element type.
func rawBytes(data any) arena {
	switch x := data.(type) {
	case []float32:
		return raw(x)
	case []float64:
		return raw(x)
	case []uint8:
		return x
	case []int32:
		return raw(x)
	case []int64:
		return raw(x)
	case []uint64:
		return raw(x)
	case []bool:
		return raw(x)
	case []int:
		return raw(x)
	}
	return nil
}

func raw[T element](x []T) arena {
	var z T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(z)))
}

func addressOf(a arena) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(a))) }
