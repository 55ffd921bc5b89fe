package main

import (
	"driftless/kernels/internal/vec"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// transposeBits writes a kernel that transposes a block of 64×64 bits. Bytes are
// first sorted so that a vector holds one byte of every row; then the top bits of
// the vector are bit 7 of that byte in every row, and shifting brings up the
// others.
func transposeBits(w width) {
	name := "bits" + w.Name
	TEXT(name, NOSPLIT, "func(dst, src *uint64)")
	Doc(name + " transposes 64 words of 64 bits: bit j of word i becomes bit i of word j.")
	Pragma("noescape")
	dst, src := vec.Arg("dst"), vec.Arg("src")
	if w.Wide() {
		order := w.New()
		VMOVDQU64(wordOrder(), order)
		columns := w.byteColumns(src, 0)
		for b, v := range columns {
			VPERMW(v, order, v)
			for bit := 7; bit >= 0; bit-- {
				k := K()
				VPMOVB2M(v, k)
				KMOVQ(k, Mem{Base: dst, Disp: 8 * (8*b + bit)})
				if bit > 0 {
					VPADDB(v, v, v)
				}
			}
		}
	} else {
		for half := range 2 {
			for b, v := range w.byteColumns(src, 32*half) {
				for bit := 7; bit >= 0; bit-- {
					m := GP32()
					VPMOVMSKB(v, m)
					MOVL(m, Mem{Base: dst, Disp: 8*(8*b+bit) + 4*half})
					if bit > 0 {
						VPADDB(v, v, v)
					}
				}
			}
		}
	}
	VZEROUPPER()
	RET()
}

// byteColumns loads eight vectors of words from a row on, two words a lane of 128
// bits, and returns eight vectors of which vector b has byte b of all these words.
// Lane l of it holds lane l of each of the loaded vectors in turn.
func (w width) byteColumns(src general, row int) []vector {
	r := w.vectors(8)
	for i, v := range r {
		if w.Wide() {
			VMOVDQU64(Mem{Base: src, Disp: 64 * i}, v)
		} else { // lanes that need no reordering: words 2i and 16+2i
			VBROADCASTI128(Mem{Base: src, Disp: 8 * (row + 2*i)}, v)
			VINSERTI128(Imm(1), Mem{Base: src, Disp: 8 * (row + 16 + 2*i)}, v, v)
		}
		VPSHUFB(bytePairs(), v, v)
	}
	// An 8×8 transpose of 16-bit pairs within each lane.
	for range 3 {
		out := make([]vector, 8)
		for i := range 4 {
			low := w.New()
			VPUNPCKLWD(r[i+4], r[i], low)
			VPUNPCKHWD(r[i+4], r[i], r[i])
			out[2*i], out[2*i+1] = low, r[i]
		}
		r = out
	}
	return r
}

// bytePairs is the shuffle that puts bytes b of two words side by side, in every
// lane of 128 bits.
var bytePairs = table("bytePairs", 64, func(i int) Constant { return U8(i%16/2 + i%2*8) })

// wordOrder brings the 16-bit pairs of a vector of bytes into the order of rows.
var wordOrder = table("wordOrder", 32, func(i int) Constant { return U16(i%4*8 + i/4) })
