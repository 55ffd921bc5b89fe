//go:build gpu

package cuda

/*
#include "virtual.h"
*/
import "C"

import (
	"unsafe"

	"driftless/internal/cuda/virtual"
)

//export vcuModuleLoadData
func vcuModuleLoadData(to *C.CUmodule, image *C.const_void) C.CUresult {
	h, r := vd.ModuleLoad(thread(), C.GoString((*C.char)(unsafe.Pointer(image))), site())
	setHandle(to, h)
	return C.CUresult(r)
}

//export vcuModuleLoadDataEx
func vcuModuleLoadDataEx(to *C.CUmodule, image *C.const_void, n C.uint, options *C.CUjit_option, values *unsafe.Pointer) C.CUresult {
	r := vcuModuleLoadData(to, image)
	if r != C.CUDA_ERROR_INVALID_PTX {
		return r
	}
	// Of the options only the log of errors means something here.
	var log *byte
	size := 0
	for i, o := range unsafe.Slice(options, n) {
		value := unsafe.Add(unsafe.Pointer(values), uintptr(i)*unsafe.Sizeof(uintptr(0)))
		switch o {
		case C.CU_JIT_ERROR_LOG_BUFFER:
			log = *(**byte)(value)
		case C.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES:
			size = int(*(*C.uint)(value))
		}
	}
	if log != nil && size > 0 {
		b := unsafe.Slice(log, size)
		b[min(copy(b, virtualDetail(int(r))), size-1)] = 0
	}
	return r
}

//export vcuModuleUnload
func vcuModuleUnload(m C.CUmodule) C.CUresult {
	return C.CUresult(vd.ModuleUnload(thread(), handleOf(m)))
}

//export vcuModuleGetFunction
func vcuModuleGetFunction(to *C.CUfunction, m C.CUmodule, name *C.const_char) C.CUresult {
	h, r := vd.ModuleFunction(thread(), handleOf(m), C.GoString((*C.char)(unsafe.Pointer(name))))
	setHandle(to, h)
	return C.CUresult(r)
}

//export vcuFuncGetAttribute
func vcuFuncGetAttribute(to *C.int, a C.CUfunction_attribute, f C.CUfunction) C.CUresult {
	v, r := vd.FuncAttribute(thread(), handleOf(f), int(a))
	*to = C.int(v)
	return C.CUresult(r)
}

//export vcuFuncSetAttribute
func vcuFuncSetAttribute(f C.CUfunction, a C.CUfunction_attribute, v C.int) C.CUresult {
	return C.CUresult(vd.FuncSetAttribute(thread(), handleOf(f), int(a), int(v)))
}

//export vcuLaunchKernel
func vcuLaunchKernel(f C.CUfunction, gx, gy, gz, bx, by, bz, shared C.uint, s C.CUstream, params, extra *unsafe.Pointer) C.CUresult {
	return vlaunch(f, dim(gx, gy, gz), dim(bx, by, bz), virtual.Dim{X: 1, Y: 1, Z: 1}, false, shared, s, params, extra)
}

//export vcuOccupancyMaxActiveClusters
func vcuOccupancyMaxActiveClusters(to *C.int, f C.CUfunction, c *C.const_config) C.CUresult {
	cluster, dependent, ok := attributesOf(c)
	if !ok || dependent {
		return C.CUDA_ERROR_NOT_SUPPORTED
	}
	n, r := vd.MaxActiveClusters(thread(), handleOf(f), dim(c.gridDimX, c.gridDimY, c.gridDimZ), dim(c.blockDimX, c.blockDimY, c.blockDimZ), cluster, int(c.sharedMemBytes))
	*to = C.int(n)
	return C.CUresult(r)
}

// attributesOf returns the size of the clusters of a launch, and whether it may begin before
// the one before has ended; ok says whether these are all of its attributes.
func attributesOf(c *C.const_config) (cluster virtual.Dim, dependent, ok bool) {
	cluster = virtual.Dim{X: 1, Y: 1, Z: 1}
	for _, a := range unsafe.Slice(c.attrs, c.numAttrs) {
		switch a.id {
		case C.CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION:
			size := (*[3]C.uint)(unsafe.Pointer(&a.value))
			cluster = dim(size[0], size[1], size[2])
		case C.CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION:
			dependent = *(*C.int)(unsafe.Pointer(&a.value)) != 0
		default:
			return cluster, dependent, false
		}
	}
	return cluster, dependent, true
}

//export vcuLaunchKernelEx
func vcuLaunchKernelEx(c *C.const_config, f C.CUfunction, params, extra *unsafe.Pointer) C.CUresult {
	cluster, dependent, ok := attributesOf(c)
	if !ok {
		return C.CUDA_ERROR_NOT_SUPPORTED
	}
	return vlaunch(f, dim(c.gridDimX, c.gridDimY, c.gridDimZ), dim(c.blockDimX, c.blockDimY, c.blockDimZ), cluster, dependent, c.sharedMemBytes, c.hStream, params, extra)
}

func dim(x, y, z C.uint) virtual.Dim { return virtual.Dim{X: int(x), Y: int(y), Z: int(z)} }

func vlaunch(f C.CUfunction, grid, block, cluster virtual.Dim, dependent bool, shared C.uint, s C.CUstream, params, extra *unsafe.Pointer) C.CUresult {
	if extra != nil {
		return C.CUDA_ERROR_NOT_SUPPORTED
	}
	layout, size := vd.FuncParams(handleOf(f))
	if params == nil && len(layout) > 0 {
		return C.CUDA_ERROR_INVALID_VALUE
	}
	args := make([]byte, size)
	for i, p := range layout {
		arg := unsafe.Slice(params, len(layout))[i]
		copy(args[p.Offset:][:p.Size], unsafe.Slice((*byte)(arg), p.Size))
	}
	return C.CUresult(vd.Launch(thread(), handleOf(f), grid, block, cluster, dependent, int(shared), handleOf(s), args, site()))
}
