package ptx

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
)

// Memory is the global memory of a virtual device. Allocations lie apart from
// each other, addresses are never used twice, and each byte is known as
// written or not. It is safe for use by several goroutines; launches and
// copies take turns.
//
// The exported fields are settings. Change them before the memory is used.
type Memory struct {
	// ReadUninitialised makes Read return bytes that nothing has written, all
	// 0xff, where it would otherwise return an error. Kernels that read such
	// bytes fail in any case.
	ReadUninitialised bool
	// MaxInstructions bounds the instructions that a warp executes in one block.
	// NewMemory sets it to 1<<26.
	MaxInstructions int64
	// Workers is the number of goroutines that run the blocks of a launch; 0
	// means one for each processor that Go may use. Results do not depend on it.
	Workers int
	// CountShared has launches count what their accesses to shared memory cost: see
	// [Kernel.SharedAccesses].
	CountShared bool

	mu      sync.Mutex
	limit   int64
	used    int64
	next    uint64
	allocs  []*allocation // by address
	freed   []freedRange  // the latest, by address
	globals map[*Module][]*allocation
	launch  uint64 // stamp of the current launch in shadow memory
	saved   undo
}

// An Allocation describes a live allocation.
type Allocation struct {
	Addr  uint64
	Size  int64
	Label string
}

type freedRange struct {
	base  uint64
	size  int64
	label string
}

// An allocation is a range of device memory with its shadow.
type allocation struct {
	base     uint64
	data     []byte
	label    string
	module   bool // a variable of a module
	readOnly bool
	// init has a bit for each byte that was written; missing counts the others.
	init    []uint64
	missing atomic.Int64
	shadow  shadow
}

const (
	alignment = 256
	// firstAddress is where device memory begins: nothing that a kernel makes of
	// a null pointer or of a 32-bit number is an address.
	firstAddress = 0x7_0000_0000
	// zone is the least distance between allocations.
	zone = 4096
	// maxFreed is how many freed allocations are remembered for messages.
	maxFreed = 4096
	// fresh is what allocated memory holds. As a float32 or float64 it is NaN.
	fresh = 0xff
)

// Errors of Memory. Those of Alloc and Free wrap them.
var (
	ErrOutOfMemory    = errors.New("out of device memory")
	ErrInvalidAddress = errors.New("invalid device address")
	ErrUninitialised  = errors.New("uninitialised device memory")
)

// NewMemory returns an empty memory that holds up to limit bytes.
func NewMemory(limit int64) *Memory {
	return &Memory{limit: limit, next: firstAddress, MaxInstructions: 1 << 26, globals: map[*Module][]*allocation{}}
}

// Alloc allocates n bytes, aligned to 256, with nothing in them that a kernel
// may read. Label names the allocation in messages.
func (m *Memory) Alloc(n int64, label string) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, err := m.alloc(n, label)
	if err != nil {
		return 0, err
	}
	return a.base, nil
}

func (m *Memory) alloc(n int64, label string) (*allocation, error) {
	if n < 1 {
		return nil, fmt.Errorf("ptx: allocation of %d bytes (%s)", n, label)
	}
	if n > m.limit-m.used {
		return nil, fmt.Errorf("ptx: allocation of %d bytes (%s) with %d of %d in use: %w", n, label, m.used, m.limit, ErrOutOfMemory)
	}
	a := &allocation{base: m.next, data: make([]byte, n), label: label, init: make([]uint64, (n+63)/64)}
	a.data[0] = fresh
	for i := 1; i < len(a.data); i *= 2 {
		copy(a.data[i:], a.data[:i])
	}
	a.missing.Store(n)
	a.shadow.pages = newPages(n)
	m.next += uint64(roundUp(n+zone, alignment))
	m.used += n
	m.allocs = append(m.allocs, a)
	return a, nil
}

// Free releases an allocation. The address must be one that Alloc returned and
// that was not freed before.
func (m *Memory) Free(addr uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, ok := slices.BinarySearchFunc(m.allocs, addr, func(a *allocation, addr uint64) int {
		switch {
		case a.base < addr:
			return -1
		case a.base > addr:
			return 1
		}
		return 0
	})
	if !ok || m.allocs[i].module {
		if f := m.freedAt(addr); f != nil && f.base == addr {
			return fmt.Errorf("ptx: double free of %#x (%s): %w", addr, f.label, ErrInvalidAddress)
		}
		return fmt.Errorf("ptx: free of %s: %w", m.describe(addr), ErrInvalidAddress)
	}
	m.release(m.allocs[i])
	return nil
}

// release removes an allocation and remembers where it was.
func (m *Memory) release(a *allocation) {
	i := slices.Index(m.allocs, a)
	m.allocs = slices.Delete(m.allocs, i, i+1)
	m.used -= int64(len(a.data))
	f := freedRange{a.base, int64(len(a.data)), a.label}
	at := sort.Search(len(m.freed), func(i int) bool { return m.freed[i].base > f.base })
	m.freed = slices.Insert(m.freed, at, f)
	if len(m.freed) > maxFreed {
		m.freed = slices.Delete(m.freed, 0, 1)
	}
}

// Live lists what is allocated, by address, without variables of modules.
func (m *Memory) Live() []Allocation {
	m.mu.Lock()
	defer m.mu.Unlock()
	var live []Allocation
	for _, a := range m.allocs {
		if !a.module {
			live = append(live, Allocation{a.base, int64(len(a.data)), a.label})
		}
	}
	return live
}

// Used returns the number of bytes in use, and the limit.
func (m *Memory) Used() (used, limit int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used, m.limit
}

// find returns the allocation that holds addr, or nil.
func (m *Memory) find(addr uint64) *allocation {
	i := sort.Search(len(m.allocs), func(i int) bool { return m.allocs[i].base > addr }) - 1
	if i < 0 || addr-m.allocs[i].base >= uint64(len(m.allocs[i].data)) {
		return nil
	}
	return m.allocs[i]
}

func (m *Memory) freedAt(addr uint64) *freedRange {
	i := sort.Search(len(m.freed), func(i int) bool { return m.freed[i].base > addr }) - 1
	if i < 0 || addr-m.freed[i].base >= uint64(m.freed[i].size) {
		return nil
	}
	return &m.freed[i]
}

// describe says what is at an address, or near it.
func (m *Memory) describe(addr uint64) string {
	if a := m.find(addr); a != nil {
		return fmt.Sprintf("%#x, byte %d of %s", addr, addr-a.base, a.name())
	}
	if f := m.freedAt(addr); f != nil {
		return fmt.Sprintf("%#x, byte %d of %q (%d bytes), which was freed", addr, addr-f.base, f.label, f.size)
	}
	i := sort.Search(len(m.allocs), func(i int) bool { return m.allocs[i].base > addr })
	if i > 0 {
		a := m.allocs[i-1]
		if d := addr - a.base - uint64(len(a.data)); d < 1<<20 {
			return fmt.Sprintf("%#x, %d bytes past the end of %s", addr, d, a.name())
		}
	}
	if i < len(m.allocs) {
		if d := m.allocs[i].base - addr; d < 1<<20 {
			return fmt.Sprintf("%#x, %d bytes before the start of %s", addr, d, m.allocs[i].name())
		}
	}
	return fmt.Sprintf("%#x, which is in no allocation", addr)
}

func (a *allocation) name() string { return fmt.Sprintf("%q (%d bytes)", a.label, len(a.data)) }

// span returns the allocation that holds n bytes from addr, and their offset.
func (m *Memory) span(addr uint64, n int64) (*allocation, int, error) {
	a := m.find(addr)
	if a == nil {
		return nil, 0, fmt.Errorf("%s: %w", m.describe(addr), ErrInvalidAddress)
	}
	off := addr - a.base
	if n < 0 || uint64(n) > uint64(len(a.data))-off {
		return nil, 0, fmt.Errorf("%d bytes from byte %d of %s: %w", n, off, a.name(), ErrInvalidAddress)
	}
	return a, int(off), nil
}

// Write copies from the host.
func (m *Memory) Write(addr uint64, src []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, off, err := m.span(addr, int64(len(src)))
	if err != nil {
		return fmt.Errorf("ptx: copy to device: %w", err)
	}
	copy(a.data[off:], src)
	a.markRange(off, len(src))
	return nil
}

// Read copies to the host. Bytes that nothing has written are an error, unless
// ReadUninitialised is set.
func (m *Memory) Read(addr uint64, dst []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, off, err := m.span(addr, int64(len(dst)))
	if err != nil {
		return fmt.Errorf("ptx: copy to host: %w", err)
	}
	if i := a.uninitialised(off, len(dst)); i >= 0 && !m.ReadUninitialised {
		return fmt.Errorf("ptx: copy to host: byte %d of %s was never written: %w", i, a.name(), ErrUninitialised)
	}
	copy(dst, a.data[off:])
	return nil
}

// Memset sets n bytes to b.
func (m *Memory) Memset(addr uint64, b byte, n int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, off, err := m.span(addr, n)
	if err != nil {
		return fmt.Errorf("ptx: memset: %w", err)
	}
	d := a.data[off : off+int(n)]
	for i := range d {
		d[i] = b
	}
	a.markRange(off, int(n))
	return nil
}

// Copy copies n bytes within the device. What was never written in the source
// counts as never written in the destination. The two may overlap.
func (m *Memory) Copy(dst, src uint64, n int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, from, err := m.span(src, n)
	if err != nil {
		return fmt.Errorf("ptx: copy on device, source: %w", err)
	}
	d, to, err := m.span(dst, n)
	if err != nil {
		return fmt.Errorf("ptx: copy on device, destination: %w", err)
	}
	copy(d.data[to:to+int(n)], s.data[from:])
	if s.uninitialised(from, int(n)) < 0 {
		d.markRange(to, int(n))
		return nil
	}
	written := make([]bool, n)
	for i := range written {
		written[i] = s.init[(from+i)>>6]>>((from+i)&63)&1 != 0
	}
	for i, w := range written {
		bit := uint64(1) << ((to + i) & 63)
		word := &d.init[(to+i)>>6]
		switch old := *word&bit != 0; {
		case w && !old:
			d.missing.Add(-1)
		case !w && old:
			d.missing.Add(1)
		}
		*word &^= bit
		if w {
			*word |= bit
		}
	}
	return nil
}

// bitRange is the mask of bits from lo to hi, which is above lo and at most 64.
func bitRange(lo, hi int) uint64 { return ^uint64(0) << lo & (^uint64(0) >> (64 - hi)) }

// markRange marks n bytes as written.
func (a *allocation) markRange(off, n int) {
	if a.missing.Load() == 0 {
		return
	}
	for end := off + n; off < end; {
		stop := min(end, off|63+1)
		a.mark(off>>6, bitRange(off&63, stop-off&^63))
		off = stop
	}
}

// mark sets bits of a word of init.
func (a *allocation) mark(word int, mask uint64) {
	p := &a.init[word]
	if old := atomic.LoadUint64(p); old&mask == mask {
		return
	}
	old := atomic.OrUint64(p, mask)
	a.missing.Add(-int64(bits.OnesCount64(mask &^ old)))
}

// uninitialised returns the first byte of a range that was not written, or -1.
func (a *allocation) uninitialised(off, n int) int {
	if a.missing.Load() == 0 {
		return -1
	}
	for end := off + n; off < end; {
		stop := min(end, off|63+1)
		mask := bitRange(off&63, stop-off&^63)
		if m := mask &^ a.init[off>>6]; m != 0 {
			return off&^63 + bits.TrailingZeros64(m)
		}
		off = stop
	}
	return -1
}

// instantiate allocates the variables of a module where that is not done yet,
// and returns them.
func (m *Memory) instantiate(mod *Module) ([]*allocation, error) {
	vars, ok := m.globals[mod]
	if ok || len(mod.globals) == 0 {
		return vars, nil
	}
	for _, g := range mod.globals {
		a, err := m.alloc(g.size, mod.file+": "+g.name)
		if err != nil {
			for _, a := range vars {
				m.release(a)
			}
			return nil, err
		}
		clear(a.data)
		copy(a.data, g.init)
		a.markRange(0, len(a.data))
		a.module, a.readOnly = true, g.constant
		vars = append(vars, a)
	}
	m.globals[mod] = vars
	return vars, nil
}

// Variable returns the address and size of a .global or .const variable of a
// module, as cuModuleGetGlobal does. The variables live in the memory from the
// first Variable or Launch on, until Unload.
func (m *Memory) Variable(mod *Module, name string) (addr uint64, size int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	vars, err := m.instantiate(mod)
	if err != nil {
		return 0, 0, err
	}
	for i, g := range mod.globals {
		if g.name == name {
			return vars[i].base, g.size, nil
		}
	}
	return 0, 0, fmt.Errorf("ptx: %s has no variable %s", mod.file, name)
}

// Unload frees the variables of a module.
func (m *Memory) Unload(mod *Module) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.globals[mod] {
		m.release(a)
	}
	delete(m.globals, mod)
}
