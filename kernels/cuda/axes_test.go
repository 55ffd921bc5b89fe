package cuda_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"driftless/kernels/axes"
	"driftless/kernels/elem"
)

// some is a number with ties, both zeros, and now and then none.
func some(r *rand.Rand) float32 {
	if r.IntN(20) == 0 {
		return float32(math.NaN())
	}
	return []float32{0, float32(math.Copysign(0, -1)), 1, -1, float32(math.Inf(-1))}[r.IntN(5)]
}

// views are of tensors of 210 elements: transposes, repetitions, reversed and sliced axes, of one axis to eight.
var views = []axes.View{
	{Shape: []int{1}, Strides: []int{0}, Offset: 209},
	{Shape: []int{210}, Strides: []int{-1}, Offset: 209},
	{Shape: []int{30, 7}, Strides: []int{1, 30}},
	{Shape: []int{7, 30}, Strides: []int{30, 1}},
	{Shape: []int{5, 3, 13}, Strides: []int{1, 0, 16}, Offset: 2},
	{Shape: []int{3, 2, 5, 7}, Strides: []int{0, 1, 14, 2}},
	{Shape: []int{4, 9, 70}, Strides: []int{0, -15, 1}, Offset: 121},
	{Shape: []int{2, 3, 1, 2, 3, 2, 2, 5}, Strides: []int{105, 1, 0, 7, 21, 0, -14, 3}, Offset: 14},
	{Shape: []int{2, 2, 2, 3, 3, 2, 2, 1}, Strides: []int{1, 2, 4, 8, 24, 72, 0, 5}},
}

// args are the ints of a launch of a kernel of package axes.
func args(t *testing.T, l *launch, known map[string]int, views ...axes.View) (ints []int) {
	t.Helper()
	all := axes.PTXInts(views...)
	for _, name := range strings.Fields(l.k.Ints) {
		v, ok := known[name]
		if w, is := all[name]; is && !ok {
			v, ok = w, true
		}
		if !ok {
			t.Fatalf("%s takes an int %q", l.k.Name, name)
		}
		ints = append(ints, v)
	}
	return ints
}

func TestMoveAndApply(t *testing.T) {
	for _, v := range views {
		for _, gap := range []int{0, 3} {
			for _, mode := range modes {
				rows, cols := v.Rows(), v.Cols()
				if err := v.Check(210); err != nil {
					t.Fatal(err)
				}
				l := newLaunch(t, "move")
				x, y := in(l, 1, 210, 210, mode.draw), out[float32](l, rows, cols, cols+gap)
				l.run(rows, cols, args(t, l, map[string]int{"m": rows, "d": cols, "ldy": y.ld}, v))
				y.check(fmt.Sprint(v), func(r int, to []float32) { axes.Move(v, 0, rows, x.x[r], to, y.ld) })

				other := axes.Dense(v.Shape) // of as many elements as the result
				for op := elem.Add; op <= elem.Pow; op++ {
					name := "apply"
					if op == elem.Pow {
						name = "apply_power"
					}
					l := newLaunch(t, name)
					a, b := in(l, 1, 210, 210, mode.draw), in(l, 1, rows*cols, rows*cols, mode.draw)
					y := out[float32](l, rows, cols, cols+gap)
					l.run(rows, cols, args(t, l, map[string]int{"m": rows, "d": cols, "ldy": y.ld, "op": int(op)}, v, other))
					y.check(fmt.Sprint(op, v), func(r int, to []float32) {
						applyRows(op, v, other, rows, a.x[r], b.x[r], to, y.ld)
					})
				}
			}
		}
	}
}

func TestEmbedAndConcat(t *testing.T) {
	for _, c := range []struct{ rows, n, inner, count, first, step, gap int }{
		{1, 1, 1, 1, 0, 1, 0}, {3, 7, 1, 3, 1, 2, 0}, {5, 9, 4, 4, 5, 1, 0}, {7, 11, 3, 2, 0, 7, 5}, {2, 40, 5, 8, 4, 5, 1},
	} {
		for _, v := range modes {
			l := newLaunch(t, "embed")
			d, k := c.n*c.inner, c.count*c.inner
			x, y := in(l, c.rows, k, k, v.draw), out[float32](l, c.rows, d, d+c.gap)
			l.run(c.rows, d, args(t, l, map[string]int{"m": c.rows, "d": d, "ldx": k, "ldy": y.ld, "inner": c.inner, "first": c.first,
				"step": c.step, "count": c.count}, views[0]))
			y.check(fmt.Sprint(c), func(r int, to []float32) {
				axes.Embed(c.n, c.inner, c.count, c.first, c.step, 0, c.rows, x.x[r], to, y.ld)
			})

			l = newLaunch(t, "concat")
			x, y = in(l, c.rows, k, k+c.gap, v.draw), in(l, c.rows, d, d+c.gap, v.draw)
			first := d - k
			l.run(c.rows, k, args(t, l, map[string]int{"m": c.rows, "d": k, "ldx": x.ld, "ldy": y.ld, "first": first}, views[0]))
			y.check(fmt.Sprint(c), func(r int, to []float32) {
				for i := range c.rows {
					copy(to[i*y.ld+first:], x.x[r][i*x.ld:][:k])
				}
			})
		}
	}
}

func TestPick(t *testing.T) {
	const parts, n = 2, 6
	for _, count := range []int{1, 4, 33} {
		for _, s := range []shape{{0, 1, 0}, {0, 5, 0}, {0, 12, 4}, {0, 70, 1}} {
			for _, v := range modes {
				l := newLaunch(t, "pick")
				number := func(r *rand.Rand) int32 { return int32(r.IntN(n-1)) / 2 * 2 } // none of some, and many of one
				x, rows := in(l, parts*n, s.d, s.d+s.gap, v.draw), in(l, 1, count, count, number)
				y := out[float32](l, parts*count, s.d, s.d)
				l.run(y.rows, s.d, []int{y.rows, s.d, x.ld, y.ld, n, count})
				y.check("y", func(r int, to []float32) { axes.Pick(rows.x[r], n, 0, y.rows, s.d, x.x[r], x.ld, to, y.ld) })

				l = newLaunch(t, "pick_grad")
				g := in(l, parts*count, s.d, s.d, v.draw)
				rows = in(l, 1, count, count, number)
				sorted := place[int32](l, 1, count, count)
				for r, order := range sorted.x {
					for j := range order {
						order[j] = int32(j)
					}
					slices.SortStableFunc(order, func(i, j int32) int { return int(rows.x[r][i] - rows.x[r][j]) })
				}
				sorted.upload()
				dx := out[float32](l, parts*n, s.d, s.d+s.gap)
				l.run(dx.rows, s.d, []int{dx.rows, s.d, g.ld, dx.ld, n, count})
				dx.check("dx", func(r int, to []float32) {
					axes.PickGrad(rows.x[r], sorted.x[r], n, 0, dx.rows, s.d, g.x[r], g.ld, to, dx.ld)
				})
			}
		}
	}
}

func TestReduce(t *testing.T) {
	for _, v := range append([]mode{{"some", some}}, modes...) {
		for _, s := range append(shapes, shape{130, 1, 0}) {
			for _, size := range []int{1, 2, 19} {
				for how := axes.Sum; how <= axes.Max; how++ {
					l := newLaunch(t, "reduce")
					x, y := in(l, s.m*size, s.d, s.d, v.draw), out[float32](l, s.m, s.d, s.d+s.gap)
					l.run(s.m, s.d, args(t, l, map[string]int{"m": s.m, "d": s.d, "ldy": y.ld, "size": size, "how": int(how)}, views[0]))
					y.check(fmt.Sprint(how, s, size), func(r int, to []float32) {
						axes.Reduce(how, size, s.d, 0, 0, s.m, s.d, x.x[r], to, y.ld)
					})
				}
			}
		}
	}
}

func TestSoftmax(t *testing.T) {
	for _, v := range append([]mode{{"some", some}, {"low", constant(float32(math.Inf(-1)))}}, modes...) {
		for _, s := range shapes {
			for log := range 2 {
				l := newLaunch(t, "softmax")
				x, y := in(l, s.m, s.d, s.d+s.gap, v.draw), out[float32](l, s.m, s.d, s.d)
				l.run(s.m, s.d, []int{s.m, s.d, x.ld, y.ld, log})
				y.check(fmt.Sprint(v.name, s, log), func(r int, to []float32) {
					axes.Softmax(log == 1, s.m, s.d, x.x[r], x.ld, to, y.ld)
				})

				l = newLaunch(t, "softmax_grad")
				y, g := in(l, s.m, s.d, s.d+s.gap, v.draw), in(l, s.m, s.d, s.d, v.draw)
				dx := out[float32](l, s.m, s.d, s.d+s.gap)
				l.run(s.m, s.d, []int{s.m, s.d, y.ld, g.ld, dx.ld, log})
				dx.check(fmt.Sprint(v.name, s, log), func(r int, to []float32) {
					axes.SoftmaxGrad(log == 1, s.m, s.d, y.x[r], y.ld, g.x[r], g.ld, to, dx.ld)
				})
			}
		}
	}
}

// applyRows is axes.Apply of so many rows.
func applyRows(op elem.Binary, a, b axes.View, m int, x, z, y []float32, ldy int) {
	for i, n := 0, a.Cols(); i < m; i++ {
		axes.Apply(op, a, b, i*n, x, z, y[i*ldy:][:n])
	}
}
