package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// pack writes the kernels that bring operands into panels.
func pack(w width) {
	for vectors := 1; vectors <= 3; vectors++ {
		copyRows(w, vectors)
	}
	if w.wide() {
		transpose(w, transpose16)
	} else {
		transpose(w, transpose8)
	}
}

// copyRows writes a kernel that copies rows of some vectors.
func copyRows(w width, vectors int) {
	name := fmt.Sprintf("copy%d%s", vectors*w.lanes(), w.name)
	TEXT(name, NOSPLIT, "func(n int, dst *float32, dstStep int, src *float32, srcStep, tail int)")
	Doc(fmt.Sprintf("%s copies n ≥ 1 rows of %d vectors, the last of tail lanes. Steps are in bytes.", name, vectors))
	Pragma("noescape")
	n, dst, dstStep, src, srcStep := arg("n"), arg("dst"), arg("dstStep"), arg("src"), arg("srcStep")
	last := w.firstLanes(arg("tail"))
	Label("loop")
	for j := range vectors {
		var lanes *mask
		if j == vectors-1 {
			lanes = last
		}
		v := w.vector()
		w.load(w.column(src, j), lanes, v)
		w.store(v, lanes, w.column(dst, j))
	}
	ADDQ(srcStep, src)
	ADDQ(dstStep, dst)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// transpose writes a kernel that transposes rows, a square block of registers at
// a time.
func transpose(w width, block func(r []vector) []vector) {
	name := "transpose" + w.name
	TEXT(name, NOSPLIT, "func(blocks int, dst *float32, dstStep int, src *float32, srcStep, rows, tail int)")
	Doc(fmt.Sprintf("%s writes the transpose of 1 ≤ rows ≤ %d rows of src, which hold blocks vectors, the last of tail lanes.", name, w.lanes()),
		fmt.Sprintf("Always %d rows of one vector a block are written to dst: beyond tail they are 0, lanes beyond rows hold anything.", w.lanes()),
		"Steps are in bytes.")
	Pragma("noescape")
	blocks, dst, dstStep, src := arg("blocks"), arg("dst"), arg("dstStep"), arg("src")
	full, zero := GP64(), GP64()
	MOVQ(U32(uint32(w.lanes())), full)
	XORQ(zero, zero)
	Label("block")
	lanes := GP64()
	MOVQ(full, lanes)
	CMPQ(blocks, Imm(1))
	tail := arg("tail")
	CMOVQEQ(tail, lanes)
	some := w.firstLanes(lanes)
	at, step, rows := GP64(), arg("srcStep"), arg("rows")
	MOVQ(src, at)
	r := w.vectors(w.lanes())
	for i := range r {
		w.load(Mem{Base: at}, some, r[i])
		if i+1 < len(r) { // the last row stands in for those beyond it
			DECQ(rows)
			CMOVQEQ(zero, step)
			ADDQ(step, at)
		}
	}
	for _, v := range block(r) {
		VMOVUPS(v, Mem{Base: dst})
		ADDQ(dstStep, dst)
	}
	ADDQ(Imm(uint64(w.bytes)), src)
	DECQ(blocks)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}

// quads transposes the 4×4 blocks of lanes: lane 4l+e of result 4g+c is lane 4l+c
// of operand 4g+e.
func quads(w width, r []vector) []vector {
	pairs := make([]vector, len(r))
	for i := 0; i < len(r); i += 2 {
		pairs[i], pairs[i+1] = w.vector(), w.vector()
		VUNPCKLPS(r[i+1], r[i], pairs[i])
		VUNPCKHPS(r[i+1], r[i], pairs[i+1])
	}
	out := make([]vector, len(r))
	for i := 0; i < len(r); i += 4 {
		for h := range 2 {
			out[i+2*h], out[i+2*h+1] = w.vector(), w.vector()
			VUNPCKLPD(pairs[i+2+h], pairs[i+h], out[i+2*h])
			VUNPCKHPD(pairs[i+2+h], pairs[i+h], out[i+2*h+1])
		}
	}
	return out
}

// transpose8 transposes eight registers of eight lanes.
func transpose8(r []vector) []vector {
	q := quads(avx2, r)
	out := avx2.vectors(8)
	for c := range 4 {
		VPERM2F128(Imm(0x20), q[4+c], q[c], out[c])
		VPERM2F128(Imm(0x31), q[4+c], q[c], out[4+c])
	}
	return out
}

// transpose16 transposes sixteen registers of sixteen lanes.
func transpose16(r []vector) []vector {
	q := quads(avx512, r)
	out := avx512.vectors(16)
	for c := range 4 {
		v := avx512.vectors(4)
		VSHUFF32X4(Imm(0x88), q[4+c], q[c], v[0]) // quads 0 and 2 of both
		VSHUFF32X4(Imm(0xdd), q[4+c], q[c], v[1]) // quads 1 and 3
		VSHUFF32X4(Imm(0x88), q[12+c], q[8+c], v[2])
		VSHUFF32X4(Imm(0xdd), q[12+c], q[8+c], v[3])
		VSHUFF32X4(Imm(0x88), v[2], v[0], out[c])
		VSHUFF32X4(Imm(0x88), v[3], v[1], out[4+c])
		VSHUFF32X4(Imm(0xdd), v[2], v[0], out[8+c])
		VSHUFF32X4(Imm(0xdd), v[3], v[1], out[12+c])
	}
	return out
}
