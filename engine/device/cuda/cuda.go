//go:build gpu

package cuda

import (
	"fmt"
	"os"

	"driftless/engine/device"
	"driftless/engine/program"
	driver "driftless/internal/cuda"
	"driftless/kernels/gemm"

	"gorgonia.org/cu"
)

// Device is a CUDA device, or the virtual one.
type Device struct {
	context *primary
	name    string
	virtual bool
	peak    float64 // in GFLOP/s, 0 if not known
	options options
	early   bool // launches of a graph may begin before the one before has ended

	// For tests:
	apart  bool                // nothing is fused, and each product packs its operands
	onHost map[program.Op]bool // instructions that the host runs, kernel or no kernel
}

// The compute capability and the driver from which on a graph's launches may begin early.
const (
	earlyMajor  = 9
	earlyDriver = 12030 // CUDA 12.3
)

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
	dev := &Device{context: contextOf(handle, d), virtual: info.Virtual, name: fmt.Sprintf("cuda:%d %s", n, d.Name)}
	if info.Virtual {
		dev.name = "virtual"
	} else {
		dev.peak = peak(handle, d)
	}
	dev.options.plain = os.Getenv("DRIFTLESS_CUDA_GRAPHS") == "0"
	dev.options.noClusters = os.Getenv("DRIFTLESS_CUDA_CLUSTERS") == "0"
	dev.options.inTurn = os.Getenv("DRIFTLESS_CUDA_DEPENDENT") == "0"
	for _, o := range opts {
		o(&dev.options)
	}
	dev.early = d.Major >= earlyMajor && (info.Virtual || info.Version >= earlyDriver) && !dev.options.inTurn
	if p := dev.options.precision; p != gemm.Float32 {
		if capability(d.Major, d.Minor) < gemm.TensorCapability {
			return nil, fmt.Errorf("%s has compute capability %d.%d, and products in %v need %d.%d or later: leave the precision at %v",
				dev.name, d.Major, d.Minor, p, gemm.TensorCapability/10, gemm.TensorCapability%10, gemm.Float32)
		}
		dev.name += fmt.Sprintf(", products in %v", p)
	}
	return dev, nil
}

// virtualTensor is the compute capability, times ten, that the virtual device has where products
// are rounded.
const virtualTensor = 90

// NewVirtual returns the virtual device, which from then on is the process's only
// one. It must come before anything uses the driver. With Precision it is one of compute
// capability 9.0, and must come before a session on one of 7.5.
func NewVirtual(opts ...Option) (device.Device, error) {
	if err := driver.UseVirtual(); err != nil {
		return nil, err
	}
	var o options
	for _, set := range opts {
		set(&o)
	}
	if o.precision != gemm.Float32 {
		info, err := driver.Status()
		if err != nil {
			return nil, err
		}
		if d, err := info.Device(0); err != nil {
			return nil, err
		} else if capability(d.Major, d.Minor) < gemm.TensorCapability {
			if err := driver.SetVirtualCapability(virtualTensor); err != nil {
				return nil, err
			}
		}
	}
	return New(0, opts...)
}

// maxReplicas is the size of a grid in z.
const maxReplicas = 65535

// Name returns "cuda:" with the number and the name of the device, or "virtual"; with ",
// products in tf32" or bf16 behind it if that is their precision.
func (d *Device) Name() string { return d.name }

// Precision implements device.Rounder.
func (d *Device) Precision() gemm.Precision { return d.options.precision }

// Open implements device.Device. Programs in float64 are for the CPU.
func (d *Device) Open(l *program.Layout, replicas int) (device.Session, error) {
	if l.DType != program.Float32 {
		return nil, fmt.Errorf("%s computes in float32, and this layout is in %v: use the CPU (--device cpu)", d.name, l.DType)
	}
	for _, s := range l.States() {
		if s.Apart {
			return nil, fmt.Errorf("state %q is to be handed over to the host or by it, which %s cannot do", s.Name, d.name)
		}
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
