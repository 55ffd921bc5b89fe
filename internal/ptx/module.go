package ptx

import (
	"fmt"
	"sync"
)

// A Module is a PTX file ready to run. It is safe for use by several
// goroutines, as far as the memory that they launch on is not shared.
type Module struct {
	file    string
	kernels []*Kernel
	byName  map[string]*Kernel
	globals []*global
	target  int // 75 for sm_75
	version int // 63 for PTX 6.3
}

// A global is a variable of the module in device memory.
type global struct {
	name     string
	size     int64
	align    int64
	init     []byte // the first bytes; the rest are zero
	constant bool   // .const
}

// A Param is a parameter of a kernel: where its bytes lie in the parameter
// buffer.
type Param struct{ Offset, Size, Align int }

// A Kernel is an entry point of a Module.
type Kernel struct {
	*entryPoint
	module *Module

	mu         sync.Mutex
	maxDynamic int
	// largeClusters allows clusters of more blocks than every device takes.
	largeClusters bool
	idle          []*worker
	stats         Stats
	tally         []SharedAccess // by memOp.counted
}

// An entryPoint is what the file says of a Kernel. Nothing changes it after Load.
type entryPoint struct {
	name string
	line int

	params     []Param
	paramBytes int

	static     int // bytes of static shared memory, without the red zones
	sharedSize int // where dynamic shared memory begins
	gaps       [][2]int
	localBytes int
	maxThreads int
	required   Dim // .reqntid; zero where absent

	code  []inst
	words int // 32-bit register slots
	longs int // 64-bit register slots
	preds int
	// fixed are the slots that hold constants, filled once; specials the slots
	// that hold special registers; symbols the slots that hold addresses of
	// module variables, which depend on the memory.
	fixed    []constant
	specials []special
	symbols  []symbolSlot
	// undefined are the registers that may be read before they are written.
	undefined []slotKey
	caches    int  // number of global memory instructions
	counts    int  // number of shared-memory instructions
	atomics   bool // global atomics: blocks run one after the other
	clusters  bool // what only blocks of clusters do
	async     bool // cp.async
	matrices  bool // ldmatrix
	// sharedAtomics tells of atomics on shared memory.
	sharedAtomics bool
	// fineGlobal and fineShared tell that the kernel writes less than 4 bytes at
	// once, so that races are tracked by byte.
	fineGlobal, fineShared bool
}

type constant struct {
	long  bool
	slot  int32
	value uint64
}

type special struct {
	id   specialID
	slot int32
}

type symbolSlot struct {
	slot   int32
	index  int // into Module.globals
	addend int64
}

// Stats counts what a kernel has executed since it was loaded.
type Stats struct {
	Launches         int64
	WarpInstructions int64
	LaneInstructions int64
}

// maxSource bounds the size of a PTX file.
const maxSource = 64 << 20

// Load parses PTX text. File is the name used in messages. It rejects what it
// does not know, with an error of the form "file:line: …".
func Load(file string, src []byte) (m *Module, err error) {
	if len(src) > maxSource {
		return nil, fmt.Errorf("%s:1: file has %d bytes, the limit is %d", file, len(src), maxSource)
	}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(syntaxError)
			if !ok {
				panic(r)
			}
			m, err = nil, fmt.Errorf("%s:%d: %s", file, e.line, e.text)
		}
	}()
	p := newParser(file, string(src))
	p.file()
	return p.m, nil
}

// Again returns what Load would return for the same file, without parsing it again.
func (m *Module) Again() *Module {
	c := *m
	c.kernels, c.byName = nil, map[string]*Kernel{}
	for _, k := range m.kernels {
		c.add(k.entryPoint)
	}
	return &c
}

func (m *Module) add(e *entryPoint) {
	k := &Kernel{entryPoint: e, module: m}
	m.kernels = append(m.kernels, k)
	m.byName[e.name] = k
}

// Kernel returns the kernel of that name, or nil.
func (m *Module) Kernel(name string) *Kernel { return m.byName[name] }

// Target returns the compute capability that the module is for, times ten: 75 for sm_75.
func (m *Module) Target() int { return m.target }

// Kernels returns the names of the kernels in the order of the file.
func (m *Module) Kernels() []string {
	names := make([]string, len(m.kernels))
	for i, k := range m.kernels {
		names[i] = k.name
	}
	return names
}

// Name returns the kernel's name.
func (k *Kernel) Name() string { return k.name }

// Params returns the layout of the kernel's parameters.
func (k *Kernel) Params() []Param { return append([]Param(nil), k.params...) }

// ParamBytes returns the size of the parameter buffer that Launch wants.
func (k *Kernel) ParamBytes() int { return k.paramBytes }

// SharedBytes returns the size of the static shared memory.
func (k *Kernel) SharedBytes() int { return k.static }

// LocalBytes returns the size of the local memory of a thread. More than 0
// means that registers did not suffice or that an array is indexed by what is
// not a constant; kernels that should be fast have none.
func (k *Kernel) LocalBytes() int { return k.localBytes }

// MaxThreads returns the largest number of threads of a block: that of
// .maxntid or .reqntid, or 1024.
func (k *Kernel) MaxThreads() int { return k.maxThreads }

// Stats returns what the kernel has executed so far.
func (k *Kernel) Stats() Stats {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.stats
}

const (
	maxThreads      = 1024
	maxStaticShared = 48 << 10
	maxParamBytes   = 4352
	maxGrid         = 1<<24 - 2 // blocks; the shadow memory has 24 bits for a block
)

// SetMaxDynamicShared allows launches with that much dynamic shared memory, as
// CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES does. Without it static and
// dynamic memory together are limited to 48 KiB.
func (k *Kernel) SetMaxDynamicShared(n int) error {
	if limit := k.module.maxShared(); n < 0 || n+k.static > limit {
		return fmt.Errorf("ptx: kernel %s: %d bytes of dynamic beside %d of static shared memory: the limit is %d", k.name, n, k.static, limit)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.maxDynamic = n
	return nil
}

// maxShared is the shared memory of one block, static and dynamic, on the module's target.
func (m *Module) maxShared() int {
	switch {
	case m.target >= 90:
		return 227 << 10
	case m.target == 80 || m.target == 87:
		return 163 << 10
	case m.target > 80:
		return 99 << 10
	}
	return 64 << 10
}

// AllowLargeClusters allows clusters of up to 16 blocks, as
// CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED does, instead of 8.
func (k *Kernel) AllowLargeClusters(allow bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.largeClusters = allow
}
