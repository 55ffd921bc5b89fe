package gather

import "driftless/kernels"

// Map says what number a byte x stands for.
type Map uint8

// The maps.
const (
	Raw    Map = iota // x: 0 … 255, for labels
	Unit              // x/255: 0 … 1, as PyTorch's ToTensor
	Binary            // 1 if x > 127, else 0
)

// String returns the map's name in lower case.
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
// mapped by mp. Rows of data follow one another without gaps, rows of dst are
// ldd apart and what lies between them is not written. Rows may be named more
// than once. It panics if an index names no row, if dst is too short or if mp
// is none of the maps.
func BytesRows[T kernels.Float](idx []int32, data []uint8, cols int, mp Map, dst []T, ldd int) {
	kernels.CheckMatrix(len(idx), cols, len(dst), ldd, "gather: dst is too short for its shape")
	if cols == 0 {
		return
	}
	var table [256]T
	for x := range table {
		switch mp {
		case Raw:
			table[x] = T(x)
		case Unit:
			table[x] = T(x) / 255
		case Binary:
			table[x] = T(x >> 7)
		default:
			panic("gather: unknown map")
		}
	}
	for i, r := range idx {
		src := row(data, r, cols)
		out := dst[i*ldd:][:len(src)]
		for j, x := range src {
			out[j] = table[x]
		}
	}
}

// Rows sets row i of the len(idx)×cols matrix dst to row idx[i] of data,
// converted to T. In all else it is as BytesRows.
func Rows[T, S kernels.Float](idx []int32, data []S, cols int, dst []T, ldd int) {
	kernels.CheckMatrix(len(idx), cols, len(dst), ldd, "gather: dst is too short for its shape")
	if cols == 0 {
		return
	}
	for i, r := range idx {
		src := row(data, r, cols)
		out := dst[i*ldd:][:len(src)]
		for j, x := range src {
			out[j] = T(x)
		}
	}
}

func row[E any](data []E, r int32, cols int) []E {
	if r < 0 || (int(r)+1)*cols > len(data) {
		panic("gather: an index names no row of the data")
	}
	return data[int(r)*cols:][:cols]
}
