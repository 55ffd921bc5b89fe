//go:build !noasm

package gather

import "driftless/kernels"

//go:generate go run ./internal/gen -out asm_amd64.s -stubs asm_amd64.go -pkg gather

// blockSize is the number of elements of a call of assembly, some microseconds.
const blockSize = 1 << 15

// leastCols tells from how many columns on there are vectors: AVX2's cover what
// is left of a row by going back a vector of so many columns, AVX-512 has masks.
func leastCols(vector int) int {
	switch isa := kernels.CurrentISA(); {
	case isa >= kernels.AVX512:
		return 1
	case isa >= kernels.AVX2:
		return vector
	}
	return int(^uint(0) >> 1) // none
}

// bytesRows is BytesRows, once the rows are checked, with vectors; it reports whether it
// could.
func bytesRows[T kernels.Float](idx []int32, data []uint8, cols int, mp Map, dst []T, ldd int) bool {
	if len(idx) == 0 || cols < leastCols(8) {
		return false
	}
	width := cols // of a block; a column too few for a vector goes to the last one
	if cols >= 2*blockSize {
		width = blockSize
	}
	for j := 0; j < cols; j += width {
		if cols-j < 2*width {
			width = cols - j
		}
		rows := max(1, blockSize/width)
		for i := 0; i < len(idx); i += rows {
			if some, to := idx[i:min(i+rows, len(idx))], dst[i*ldd+j:]; kernels.IsFloat32[T]() {
				bytesBlock32(some, data[j:], cols, width, mp, kernels.AsFloat32(to), ldd)
			} else {
				bytesBlock64(some, data[j:], cols, width, mp, kernels.AsFloat64(to), ldd)
			}
		}
	}
	return true
}

// bytesMask is BytesMask, once the rows are checked, with vectors; it reports
// whether it could.
func bytesMask(idx []int32, data []uint8, cols int, mp Map, mask []uint64, ldm int) bool {
	if len(idx) == 0 || cols < leastCols(64) {
		return false
	}
	rows := max(1, 4*blockSize/cols)
	for i := 0; i < len(idx); i += rows {
		maskBlock(idx[i:min(i+rows, len(idx))], data, cols, mp, mask[i:], ldm)
	}
	return true
}

// The blocks are not inlined, for the stack check at their heads: assembly cannot
// be preempted.

//go:noinline
func bytesBlock32(idx []int32, data []uint8, stride, cols int, mp Map, dst []float32, ldd int) {
	rows, wide := len(idx), kernels.CurrentISA() >= kernels.AVX512
	switch {
	case mp == Raw && wide:
		rawAVX512(rows, &idx[0], &data[0], stride, cols, &dst[0], 4*ldd)
	case mp == Raw:
		rawAVX2(rows, &idx[0], &data[0], stride, cols, &dst[0], 4*ldd)
	case mp == Unit && wide:
		unitAVX512(rows, &idx[0], &data[0], stride, cols, &dst[0], 4*ldd)
	case mp == Unit:
		unitAVX2(rows, &idx[0], &data[0], stride, cols, &dst[0], 4*ldd)
	case wide:
		binaryAVX512(rows, &idx[0], &data[0], stride, cols, &dst[0], 4*ldd)
	default:
		binaryAVX2(rows, &idx[0], &data[0], stride, cols, &dst[0], 4*ldd)
	}
}

//go:noinline
func bytesBlock64(idx []int32, data []uint8, stride, cols int, mp Map, dst []float64, ldd int) {
	rows, wide := len(idx), kernels.CurrentISA() >= kernels.AVX512
	switch {
	case mp == Raw && wide:
		rawF64AVX512(rows, &idx[0], &data[0], stride, cols, &dst[0], 8*ldd)
	case mp == Raw:
		rawF64AVX2(rows, &idx[0], &data[0], stride, cols, &dst[0], 8*ldd)
	case mp == Unit && wide:
		unitF64AVX512(rows, &idx[0], &data[0], stride, cols, &dst[0], 8*ldd)
	case mp == Unit:
		unitF64AVX2(rows, &idx[0], &data[0], stride, cols, &dst[0], 8*ldd)
	case wide:
		binaryF64AVX512(rows, &idx[0], &data[0], stride, cols, &dst[0], 8*ldd)
	default:
		binaryF64AVX2(rows, &idx[0], &data[0], stride, cols, &dst[0], 8*ldd)
	}
}

//go:noinline
func maskBlock(idx []int32, data []uint8, cols int, mp Map, mask []uint64, ldm int) {
	rows, wide := len(idx), kernels.CurrentISA() >= kernels.AVX512
	switch {
	case mp == Binary && wide:
		signsAVX512(rows, &idx[0], &data[0], cols, cols, &mask[0], 8*ldm)
	case mp == Binary:
		signsAVX2(rows, &idx[0], &data[0], cols, cols, &mask[0], 8*ldm)
	case wide:
		nonzerosAVX512(rows, &idx[0], &data[0], cols, cols, &mask[0], 8*ldm)
	default:
		nonzerosAVX2(rows, &idx[0], &data[0], cols, cols, &mask[0], 8*ldm)
	}
}

// Prefetch asks for bytes to be brought into the cache, without waiting for them.
func Prefetch(data []uint8) {
	if len(data) > 0 && kernels.CurrentISA() >= kernels.AVX2 {
		prefetch((len(data)+63)/64, &data[0])
	}
}
