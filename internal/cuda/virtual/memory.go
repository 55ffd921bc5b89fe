package virtual

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"unsafe"
)

// block is device memory that the program has allocated.
type block struct {
	addr  uint64
	size  int64
	label string
}

// pinned is memory of the host that the program has allocated.
type pinned struct {
	data  []byte
	label string
	freed bool
}

// at returns the number of the block that has the address, or where in blocks
// one would be.
func (c *context) at(addr uint64) (int, bool) {
	i := sort.Search(len(c.blocks), func(i int) bool { return c.blocks[i].addr > addr }) - 1
	if i >= 0 && addr < c.blocks[i].addr+uint64(c.blocks[i].size) {
		return i, true
	}
	return i + 1, false
}

// within returns an error for a range that is not in one block.
func (c *context) within(addr uint64, n int64, doing string) error {
	i, ok := c.at(addr)
	if !ok {
		return fail(InvalidValue, "%s: %#x is in no allocation", doing, addr)
	}
	if b := c.blocks[i]; uint64(n) > b.addr+uint64(b.size)-addr {
		return fail(InvalidValue, "%s: %d bytes from %#x go beyond the end of an allocation of %d bytes at %#x (%s)", doing, n, addr, b.size, b.addr, b.label)
	}
	return nil
}

// MemInfo is cuMemGetInfo.
func (d *Driver) MemInfo(t Thread) (free, total int64, r Result) {
	r = d.call(t, func(c *context) error { free, total = d.cfg.Memory-c.used, d.cfg.Memory; return nil })
	return free, total, r
}

// MemAlloc is cuMemAlloc.
func (d *Driver) MemAlloc(t Thread, n int64, site string) (addr uint64, r Result) {
	r = d.call(t, func(c *context) error {
		if err := c.unsafeCall(t, "allocation"); err != nil {
			return err
		}
		if n <= 0 {
			return fail(InvalidValue, "allocation of %d bytes", n)
		}
		if n > d.cfg.Memory-c.used {
			return fail(OutOfMemory, "allocation of %d bytes: %d of %d are free", n, d.cfg.Memory-c.used, d.cfg.Memory)
		}
		label := "allocated " + site
		var err error
		if addr, err = c.memory.Alloc(n, label); err != nil {
			return fail(OutOfMemory, "allocation of %d bytes: %v", n, err)
		}
		i, _ := c.at(addr)
		c.blocks = slices.Insert(c.blocks, i, &block{addr, n, label})
		c.used += n
		return nil
	})
	return addr, r
}

// MemFree is cuMemFree. Address 0 is nothing.
func (d *Driver) MemFree(t Thread, addr uint64) Result {
	return d.call(t, func(c *context) error {
		if err := c.unsafeCall(t, "release of memory"); err != nil {
			return err
		}
		if addr == 0 {
			return nil
		}
		i, ok := c.at(addr)
		if !ok || c.blocks[i].addr != addr {
			return fail(InvalidValue, "release of memory: no allocation begins at %#x (released before?)", addr)
		}
		c.used -= c.blocks[i].size
		c.blocks = slices.Delete(c.blocks, i, i+1)
		if err := c.memory.Free(addr); err != nil {
			return fail(InvalidValue, "release of memory: %v", err)
		}
		return nil
	})
}

// HostAlloc is cuMemHostAlloc.
func (d *Driver) HostAlloc(t Thread, n int64, site string) (p []byte, r Result) {
	r = d.call(t, func(c *context) error {
		if err := c.unsafeCall(t, "allocation of pinned memory"); err != nil {
			return err
		}
		if n <= 0 {
			return fail(InvalidValue, "allocation of %d bytes of pinned memory", n)
		}
		var err error
		if p, err = d.cfg.HostAlloc(int(n)); err != nil {
			return fail(OutOfMemory, "allocation of %d bytes of pinned memory: %v", n, err)
		}
		c.pinned = append(c.pinned, &pinned{data: p, label: "allocated " + site})
		return nil
	})
	return p, r
}

// HostFree is cuMemFreeHost.
func (d *Driver) HostFree(t Thread, p uintptr) Result {
	return d.call(t, func(c *context) error {
		if err := c.unsafeCall(t, "release of pinned memory"); err != nil {
			return err
		}
		i := slices.IndexFunc(c.pinned, func(b *pinned) bool { return address(b.data) == p })
		if i < 0 {
			return fail(InvalidValue, "release of pinned memory: none begins at %#x (released before?)", p)
		}
		b := c.pinned[i]
		c.pinned = slices.Delete(c.pinned, i, i+1)
		b.freed = true
		d.cfg.HostFree(b.data)
		return nil
	})
}

func address(p []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(p))) }

// pinnedAt returns the pinned memory that p lies in, nil if it is pageable.
func (c *context) pinnedAt(p []byte) *pinned {
	from := address(p)
	for _, b := range c.pinned {
		if start := address(b.data); from >= start && from+uintptr(len(p)) <= start+uintptr(len(b.data)) {
			return b
		}
	}
	return nil
}

// touch refuses pinned memory that was freed before the work that uses it.
func (b *pinned) touch(what string) error {
	if b != nil && b.freed {
		return &Fault{Result: IllegalAddress, Text: fmt.Sprintf("%s: pinned memory was released before, %s", what, b.label)}
	}
	return nil
}

// moved names the work in the errors of a memory.
func moved(what string, err error) error {
	if err == nil {
		return nil
	}
	f := &Fault{Result: IllegalAddress, Text: what + ": " + err.Error(), Cause: err}
	if k, ok := err.(*Fault); ok {
		f.Result = k.Result
	}
	return f
}

// Copies with async do not wait, and use the stream h, else the legacy stream.

// ToDevice is cuMemcpyHtoD and its Async.
func (d *Driver) ToDevice(t Thread, to uint64, from []byte, async bool, h Handle, site string) Result {
	what := fmt.Sprintf("copy of %d bytes to the device %s", len(from), site)
	return d.call(t, func(c *context) error {
		s, b, err := c.copying(what, to, from, async, h)
		if err != nil || len(from) == 0 {
			return err
		}
		d.counters.ToDevice++
		if b != nil {
			run := func() error {
				if err := b.touch(what); err != nil {
					return err
				}
				return moved(what, c.memory.Write(to, from))
			}
			if err := c.enqueue(s, what, false, run); err != nil || async {
				return err
			}
			return c.do(func(q *queue) error { return q.finish(s.tail) })
		}
		// Pageable: the synchronous call takes the data behind what the stream does, and
		// they reach the device when the stream gets there; the other takes them then.
		data := from
		if !async {
			if err := c.do(func(q *queue) error { return q.finish(s.tail) }); err != nil {
				return err
			}
			data = bytes.Clone(from)
		}
		return c.enqueue(s, what, false, func() error { return moved(what, c.memory.Write(to, data)) })
	})
}

// FromDevice is cuMemcpyDtoH and its Async, which waits where the memory is
// pageable.
func (d *Driver) FromDevice(t Thread, to []byte, from uint64, async bool, h Handle, site string) Result {
	what := fmt.Sprintf("copy of %d bytes from the device %s", len(to), site)
	return d.call(t, func(c *context) error {
		s, b, err := c.copying(what, from, to, async, h)
		if err != nil || len(to) == 0 {
			return err
		}
		d.counters.FromDevice++
		run := func() error {
			if err := b.touch(what); err != nil {
				return err
			}
			return moved(what, c.memory.Read(from, to))
		}
		if err := c.enqueue(s, what, false, run); err != nil || async && b != nil {
			return err
		}
		return c.do(func(q *queue) error { return q.finish(s.tail) })
	})
}

// copying checks a copy between host and device. The pinned memory is nil if
// host is pageable.
func (c *context) copying(what string, addr uint64, host []byte, async bool, h Handle) (*stream, *pinned, error) {
	s := c.legacy
	if async {
		var err error
		if s, err = c.stream(h); err != nil {
			return nil, nil, err
		}
	}
	if len(host) == 0 {
		return s, nil, nil
	}
	if err := c.within(addr, int64(len(host)), what); err != nil {
		return nil, nil, err
	}
	b := c.pinnedAt(host)
	if s.capture != nil && b == nil {
		s.capture.spoilt = true
		return nil, nil, fail(StreamCaptureUnsupported, "%s: in a capture, memory of the host has to be pinned", what)
	}
	return s, b, nil
}

// Copy is cuMemcpyDtoD and its Async.
func (d *Driver) Copy(t Thread, to, from uint64, n int64, async bool, h Handle, site string) Result {
	what := fmt.Sprintf("copy of %d bytes on the device %s", n, site)
	return d.call(t, func(c *context) error {
		s, err := c.target(async, h)
		if err != nil || n == 0 {
			return err
		}
		if err := c.within(to, n, what); err != nil {
			return err
		}
		if err := c.within(from, n, what); err != nil {
			return err
		}
		return c.enqueue(s, what, false, func() error { return moved(what, c.memory.Copy(to, from, n)) })
	})
}

// Set is cuMemsetD8 and cuMemsetD32, by the pattern's length, and their Async:
// it writes the pattern n times.
func (d *Driver) Set(t Thread, to uint64, pattern []byte, n int64, async bool, h Handle, site string) Result {
	total := n * int64(len(pattern))
	what := fmt.Sprintf("set of %d bytes %s", total, site)
	return d.call(t, func(c *context) error {
		s, err := c.target(async, h)
		if err != nil || n == 0 {
			return err
		}
		if to%uint64(len(pattern)) != 0 {
			return fail(InvalidValue, "%s: %#x is not a multiple of %d", what, to, len(pattern))
		}
		if err := c.within(to, total, what); err != nil {
			return err
		}
		return c.enqueue(s, what, false, func() error { return moved(what, c.memory.Set(to, pattern, total)) })
	})
}

func (c *context) target(async bool, h Handle) (*stream, error) {
	if async {
		return c.stream(h)
	}
	return c.legacy, nil
}
