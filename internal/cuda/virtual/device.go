package virtual

import (
	"errors"
	"fmt"
)

// Name is what the device calls itself.
const Name = "virtual PTX device"

// attributes are those of cuDeviceGetAttribute that are not 0, those of a small
// device of compute capability 7.5; attribute says what later ones have.
var attributes = map[int]int{
	1:  maxBlock,  // threads of a block
	2:  maxBlock,  // x of a block
	3:  maxBlock,  // y
	4:  maxBlockZ, // z
	5:  maxGrid,   // x of a grid
	6:  maxGridYZ, // y
	7:  maxGridYZ, // z
	8:  maxShared, // bytes of shared memory of a block
	9:  64 << 10,  // bytes of constant memory
	10: 32,        // warp
	12: 64 << 10,  // registers of a block
	13: 1_000_000, // clock in kHz
	15: 1,         // copies beside kernels
	31: 1,         // kernels beside kernels
	36: 1_000_000, // clock of the memory in kHz
	37: 64,        // width of its bus
	38: 1 << 20,   // L2 cache
	39: maxBlock,  // threads of a multiprocessor
	40: 1,         // copy engines
	41: 1,         // one address space
	82: 64 << 10,  // registers of a multiprocessor

	attributeMultiprocessors: 40,
	attributeShared:          64 << 10,
	attributeSharedIn:        64 << 10,
}

const (
	attributeMultiprocessors = 16
	attributeMajor           = 75  // compute capability
	attributeMinor           = 76  //
	attributeShared          = 81  // bytes of shared memory of a multiprocessor
	attributeSharedIn        = 97  // bytes of shared memory that a block may opt in to
	attributeClusters        = 120 // whether there are clusters of blocks
)

// attribute returns an attribute of the device.
func (d *Driver) attribute(a int) int {
	switch a {
	case attributeMajor:
		return d.capability / 10
	case attributeMinor:
		return d.capability % 10
	}
	if d.capability >= clusterCapability {
		switch a {
		case attributeShared:
			return 228 << 10
		case attributeMultiprocessors:
			return 132
		case attributeSharedIn:
			return 227 << 10
		case attributeClusters:
			return 1
		}
	}
	return attributes[a]
}

// The compute capability of the device, times ten, unless SetCapability has set another;
// and the first with clusters of blocks and dependent launches, of which SetCapability knows.
const (
	defaultCapability = 75
	clusterCapability = 90
)

// SetCapability makes the device one of compute capability 9.0, with clusters of blocks and
// more shared memory, or 7.5 again: 90 or 75. It must come before a context is made.
func (d *Driver) SetCapability(capability int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if capability != defaultCapability && capability != clusterCapability {
		return fmt.Errorf("compute capability %d.%d: the virtual device can be of %d.%d and %d.%d", capability/10, capability%10,
			defaultCapability/10, defaultCapability%10, clusterCapability/10, clusterCapability%10)
	}
	if d.ctx != nil {
		return errors.New("the virtual device has a context: its compute capability must be set before")
	}
	d.capability = capability
	return nil
}

const (
	maxBlock     = 1024
	maxBlockZ    = 64
	maxGrid      = 1<<31 - 1
	maxGridYZ    = 65535
	maxShared    = 48 << 10
	maxCluster   = 8
	maxAttribute = 200 // more than any driver has so far

	maxLargeCluster = 16 // of kernels that allow it
)

// device checks an ordinal.
func device(n int) error {
	if n != 0 {
		return fail(InvalidDevice, "device %d: the virtual driver has device 0 only", n)
	}
	return nil
}

// DeviceGet is cuDeviceGet; a device's handle is its ordinal.
func (d *Driver) DeviceGet(n int) Result { return d.free(func() error { return device(n) }) }

// free does f, which needs no context.
func (d *Driver) free(f func() error) Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.result(f())
}

// DeviceAttribute is cuDeviceGetAttribute.
func (d *Driver) DeviceAttribute(dev, attribute int) (v int, r Result) {
	r = d.free(func() error {
		if attribute < 1 || attribute > maxAttribute {
			return fail(InvalidValue, "device attribute %d", attribute)
		}
		v = d.attribute(attribute)
		return device(dev)
	})
	return v, r
}

// DeviceTotalMem is cuDeviceTotalMem.
func (d *Driver) DeviceTotalMem(dev int) (int64, Result) {
	return d.cfg.Memory, d.free(func() error { return device(dev) })
}

// PrimaryRetain is cuDevicePrimaryCtxRetain.
func (d *Driver) PrimaryRetain(dev int) (h Handle, r Result) {
	r = d.free(func() error {
		if err := device(dev); err != nil {
			return err
		}
		if d.ctx == nil {
			c := &context{d: d, memory: d.cfg.Machine.NewMemory(d.cfg.Memory), queue: queue{rng: d.rng()}, live: map[Handle]string{}}
			c.handle = d.newHandle(c)
			c.legacy = &stream{c: c}
			d.ctx = c
			d.fault, d.leaks = nil, nil
			d.counters.Contexts++
		}
		d.ctx.refs++
		h = d.ctx.handle
		return nil
	})
	return h, r
}

// PrimaryRelease is cuDevicePrimaryCtxRelease. The last one ends the context:
// what is queued is done, and Leaks and LastFault tell what was wrong.
func (d *Driver) PrimaryRelease(dev int) Result {
	return d.free(func() error {
		if err := device(dev); err != nil {
			return err
		}
		if d.ctx == nil {
			return fail(InvalidContext, "the primary context is not retained")
		}
		if d.ctx.refs--; d.ctx.refs == 0 {
			d.ctx.end()
		}
		return nil
	})
}

// PrimaryActive is cuDevicePrimaryCtxGetState.
func (d *Driver) PrimaryActive(dev int) (active bool, r Result) {
	r = d.free(func() error { active = d.ctx != nil; return device(dev) })
	return active, r
}

// contextOf finds a context by its handle, 0 is none.
func (d *Driver) contextOf(h Handle) (*context, error) {
	if h == 0 {
		return nil, nil
	}
	c, ok := d.handles[h].(*context)
	if !ok {
		return nil, fail(InvalidContext, "%#x is no context (released?)", uintptr(h))
	}
	return c, nil
}

// SetCurrent is cuCtxSetCurrent.
func (d *Driver) SetCurrent(t Thread, h Handle) Result {
	return d.free(func() error {
		c, err := d.contextOf(h)
		if err != nil {
			return err
		}
		stack := d.threads[t]
		if len(stack) > 0 {
			stack = stack[:len(stack)-1]
		}
		if c != nil {
			stack = append(stack, c)
		}
		d.threads[t] = stack
		return nil
	})
}

// PushCurrent is cuCtxPushCurrent.
func (d *Driver) PushCurrent(t Thread, h Handle) Result {
	return d.free(func() error {
		c, err := d.contextOf(h)
		if err == nil && c == nil {
			err = fail(InvalidContext, "no context to make current")
		}
		if err == nil {
			d.threads[t] = append(d.threads[t], c)
		}
		return err
	})
}

// PopCurrent is cuCtxPopCurrent.
func (d *Driver) PopCurrent(t Thread) (h Handle, r Result) {
	r = d.free(func() error {
		stack := d.threads[t]
		if len(stack) == 0 {
			return fail(InvalidContext, "the calling thread has no current context")
		}
		h = stack[len(stack)-1].handle
		d.threads[t] = stack[:len(stack)-1]
		return nil
	})
	return h, r
}

// GetCurrent is cuCtxGetCurrent; 0 is none.
func (d *Driver) GetCurrent(t Thread) (h Handle, r Result) {
	r = d.free(func() error {
		if stack := d.threads[t]; len(stack) > 0 {
			h = stack[len(stack)-1].handle
		}
		return nil
	})
	return h, r
}

// CurrentDevice is cuCtxGetDevice.
func (d *Driver) CurrentDevice(t Thread) (int, Result) {
	return 0, d.call(t, func(*context) error { return nil })
}

// Synchronize is cuCtxSynchronize.
func (d *Driver) Synchronize(t Thread) Result {
	return d.call(t, func(c *context) error {
		if len(c.captures) > 0 {
			for _, k := range c.captures {
				k.spoilt = true
			}
			return fail(StreamCaptureUnsupported, "cuCtxSynchronize while a stream of the context is capturing")
		}
		d.counters.Synchronize++
		return c.do(func(q *queue) error { return q.drain(0) })
	})
}
