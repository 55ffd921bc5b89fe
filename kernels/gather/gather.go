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

const unknown = "gather: unknown map"

// value returns what x stands for.
func value[T kernels.Float](mp Map, x uint8) T {
	switch mp {
	case Raw:
		return T(x)
	case Unit:
		return T(x) / 255
	}
	return T(x >> 7)
}

// BytesRows sets row i of the len(idx)×cols matrix dst to row idx[i] of data,
// mapped by mp. Rows of data follow one another without gaps, rows of dst are
// ldd apart and what lies between them is not written. Rows may be named more
// than once. It panics if an index names no row, if dst is too short or if mp
// is none of the maps.
func BytesRows[T kernels.Float](idx []int32, data []uint8, cols int, mp Map, dst []T, ldd int) {
	kernels.CheckMatrix(len(idx), cols, len(dst), ldd, "gather: dst is too short for its shape")
	if mp > Binary {
		panic(unknown)
	}
	if cols == 0 {
		return
	}
	checkRows(idx, len(data), cols)
	if bytesRows(idx, data, cols, mp, dst, ldd) {
		return
	}
	var table [256]T
	few := len(idx)*cols < len(table) // to take the table's trouble
	if !few {
		for x := range table {
			table[x] = value[T](mp, uint8(x))
		}
	}
	for i, r := range idx {
		src := data[int(r)*cols:][:cols]
		out := dst[i*ldd:][:len(src)]
		for j, x := range src {
			if few {
				out[j] = value[T](mp, x)
			} else {
				out[j] = table[x]
			}
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
	checkRows(idx, len(data), cols)
	if kernels.IsFloat32[T]() && kernels.IsFloat32[S]() {
		from, to := kernels.AsFloat32(data), kernels.AsFloat32(dst)
		for i, r := range idx {
			copy(to[i*ldd:][:cols], from[int(r)*cols:])
		}
		return
	}
	for i, r := range idx {
		src := data[int(r)*cols:][:cols]
		out := dst[i*ldd:][:len(src)]
		for j, x := range src {
			out[j] = T(x)
		}
	}
}

func checkRows(idx []int32, length, cols int) {
	rows := length / cols
	for _, r := range idx {
		if r < 0 || int(r) >= rows {
			panic("gather: an index names no row of the data")
		}
	}
}
