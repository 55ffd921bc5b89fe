//go:build gpu

package cuda

import (
	"fmt"
	"sync"

	driver "driftless/internal/cuda"
	kernels "driftless/kernels/cuda"

	"gorgonia.org/cu"
)

// primary is the primary context of a device of the driver, with the kernels that are
// loaded in it. All Devices of that device share it, whatever their options.
type primary struct {
	handle cu.Device
	major  int // compute capability
	minor  int
	shared int // bytes of shared memory that a block may have

	multiprocessors int

	mu        sync.Mutex
	sessions  int
	kept      bool
	modules   map[string]cu.Module // by file, while there are sessions
	functions map[string]cu.Function
}

var (
	contextsMu sync.Mutex
	contexts   = map[cu.Device]*primary{}
)

// contextOf returns the process's one context of a device, which no session holds yet.
func contextOf(handle cu.Device, d driver.DeviceInfo) *primary {
	contextsMu.Lock()
	defer contextsMu.Unlock()
	c := contexts[handle]
	if c == nil {
		c = &primary{handle: handle, modules: map[string]cu.Module{}, functions: map[string]cu.Function{}}
		contexts[handle] = c
	}
	c.major, c.minor, c.shared, c.multiprocessors = d.Major, d.Minor, d.SharedPerBlock, d.Multiprocessors
	return c
}

// attach makes the context current on the calling thread.
func (c *primary) attach(keep bool) error {
	ctx, err := c.handle.RetainPrimaryCtx()
	if err != nil {
		return err
	}
	if err := cu.SetCurrentContext(ctx); err != nil {
		_ = c.handle.ReleasePrimaryCtx()
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions++
	if keep && !c.kept { // as a session that is never closed
		if _, err := c.handle.RetainPrimaryCtx(); err == nil {
			c.kept = true
			c.sessions++
		}
	}
	return nil
}

// detach undoes attach. With the last session go the kernels, and what the driver
// holds for them.
func (c *primary) detach() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	if c.sessions--; c.sessions == 0 {
		for _, m := range c.modules {
			if e := m.Unload(); err == nil {
				err = driver.Explain("unloading of kernels", e)
			}
		}
		clear(c.modules)
		clear(c.functions)
	}
	_ = cu.SetCurrentContext(cu.CUContext{})
	if e := c.handle.ReleasePrimaryCtx(); err == nil {
		err = driver.Explain("release of the context", e)
	}
	return err
}

// function returns a kernel, and loads its file where that is not done. The context is
// current.
func (c *primary) function(k *entry, warn func(string)) (cu.Function, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.functions[k.Name]; ok {
		return f, nil
	}
	m, ok := c.modules[k.module.File]
	if !ok {
		var err error
		if m, err = c.load(k.module, warn); err != nil {
			return cu.Function{}, err
		}
		c.modules[k.module.File] = m
	}
	f, err := m.Function(k.Name)
	if err != nil {
		return f, driver.Explain("kernel "+k.Name, err)
	}
	c.functions[k.Name] = f
	return f, nil
}

// load loads a module in the form that the device takes: its machine code where there is
// some for the device, else its PTX, which the driver compiles.
func (c *primary) load(of *kernels.Module, warn func(string)) (cu.Module, error) {
	file, form := of.For(capability(c.major, c.minor))
	path, code, err := readCode(codeFolder(), c.major, c.minor, file, form.PTX)
	if code != nil {
		var m cu.Module
		if m, err = driver.LoadCubin(path, code); err == nil {
			return m, nil
		}
	}
	if err != nil && warn != nil {
		warn(fmt.Sprintf("the driver compiles the PTX of %s, since its machine code cannot be used: %v", file, err))
	}
	return driver.LoadPTX(file, form.PTX)
}
