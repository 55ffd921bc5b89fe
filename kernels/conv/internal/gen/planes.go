package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"

	"driftless/kernels/internal/vec"
)

// planes writes the kernels of convolutions whose channels lie one after another.
func planes(v vec.V) {
	for rows := 1; rows <= rowsOf(v)[2]; rows++ {
		planeProduct(v, rows)
	}
	for rows := 1; rows <= 3; rows++ {
		planeDots(v, rows, 3)
	}
	if v.Wide() {
		planeDots(v, 4, 3)
		for rows := 1; rows <= 4; rows++ {
			planeDots(v, rows, 6)
		}
	}
}

// planeProduct writes the product of rows of w with numbers of an image that lie so far from a window's first.
func planeProduct(v vec.V, rows int) {
	const vectors = 2
	name := fmt.Sprintf("planes%d%s", rows, v.Name)
	vec.Text(name, v.Signature("func(panels, taps int, at *int32, x *T, xVector, xPanel int, w *T, wStep int, y *T, yVector, yStep, yPanel int, first, last, flags int)"),
		fmt.Sprintf("%s computes, for each of panels, %d rows and two vectors of y, of which as many lanes count as first and last say.", name, rows),
		"An element is the sum of the products of a row of w with the numbers of x at so many bytes from its own place. Steps are in",
		"bytes, yVector from the first vector to the other.")
	left, n := AllocLocal(8), GP64()
	MOVQ(vec.Arg("panels"), left)
	x, y, xVector, wStep := vec.Arg("x"), vec.Arg("y"), vec.Arg("xVector"), vec.Arg("wStep")
	var masks [vectors]vec.Mask
	lanes := [vectors]Mem{vec.Step("first").(Mem), vec.Step("last").(Mem)}
	tail := func(j int) vec.Mask {
		if !v.Wide() {
			return v.Tail(vec.Arg([]string{"first", "last"}[j]))
		}
		return masks[j]
	}
	if v.Wide() {
		masks = [vectors]vec.Mask{v.Tail(vec.Arg("first")), v.Tail(vec.Arg("last"))}
	}
	var sums [][vectors]vec.Reg
	for range rows {
		sums = append(sums, [vectors]vec.Reg{v.New(), v.New()})
	}

	Label("panel")
	for _, s := range sums {
		v.Clear(s[0])
		v.Clear(s[1])
	}
	at, base := vec.Arg("at"), []vec.GP{vec.Arg("w")} // a pointer for every three rows
	MOVQ(vec.Step("taps"), n)
	for len(base) < (rows+2)/3 {
		p := GP64()
		LEAQ(Mem{Base: base[len(base)-1], Index: wStep, Scale: 2}, p)
		ADDQ(wStep, p)
		base = append(base, p)
	}
	Label("loop")
	from := GP64()
	MOVLQSX(Mem{Base: at}, from)
	ADDQ(x, from)
	b := [vectors]vec.Reg{v.Load(Mem{Base: from}), v.Load(Mem{Base: from, Index: xVector, Scale: 1})}
	for i, s := range sums {
		m := Mem{Base: base[i/3]}
		if i%3 != 0 {
			m.Index, m.Scale = wStep, uint8(i%3)
		}
		a := v.Broadcast(m)
		v.AddFMA(a, b[0], s[0])
		v.AddFMA(a, b[1], s[1])
	}
	for _, p := range base {
		ADDQ(Imm(uint64(v.Size)), p)
	}
	ADDQ(Imm(4), at)
	DECQ(n)
	JNZ(LabelRef("loop"))

	each := func(f func(j int, s vec.Reg, to Mem)) {
		yVector := vec.Arg("yVector")
		for j := range vectors {
			to := GP64()
			MOVQ(y, to)
			if j > 0 {
				ADDQ(yVector, to)
			}
			for i := range sums {
				f(j, sums[i][j], Mem{Base: to})
				ADDQ(vec.Step("yStep"), to)
			}
		}
	}
	flags := vec.Arg("flags")
	TESTQ(U32(flagAdd), flags)
	JZ(LabelRef("store"))
	add := [vectors]vec.Mask{}
	if v.Wide() {
		add = masks
	}
	done := -1
	each(func(j int, s vec.Reg, from Mem) {
		if j != done && !v.Wide() {
			add[j] = tail(j)
		}
		done = j
		v.AddTo(v.LoadMasked(add[j], from), s)
	})
	Label("store")
	each(func(j int, s vec.Reg, to Mem) { v.StoreFirst(s, masks[j], lanes[j], to) })
	ADDQ(vec.Step("xPanel"), x)
	ADDQ(vec.Step("yPanel"), y)
	DECQ(left)
	JNZ(LabelRef("panel"))
	vec.End()
}

// planeDots writes the sums of products of rows of g with x, as far from there as taps say.
func planeDots(v vec.V, rows, taps int) {
	name := fmt.Sprintf("planeDots%dx%d%s", rows, taps, v.Name)
	vec.Text(name, v.Signature("func(images, lines, full, tail int, up *T, upStep, upLine, upImage int, x *T, xLine, xImage int, at *int32, sums *T, sumStep int)"),
		fmt.Sprintf("%s adds to %d × %d vectors of sums, 64 bytes from one tap to the next and sumStep from row to row, the products of up, whose", name, rows, taps),
		"rows are upStep apart, and x, as far from it as at says for each tap: of so many lines of so many images, each of full bytes, of whose",
		"64 a vector takes the first, and of tail lanes more. From the end of an image's lines to the next it is upImage and xImage.")
	images, lines := AllocLocal(8), AllocLocal(8)
	MOVQ(vec.Arg("images"), images)
	mask := v.Tail(vec.Arg("tail"))
	var from, to []vec.GP
	{
		p, step := vec.Arg("up"), vec.Arg("upStep")
		from = append(from, p)
		for len(from) < rows {
			q := GP64()
			LEAQ(Mem{Base: from[len(from)-1], Index: step, Scale: 1}, q)
			from = append(from, q)
		}
		x, at := vec.Arg("x"), vec.Arg("at")
		for s := range taps {
			q := GP64()
			MOVLQSX(Mem{Base: at, Disp: 4 * s}, q)
			ADDQ(x, q)
			to = append(to, q)
		}
	}
	sums := make([][]vec.Reg, rows)
	for i := range sums {
		for range taps {
			sums[i] = append(sums[i], v.Zero())
		}
	}
	col := GP64()
	body := func(load func(p vec.GP) vec.Reg) {
		var g []vec.Reg
		for _, p := range from {
			g = append(g, load(p))
		}
		for s, p := range to {
			x := load(p)
			for i := range g {
				v.AddFMA(x, g[i], sums[i][s])
			}
		}
	}
	Label("image")
	{
		n := GP64()
		MOVQ(vec.Step("lines"), n)
		MOVQ(n, lines)
	}
	Label("line")
	XORQ(col, col)
	CMPQ(vec.Step("full"), Imm(0))
	JEQ(LabelRef("rest"))
	Label("vector")
	body(func(p vec.GP) vec.Reg { return v.Load(Mem{Base: p, Index: col, Scale: 1}) })
	ADDQ(Imm(64), col)
	CMPQ(col, vec.Step("full"))
	JLT(LabelRef("vector"))
	Label("rest")
	CMPQ(vec.Step("tail"), Imm(0))
	JEQ(LabelRef("next"))
	body(func(p vec.GP) vec.Reg { return v.LoadMasked(mask, Mem{Base: p, Index: col, Scale: 1}) })
	Label("next")
	move := func(g, x string) {
		step := vec.Arg(g)
		for _, p := range from {
			ADDQ(step, p)
		}
		step = vec.Arg(x)
		for _, p := range to {
			ADDQ(step, p)
		}
	}
	move("upLine", "xLine")
	DECQ(lines)
	JNZ(LabelRef("line"))
	move("upImage", "xImage")
	DECQ(images)
	JNZ(LabelRef("image"))

	out := vec.Arg("sums")
	for i := range sums {
		for s, x := range sums[i] {
			m := Mem{Base: out, Disp: 64 * s}
			v.AddTo(m, x)
			v.Store(x, m)
		}
		if i+1 < rows {
			ADDQ(vec.Step("sumStep"), out)
		}
	}
	vec.End()
}
