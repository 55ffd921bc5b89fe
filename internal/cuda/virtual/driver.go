package virtual

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
)

// Config is how a driver is made. The zero value of all but Machine will do.
type Config struct {
	Machine Machine
	Memory  int64 // of the device, in bytes; 1 GiB if 0
	// Reserve returns n addresses that nothing else uses, for handles.
	Reserve func(n int) uintptr
	// HostAlloc and HostFree are where pinned memory comes from.
	HostAlloc func(n int) ([]byte, error)
	HostFree  func([]byte)
}

// Thread stands for a thread of the system: each has a current context.
type Thread uint64

// Handle is what a driver's caller holds of an object.
type Handle uintptr

// Driver is a driver with one device. Its methods are the driver's functions;
// any thread may call them. A parameter site says where the program is, for
// messages.
type Driver struct {
	mu       sync.Mutex
	cfg      Config
	seed     uint64
	handles  map[Handle]any
	next     Handle // of the reserved addresses, the first that is free
	left     int
	threads  map[Thread][]*context
	ctx      *context // the primary context, if it is retained
	names    map[string]string
	last     *failure // of the last call that had one
	fault    error
	leaks    []string
	counters Counters
	planted  map[string]refusal
	// capability is the device's compute capability, times ten.
	capability int
}

// Counters is what a driver has been asked to do since it was made. What a graph
// repeats besides kernels is counted once, at the capture.
type Counters struct {
	Contexts      int // contexts made
	Modules       int // modules loaded
	Launches      int // kernels launched by themselves
	GraphLaunches int
	GraphKernels  int // kernels launched by graphs
	ToDevice      int // copies from the host
	FromDevice    int // copies to the host
	Synchronize   int // calls that wait for a stream, an event or all
}

// New returns a driver.
func New(cfg Config) *Driver {
	if cfg.Memory == 0 {
		cfg.Memory = 1 << 30
	}
	if cfg.Reserve == nil {
		addr := uintptr(1 << 20)
		cfg.Reserve = func(n int) uintptr { addr += uintptr(n); return addr - uintptr(n) }
	}
	if cfg.HostAlloc == nil {
		cfg.HostAlloc = func(n int) ([]byte, error) { return make([]byte, n), nil }
		cfg.HostFree = func([]byte) {}
	}
	return &Driver{cfg: cfg, capability: defaultCapability, handles: map[Handle]any{}, planted: map[string]refusal{}, threads: map[Thread][]*context{}, names: map[string]string{}}
}

// SetSeed has independent work done in an order that the seed draws, 0: in the
// fixed order that package documentation describes.
func (d *Driver) SetSeed(seed uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seed = seed
	if d.ctx != nil {
		d.ctx.queue.rng = d.rng()
	}
}

func (d *Driver) rng() *rand.Rand {
	if d.seed == 0 {
		return nil
	}
	return rand.New(rand.NewPCG(d.seed, 0))
}

// refusal is what Refuse plants.
type refusal struct {
	code Result
	left int
}

// Refuse has the next n calls of cuGraphInstantiate or cuGraphLaunch fail with r. If r is of a fault, such
// as IllegalAddress, the call reports a fault of work before it.
func (d *Driver) Refuse(function string, r Result, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.planted[function] = refusal{r, n}
}

// refused is a call's planted failure, if there is one.
func (c *context) refused(function string) error {
	p := c.d.planted[function]
	if p.left == 0 {
		return nil
	}
	c.d.planted[function] = refusal{p.code, p.left - 1}
	switch p.code {
	case IllegalAddress, MisalignedAddress, LaunchFailed:
		return c.do(func(*queue) error { return &Fault{Result: p.code, Text: "planted"} })
	}
	return fail(p.code, "%s is to be refused", function)
}

// Counters returns what the driver has been asked to do so far.
func (d *Driver) Counters() Counters {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.counters
}

// LastFault is the error that has spoilt the present context or, if there is
// none, the one before: nil if none has. It wraps the machine's own error.
func (d *Driver) LastFault() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fault
}

// Leaks lists what the program had not given back when the last context ended:
// nothing if a fault had spoilt that, since then nothing can be given back.
func (d *Driver) Leaks() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.leaks)
}

// Detail is why the last call that failed did, if that was with this result.
func (d *Driver) Detail(r Result) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil || d.last.code != r {
		return ""
	}
	return d.last.text
}

// context is the device's primary context.
type context struct {
	d        *Driver
	handle   Handle
	refs     int
	dead     bool
	poison   *failure // what every call returns, once it is set
	memory   Memory
	blocks   []*block // by address
	used     int64
	pinned   []*pinned
	legacy   *stream
	streams  []*stream
	captures []*capture
	queue    queue
	live     map[Handle]string // what the program has to destroy
}

// call does f for the calling thread's context.
func (d *Driver) call(t Thread, f func(c *context) error) Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, err := d.current(t)
	if err == nil {
		err = f(c)
	}
	return d.result(err)
}

// result keeps why a call failed.
func (d *Driver) result(err error) Result {
	r := code(err)
	if f, ok := err.(*failure); ok {
		d.last = f
	} else if err != nil {
		d.last = &failure{r, err.Error()}
	}
	return r
}

func (d *Driver) current(t Thread) (*context, error) {
	stack := d.threads[t]
	if len(stack) == 0 || stack[len(stack)-1] == nil {
		return nil, fail(InvalidContext, "the calling thread has no current context: retain the primary context, make it current, and lock the goroutine to its thread")
	}
	c := stack[len(stack)-1]
	if c.dead {
		return nil, fail(ContextIsDestroyed, "the calling thread's context has been released")
	}
	if c.poison != nil {
		return nil, c.poison
	}
	return c, nil
}

// do works on the queue, and spoils the context if that shows an error.
func (c *context) do(work func(q *queue) error) error {
	err := work(&c.queue)
	if err == nil {
		return nil
	}
	c.d.fault = err
	c.poison = &failure{code(err), err.Error()}
	c.queue = queue{rng: c.queue.rng}
	return c.poison
}

// newHandle makes an object known. What what says is reported as a leak if the
// object outlives the context.
func (c *context) newHandle(object any, what string) Handle {
	h := c.d.newHandle(object)
	if what != "" {
		c.live[h] = what
	}
	return h
}

const handleSize = 16

func (d *Driver) newHandle(object any) Handle {
	if d.left == 0 {
		d.left = 1 << 16
		d.next = Handle(d.cfg.Reserve(d.left * handleSize))
	}
	h := d.next
	d.next += handleSize
	d.left--
	d.handles[h] = object
	return h
}

func (c *context) drop(h Handle) {
	delete(c.d.handles, h)
	delete(c.live, h)
}

// find returns the object of a handle.
func find[T any](c *context, h Handle, what string) (T, error) {
	object, ok := c.d.handles[h].(T)
	if !ok {
		return object, fail(InvalidHandle, "%#x is no %s of this context (destroyed?)", uintptr(h), what)
	}
	return object, nil
}

// end waits for all work and reports what is left.
func (c *context) end() {
	for _, k := range c.captures {
		k.end()
	}
	lost := c.poison != nil
	if !lost {
		_ = c.do(func(q *queue) error { return q.drain(0) }) // the fault is kept
	}
	d := c.d
	d.leaks = nil
	for _, b := range c.blocks {
		d.leaks = append(d.leaks, fmt.Sprintf("%d bytes of device memory, %s", b.size, b.label))
		_ = c.memory.Free(b.addr)
	}
	for _, p := range c.pinned {
		d.leaks = append(d.leaks, fmt.Sprintf("%d bytes of pinned memory, %s", len(p.data), p.label))
		d.cfg.HostFree(p.data)
	}
	for _, what := range c.live {
		d.leaks = append(d.leaks, what)
	}
	if lost {
		d.leaks = nil
	}
	slices.SortFunc(d.leaks, func(a, b string) int { return cmp.Compare(strings.ToLower(a), strings.ToLower(b)) })
	clear(d.handles)
	c.dead = true // threads may go on naming it
	c.memory, c.queue, c.blocks, c.pinned, c.streams, c.legacy = nil, queue{}, nil, nil, nil, nil
	d.ctx = nil
}
