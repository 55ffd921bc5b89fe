package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"

	"driftless/kernels/internal/vec"
)

func minusInf(v vec.V) vec.Const { return v.Const("minusInf", math.Inf(-1)) }

// group is what the kernels share: the loops over groups of rows, a row a lane,
// and chunks of columns, and the way of a chunk from the logits and back.
type group struct {
	v       vec.V
	scratch vec.GP // the chunk and three columns, a vector a column, aligned; then what keep keeps
	kept    int    // vectors of that
	z       vec.GP // the logits of the group's first row
	here    vec.GP // rows in the group
	from    vec.GP // first column of the chunk
	cols    vec.GP // and how many it has
}

func newGroup(v vec.V) *group {
	k := &group{v: v, scratch: GP64(), from: GP64(), cols: GP64(), here: GP64()}
	LEAQ(AllocLocal((chunk+4+maxKept)*v.Bytes).Offset(v.Bytes-1), k.scratch)
	ANDQ(I32(-v.Bytes), k.scratch)
	k.z = vec.Arg("logits")
	return k
}

// rows emits body for each group, i its first row.
func (k *group) rows(body func(i vec.GP)) {
	i, loop := GP64(), vec.NewLabel("group")
	XORQ(i, i)
	Label(loop)
	most := GP64()
	MOVQ(vec.Step("m"), k.here)
	SUBQ(i, k.here)
	MOVQ(I32(k.v.Lanes()), most)
	CMPQ(k.here, most)
	CMOVQGT(most, k.here)
	body(i)
	step := vec.Arg("ld")
	IMUL3Q(I8(k.v.Lanes()), step, step)
	ADDQ(step, k.z)
	ADDQ(I8(k.v.Lanes()), i)
	CMPQ(i, vec.Step("m"))
	JLT(LabelRef(loop))
}

// lanes is the mask of the rows that are there.
func (k *group) lanes() vec.Mask { return k.v.Tail(k.here) }

// classes loads the classes of the group from its labels, as numbers, -1 where one is
// none: fractional, out of range or NaN.
func (k *group) classes(i vec.GP) vec.Reg {
	v := k.v
	labels, n := vec.Arg("labels"), vec.Arg("n")
	l := v.LoadMasked(k.lanes(), k.element(labels, i))
	bad := v.Compare(vec.NotEQ, v.Truncate(l), l)
	bad = v.OrMask(bad, v.Compare(vec.LT, l, v.Zero()))
	bad = v.OrMask(bad, v.Compare(vec.NotLT, l, v.Number(n)))
	return v.Select(bad, v.Const("noClass", -1), l)
}

// bad returns where the label is no class.
func (k *group) bad(class vec.Reg) vec.Mask { return k.v.Compare(vec.LT, class, k.v.Zero()) }

// element is where element i of a vector is.
func (k *group) element(x, i vec.GP) Mem { return Mem{Base: x, Index: i, Scale: uint8(k.v.Size)} }

// widen returns a vector as vectors of float64, narrow the vector that they are rounded to.
func (k *group) widen(x vec.Reg) []vec.Reg {
	if k.v.Double() {
		return []vec.Reg{x}
	}
	lo, hi := k.v.Widen(x)
	return []vec.Reg{lo, hi}
}

func (k *group) narrow(x []vec.Reg) vec.Reg {
	if k.v.Double() {
		return x[0]
	}
	return k.v.Narrow(x[0], x[1])
}

// widenMask returns the masks of what widen returns.
func (k *group) widenMask(m vec.Mask) []vec.Mask {
	if k.v.Double() {
		return []vec.Mask{m}
	}
	lo, hi := k.v.WidenMask(m)
	return []vec.Mask{lo, hi}
}

// maxKept is the number of vectors that there is room for.
const maxKept = 6

// keep stores a vector beside the chunk, for want of registers.
func (k *group) keep(x vec.Reg) Mem {
	at := Mem{Base: k.scratch, Disp: (chunk + 3 + k.kept) * k.v.Bytes}
	k.v.Store(x, at)
	k.kept++
	return at
}

func (k *group) keepAll(x []vec.Reg) (at []Mem) {
	for _, r := range x {
		at = append(at, k.keep(r))
	}
	return at
}

// scale loads those of the group, or the one of all.
func (k *group) scale(i vec.GP) vec.Reg {
	one, done := vec.NewLabel("oneScale"), vec.NewLabel("scaled")
	at, c := vec.Arg("scale"), k.v.New()
	CMPQ(vec.Step("scaleStep"), Imm(0))
	JEQ(LabelRef(one))
	k.v.Move(k.v.LoadMasked(k.lanes(), k.element(at, i)), c)
	JMP(LabelRef(done))
	Label(one)
	k.v.Move(k.v.Broadcast(Mem{Base: at}), c)
	Label(done)
	return c
}

// unlessNil emits body if an argument, a pointer, is not nil.
func (k *group) unlessNil(name string, body func(p vec.GP)) {
	skip, p := vec.NewLabel("no"+name), vec.Arg(name)
	TESTQ(p, p)
	JZ(LabelRef(skip))
	body(p)
	Label(skip)
}

// chunks emits body for each chunk of columns.
func (k *group) chunks(body func()) {
	loop := vec.NewLabel("chunk")
	XORQ(k.from, k.from)
	Label(loop)
	most := GP64()
	MOVQ(vec.Step("n"), k.cols)
	SUBQ(k.from, k.cols)
	MOVQ(I32(chunk), most)
	CMPQ(k.cols, most)
	CMOVQGT(most, k.cols)
	body()
	ADDQ(I8(chunk), k.from)
	CMPQ(k.from, vec.Step("n"))
	JLT(LabelRef(loop))
}

// whenMany emits body if there are several chunks, so that the scratch no longer
// holds this one.
func (k *group) whenMany(body func()) {
	skip := vec.NewLabel("kept")
	CMPQ(vec.Step("n"), I8(chunk))
	JLE(LabelRef(skip))
	body()
	Label(skip)
}

func (k *group) loadAgain() { k.whenMany(k.load) }

// firstColumn returns the number of the chunk's first column in every lane, and next makes
// that of the next of it.
func (k *group) firstColumn() vec.Reg { return k.v.Number(k.from) }
func (k *group) next(column vec.Reg)  { k.v.AddTo(k.v.One(), column) }

// eachColumn emits body for the columns of the chunk, each given by its vector in
// the scratch.
func (k *group) eachColumn(body func(at Mem)) {
	at, left, loop := GP64(), GP64(), vec.NewLabel("column")
	MOVQ(k.scratch, at)
	MOVQ(k.cols, left)
	Label(loop)
	body(Mem{Base: at})
	ADDQ(U32(k.v.Bytes), at)
	DECQ(left)
	JNZ(LabelRef(loop))
}

// exponentials turns the chunk into e**(z - top), and gives them to use in the
// order of columns, unless it is nil. Columns beyond the last are
// -Inf and make zeros, which change no sum.
func (k *group) exponentials(top vec.Reg, use func(e vec.Reg)) {
	v := k.v
	at, left, loop := GP64(), GP64(), vec.NewLabel("exp")
	MOVQ(k.scratch, at)
	MOVQ(k.cols, left)
	Label(loop)
	n := 1 // at a time
	if v.Wide() {
		n = 2
	}
	e := make([]vec.Reg, n)
	column := func(i int) {
		e[i] = v.ExpNegative(v.Sub(v.Load(Mem{Base: at, Disp: i * v.Bytes}), top))
	}
	if n == 1 {
		column(0)
	} else {
		vec.Interleave(n, column)
	}
	for i := range e {
		v.Store(e[i], Mem{Base: at, Disp: i * v.Bytes})
		if use != nil {
			use(e[i])
		}
	}
	ADDQ(U32(n*v.Bytes), at)
	SUBQ(Imm(uint64(n)), left)
	JG(LabelRef(loop))
}
