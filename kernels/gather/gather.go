package gather

import "driftless/kernels"

// Map says how a byte becomes a number.
type Map uint8

const (
	Raw    Map = iota // x
	Unit              // x/255
	Binary            // 1 if x > 127, else 0
)

// BytesRows writes row idx[i] of the bytes, mapped, to row i of dst.
func BytesRows[T kernels.Float](idx []int32, data []uint8, cols int, mp Map, dst []T, ldd int) {
	var table [256]T
	for v := range table {
		switch mp {
		case Raw:
			table[v] = T(v)
		case Unit:
			table[v] = T(v) / 255
		default:
			table[v] = T(v >> 7)
		}
	}
	for i, r := range idx {
		src := data[int(r)*cols:][:cols]
		out := dst[i*ldd:][:len(src)]
		for j, v := range src {
			out[j] = table[v]
		}
	}
}

// Rows writes row idx[i] of the data, converted, to row i of dst.
func Rows[T, S kernels.Float](idx []int32, data []S, cols int, dst []T, ldd int) {
	for i, r := range idx {
		src := data[int(r)*cols:][:cols]
		out := dst[i*ldd:][:len(src)]
		for j, v := range src {
			out[j] = T(v)
		}
	}
}
