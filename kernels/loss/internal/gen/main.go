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
	vec.All(func(v vec.V) {
		softmax(v)
		correct(v)
	})
	Generate()
}

// softmax writes the losses and the gradient: package loss states the operations.
func softmax(v vec.V) {
	TEXT("softmax"+v.Name, 0, v.Signature("func(m, n int, logits *T, ld int, labels, scale *T, scaleStep int, rowLoss, dz *T, lddz int)"))
	Doc("softmax"+v.Name+" computes, for m ≥ 1 rows of n ≥ 1 logits, rowLoss unless it is nil and dz",
		"unless it is nil. scaleStep is 0 for one scale, else there is one a row; leading dimensions",
		"are in bytes.")
	Pragma("noescape")
	k := newGroup(v)
	k.rows(func(i vec.GP) {
		class := k.classes(i)
		top, target := v.Copy(minusInf(v)), v.Zero()
		k.chunks(func() {
			k.load()
			column := k.firstColumn()
			k.eachColumn(func(at Mem) {
				z := v.Load(at)
				v.Move(v.Max(top, z), top) // a NaN is noticed in the sum
				v.Move(v.Select(v.Compare(vec.EQ, column, class), z, target), target)
				k.next(column)
			})
		})

		var sum []vec.Reg
		for range 8 / v.Size {
			sum = append(sum, v.Zero())
		}
		k.chunks(func() {
			k.loadAgain()
			k.exponentials(top, func(e vec.Reg) {
				for i, x := range k.widen(e) {
					v.Float64().AddTo(x, sum[i])
				}
			})
		})

		sums := k.keepAll(sum)
		k.unlessNil("rowLoss", func(rowLoss vec.GP) {
			l, targets := k.widen(top), k.widen(target)
			for i := range l {
				l[i] = v.Sub64(l[i], targets[i])
			}
			for i := range l {
				l[i] = v.Add64(v.Log64(v.Load(sums[i])), l[i])
			}
			v.StoreMasked(v.SpoilWhere(k.bad(class), k.narrow(l)), k.lanes(), k.element(rowLoss, i))
		})
		k.unlessNil("dz", func(dz vec.GP) {
			row := vec.Arg("lddz")
			IMULQ(i, row)
			ADDQ(row, dz)
			scales := k.keepAll(k.widen(v.SpoilWhere(k.bad(class), k.scale(i))))
			quotient := k.quotients(sums)
			k.chunks(func() {
				k.whenMany(func() {
					k.load()
					k.exponentials(top, nil)
				})
				column := k.firstColumn()
				k.eachColumn(func(at Mem) {
					label := k.widenMask(v.Compare(vec.EQ, column, class))
					k.next(column)
					g := make([]vec.Reg, len(label))
					for i := range g {
						p := quotient(at, i)
						p = v.Sub64(p, v.Keep64(label[i], v.Copy(v.Float64().One())))
						g[i] = v.Mul64(p, scales[i])
					}
					v.Store(k.narrow(g), at)
				})
				k.store(dz)
			})
		})
	})
	vec.End()
}

// quotients returns how to divide an exponential of the scratch by its sum: part i of it, as
// float64. Those of float32 are never so small that Quotient64 does not do.
func (k *group) quotients(sums []Mem) func(e Mem, i int) vec.Reg {
	v := k.v
	if v.Double() {
		return func(e Mem, _ int) vec.Reg { return v.Div(v.Load(e), sums[0]) }
	}
	var inverses []Mem
	for _, s := range sums {
		inverses = append(inverses, k.keep(v.Div64(v.Float64().One(), s)))
	}
	return func(e Mem, i int) vec.Reg {
		e.Disp += i * v.Bytes / 2
		return v.Quotient64(v.WidenHalf(e), sums[i], inverses[i])
	}
}

// correct writes Correct.
func correct(v vec.V) {
	TEXT("correct"+v.Name, 0, v.Signature("func(m, n int, logits *T, ld int, labels, out *T)"))
	Doc("correct"+v.Name+" sets out to 1 where the first largest of n ≥ 1 logits stands at the label",
		"and none is NaN, else 0, for m ≥ 1 rows; ld is in bytes.")
	Pragma("noescape")
	k := newGroup(v)
	k.rows(func(i vec.GP) {
		class := k.classes(i)
		best, at, nan := v.Copy(minusInf(v)), v.Zero(), v.NoLanes()
		k.chunks(func() {
			k.load()
			column := k.firstColumn()
			k.eachColumn(func(from Mem) {
				z := v.Load(from)
				more := v.Compare(vec.GT, z, best)
				v.Move(v.Select(more, z, best), best)
				v.Move(v.Select(more, column, at), at)
				v.MoveMask(v.OrMask(nan, v.Compare(vec.Unordered, z, z)), nan)
				k.next(column)
			})
		})
		right := v.Keep(v.Compare(vec.EQ, at, class), v.Copy(v.One()))
		right = v.Select(nan, v.Zero(), right)
		out := vec.Arg("out")
		v.StoreMasked(right, k.lanes(), k.element(out, i))
	})
	vec.End()
}
