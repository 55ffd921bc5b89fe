//go:build gpu

package cuda

/*
#include "shim.h"
*/
import "C"

import (
	"bytes"
	"runtime"
	"unsafe"

	"gorgonia.org/cu"
)

// FunctionAttribute is a property of a kernel.
type FunctionAttribute int

const (
	MaxThreads       FunctionAttribute = C.CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK
	SharedBytes      FunctionAttribute = C.CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES // static
	LocalBytes       FunctionAttribute = C.CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES  // of each thread
	Registers        FunctionAttribute = C.CU_FUNC_ATTRIBUTE_NUM_REGS
	MaxDynamicShared FunctionAttribute = C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES     // may be set, up to DeviceInfo.SharedPerBlock
	LargeClusters    FunctionAttribute = C.CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED // may be set: 1 for clusters of more than 8 blocks, where the device has them
)

// Attribute returns a property of a kernel.
func Attribute(f cu.Function, a FunctionAttribute) (int, error) {
	var v C.int
	err := check("query of kernel attribute", C.cuFuncGetAttribute(&v, C.CUfunction_attribute(a), function(f)))
	return int(v), err
}

// SetAttribute changes a property of a kernel: MaxDynamicShared, before a
// launch with more than 48 KiB of shared memory; LargeClusters.
func SetAttribute(f cu.Function, a FunctionAttribute, v int) error {
	return check("setting of kernel attribute", C.cuFuncSetAttribute(function(f), C.CUfunction_attribute(a), C.int(v)))
}

// LaunchClusters queues a kernel whose blocks come in clusters: grid, block and cluster are
// extents in x, y and z, and the grid is a multiple of the cluster. It takes compute
// capability 9.0 or later, and CUDA 11.8. 8 bytes are copied from where each argument points
// to.
func LaunchClusters(f cu.Function, grid, block, cluster [3]int, shared int, s cu.Stream, args []unsafe.Pointer) error {
	return launch("launch in clusters", clusterConfig(grid, block, cluster, shared), f, s, args)
}

// LaunchDependent queues a kernel that may begin before the work before it on the stream has
// ended, if that is a kernel: its threads wait for that by griddepcontrol.wait. In a capture,
// which takes CUDA 12.3, the edge of the graph becomes such. It takes compute capability 9.0
// or later. 8 bytes are copied from where each argument points to.
func LaunchDependent(f cu.Function, grid, block [3]int, s cu.Stream, args []unsafe.Pointer) error {
	config := launchConfig(grid, block, 0)
	config.attrs.id = C.CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION
	*(*C.int)(unsafe.Pointer(&config.attrs.value)) = 1
	return launch("dependent launch", config, f, s, args)
}

// launch queues a kernel, and frees the attribute.
func launch(doing string, config C.CUlaunchConfig, f cu.Function, s cu.Stream, args []unsafe.Pointer) error {
	defer C.free(unsafe.Pointer(config.attrs))
	n := C.size_t(len(args))
	values, pointers := C.calloc(n+1, 8), C.calloc(n+1, C.size_t(unsafe.Sizeof(uintptr(0))))
	defer C.free(values)
	defer C.free(pointers)
	to, at := unsafe.Slice((*uint64)(values), len(args)), unsafe.Slice((*unsafe.Pointer)(pointers), len(args))
	for i, p := range args {
		to[i] = *(*uint64)(p)
		at[i] = unsafe.Pointer(&to[i])
	}
	config.hStream = stream(s)
	return check(doing, C.cuLaunchKernelEx(&config, function(f), (*unsafe.Pointer)(pointers), nil))
}

// MaxActiveClusters returns how many clusters of a kernel the device can run at a time, each
// block with so many bytes of dynamic shared memory: 0 if it cannot run one. It takes what
// LaunchClusters does.
func MaxActiveClusters(f cu.Function, block, cluster [3]int, shared int) (int, error) {
	config := clusterConfig(cluster, block, cluster, shared)
	defer C.free(unsafe.Pointer(config.attrs))
	var n C.int
	err := check("query of active clusters", C.cuOccupancyMaxActiveClusters(&n, function(f), &config))
	return int(n), err
}

// clusterConfig describes a launch in clusters.
func clusterConfig(grid, block, cluster [3]int, shared int) C.CUlaunchConfig {
	config := launchConfig(grid, block, shared)
	config.attrs.id = C.CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION
	size := (*[3]C.uint)(unsafe.Pointer(&config.attrs.value))
	for i, v := range cluster {
		size[i] = C.uint(v)
	}
	return config
}

// launchConfig describes a launch with an attribute, which is C's memory and still to be set.
func launchConfig(grid, block [3]int, shared int) C.CUlaunchConfig {
	attr := (*C.CUlaunchAttribute)(C.calloc(1, C.sizeof_CUlaunchAttribute))
	return C.CUlaunchConfig{
		gridDimX: C.uint(grid[0]), gridDimY: C.uint(grid[1]), gridDimZ: C.uint(grid[2]),
		blockDimX: C.uint(block[0]), blockDimY: C.uint(block[1]), blockDimZ: C.uint(block[2]),
		sharedMemBytes: C.uint(shared), attrs: attr, numAttrs: 1,
	}
}

// LoadPTX loads PTX into the current context. The name stands for the source in
// messages. The error contains what the driver's compiler has written.
func LoadPTX(name, src string) (cu.Module, error) {
	nameVirtual(name, src)
	m, err := load(name, unsafe.Pointer(C.CString(src)))
	if e, ok := err.(*Error); ok && e.Code == C.CUDA_ERROR_JIT_COMPILER_NOT_FOUND {
		e.Detail = "the driver's libnvidia-ptxjitcompiler.so.1 is missing: install it, or have machine code beside the program (make gpu-bundle)"
	}
	return m, err
}

// LoadCubin loads machine code, as ptxas writes it, into the current context. It is for
// devices of one major compute capability, from a minor one on. The name stands for it in
// messages.
func LoadCubin(name string, code []byte) (cu.Module, error) {
	return load(name, unsafe.Pointer(C.CString(string(code)))) // with a 0 at its end, which ends the PTX that the virtual driver takes for it
}

// load loads an image, which it frees.
func load(name string, image unsafe.Pointer) (cu.Module, error) {
	defer C.free(image)
	var m cu.Module
	const size = 8 << 10
	log := C.calloc(1, size)
	defer C.free(log)
	options := []C.CUjit_option{C.CU_JIT_ERROR_LOG_BUFFER, C.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES}
	// An option's value lies in, not behind, its void pointer.
	values := (*[2]uintptr)(C.calloc(2, C.size_t(unsafe.Sizeof(uintptr(0)))))
	defer C.free(unsafe.Pointer(values))
	values[0], values[1] = uintptr(log), size
	r := C.cuModuleLoadDataEx((*C.CUmodule)(unsafe.Pointer(&m)), image, 2, &options[0], (*unsafe.Pointer)(unsafe.Pointer(values)))
	runtime.KeepAlive(options)
	if r == C.CUDA_SUCCESS {
		return m, nil
	}
	e := newError("loading "+name, int(r))
	if text := C.GoString((*C.char)(log)); text != "" {
		e.Detail = string(bytes.TrimSpace([]byte(text)))
	}
	return m, e
}
