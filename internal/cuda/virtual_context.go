//go:build gpu

package cuda

/*
#include "virtual.h"
*/
import "C"

import (
	"sync"
	"unsafe"

	"driftless/internal/cuda/virtual"
)

// The functions exported here and in virtual_memory.go, virtual_launch.go and
// virtual_stream.go are the virtual driver's entry points: vcuX is cuX.

// handleOf and setHandle convert the driver's handles, which are pointers to C
// and numbers here.
func handleOf[P any](h P) virtual.Handle { return *(*virtual.Handle)(unsafe.Pointer(&h)) }

func setHandle[T any](to *T, h virtual.Handle) { *(*uintptr)(unsafe.Pointer(to)) = uintptr(h) }

var texts sync.Map // string → *C.char, for ever

func staticText(s string) *C.char {
	if p, ok := texts.Load(s); ok {
		return p.(*C.char)
	}
	p, _ := texts.LoadOrStore(s, C.CString(s))
	return p.(*C.char)
}

func text(s string, to **C.const_char) C.CUresult {
	if s == "" {
		*to = nil
		return C.CUDA_ERROR_INVALID_VALUE
	}
	*to = (*C.const_char)(unsafe.Pointer(staticText(s)))
	return C.CUDA_SUCCESS
}

//export vcuGetErrorName
func vcuGetErrorName(e C.CUresult, to **C.const_char) C.CUresult {
	return text(virtual.Result(e).Name(), to)
}

//export vcuGetErrorString
func vcuGetErrorString(e C.CUresult, to **C.const_char) C.CUresult {
	return text(virtual.Result(e).Text(), to)
}

//export vcuDeviceGet
func vcuDeviceGet(dev *C.CUdevice, ordinal C.int) C.CUresult {
	*dev = C.CUdevice(ordinal)
	return C.CUresult(vd.DeviceGet(int(ordinal)))
}

//export vcuDeviceGetName
func vcuDeviceGetName(to *C.char, n C.int, dev C.CUdevice) C.CUresult {
	r := vd.DeviceGet(int(dev))
	if r == virtual.Success && n > 0 {
		b := unsafe.Slice((*byte)(unsafe.Pointer(to)), n)
		b[min(copy(b, virtual.Name), len(b)-1)] = 0
	}
	return C.CUresult(r)
}

//export vcuDeviceGetAttribute
func vcuDeviceGetAttribute(to *C.int, a C.CUdevice_attribute, dev C.CUdevice) C.CUresult {
	v, r := vd.DeviceAttribute(int(dev), int(a))
	*to = C.int(v)
	return C.CUresult(r)
}

//export vcuDeviceTotalMem
func vcuDeviceTotalMem(to *C.size_t, dev C.CUdevice) C.CUresult {
	n, r := vd.DeviceTotalMem(int(dev))
	*to = C.size_t(n)
	return C.CUresult(r)
}

//export vcuDevicePrimaryCtxRetain
func vcuDevicePrimaryCtxRetain(to *C.CUcontext, dev C.CUdevice) C.CUresult {
	h, r := vd.PrimaryRetain(int(dev))
	setHandle(to, h)
	return C.CUresult(r)
}

//export vcuDevicePrimaryCtxRelease
func vcuDevicePrimaryCtxRelease(dev C.CUdevice) C.CUresult {
	return C.CUresult(vd.PrimaryRelease(int(dev)))
}

//export vcuDevicePrimaryCtxGetState
func vcuDevicePrimaryCtxGetState(dev C.CUdevice, flags *C.uint, active *C.int) C.CUresult {
	on, r := vd.PrimaryActive(int(dev))
	if *flags, *active = 0, 0; on {
		*active = 1
	}
	return C.CUresult(r)
}

//export vcuCtxSetCurrent
func vcuCtxSetCurrent(ctx C.CUcontext) C.CUresult {
	return C.CUresult(vd.SetCurrent(thread(), handleOf(ctx)))
}

//export vcuCtxGetCurrent
func vcuCtxGetCurrent(to *C.CUcontext) C.CUresult {
	h, r := vd.GetCurrent(thread())
	setHandle(to, h)
	return C.CUresult(r)
}

//export vcuCtxPushCurrent
func vcuCtxPushCurrent(ctx C.CUcontext) C.CUresult {
	return C.CUresult(vd.PushCurrent(thread(), handleOf(ctx)))
}

//export vcuCtxPopCurrent
func vcuCtxPopCurrent(to *C.CUcontext) C.CUresult {
	h, r := vd.PopCurrent(thread())
	if to != nil {
		setHandle(to, h)
	}
	return C.CUresult(r)
}

//export vcuCtxGetDevice
func vcuCtxGetDevice(to *C.CUdevice) C.CUresult {
	dev, r := vd.CurrentDevice(thread())
	*to = C.CUdevice(dev)
	return C.CUresult(r)
}

//export vcuCtxSynchronize
func vcuCtxSynchronize() C.CUresult { return C.CUresult(vd.Synchronize(thread())) }
