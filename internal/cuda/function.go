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
	MaxDynamicShared FunctionAttribute = C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES // may be set, up to DeviceInfo.SharedPerBlock
)

// Attribute returns a property of a kernel.
func Attribute(f cu.Function, a FunctionAttribute) (int, error) {
	var v C.int
	err := check("query of kernel attribute", C.cuFuncGetAttribute(&v, C.CUfunction_attribute(a), function(f)))
	return int(v), err
}

// SetAttribute changes a property of a kernel: MaxDynamicShared, before a
// launch with more than 48 KiB of shared memory.
func SetAttribute(f cu.Function, a FunctionAttribute, v int) error {
	return check("setting of kernel attribute", C.cuFuncSetAttribute(function(f), C.CUfunction_attribute(a), C.int(v)))
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
