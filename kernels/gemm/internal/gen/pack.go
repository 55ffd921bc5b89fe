package main

import (
	"fmt"

	"driftless/kernels/internal/vec"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// pack writes the kernels that bring operands into panels.
func pack(w width) {
	for vectors := 1; vectors <= 3; vectors++ {
		copyRows(w, vectors)
	}
	transpose(w)
}

// copyRows writes a kernel that copies rows of some vectors.
func copyRows(w width, vectors int) {
	name := fmt.Sprintf("copy%d%s", vectors*w.Lanes(), w.Name)
	TEXT(name, NOSPLIT, w.Signature("func(n int, dst *T, dstStep int, src *T, srcStep, tail, fetch int)"))
	Doc(fmt.Sprintf("%s copies n ≥ 1 rows of %d vectors, the last of tail lanes, and fetches what lies fetch", name, vectors),
		"beyond each into the second-level cache. Steps and fetch are in bytes.")
	Pragma("noescape")
	n, dst, dstStep, src, srcStep := vec.Arg("n"), vec.Arg("dst"), vec.Arg("dstStep"), vec.Arg("src"), vec.Arg("srcStep")
	fetch := vec.Arg("fetch")
	last := w.firstLanes(vec.Arg("tail"))
	Label("loop")
	for j := 0; j < vectors; j += 64 / w.Bytes {
		PREFETCHT1(Mem{Base: src, Index: fetch, Scale: 1, Disp: j * w.Bytes})
	}
	for j := range vectors {
		var lanes *mask
		if j == vectors-1 {
			lanes = last
		}
		v := w.New()
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
func transpose(w width) {
	name := "transpose" + w.Name
	TEXT(name, NOSPLIT, w.Signature("func(blocks int, dst *T, dstStep int, src *T, srcStep, rows, tail int)"))
	Doc(fmt.Sprintf("%s writes the transpose of 1 ≤ rows ≤ %d rows of src, which hold blocks vectors, the last of tail lanes.", name, w.Lanes()),
		fmt.Sprintf("Always %d rows of one vector a block are written to dst: beyond tail they are 0, lanes beyond rows hold anything.", w.Lanes()),
		"Steps are in bytes.")
	Pragma("noescape")
	blocks, dst, dstStep, src := vec.Arg("blocks"), vec.Arg("dst"), vec.Arg("dstStep"), vec.Arg("src")
	zero := GP64()
	XORQ(zero, zero)

	// eachRow gives f the rows of a block; the last stands in for those beyond it.
	eachRow := func(f func(i int, at general)) {
		at, step, rows := GP64(), vec.Arg("srcStep"), vec.Arg("rows")
		MOVQ(src, at)
		for i := range w.Lanes() {
			f(i, at)
			if i+1 < w.Lanes() {
				DECQ(rows)
				CMOVQEQ(zero, step)
				ADDQ(step, at)
			}
		}
	}
	// write stores quads (see quads) as rows of dst.
	write := func(q []vector) {
		for _, v := range q {
			VMOVUPS(v, Mem{Base: dst})
			ADDQ(dstStep, dst)
		}
	}

	Label("block")
	CMPQ(blocks, Imm(1))
	JEQ(LabelRef("last"))
	Label("whole")
	q, n := w.vectors(w.Lanes()), w.quad()
	eachRow(func(i int, at general) {
		for quad := range w.Lanes() / n {
			w.loadQuad(Mem{Base: at, Disp: 16 * quad}, i/n, q[n*quad+i%n])
		}
	})
	write(w.transposeQuads(q))
	ADDQ(Imm(uint64(w.Bytes)), src)
	DECQ(blocks)
	JNZ(LabelRef("block"))
	JMP(LabelRef("done"))

	Label("last")
	tail := vec.Arg("tail")
	CMPQ(tail, Imm(uint64(w.Lanes())))
	JEQ(LabelRef("whole"))
	some := w.firstLanes(tail)
	r := w.vectors(w.Lanes())
	eachRow(func(i int, at general) { w.load(Mem{Base: at}, some, r[i]) })
	write(w.gatherQuads(w.transposeQuads(r)))
	Label("done")
	VZEROUPPER()
	RET()
}

// quad is the number of elements in a quad, 16 bytes: four of float32, or two of float64.
func (w width) quad() int { return 16 / w.Size }

// loadQuad loads 16 bytes into the quad of a vector; quad 0 comes first.
// Loading is cheaper than moving quads between vectors, which takes a port for
// shuffles that transposes are short of.
func (w width) loadQuad(from Mem, quad int, v vector) {
	switch {
	case w.Wide() && quad == 0:
		VBROADCASTF32X4(from, v)
	case w.Wide():
		VINSERTF32X4(Imm(uint64(quad)), from, v, v)
	case quad == 0:
		VBROADCASTF128(from, v)
	default:
		VINSERTF128(Imm(1), from, v, v)
	}
}

// transposeQuads transposes blocks as high as they are wide: quad l of vectors 4g to 4g+3,
// or of 2g and 2g+1.
func (w width) transposeQuads(r []vector) []vector {
	pairs, out := w.vectors(len(r)), w.vectors(len(r))
	if w.Double() {
		for i := 0; i < len(r); i += 2 {
			VUNPCKLPD(r[i+1], r[i], out[i])
			VUNPCKHPD(r[i+1], r[i], out[i+1])
		}
		return out
	}
	for i := 0; i < len(r); i += 4 {
		for j := i; j < i+4; j += 2 {
			VUNPCKLPS(r[j+1], r[j], pairs[j])
			VUNPCKHPS(r[j+1], r[j], pairs[j+1])
		}
		for h := range 2 {
			VUNPCKLPD(pairs[i+2+h], pairs[i+h], out[i+2*h])
			VUNPCKHPD(pairs[i+2+h], pairs[i+h], out[i+2*h+1])
		}
	}
	return out
}

// gatherQuads ends a transpose of whole rows: with n elements to a quad, it collects quad l of
// vectors n·g+c in vector n·l+c.
func (w width) gatherQuads(q []vector) []vector {
	out, n := w.vectors(len(q)), w.quad()
	for c := range n {
		if !w.Wide() {
			VPERM2F128(Imm(0x20), q[n+c], q[c], out[c])
			VPERM2F128(Imm(0x31), q[n+c], q[c], out[n+c])
			continue
		}
		v := w.vectors(4)
		VSHUFF32X4(Imm(0x88), q[n+c], q[c], v[0]) // quads 0 and 2 of both
		VSHUFF32X4(Imm(0xdd), q[n+c], q[c], v[1]) // quads 1 and 3
		VSHUFF32X4(Imm(0x88), q[3*n+c], q[2*n+c], v[2])
		VSHUFF32X4(Imm(0xdd), q[3*n+c], q[2*n+c], v[3])
		VSHUFF32X4(Imm(0x88), v[2], v[0], out[c])
		VSHUFF32X4(Imm(0x88), v[3], v[1], out[n+c])
		VSHUFF32X4(Imm(0xdd), v[2], v[0], out[2*n+c])
		VSHUFF32X4(Imm(0xdd), v[3], v[1], out[3*n+c])
	}
	return out
}
