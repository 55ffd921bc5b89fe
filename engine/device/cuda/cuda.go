//go:build gpu

package cuda

import (
	"fmt"
	"os"
	"sync"

	"driftless/engine/device"
	"driftless/engine/program"
	driver "driftless/internal/cuda"

	"gorgonia.org/cu"
)

// Device is a CUDA device, or the virtual one.
type Device struct {
	handle  cu.Device
	name    string
	virtual bool
	peak    float64 // in GFLOP/s, 0 if not known
	options options
	apart   bool // nothing is fused, for tests

	mu        sync.Mutex
	sessions  int
	kept      bool
	modules   map[string]cu.Module // by file, while there are sessions
	functions map[string]cu.Function
}

// New returns device n of the driver. The error says why there is none.
func New(n int, opts ...Option) (device.Device, error) {
	info, err := driver.Status()
	if err != nil {
		return nil, err
	}
	d, err := info.Device(n)
	if err != nil {
		return nil, err
	}
	handle, err := cu.GetDevice(n)
	if err != nil {
		return nil, driver.Explain(fmt.Sprintf("device %d", n), err)
	}
	dev := &Device{handle: handle, virtual: info.Virtual, name: fmt.Sprintf("cuda:%d %s", n, d.Name),
		modules: map[string]cu.Module{}, functions: map[string]cu.Function{}}
	if info.Virtual {
		dev.name = "virtual"
	} else {
		dev.peak = peak(handle, d)
	}
	dev.options.plain = os.Getenv("DRIFTLESS_CUDA_GRAPHS") == "0"
	for _, o := range opts {
		o(&dev.options)
	}
	return dev, nil
}

// NewVirtual returns the virtual device, which from then on is the process's only
// one. It must come before anything uses the driver.
func NewVirtual(opts ...Option) (device.Device, error) {
	if err := driver.UseVirtual(); err != nil {
		return nil, err
	}
	return New(0, opts...)
}

// maxReplicas is the size of a grid in z.
const maxReplicas = 65535

// Name returns "cuda:" with the number and the name of the device, or "virtual".
func (d *Device) Name() string { return d.name }

// Open implements device.Device. Programs in float64 are for the CPU.
func (d *Device) Open(l *program.Layout, replicas int) (device.Session, error) {
	if l.DType != program.Float32 {
		return nil, fmt.Errorf("%s computes in float32, and this layout is in %v: use the CPU (--device cpu)", d.name, l.DType)
	}
	if replicas < 1 {
		return nil, fmt.Errorf("%d replicas asked for: at least one is needed", replicas)
	}
	if replicas > maxReplicas {
		return nil, fmt.Errorf("%d replicas asked for: a launch serves %d at most", replicas, maxReplicas)
	}
	s := newSession(d, l, replicas)
	if err := s.start(); err != nil {
		return nil, err
	}
	return s, nil
}

// attach makes the device's context current on the calling thread.
func (d *Device) attach() error {
	ctx, err := d.handle.RetainPrimaryCtx()
	if err != nil {
		return driver.Explain("context of "+d.name, err)
	}
	if err := cu.SetCurrentContext(ctx); err != nil {
		_ = d.handle.ReleasePrimaryCtx()
		return driver.Explain("context of "+d.name, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sessions++
	if d.options.keep && !d.kept { // as a session that is never closed
		if _, err := d.handle.RetainPrimaryCtx(); err == nil {
			d.kept = true
			d.sessions++
		}
	}
	return nil
}

// detach undoes attach. With the last session go the kernels, and what the driver
// holds for them.
func (d *Device) detach() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var err error
	if d.sessions--; d.sessions == 0 {
		for _, m := range d.modules {
			if e := m.Unload(); err == nil {
				err = driver.Explain("unloading of kernels", e)
			}
		}
		clear(d.modules)
		clear(d.functions)
	}
	_ = cu.SetCurrentContext(cu.CUContext{})
	if e := d.handle.ReleasePrimaryCtx(); err == nil {
		err = driver.Explain("release of "+d.name, e)
	}
	return err
}

// function returns a kernel, and loads its file where that is not done.
func (d *Device) function(k *entry) (cu.Function, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f, ok := d.functions[k.Name]; ok {
		return f, nil
	}
	m, ok := d.modules[k.file]
	if !ok {
		var err error
		if m, err = driver.LoadPTX(k.file, k.ptx); err != nil {
			return cu.Function{}, err
		}
		d.modules[k.file] = m
	}
	f, err := m.Function(k.Name)
	if err != nil {
		return f, driver.Explain("kernel "+k.Name, err)
	}
	d.functions[k.Name] = f
	return f, nil
}
