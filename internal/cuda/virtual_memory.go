//go:build gpu

package cuda

/*
#include "virtual.h"
*/
import "C"

import (
	"encoding/binary"
	"unsafe"
)

// maxBytes is beyond any size that makes sense: what is larger is refused here,
// so that it can be a Go length.
const maxBytes = 1 << 46

//export vcuMemGetInfo
func vcuMemGetInfo(free, total *C.size_t) C.CUresult {
	f, t, r := vd.MemInfo(thread())
	*free, *total = C.size_t(f), C.size_t(t)
	return C.CUresult(r)
}

//export vcuMemAlloc
func vcuMemAlloc(to *C.CUdeviceptr, n C.size_t) C.CUresult {
	addr, r := vd.MemAlloc(thread(), int64(min(n, maxBytes)), site())
	*to = C.CUdeviceptr(addr)
	return C.CUresult(r)
}

//export vcuMemFree
func vcuMemFree(addr C.CUdeviceptr) C.CUresult {
	return C.CUresult(vd.MemFree(thread(), uint64(addr)))
}

//export vcuMemHostAlloc
func vcuMemHostAlloc(to *unsafe.Pointer, n C.size_t, flags C.uint) C.CUresult {
	if flags&^0x1 != 0 || n > maxBytes { // PORTABLE changes nothing: there is one context
		return C.CUDA_ERROR_NOT_SUPPORTED
	}
	p, r := vd.HostAlloc(thread(), int64(n), site())
	*to = unsafe.Pointer(unsafe.SliceData(p))
	return C.CUresult(r)
}

//export vcuMemFreeHost
func vcuMemFreeHost(p unsafe.Pointer) C.CUresult {
	return C.CUresult(vd.HostFree(thread(), uintptr(p)))
}

func toDevice(to C.CUdeviceptr, from unsafe.Pointer, n C.size_t, async bool, s C.CUstream) C.CUresult {
	if n > maxBytes || from == nil && n > 0 {
		return C.CUDA_ERROR_INVALID_VALUE
	}
	return C.CUresult(vd.ToDevice(thread(), uint64(to), unsafe.Slice((*byte)(from), n), async, handleOf(s), site()))
}

//export vcuMemcpyHtoD
func vcuMemcpyHtoD(to C.CUdeviceptr, from *C.const_void, n C.size_t) C.CUresult {
	return toDevice(to, unsafe.Pointer(from), n, false, nil)
}

//export vcuMemcpyHtoDAsync
func vcuMemcpyHtoDAsync(to C.CUdeviceptr, from *C.const_void, n C.size_t, s C.CUstream) C.CUresult {
	return toDevice(to, unsafe.Pointer(from), n, true, s)
}

func fromDevice(to unsafe.Pointer, from C.CUdeviceptr, n C.size_t, async bool, s C.CUstream) C.CUresult {
	if n > maxBytes || to == nil && n > 0 {
		return C.CUDA_ERROR_INVALID_VALUE
	}
	return C.CUresult(vd.FromDevice(thread(), unsafe.Slice((*byte)(to), n), uint64(from), async, handleOf(s), site()))
}

//export vcuMemcpyDtoH
func vcuMemcpyDtoH(to unsafe.Pointer, from C.CUdeviceptr, n C.size_t) C.CUresult {
	return fromDevice(to, from, n, false, nil)
}

//export vcuMemcpyDtoHAsync
func vcuMemcpyDtoHAsync(to unsafe.Pointer, from C.CUdeviceptr, n C.size_t, s C.CUstream) C.CUresult {
	return fromDevice(to, from, n, true, s)
}

//export vcuMemcpyDtoD
func vcuMemcpyDtoD(to, from C.CUdeviceptr, n C.size_t) C.CUresult {
	return C.CUresult(vd.Copy(thread(), uint64(to), uint64(from), int64(min(n, maxBytes)), false, 0, site()))
}

//export vcuMemcpyDtoDAsync
func vcuMemcpyDtoDAsync(to, from C.CUdeviceptr, n C.size_t, s C.CUstream) C.CUresult {
	return C.CUresult(vd.Copy(thread(), uint64(to), uint64(from), int64(min(n, maxBytes)), true, handleOf(s), site()))
}

func set(to C.CUdeviceptr, pattern []byte, n C.size_t, async bool, s C.CUstream) C.CUresult {
	return C.CUresult(vd.Set(thread(), uint64(to), pattern, int64(min(n, maxBytes)), async, handleOf(s), site()))
}

func word(v C.uint) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(v)) }

//export vcuMemsetD8
func vcuMemsetD8(to C.CUdeviceptr, v C.uchar, n C.size_t) C.CUresult {
	return set(to, []byte{byte(v)}, n, false, nil)
}

//export vcuMemsetD8Async
func vcuMemsetD8Async(to C.CUdeviceptr, v C.uchar, n C.size_t, s C.CUstream) C.CUresult {
	return set(to, []byte{byte(v)}, n, true, s)
}

//export vcuMemsetD32
func vcuMemsetD32(to C.CUdeviceptr, v C.uint, n C.size_t) C.CUresult {
	return set(to, word(v), n, false, nil)
}

//export vcuMemsetD32Async
func vcuMemsetD32Async(to C.CUdeviceptr, v C.uint, n C.size_t, s C.CUstream) C.CUresult {
	return set(to, word(v), n, true, s)
}
