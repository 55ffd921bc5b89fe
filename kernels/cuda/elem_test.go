package cuda_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"driftless/kernels/activation"
	"driftless/kernels/elem"
	"driftless/kernels/loss"
)

func TestBinary(t *testing.T) {
	sweep(t, func(t *testing.T, s shape, v mode) {
		for op := elem.Add; op <= elem.Pow; op++ {
			for scalars := range 4 {
				name := "binary"
				if op == elem.Pow {
					name = "power"
				}
				l := newLaunch(t, name)
				side := func(scalar bool, gap int) *tensor[float32] {
					if scalar {
						return in(l, 1, 1, 1, v.draw)
					}
					return in(l, s.m, s.d, s.d+gap, v.draw)
				}
				a, b := side(scalars&elem.PTXScalarA != 0, s.gap), side(scalars&elem.PTXScalarB != 0, 0)
				y := out[float32](l, s.m, s.d, s.d+s.gap)
				ints := []int{s.m, s.d, a.ld, b.ld, y.ld, int(op), scalars}
				if op == elem.Pow {
					ints = append(ints[:5], scalars)
				}
				l.run(s.m, s.d, ints)
				row := func(x *tensor[float32], r, i int) []float32 { return x.x[r][i%x.rows*x.ld:][:x.cols] }
				y.check("y", func(r int, x []float32) {
					for i := range s.m {
						elem.Apply(op, row(a, r, i), row(b, r, i), x[i*y.ld:][:s.d])
					}
				})
			}
		}
	})
}

func TestUnary(t *testing.T) {
	sweep(t, func(t *testing.T, s shape, v mode) {
		for op := elem.Neg; op <= elem.Floor; op++ {
			l := newLaunch(t, op.PTX())
			x := in(l, s.m, s.d, s.d+s.gap, v.draw)
			y := out[float32](l, s.m, s.d, s.d)
			l.run(s.m, s.d, []int{s.m, s.d, x.ld, y.ld, int(op)})
			y.check(op.String(), func(r int, got []float32) {
				for i := range s.m {
					elem.Map(op, x.x[r][i*x.ld:][:s.d], got[i*y.ld:][:s.d])
				}
			})
		}
	})
}

// TestWide holds the functions that compute in float64 to package scalar for numbers of all magnitudes.
func TestWide(t *testing.T) {
	stride := uint32(400009) // prime
	if testing.Short() {
		stride = 4000037
	}
	var all []float32
	for b := uint32(0); ; b += stride {
		if all = append(all, math.Float32frombits(b)); b > math.MaxUint32-stride {
			break
		}
	}
	for i := range 500 { // near what functions treat apart
		v := float32(i-250) / 2
		all = append(all, v, math.Nextafter32(v, 1), math.Nextafter32(v, -1e9), v*math.Pi/2, v*math.Ln2, float32(math.Exp2(float64(v)/2)))
	}
	n := len(all)
	use := func(from []float32, step int) func(*rand.Rand) float32 {
		i := 0
		return func(*rand.Rand) float32 { i += step; return from[i%len(from)] }
	}
	for op := elem.Neg; op <= elem.Floor; op++ {
		l := newLaunch(t, op.PTX())
		x, y := in(l, 1, n, n, use(all, 1)).share(), out[float32](l, 1, n, n)
		l.run(1, n, []int{1, n, n, n, int(op)})
		y.check(op.String(), func(r int, to []float32) { elem.Map(op, x.x[r], to) })
	}
	l := newLaunch(t, "power")
	a, b := in(l, 1, n, n, use(all, 1)).share(), in(l, 1, n, n, use(all, 7)).share()
	y := out[float32](l, 1, n, n)
	l.run(1, n, []int{1, n, n, n, n, 0})
	y.check("pow", func(r int, to []float32) { elem.Apply(elem.Pow, a.x[r], b.x[r], to) })

	near := use([]float32{0.5, -0.5, 1.5, 2, -3, 1, 0, 7.25, 1e9, -64, 126.5, 1 << 24, 1<<24 + 2, 3e38, -3e38, float32(math.Inf(1))}, 1)
	l = newLaunch(t, "power")
	a, b = in(l, 1, n, n, use(all, 3)).share(), in(l, 1, n, n, near).share()
	y = out[float32](l, 1, n, n)
	l.run(1, n, []int{1, n, n, n, n, 0})
	y.check("pow", func(r int, to []float32) { elem.Apply(elem.Pow, a.x[r], b.x[r], to) })
}

func TestRows(t *testing.T) {
	sweep(t, func(t *testing.T, s shape, v mode) {
		l := newLaunch(t, "add_row")
		x, row := in(l, s.m, s.d, s.d+s.gap, v.draw), in(l, 1, s.d, s.d, v.draw)
		again(l, x)
		l.run(s.m, s.d, []int{s.m, s.d, x.ld, x.ld})
		x.check("y", func(r int, y []float32) { elem.AddRow(s.m, s.d, x.x[r], x.ld, row.x[r], y, x.ld) })

		l = newLaunch(t, "sub_outer")
		x, rows, cols := in(l, s.m, s.d, s.d+s.gap, v.draw), in(l, 1, s.m, s.m, v.draw), in(l, 1, s.d, s.d, v.draw)
		again(l, x)
		l.run(s.m, s.d, []int{s.m, s.d, x.ld, x.ld})
		x.check("y", func(r int, y []float32) { elem.SubOuter(s.m, s.d, x.x[r], x.ld, rows.x[r], cols.x[r], y, x.ld) })

		l = newLaunch(t, "repeat_rows")
		row = in(l, 1, s.d, s.d, v.draw)
		y := out[float32](l, s.m, s.d, s.d+s.gap)
		l.run(s.m, s.d, []int{s.m, s.d, y.ld})
		y.check("y", func(r int, y []float32) { elem.RepeatRows(s.m, s.d, row.x[r], y, s.d+s.gap) })

		l = newLaunch(t, "repeat_cols")
		col := in(l, 1, s.m, s.m, v.draw)
		y = out[float32](l, s.m, s.d, s.d+s.gap)
		l.run(s.m, s.d, []int{s.m, s.d, y.ld})
		y.check("y", func(r int, y []float32) { elem.RepeatColumns(s.m, s.d, col.x[r], y, s.d+s.gap) })

		l = newLaunch(t, "transpose")
		x = in(l, s.d, s.m, s.m+s.gap, v.draw)
		y = out[float32](l, s.m, s.d, s.d+s.gap)
		l.run(s.m, s.d, []int{s.m, s.d, x.ld, y.ld, s.m})
		y.check("y", func(r int, y []float32) { elem.Transpose(s.d, s.m, x.x[r], x.ld, y, s.d+s.gap) })
	})
}

// each sets every element of a matrix.
func each[T number](b *tensor[T], x []T, f func(i, j int) T) {
	for i := range b.rows {
		for j := range b.cols {
			x[i*b.ld+j] = f(i, j)
		}
	}
}

func TestFillAndCopy(t *testing.T) {
	sweep(t, func(t *testing.T, s shape, v mode) {
		for _, from := range []bool{false, true} {
			l := newLaunch(t, "fill")
			source := func() *tensor[float32] {
				if from {
					return in(l, 1, 1, 1, v.draw)
				}
				l.null()
				return nil
			}
			f := source()
			x := out[float32](l, s.m, s.d, s.d+s.gap)
			l.run(s.m, s.d, []int{s.m, s.d, x.ld}, 0.1)
			x.check("x", func(r int, x32 []float32) {
				each(x, x32, func(int, int) float32 {
					if from {
						return f.x[r][0]
					}
					return 0.1
				})
			})

			l = newLaunch(t, "fill64")
			f = source()
			w := out[float64](l, s.m, s.d, s.d+s.gap)
			l.run(s.m, s.d, []int{s.m, s.d, w.ld}, 0.1)
			w.check("x", func(r int, x64 []float64) {
				each(w, x64, func(int, int) float64 {
					if from {
						return float64(f.x[r][0])
					}
					return 0.1
				})
			})
		}

		l := newLaunch(t, "copy")
		x, y := in(l, s.m, s.d, s.d, v.draw), out[float32](l, s.m, s.d, s.d+s.gap)
		l.run(s.m, s.d, []int{s.m, s.d, x.ld, y.ld})
		y.check("y", func(r int, c []float32) { each(y, c, func(i, j int) float32 { return x.x[r][i*x.ld+j] }) })

		l = newLaunch(t, "copy8")
		p := in(l, s.m, s.d, s.d, func(r *rand.Rand) uint8 { return uint8(r.UintN(256)) })
		q := out[uint8](l, s.m, s.d, s.d+s.gap)
		l.run(s.m, s.d, []int{s.m, s.d, p.ld, q.ld})
		q.check("y", func(r int, c []uint8) { each(q, c, func(i, j int) uint8 { return p.x[r][i*p.ld+j] }) })
	})
}

func TestSums(t *testing.T) {
	sweep(t, func(t *testing.T, s shape, v mode) {
		dense := func(x *tensor[float32], r int) []float32 {
			var all []float32
			for i := range x.rows {
				all = append(all, x.x[r][i*x.ld:][:x.cols]...)
			}
			return all
		}
		for name, f := range map[string]func([]float32) float32{"sum": elem.Sum[float32], "mean": loss.Mean[float32]} {
			l := newLaunch(t, name)
			x, y := in(l, s.m, s.d, s.d+s.gap, v.draw), out[float32](l, 1, 1, 1)
			l.run(s.m, s.d, []int{s.m, s.d, x.ld})
			y.check("y", func(r int, y []float32) { y[0] = f(dense(x, r)) })
		}
		l := newLaunch(t, "row_sum")
		x, y := in(l, s.m, s.d, s.d+s.gap, v.draw), out[float32](l, 1, s.m, s.m)
		l.run(s.m, s.d, []int{s.m, s.d, x.ld})
		y.check("y", func(r int, y []float32) { elem.RowSum(s.m, s.d, x.x[r], x.ld, y) })
	})
}

func TestActivation(t *testing.T) {
	sweep(t, func(t *testing.T, s shape, v mode) {
		for act := activation.Identity; act <= activation.ReLU; act++ {
			l := newLaunch(t, "activation")
			x, y := in(l, s.m, s.d, s.d+s.gap, v.draw), out[float32](l, s.m, s.d, s.d)
			l.run(s.m, s.d, []int{s.m, s.d, x.ld, y.ld, int(act)})
			y.check(act.String(), func(r int, y []float32) { activation.Forward(act, s.m, s.d, x.x[r], x.ld, y, s.d) })

			l = newLaunch(t, "activation_grad")
			y, g := in(l, s.m, s.d, s.d, v.draw), in(l, s.m, s.d, s.d+s.gap, v.draw)
			again(l, g)
			l.run(s.m, s.d, []int{s.m, s.d, y.ld, g.ld, g.ld, int(act)})
			g.check(act.String(), func(r int, dx []float32) {
				activation.Backward(act, s.m, s.d, y.x[r], y.ld, g.x[r], g.ld, dx, g.ld)
			})
		}
	})
}
