package kernels

import "unsafe"

// IsFloat32 reports whether T is float32: a constant to the compiler.
func IsFloat32[T Float]() bool {
	var z T
	return unsafe.Sizeof(z) == 4
}

// AsFloat32 views a slice whose T is float32 (see IsFloat32) as one.
func AsFloat32[T Float](x []T) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// AsFloat64 views a slice whose T is float64, not float32, as one.
func AsFloat64[T Float](x []T) []float64 {
	return unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// P32 and P64 are AsFloat32 and AsFloat64 for a pointer.
func P32[T Float](p *T) *float32 { return (*float32)(unsafe.Pointer(p)) }
func P64[T Float](p *T) *float64 { return (*float64)(unsafe.Pointer(p)) }

// SizeOf returns the bytes of a T: a constant to the compiler.
func SizeOf[T Float]() int {
	var z T
	return int(unsafe.Sizeof(z))
}

// Pick returns which of four tables of vector kernels is the one for T and the instruction set in
// use, or nil where that is plain Go. The caller makes it a table for T.
func Pick[T Float](avx2, avx512, avx2F64, avx512F64 unsafe.Pointer) unsafe.Pointer {
	switch {
	case isa == Go:
		return nil
	case IsFloat32[T]() && isa == AVX2:
		return avx2
	case IsFloat32[T]():
		return avx512
	case isa == AVX2:
		return avx2F64
	}
	return avx512F64
}
