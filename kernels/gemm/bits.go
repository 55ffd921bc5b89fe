package gemm

// MaskWords returns how many words the mask of a rows×cols matrix has, at
// ldm = rows.
func MaskWords(rows, cols int) int { return divUp(cols, wordBits) * rows }

// TransposeMask writes the mask of Xᵀ from the mask of a rows×cols matrix X.
//
// Bit j%64 of src[(j/64)*lds+i] is set where X[i,j] ≠ 0, and bit i%64 of
// dst[(i/64)*ldd+j] will be; bits beyond rows are cleared, and bits of src beyond
// cols do not matter. lds is at least rows, ldd at least cols, and dst overlaps
// src nowhere.
func TransposeMask(rows, cols int, src []uint64, lds int, dst []uint64, ldd int) {
	checkMask(rows, cols, src, lds, "gemm: the mask is too short for its shape")
	checkMask(cols, rows, dst, ldd, "gemm: the transposed mask is too short for its shape")
	var in, out [wordBits]uint64
	for i := 0; i < rows; i += wordBits {
		for j := 0; j < cols; j += wordBits {
			from := src[j/wordBits*lds+i:]
			to := dst[i/wordBits*ldd+j:]
			x, y := &in, &out
			if rows-i >= wordBits {
				x = (*[wordBits]uint64)(from)
			} else {
				clear(in[copy(in[:], from[:rows-i]):])
			}
			if cols-j >= wordBits {
				y = (*[wordBits]uint64)(to)
			}
			transposeBlock(y, x)
			if cols-j < wordBits {
				copy(to[:cols-j], out[:])
			}
		}
	}
}

// checkMask panics with msg unless a slice holds the mask of a rows×cols matrix.
func checkMask(rows, cols int, mask []uint64, ldm int, msg string) {
	if rows < 0 || cols < 0 || ldm < rows {
		panic(msg)
	}
	if rows > 0 && cols > 0 && len(mask) < (divUp(cols, wordBits)-1)*ldm+rows {
		panic(msg)
	}
}

// plainTransposeBlock transposes 64×64 bits by swapping ever smaller squares
// (Warren, Hacker's Delight, 7-3).
func plainTransposeBlock(dst, src *[wordBits]uint64) {
	*dst = *src
	m := uint64(1<<32 - 1)
	for j := 32; j != 0; j >>= 1 {
		for base := 0; base < wordBits; base += 2 * j {
			low, high := dst[base:][:j], dst[base+j:][:j]
			for i := range low {
				t := (low[i]>>(j&63) ^ high[i]) & m
				low[i] ^= t << (j & 63)
				high[i] ^= t
			}
		}
		m ^= m << (j >> 1 & 63)
	}
}
