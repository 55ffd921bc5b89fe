package gather

import "driftless/kernels"

// BytesMask tells which values of a batch are not 0: bit c%64 of
// mask[(c/64)*ldm+i] is set if column c of row idx[i] of data, mapped by mp, is
// not. Bits beyond the last column are clear. ldm is at least len(idx), and what
// lies between its words and those is not written. It panics as BytesRows does.
func BytesMask(idx []int32, data []uint8, cols int, mp Map, mask []uint64, ldm int) {
	words := (cols + 63) / 64
	kernels.CheckMatrix(words, len(idx), len(mask), ldm, "gather: mask is too short for its shape")
	if mp > Binary {
		panic(unknown)
	}
	if cols == 0 {
		return
	}
	checkRows(idx, len(data), cols)
	if bytesMask(idx, data, cols, mp, mask, ldm) {
		return
	}
	least := least(mp)
	for i, r := range idx {
		src := data[int(r)*cols:][:cols]
		for w := range words {
			bits := uint64(0)
			for c, x := range src[64*w : min(64*w+64, cols)] {
				if x >= least {
					bits |= 1 << c
				}
			}
			mask[w*ldm+i] = bits
		}
	}
}

// least returns the least byte that mp maps to a value other than 0.
func least(mp Map) uint8 {
	if mp == Binary {
		return 128
	}
	return 1
}

// Density looks at no more than runs of runSize bytes.
const (
	runs    = 256
	runSize = 4096
)

// Density returns the share of data, between 0 and 1, that mp maps to values other
// than 0; 0 if data is empty. Of more than a million bytes it counts 256 runs of
// 4096, evenly spaced from the first byte to the last, always the same ones.
func Density(data []uint8, mp Map) float64 {
	if mp > Binary {
		panic(unknown)
	}
	if len(data) == 0 {
		return 0
	}
	if len(data) <= runs*runSize {
		return float64(count(data, mp)) / float64(len(data))
	}
	n := 0
	for i := range runs {
		from := int(int64(len(data)-runSize) * int64(i) / (runs - 1))
		n += count(data[from:from+runSize], mp)
	}
	return float64(n) / (runs * runSize)
}

func count(data []uint8, mp Map) int {
	n, least := 0, least(mp)
	for _, x := range data {
		if x >= least {
			n++
		}
	}
	return n
}
