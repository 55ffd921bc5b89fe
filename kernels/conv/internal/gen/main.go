// Command gen writes the vector kernels of package conv.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"

	"driftless/kernels/internal/vec"
)

func main() {
	ConstraintExpr("!noasm")
	vec.All(func(v vec.V) {
		for vectors, most := range rowsOf(v) {
			for rows := 1; rows <= most; rows++ {
				product(v, rows, vectors, 1)
			}
		}
		for rows := 1; rows <= 6; rows++ {
			product(v, rows, 1, 2)
		}
		pools(v)
		planes(v)
	})
	patchesGrad(vec.AVX2)
	patchesGrad(vec.AVX2.Float64())
	planePools(vec.AVX2)
	planePools(vec.AVX2.Float64())
	Generate()
}

// rowsOf is how many rows of sums a tile of one and of two vectors has at most: with AVX2
// registers are left for a row of b, an element of a and a mask.
func rowsOf(v vec.V) [3]int {
	if v.Wide() {
		return [3]int{0, 12, 12}
	}
	return [3]int{0, 12, 6}
}

// Bits of the argument flags. direct_amd64.go has the same.
const (
	flagAdd  = 1 << iota // c is added to
	flagReLU             // negative elements become 0
)

// product writes a kernel for tiles of rows × vectors. Of pairs of such rows the others are a
// step from the first: with few rows alone a sum would wait for itself.
func product(v vec.V, rows, vectors, groups int) {
	name, more, doc := fmt.Sprintf("product%dx%d%s", rows, vectors, v.Name), "", fmt.Sprintf("%d rows", rows)
	if groups == 2 {
		name, more, doc = fmt.Sprintf("pair%d%s", rows, v.Name), ", pairStep", fmt.Sprintf("%d rows, of as many pairStep further on in a,", rows)
	}
	vec.Text(name, v.Signature("func(panels, segments int, seg *int32, a *T, rowStep, kStep, aPanel int, b *T, bStep int, c *T, cStep, cPanel int, bias *T, tail, flags"+more+" int)"),
		fmt.Sprintf("%s computes panels of %s and %d vectors of c, the last of tail lanes.", name, doc, vectors),
		"Row i of a is, at each of the segments (distance from a + i·rowStep and n), n numbers kStep apart; rows of b follow each other for",
		"all of them. Panels are aPanel apart in a and cPanel in c, and have one b. Steps are in bytes. See package gemm for the sums, bias and flags.")
	left, segments, start := AllocLocal(8), AllocLocal(8), AllocLocal(8)
	MOVQ(vec.Arg("panels"), left)
	MOVQ(vec.Arg("a"), start)
	c, rowStep, kStep, bStep := vec.Arg("c"), vec.Arg("rowStep"), vec.Arg("kStep"), vec.Arg("bStep")
	last := v.Tail(vec.Arg("tail"))
	row := func(at vec.GP, j int) Mem { return Mem{Base: at, Disp: v.Bytes * j} }
	load := func(at vec.GP, j int, to vec.Reg) {
		if j == vectors-1 {
			v.MoveMasked(last, row(at, j), to)
		} else {
			v.Move(row(at, j), to)
		}
	}
	sums := make([][]vec.Reg, groups*rows)
	for i := range sums {
		for range vectors {
			sums[i] = append(sums[i], v.New())
		}
	}
	each := func(f func(x vec.Reg)) {
		for i := range sums {
			for _, x := range sums[i] {
				f(x)
			}
		}
	}

	Label("panel")
	each(v.Clear)
	b, seg := vec.Arg("b"), vec.Arg("seg")
	MOVQ(vec.Arg("segments"), segments)
	Label("segment")
	n := GP64()
	var base []vec.GP // a pointer for every three rows: the others are one and two steps on
	each3 := (rows + 2) / 3
	for g := range groups {
		for i := range each3 {
			p := GP64()
			switch {
			case i > 0:
				LEAQ(Mem{Base: base[len(base)-1], Index: rowStep, Scale: 2}, p)
				ADDQ(rowStep, p)
			case g > 0:
				MOVQ(base[0], p)
				ADDQ(vec.Step("pairStep"), p)
			default:
				MOVLQSX(Mem{Base: seg}, p)
				ADDQ(start, p)
				MOVLQSX(Mem{Base: seg, Disp: 4}, n)
				ADDQ(Imm(8), seg)
			}
			base = append(base, p)
		}
	}
	element := func(i int) Mem {
		m := Mem{Base: base[i/rows*each3+i%rows/3]}
		if i%rows%3 != 0 {
			m.Index, m.Scale = rowStep, uint8(i%rows%3)
		}
		return m
	}
	Label("loop")
	y := make([]vec.Reg, vectors)
	for j := range y {
		y[j] = v.New()
		load(b, j, y[j])
	}
	for i := range sums {
		if v.Wide() && vectors == 1 {
			v.AddFMABroadcast(element(i), y[0], sums[i][0])
			continue
		}
		x := v.Broadcast(element(i))
		for j := range y {
			v.AddFMA(x, y[j], sums[i][j])
		}
	}
	for _, p := range base {
		ADDQ(kStep, p)
	}
	ADDQ(bStep, b)
	DECQ(n)
	JNZ(LabelRef("loop"))
	DECQ(segments)
	JNZ(LabelRef("segment"))

	flags, cStep := vec.Arg("flags"), vec.Arg("cStep")
	TESTQ(U32(flagAdd), flags)
	JZ(LabelRef("bias"))
	at := GP64()
	MOVQ(c, at)
	for i := range sums {
		for j, x := range sums[i] {
			old := v.New()
			load(at, j, old)
			v.AddTo(old, x)
		}
		ADDQ(cStep, at)
	}
	Label("bias")
	bias := vec.Arg("bias")
	TESTQ(bias, bias)
	JZ(LabelRef("act"))
	for j := range vectors {
		y := v.New()
		load(bias, j, y)
		for i := range sums {
			v.AddTo(y, sums[i][j])
		}
	}
	Label("act")
	TESTQ(U32(flagReLU), flags)
	JZ(LabelRef("store"))
	// A maximum is its last operand where one is NaN or both are zeros; adding +0 then
	// makes -0 positive and leaves everything else alone.
	zero := v.Zero()
	each(func(x vec.Reg) {
		v.MaxTo(zero, x)
		v.AddTo(zero, x)
	})
	Label("store")
	MOVQ(c, at)
	tail := vec.Step("tail").(Mem)
	for i := range sums {
		for j, x := range sums[i] {
			if j == vectors-1 {
				v.StoreFirst(x, last, tail, row(at, j))
			} else {
				v.Store(x, row(at, j))
			}
		}
		ADDQ(cStep, at)
	}
	ADDQ(vec.Step("cPanel"), c)
	next := vec.Arg("aPanel")
	ADDQ(next, start)
	DECQ(left)
	JNZ(LabelRef("panel"))
	vec.End()
}
