package gather

import "driftless/kernels"

// Map says what value a byte stands for.
type Map uint8

// The maps from a byte x to a value.
const (
	Raw    Map = iota // x: 0 … 255
	Unit              // x/255: 0 … 1, as PyTorch's ToTensor
	Binary            // 1 where x > 127, else 0
)

// String returns the map's lower-case name.
func (m Map) String() string {
	switch m {
	case Raw:
		return "raw"
	case Unit:
		return "unit"
	case Binary:
		return "binary"
	}
	return "unknown map"
}

// BytesRows sets row i of the len(idx)×cols matrix dst to row idx[i] of data,
// each byte mapped by mp.
func BytesRows[T kernels.Float](idx []int32, data []uint8, cols int, mp Map, dst []T, ldd int) {
	kernels.CheckMatrix(len(idx), cols, len(dst), ldd, "gather: dst is too short for its shape")
	var table [256]T
	for b := range table {
		switch mp {
		case Raw:
			table[b] = T(b)
		case Unit:
			table[b] = T(b) / 255
		case Binary:
			if b > 127 {
				table[b] = 1
			}
		default:
			panic("gather: unknown map")
		}
	}
	if cols == 0 {
		return
	}
	rows := len(data) / cols
	for i, r := range idx {
		if uint(r) >= uint(rows) {
			panic("gather: index out of range")
		}
		out := dst[i*ldd:][:cols]
		for j, b := range data[int(r)*cols:][:cols] {
			out[j] = table[b]
		}
	}
}

// Rows sets row i of the len(idx)×cols matrix dst to row idx[i] of data,
// converted to T.
func Rows[T, S kernels.Float](idx []int32, data []S, cols int, dst []T, ldd int) {
	kernels.CheckMatrix(len(idx), cols, len(dst), ldd, "gather: dst is too short for its shape")
	if cols == 0 {
		return
	}
	rows := len(data) / cols
	for i, r := range idx {
		if uint(r) >= uint(rows) {
			panic("gather: index out of range")
		}
		out := dst[i*ldd:][:cols]
		for j, v := range data[int(r)*cols:][:cols] {
			out[j] = T(v)
		}
	}
}
