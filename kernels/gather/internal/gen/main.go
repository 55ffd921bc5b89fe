// Command gen writes the vector kernels of package gather.
package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"

	"driftless/kernels/internal/vec"
)

func main() {
	ConstraintExpr("!noasm")
	vec.All(func(v vec.V) {
		values(v, "raw", "x", func(x vec.Reg) vec.Reg { return x })
		values(v, "unit", "x/255", func(x vec.Reg) vec.Reg { return unit(v, x) })
		values(v, "binary", "1 where x > 127, else 0,", func(x vec.Reg) vec.Reg {
			return v.Keep(v.Compare(vec.GT, x, v.Const("dark", 127)), v.Copy(v.One()))
		})
	})
	vec.Both(func(v vec.V) {
		masks(v, "signs", "its byte is beyond 127")
		masks(v, "nonzeros", "its byte is not 0")
	})
	prefetch()
	Generate()
}

// prefetch writes the kernel that asks for cache lines.
func prefetch() {
	vec.Text("prefetch", "func(lines int, data *uint8)", "prefetch asks for lines of 64 bytes to be brought into the second-level cache.")
	lines, data := vec.Arg("lines"), vec.Arg("data")
	Label("line")
	PREFETCHT1(Mem{Base: data})
	ADDQ(Imm(64), data)
	DECQ(lines)
	JNZ(LabelRef("line"))
	RET()
}

// unit divides bytes by 255: 1/255 in two floats, the second for what the first
// lacks. A test compares all 256 quotients.
func unit(v vec.V, x vec.Reg) vec.Reg {
	hi := 1.0 / 255
	if !v.Double() {
		hi = float64(float32(hi))
	}
	lo := math.FMA(-hi, 255, 1) / 255
	return v.FMA(x, v.Const("inverse", hi), v.Mul(x, v.Const("inverseLow", lo)))
}

// ahead is the number of rows that a row is prefetched ahead.
const ahead = 2

// rows emits body for each of the rows that are named: data and soon are the
// row's bytes and those of the one that is ahead.
func rows(body func(data, soon vec.GP), step func()) {
	left, idx, from, stride := vec.Arg("rows"), vec.Arg("idx"), vec.Arg("data"), vec.Arg("stride")
	Label("row")
	data, soon, far := GP64(), GP64(), GP64()
	MOVLQSX(Mem{Base: idx}, data)
	IMULQ(stride, data)
	ADDQ(from, data)
	XORQ(soon, soon)
	MOVQ(I32(ahead), far)
	CMPQ(left, I32(ahead))
	CMOVQLE(soon, far) // the row itself
	MOVLQSX(Mem{Base: idx, Index: far, Scale: 4}, soon)
	IMULQ(stride, soon)
	ADDQ(from, soon)
	body(data, soon)
	step()
	ADDQ(Imm(4), idx)
	DECQ(left)
	JNZ(LabelRef("row"))
}

// values writes the kernel of a map to numbers.
func values(v vec.V, name, formula string, f func(x vec.Reg) vec.Reg) {
	doc := name + v.Name + " sets row i of dst to " + formula + " for the bytes x of row idx[i] of data."
	if v.Wide() {
		vec.Text(name+v.Name, v.Signature("func(rows int, idx *int32, data *uint8, stride, cols int, dst *T, ldd int)"),
			doc, "rows and cols are at least 1; ldd is in bytes.")
	} else {
		vec.Text(name+v.Name, v.Signature("func(rows int, idx *int32, data *uint8, stride, cols int, dst *T, ldd int)"),
			doc, "rows is at least 1, cols 8; ldd is in bytes.")
	}
	dst, d := vec.Arg("dst"), vec.Arg("cols")
	last := GP64() // column up to which whole vectors begin
	LEAQ(Mem{Base: d, Disp: -v.Lanes()}, last)
	var tail vec.Mask
	if v.Wide() {
		rest := GP64()
		MOVQ(d, rest)
		ANDQ(I8(v.Lanes()-1), rest)
		tail = v.Tail(rest)
	}
	rows(func(data, soon vec.GP) {
		at := GP64()
		XORQ(at, at)
		put := func(ahead int) {
			x := v.LoadBytes(Mem{Base: data, Index: at, Scale: 1, Disp: ahead * v.Lanes()})
			v.Store(f(x), Mem{Base: dst, Index: at, Scale: uint8(v.Size), Disp: ahead * v.Bytes})
		}
		const unroll = 4
		four, single, rest, done := vec.NewLabel("four"), vec.NewLabel("single"), vec.NewLabel("rest"), vec.NewLabel("done")
		end := GP64()
		Label(four)
		LEAQ(Mem{Base: at, Disp: (unroll - 1) * v.Lanes()}, end)
		CMPQ(end, last)
		JGT(LabelRef(single))
		PREFETCHT0(Mem{Base: soon, Index: at, Scale: 1})
		for i := range unroll {
			put(i)
		}
		ADDQ(Imm(uint64(unroll*v.Lanes())), at)
		JMP(LabelRef(four))
		Label(single)
		CMPQ(at, last)
		JGT(LabelRef(rest))
		put(0)
		ADDQ(Imm(uint64(v.Lanes())), at)
		JMP(LabelRef(single))
		Label(rest)
		CMPQ(at, d)
		JGE(LabelRef(done))
		if v.Wide() {
			x := v.LoadBytesMasked(tail, Mem{Base: data, Index: at, Scale: 1})
			v.StoreMasked(f(x), tail, Mem{Base: dst, Index: at, Scale: uint8(v.Size)})
		} else { // the last vector again, ending at the last column
			MOVQ(last, at)
			put(0)
		}
		Label(done)
	}, func() { ADDQ(vec.Step("ldd"), dst) })
	vec.End()
}

// masks writes a kernel of BytesMask.
func masks(v vec.V, name, condition string) {
	const signature = "func(rows int, idx *int32, data *uint8, stride, cols int, mask *uint64, ldm int)"
	doc := []string{name + v.Name + " sets bit c%64 of the word c/64 of row i of mask where " + condition + ", for",
		"columns c of row idx[i] of data, and clears bits beyond them. Words of a row are ldm"}
	if v.Wide() {
		doc = append(doc, "bytes apart, rows one word. rows and cols are at least 1.")
	} else {
		doc = append(doc, "bytes apart, rows one word. rows is at least 1, cols 64.")
	}
	vec.Text(name+v.Name, signature, doc...)
	mask, d := vec.Arg("mask"), vec.Arg("cols")
	rest := GP64()
	MOVQ(d, rest)
	ANDQ(I8(63), rest)
	zero := v.Zero()
	signs := name == "signs"
	rows(func(data, soon vec.GP) {
		at, to, word := GP64(), GP64(), GP64()
		XORQ(at, at)
		MOVQ(mask, to)
		four, last, done := vec.NewLabel("word"), vec.NewLabel("rest"), vec.NewLabel("done")
		Label(four)
		end := GP64()
		LEAQ(Mem{Base: at, Disp: 64}, end)
		CMPQ(end, d)
		JGT(LabelRef(last))
		PREFETCHT0(Mem{Base: soon, Index: at, Scale: 1})
		bits(v, signs, zero, Mem{Base: data, Index: at, Scale: 1}, nil, word)
		MOVQ(word, Mem{Base: to})
		ADDQ(vec.Step("ldm"), to)
		MOVQ(end, at)
		JMP(LabelRef(four))
		Label(last)
		TESTQ(rest, rest)
		JZ(LabelRef(done))
		if v.Wide() {
			bits(v, signs, zero, Mem{Base: data, Index: at, Scale: 1}, rest, word)
		} else { // the last 64 columns, and the first of them out
			bits(v, signs, zero, Mem{Base: data, Index: d, Scale: 1, Disp: -64}, nil, word)
			out := GP64()
			MOVQ(rest, out)
			NEGQ(out) // 64 - rest, modulo 64
			SHRXQ(out, word, word)
		}
		MOVQ(word, Mem{Base: to})
		Label(done)
	}, func() { ADDQ(Imm(8), mask) })
	vec.End()
}

// bits takes 64 bytes, or the first n of them, to a word.
func bits(v vec.V, signs bool, zero vec.Reg, from Mem, n, word vec.GP) {
	if v.Wide() {
		x, k := v.New(), K()
		if n == nil {
			VMOVDQU8(from, x)
		} else {
			ones := GP64()
			MOVQ(I32(-1), ones)
			BZHIQ(n, ones, ones)
			KMOVQ(ones, k)
			VMOVDQU8_Z(from, k, x)
			k = K()
		}
		if signs {
			VPMOVB2M(x, k)
		} else {
			VPTESTMB(x, x, k)
		}
		KMOVQ(k, word)
		return
	}
	high := GP64()
	for i, r := range []vec.GP{word, high} {
		at, x := from, YMM()
		at.Disp += 32 * i
		if signs {
			VMOVDQU(at, x)
		} else {
			VPCMPEQB(at, zero, x)
		}
		VPMOVMSKB(x, r.As32())
	}
	SHLQ(Imm(32), high)
	ORQ(high, word)
	if !signs {
		NOTQ(word)
	}
}
