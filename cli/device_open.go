package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/device/cuda"
	"driftless/engine/program"
	driver "driftless/internal/cuda"
	"driftless/kernels"
	"driftless/kernels/gemm"
)

// deviceNames is what --device takes.
const deviceNames = "auto, cpu, cuda, cuda:N or virtual"

// anyUsable asks for the first CUDA device that can be used.
const anyUsable = -1

// openDevice returns the device of that name, with products in a precision as --precision names
// it, and says which one auto took, and why. The virtual device is taken only by its name.
func openDevice(name, precision string, t *terminal) (device.Device, error) {
	p, err := gemm.ParsePrecision(precision)
	if err != nil {
		return nil, wrong("--precision: %w", err)
	}
	d, err := openNamed(name, t, cuda.Keep(), cuda.Warn(t.warn), cuda.Precision(p))
	if err == nil && device.PrecisionOf(d) != p {
		return nil, wrong("products in %v (--precision) need a CUDA device of compute capability 8.0 or later, and --device %s is %s here: name another device, or train in float32", p, name, d.Name())
	}
	return d, err
}

// openNamed is openDevice with options of CUDA devices.
func openNamed(name string, t *terminal, opts ...cuda.Option) (device.Device, error) {
	if err := kernels.CheckEnv(); err != nil {
		return nil, wrong("%w", err)
	}
	kind, number, numbered := strings.Cut(name, ":")
	switch {
	case name == "auto":
		return openBest(t, opts...), nil
	case name == "cpu":
		return cpu.New(), nil
	case name == "virtual", kind == "cuda":
	default:
		return nil, wrong("--device %q is not available: use %s", name, deviceNames)
	}
	ordinal := anyUsable
	if numbered {
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 {
			return nil, wrong("--device %q: %q is not the number of a device; the first is cuda:0", name, number)
		}
		ordinal = n
	}
	if !driver.Built {
		return nil, wrong("--device %q is not available: this build has no CUDA support; use auto or cpu", name)
	}
	if name == "virtual" {
		d, err := cuda.NewVirtual(opts...)
		if err != nil {
			return nil, fmt.Errorf("--device virtual: %w", err)
		}
		fmt.Fprintf(t.err, "device: %s (interprets the kernels' PTX on the CPU: a check, and slow)\n", d.Name())
		return d, nil
	}
	d, err := openCUDA(ordinal, opts...)
	if err != nil {
		return nil, fmt.Errorf("--device %s: %w", name, err)
	}
	return d, nil
}

// openFloat64 is openDevice for work in float64, which only the CPU can do.
func openFloat64(name string, t *terminal) (device.Device, error) {
	d, err := openDevice(name, "", t)
	if err != nil || name == "cpu" {
		return d, err
	}
	s, err := d.Open(program.NewLayout(program.Float64), 1)
	if err == nil {
		return d, s.Close()
	}
	if name != "auto" {
		return nil, wrong("--device %s: %w", name, err)
	}
	c := cpu.New()
	fmt.Fprintf(t.err, "device: %s instead (%s has no float64)\n", c.Name(), d.Name())
	return c, nil
}

// openBest returns a CUDA device if one can be used, else the CPU.
func openBest(t *terminal, opts ...cuda.Option) device.Device {
	d, err := openCUDA(anyUsable, opts...)
	if err == nil {
		// Whether it can be used is not known before something does.
		var s device.Session
		if s, err = d.Open(program.NewLayout(program.Float32), 1); err == nil {
			err = s.Close()
		}
	}
	if err == nil {
		fmt.Fprintf(t.err, "device: %s\n", d.Name())
		return d
	}
	c := cpu.New()
	fmt.Fprintf(t.err, "device: %s (%s)\n", c.Name(), whyCPU(err))
	return c
}

// whyCPU says why auto did not take CUDA, in brief: the user did not ask for CUDA, so it leaves
// out what to do about it.
func whyCPU(err error) string {
	var u *driver.Unavailable
	switch {
	case errors.Is(err, driver.ErrNotBuilt):
		return "this build has no CUDA support"
	case errors.As(err, &u):
		text := u.Reason.Error()
		if u.Detail != "" && !errors.Is(err, driver.ErrNoLibrary) {
			text += ": " + u.Detail
		}
		return text
	}
	return err.Error()
}

// openCUDA returns a device of the driver. It fails if this process has made the driver a
// virtual one before.
func openCUDA(ordinal int, opts ...cuda.Option) (device.Device, error) {
	info, err := driver.Status()
	if err != nil {
		return nil, err
	}
	if info.Virtual {
		return nil, errors.New("this process has the virtual device in the driver's place")
	}
	if ordinal == anyUsable {
		if err := driver.Require(); err != nil {
			return nil, err
		}
		for _, d := range info.Devices {
			if d.Usable() {
				ordinal = d.Ordinal
				break
			}
		}
	}
	return cuda.New(ordinal, opts...)
}

// warn prints a device's warning.
func (t *terminal) warn(message string) { fmt.Fprintf(t.err, "device: %s\n", message) }
