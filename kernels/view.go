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
