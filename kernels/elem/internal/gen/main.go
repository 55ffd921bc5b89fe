// Command gen writes the vector kernels of package elem.
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
		binary(v, "add", "a + b", v.Add)
		binary(v, "sub", "a − b", v.Sub)
		binary(v, "mul", "a · b", v.Mul)
		binary(v, "div", "a / b", v.Div)
		holds := func(p vec.Predicate) func(a, b Op) vec.Reg {
			return func(a, b Op) vec.Reg { return v.Keep(v.Compare(p, a, b), v.Copy(v.One())) }
		}
		binary(v, "gt", "1 where a > b, else 0", holds(vec.GT))
		binary(v, "gte", "1 where a ≥ b, else 0", holds(vec.GE))
		binary(v, "lt", "1 where a < b, else 0", holds(vec.LT))
		binary(v, "lte", "1 where a ≤ b, else 0", holds(vec.LE))
		binary(v, "eq", "1 where a = b, else 0", holds(vec.EQ))
		binary(v, "ne", "1 where a ≠ b, else 0", holds(vec.NotEQ))

		unary(v, "neg", "−x", func(x vec.Reg) vec.Reg { return v.Xor(x, v.Sign()) })
		unary(v, "square", "x·x", func(x vec.Reg) vec.Reg { return v.Mul(x, x) })
		unary(v, "sqrt", "√x", func(x vec.Reg) vec.Reg { return v.Sqrt(x) })
		unary(v, "abs", "|x|", func(x vec.Reg) vec.Reg { return v.And(x, v.Magnitude()) })
		unary(v, "inverse", "1/x", func(x vec.Reg) vec.Reg { return v.Div(v.One(), x) })
		unary(v, "inverseSqrt", "1/√x, rounded twice", func(x vec.Reg) vec.Reg { return v.Div(v.One(), v.Sqrt(x)) })
		unary(v, "cube", "(x·x)·x, rounded twice", func(x vec.Reg) vec.Reg { return v.Mul(v.Mul(x, x), x) })

		unary(v, "log", "ln x, of package scalar", v.Log)

		subOuter(v)
		transpose(v)
	})
	Generate()
}

// unary writes a function of one vector.
func unary(v vec.V, name, formula string, f func(x vec.Reg) vec.Reg) {
	vec.Text(name+v.Name, v.Signature("func(n int, x, out *T)"), name+v.Name+" sets out to "+formula+".")
	x, out := vec.Arg("x"), vec.Arg("out")
	v.Columns(vec.Arg("n")).Each(func(s vec.Span) { s.Store(f(s.Load(x)), out) })
	vec.End()
}

// binary writes a function of two vectors, either of which may be a scalar: that is repeated
// for one register's memory, where it moves on by 0.
func binary(v vec.V, name, formula string, f func(a, b Op) vec.Reg) {
	vec.Text(name+v.Name, v.Signature("func(n int, a, b *T, x, y T, out *T)"),
		name+v.Name+" sets out to "+formula+". The scalar x stands for all of a where that is nil, and y for b.")
	n, a, b, out := vec.Arg("n"), vec.Arg("a"), vec.Arg("b"), vec.Arg("out")
	moveA, moveB := scalar(v, a, "x"), scalar(v, b, "y")
	lanes := Imm(uint64(v.Lanes()))
	Label("vectors")
	SUBQ(lanes, n)
	JLT(LabelRef("rest"))
	v.Store(f(v.Load(Mem{Base: a}), Mem{Base: b}), Mem{Base: out})
	ADDQ(moveA, a)
	ADDQ(moveB, b)
	ADDQ(Imm(uint64(v.Bytes)), out)
	JMP(LabelRef("vectors"))
	Label("rest")
	ADDQ(lanes, n)
	JEQ(LabelRef("end"))
	m := v.Tail(n)
	v.StoreMasked(f(v.LoadMasked(m, Mem{Base: a}), v.LoadMasked(m, Mem{Base: b})), m, Mem{Base: out})
	Label("end")
	vec.End()
}

// scalar points p to the argument, repeated, if it is nil, and returns by what it moves on.
func scalar(v vec.V, p vec.GP, name string) (move vec.GP) {
	move = GP64()
	given, room := "given"+name, AllocLocal(v.Bytes)
	MOVQ(U32(v.Bytes), move)
	TESTQ(p, p)
	JNZ(LabelRef(given))
	v.Store(v.BroadcastArg(name), room)
	LEAQ(room, p)
	XORQ(move, move)
	Label(given)
	return move
}

// subOuter writes SubOuter.
func subOuter(v vec.V) {
	vec.Text("subOuter"+v.Name, v.Signature("func(m, d int, x *T, ldx int, rows, cols, y *T, ldy int)"),
		"subOuter"+v.Name+" sets each row of y to that of x − rows[i]·cols, rounded once, m ≥ 1; ldx and ldy are in bytes.")
	m, x, rows, cols, y := vec.Arg("m"), vec.Arg("x"), vec.Arg("rows"), vec.Arg("cols"), vec.Arg("y")
	columns := v.Columns(vec.Arg("d"))
	vec.Rows(m, []vec.Row{{At: x, Step: vec.Step("ldx")}, {At: y, Step: vec.Step("ldy")}, {At: rows, Step: Imm(uint64(v.Size))}}, func() {
		r := v.Broadcast(Mem{Base: rows})
		columns.EachBy(4, func(s vec.Span) { s.Store(v.NegFMA(r, s.Load(cols), s.Load(x)), y) })
	})
	vec.End()
}

// transpose writes Transpose: columns that fill 16 bytes, of as many rows as a vector has
// lanes, become as many vectors. Of what is left of the rows, or columns, the last are done
// with others that were done before.
func transpose(v vec.V) {
	vec.Text("transpose"+v.Name, v.Signature("func(m, d int, x *T, ldx int, y *T, ldy int)"),
		fmt.Sprintf("transpose%s writes the transpose of m×d elements, m ≥ %d and d ≥ %d; ldx and ldy are in bytes.", v.Name, v.Lanes(), v.Quad()))
	x, y, ldx, ldy, left := vec.Arg("x"), vec.Arg("y"), vec.Arg("ldx"), vec.Arg("ldy"), vec.Arg("m")
	lanes, from, to, cols, by := Imm(uint64(v.Lanes())), GP64(), GP64(), GP64(), GP64()
	n, scale := v.Quad(), uint8(v.Size)
	back := func(n int, left, p, step vec.GP) { // p by so many steps as n has more than left
		MOVQ(U32(n), by)
		SUBQ(left, by)
		IMULQ(step, by)
		SUBQ(by, p)
	}
	rows, quad, full, end := vec.NewLabel("rows"), vec.NewLabel("quad"), vec.NewLabel("full"), vec.NewLabel("end")
	Label(rows)
	MOVQ(x, from)
	MOVQ(y, to)
	MOVQ(vec.Step("d"), cols)
	Label(quad)
	for _, c := range v.Turn(v.GatherRows(from, ldx, left, nil)) {
		v.Store(c, Mem{Base: to})
		ADDQ(ldy, to)
	}
	ADDQ(Imm(16), from)
	SUBQ(Imm(uint64(n)), cols)
	JZ(LabelRef(full))
	CMPQ(cols, Imm(uint64(n)))
	JGE(LabelRef(quad))
	back(n, cols, to, ldy)
	LEAQ(Mem{Base: from, Index: cols, Scale: scale, Disp: -16}, from)
	MOVQ(I32(int32(n)), cols)
	JMP(LabelRef(quad))
	Label(full)
	IMUL3Q(I8(int8(v.Lanes())), ldx, by)
	ADDQ(by, x)
	ADDQ(Imm(uint64(v.Bytes)), y)
	SUBQ(lanes, left)
	JZ(LabelRef(end))
	CMPQ(left, lanes)
	JGE(LabelRef(rows))
	back(v.Lanes(), left, x, ldx)
	LEAQ(Mem{Base: y, Index: left, Scale: scale, Disp: -v.Bytes}, y)
	MOVQ(I32(int32(v.Lanes())), left)
	JMP(LabelRef(rows))
	Label(end)
	vec.End()
}
