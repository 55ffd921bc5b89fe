//go:build gpu

package cuda

/*
#include "shim.h"
#include "virtual.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"unsafe"

	"driftless/internal/cuda/virtual"
)

// vd is the virtual driver, which takes part only after UseVirtual.
var vd = virtual.New(virtual.Config{
	Machine: &machine{},
	Reserve: func(n int) uintptr {
		p := C.virtual_reserve(C.size_t(n))
		if p == nil {
			panic("cuda: no address space for the virtual driver's handles")
		}
		return uintptr(p)
	},
	HostAlloc: func(n int) ([]byte, error) {
		p := C.virtual_host_alloc(C.size_t(n))
		if p == nil {
			return nil, errors.New("the system has no memory left")
		}
		return unsafe.Slice((*byte)(p), n), nil
	},
	HostFree: func(p []byte) { C.free(unsafe.Pointer(unsafe.SliceData(p))) },
})

// UseVirtual puts the virtual driver in the place of NVIDIA's for the life of
// the process. It must come before anything uses the driver; a second call does
// nothing.
func UseVirtual() error {
	if C.shim_use_virtual() == 0 {
		return errors.New("cuda: the virtual device must be chosen before anything uses the driver")
	}
	return nil
}

// SetVirtualCapability sets the compute capability of the virtual device, times ten: 90 for one with
// clusters of blocks, or 75. UseVirtual must have been called, and no context made.
func SetVirtualCapability(capability int) error {
	d := Virtual()
	if d == nil {
		return errors.New("cuda: the virtual device is not in use: call UseVirtual first")
	}
	return d.SetCapability(capability)
}

// Virtual returns the virtual driver, for its settings and reports, or nil if it
// is not in use.
func Virtual() *virtual.Driver {
	if C.shim_state() != C.SHIM_VIRTUAL {
		return nil
	}
	return vd
}

// LastFault returns what spoilt the virtual device's present context or, if
// there is none, its last: kernel, launch, PTX line, thread and address. It is
// nil if nothing has, and on a real device.
func LastFault() error {
	if d := Virtual(); d != nil {
		return d.LastFault()
	}
	return nil
}

// virtualDetail returns what the virtual driver says of a call that failed.
func virtualDetail(code int) string { return vd.Detail(virtual.Result(code)) }

// nameVirtual has the virtual driver's messages call a source by its name.
func nameVirtual(name, src string) {
	if d := Virtual(); d != nil {
		d.NameSource(name, src)
	}
}

// thread is the calling thread, for the virtual driver.
func thread() virtual.Thread { return virtual.Thread(C.virtual_thread()) }

// site says where the program has called the driver: "at file.go:12 (f)", the
// innermost place outside of cu and of this package.
func site() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		outside := !strings.HasPrefix(f.Function, "gorgonia.org/cu.") && !strings.HasPrefix(f.Function, "runtime.") &&
			(!strings.HasPrefix(f.Function, "driftless/internal/cuda.") || strings.HasSuffix(f.File, "_test.go")) &&
			!strings.HasPrefix(f.Function, "_cgo") && f.Function != ""
		if outside {
			return fmt.Sprintf("at %s:%d (%s)", filepath.Base(f.File), f.Line, f.Function[strings.LastIndexByte(f.Function, '/')+1:])
		}
		if !more {
			return "at an unknown place"
		}
	}
}
