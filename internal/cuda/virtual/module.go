package virtual

import (
	"fmt"
	"strings"
)

type module struct {
	m         Module
	functions map[string]Handle
}

type function struct {
	k          Kernel
	name       string
	maxDynamic int // bytes of dynamic shared memory that a launch may ask for
}

// NameSource has messages about a module of this source call it by the name.
func (d *Driver) NameSource(name, source string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names[source] = name
}

// ModuleLoad is cuModuleLoadData, of PTX.
func (d *Driver) ModuleLoad(t Thread, source, site string) (h Handle, r Result) {
	r = d.call(t, func(c *context) error {
		if err := c.unsafeCall(t, "loading of a module"); err != nil {
			return err
		}
		if strings.HasPrefix(source, "\x7fELF") || strings.HasPrefix(source, "\x50\xed\x55\xba") {
			return fail(InvalidImage, "the virtual device runs PTX, not machine code")
		}
		name := d.names[source]
		if name == "" {
			name = "module loaded " + site
		}
		m, err := d.cfg.Machine.Load(name, source)
		if err != nil {
			return fail(InvalidPTX, "%v", err)
		}
		h = c.newHandle(&module{m: m, functions: map[string]Handle{}}, "a module, "+name)
		d.counters.Modules++
		return nil
	})
	return h, r
}

// ModuleUnload is cuModuleUnload.
func (d *Driver) ModuleUnload(t Thread, h Handle) Result {
	return d.call(t, func(c *context) error {
		if err := c.unsafeCall(t, "unloading of a module"); err != nil {
			return err
		}
		m, err := find[*module](c, h, "module")
		if err != nil {
			return err
		}
		for _, f := range m.functions {
			c.drop(f)
		}
		c.drop(h)
		return nil
	})
}

// ModuleFunction is cuModuleGetFunction.
func (d *Driver) ModuleFunction(t Thread, h Handle, name string) (f Handle, r Result) {
	r = d.call(t, func(c *context) error {
		m, err := find[*module](c, h, "module")
		if err != nil {
			return err
		}
		if f = m.functions[name]; f != 0 {
			return nil
		}
		k, ok := m.m.Kernel(name)
		if !ok {
			return fail(NotFound, "the module has no kernel %q", name)
		}
		f = c.newHandle(&function{k: k, name: name, maxDynamic: max(0, maxShared-k.SharedBytes())}, "")
		m.functions[name] = f
		return nil
	})
	return f, r
}

// Attributes of cuFuncGetAttribute.
const (
	FuncMaxThreads       = 0
	FuncShared           = 1
	FuncLocal            = 3
	FuncPTXVersion       = 5
	FuncBinaryVersion    = 6
	FuncMaxDynamicShared = 8
	funcAttributes       = 10
)

// FuncAttribute is cuFuncGetAttribute. The machine has no registers to count.
func (d *Driver) FuncAttribute(t Thread, h Handle, attribute int) (v int, r Result) {
	r = d.call(t, func(c *context) error {
		f, err := find[*function](c, h, "kernel")
		if err != nil {
			return err
		}
		switch attribute {
		case FuncMaxThreads:
			v = f.k.MaxThreads()
		case FuncShared:
			v = f.k.SharedBytes()
		case FuncLocal:
			v = f.k.LocalBytes()
		case FuncPTXVersion, FuncBinaryVersion:
			v = 75
		case FuncMaxDynamicShared:
			v = f.maxDynamic
		default:
			if attribute < 0 || attribute >= funcAttributes {
				return fail(InvalidValue, "kernel attribute %d", attribute)
			}
		}
		return nil
	})
	return v, r
}

// FuncSetAttribute is cuFuncSetAttribute.
func (d *Driver) FuncSetAttribute(t Thread, h Handle, attribute, v int) Result {
	return d.call(t, func(c *context) error {
		f, err := find[*function](c, h, "kernel")
		if err != nil {
			return err
		}
		if attribute == funcAttributes-1 { // preferred carve-out: a hint
			return nil
		}
		if attribute != FuncMaxDynamicShared {
			return fail(InvalidValue, "kernel attribute %d cannot be set", attribute)
		}
		if v < 0 || v+f.k.SharedBytes() > maxSharedIn {
			return fail(InvalidValue, "%s: %d bytes of dynamic shared memory besides %d static ones: a block may have %d", f.name, v, f.k.SharedBytes(), maxSharedIn)
		}
		if err := f.k.SetMaxDynamic(v); err != nil {
			return fail(InvalidValue, "%v", err)
		}
		f.maxDynamic = v
		return nil
	})
}

// FuncParams says how the arguments of a launch are laid out, and how many
// bytes they have.
func (d *Driver) FuncParams(h Handle) (params []Param, size int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, ok := d.handles[h].(*function)
	if !ok {
		return nil, 0
	}
	return f.k.Params(), f.k.ParamBytes()
}

// Launch is cuLaunchKernel. The arguments are those that FuncParams lays out.
func (d *Driver) Launch(t Thread, h Handle, grid, block Dim, dynamicShared int, on Handle, args []byte, site string) Result {
	return d.call(t, func(c *context) error {
		f, err := find[*function](c, h, "kernel")
		if err != nil {
			return err
		}
		s, err := c.stream(on)
		if err != nil {
			return err
		}
		if err := f.fits(grid, block, dynamicShared); err != nil {
			return err
		}
		if s.capture == nil {
			d.counters.Launches++
		}
		what := fmt.Sprintf("kernel %s, grid %d,%d,%d, block %d,%d,%d, on %v, launched %s",
			f.name, grid.X, grid.Y, grid.Z, block.X, block.Y, block.Z, s, site)
		return c.enqueue(s, what, true, func() error {
			err := f.k.Launch(c.memory, grid, block, dynamicShared, args)
			if err == nil {
				return nil
			}
			return &Fault{Result: code(err), Text: what + ":\n" + err.Error(), Cause: err}
		})
	})
}

// fits refuses what a device cannot launch.
func (f *function) fits(grid, block Dim, shared int) error {
	bad := func(what string, a ...any) error {
		return fail(InvalidValue, "launch of %s: %s", f.name, fmt.Sprintf(what, a...))
	}
	switch {
	case grid.X < 1 || grid.Y < 1 || grid.Z < 1 || block.X < 1 || block.Y < 1 || block.Z < 1:
		return bad("grid %v and block %v must not be empty", grid, block)
	case grid.X > maxGrid || grid.Y > maxGridYZ || grid.Z > maxGridYZ:
		return bad("grid %v is beyond %d, %d, %d", grid, maxGrid, maxGridYZ, maxGridYZ)
	case block.X > maxBlock || block.Y > maxBlock || block.Z > maxBlockZ || block.size() > maxBlock:
		return bad("block %v is beyond %d threads, or %d in z", block, maxBlock, maxBlockZ)
	case block.size() > f.k.MaxThreads():
		return bad("block %v: the kernel is compiled for %d threads at most", block, f.k.MaxThreads())
	case shared < 0 || shared > f.maxDynamic:
		return bad("%d bytes of dynamic shared memory: %d are allowed (CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES)", shared, f.maxDynamic)
	}
	return nil
}
