// Command gen writes the vector kernels of package loss.
//
// A lane is a row: sums over columns then take them in order, and a logarithm
// serves 8 or 16 rows. A group of rows is turned over, a chunk of columns at a
// time, into a scratch where a column is one vector.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"

	"driftless/kernels/internal/vec"
)

// chunk is the number of columns of a scratch, a multiple of 4. Rows of more are
// turned over again for each pass.
const chunk = 64

func main() {
	ConstraintExpr("!noasm")
	vec.Both(func(v vec.V) {
		softmax(v)
		correct(v)
	})
	Generate()
}

// softmax writes the losses and the gradient: package loss states the operations.
func softmax(v vec.V) {
	TEXT("softmax"+v.Name, 0, "func(m, n int, logits *float32, ld int, labels, scale *float32, scaleStep int, rowLoss, dz *float32, lddz int)")
	Doc("softmax"+v.Name+" computes, for m ≥ 1 rows of n ≥ 1 logits, rowLoss unless it is nil and dz",
		"unless it is nil. scaleStep is 4 for a scale a row, 0 for one; leading dimensions",
		"are in bytes.")
	Pragma("noescape")
	k := newGroup(v)
	k.rows(func(i vec.GP) {
		class := k.classes(i)
		top, target := v.Copy(minusInf()), v.Zero()
		k.chunks(func() {
			k.load()
			column := k.firstColumn()
			k.eachColumn(func(at Mem) {
				z := v.Load(at)
				v.Move(v.Max(top, z), top) // a NaN is noticed in the sum
				v.Move(v.Select(v.EqualInt(column, class), z, target), target)
				v.Move(v.AddInt(column, oneInt()), column)
			})
		})

		lo, hi := v.Zero(), v.Zero() // the sums
		k.chunks(func() {
			k.loadAgain()
			k.exponentials(top, func(e vec.Reg) {
				a, b := v.Widen(e)
				v.Move(v.Add64(lo, a), lo)
				v.Move(v.Add64(hi, b), hi)
			})
		})

		sums := [2]Mem{k.keep(lo), k.keep(hi)}
		k.unlessNil("rowLoss", func(rowLoss vec.GP) {
			var l [2]vec.Reg
			l[0], l[1] = v.Widen(top)
			targetLo, targetHi := v.Widen(target)
			l[0], l[1] = v.Sub64(l[0], targetLo), v.Sub64(l[1], targetHi)
			for i := range l {
				l[i] = v.Add64(v.Log64(v.Load(sums[i])), l[i])
			}
			v.StoreMasked(v.SpoilWhere(k.bad(class), v.Narrow(l[0], l[1])), k.lanes(), Mem{Base: rowLoss, Index: i, Scale: 4})
		})
		k.unlessNil("dz", func(dz vec.GP) {
			row := vec.Arg("lddz")
			IMULQ(i, row)
			ADDQ(row, dz)
			scaleLo, scaleHi := v.Widen(v.SpoilWhere(k.bad(class), k.scale(i)))
			scales := [2]Mem{k.keep(scaleLo), k.keep(scaleHi)}
			var inverses [2]Mem
			for i := range inverses {
				inverses[i] = k.keep(v.Div64(vec.Float64("one64", 1), sums[i]))
			}
			k.chunks(func() {
				k.whenMany(func() {
					k.load()
					k.exponentials(top, nil)
				})
				column := k.firstColumn()
				k.eachColumn(func(at Mem) {
					var label [2]vec.Mask
					label[0], label[1] = v.WidenMask(v.EqualInt(column, class))
					v.Move(v.AddInt(column, oneInt()), column)
					var g [2]vec.Reg
					for i := range g {
						e := at
						e.Disp += i * v.Bytes / 2
						p := v.Quotient64(v.WidenHalf(e), sums[i], inverses[i])
						p = v.Sub64(p, v.Keep64(label[i], v.Copy(vec.Float64("one64", 1))))
						g[i] = v.Mul64(p, scales[i])
					}
					v.Store(v.Narrow(g[0], g[1]), at)
				})
				k.store(dz)
			})
		})
	})
	vec.End()
}

// correct writes Correct.
func correct(v vec.V) {
	TEXT("correct"+v.Name, 0, "func(m, n int, logits *float32, ld int, labels, out *float32)")
	Doc("correct"+v.Name+" sets out to 1 where the first largest of n ≥ 1 logits stands at the label",
		"and none is NaN, else 0, for m ≥ 1 rows; ld is in bytes.")
	Pragma("noescape")
	k := newGroup(v)
	k.rows(func(i vec.GP) {
		class := k.classes(i)
		best, at, nan := v.Copy(minusInf()), v.Zero(), v.NoLanes()
		k.chunks(func() {
			k.load()
			column := k.firstColumn()
			k.eachColumn(func(from Mem) {
				z := v.Load(from)
				more := v.Compare(vec.GT, z, best)
				v.Move(v.Select(more, z, best), best)
				v.Move(v.Select(more, column, at), at)
				v.MoveMask(v.OrMask(nan, v.Compare(vec.Unordered, z, z)), nan)
				v.Move(v.AddInt(column, oneInt()), column)
			})
		})
		right := v.Keep(v.EqualInt(at, class), v.Copy(v.One()))
		right = v.Select(nan, v.Zero(), right)
		out := vec.Arg("out")
		v.StoreMasked(right, k.lanes(), Mem{Base: out, Index: i, Scale: 4})
	})
	vec.End()
}
