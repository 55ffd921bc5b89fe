package cuda_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"driftless/kernels/gather"
	"driftless/kernels/order"
	"driftless/kernels/random"
)

func TestGather(t *testing.T) {
	const total = 40
	index := func(r *rand.Rand) int32 { return int32(r.IntN(total)) }
	sweep(t, func(t *testing.T, s shape, v mode) {
		m, cols, ld := s.m, s.d, s.d+s.gap
		for mp := gather.Raw; mp <= gather.Binary; mp++ {
			l := newLaunch(t, "gather_bytes")
			data := in(l, total, cols, cols, func(r *rand.Rand) uint8 { return uint8(r.UintN(256)) }).share()
			rows, y := in(l, 1, m, m, index), out[float32](l, m, cols, ld)
			l.run(m, cols, []int{m, cols, ld, int(mp)})
			y.check(mp.String(), func(r int, y []float32) { gather.BytesRows(rows.x[r], data.x[r], cols, mp, y, ld) })
		}
		l := newLaunch(t, "gather_rows")
		data := in(l, total, cols, cols, v.draw).share()
		rows, y := in(l, 1, m, m, index), out[float32](l, m, cols, ld)
		l.run(m, cols, []int{m, cols, ld})
		y.check("y", func(r int, y []float32) { gather.Rows(rows.x[r], data.x[r], cols, y, ld) })

		l = newLaunch(t, "gather_rows64")
		data64 := in(l, total, cols, cols, func(r *rand.Rand) float64 { return float64(v.draw(r)) * (1 + 0x1p-24) }).share()
		rows, y = in(l, 1, m, m, index), out[float32](l, m, cols, ld)
		l.run(m, cols, []int{m, cols, ld})
		y.check("y", func(r int, y []float32) { gather.Rows(rows.x[r], data64.x[r], cols, y, ld) })
	})
}

// Numbers of program.Order.
const (
	shuffled = iota
	previous
	sequential
	sample
)

func TestIndex(t *testing.T) {
	for _, c := range []struct{ batch, total, all, round, valid int }{
		{60, 60000, 60000, 3, 60}, {7, 20, 20, 2, 6}, {200, 200, 200, 0, 200}, {5, 3, 5, 0, 3}, {16, 1000, 5000, 62, 8}, {130, 300, 1 << 20, 1, 100},
		{1, 1, 1, 0, 1},
	} {
		for how := shuffled; how <= sample; how++ {
			l := newLaunch(t, "index")
			rows := out[int32](l, 1, c.batch, c.batch)
			steps := []int64{0, 5, 123456789}
			next := 0
			step := in(l, 1, 1, 1, func(*rand.Rand) int64 { next++; return steps[next-1] })
			seed := in(l, 1, 1, 1, func(r *rand.Rand) int64 { return int64(r.Uint64()) })
			l.run(1, c.batch, []int{c.batch, c.total, c.all, how, c.round, c.valid})
			rows.check("rows", func(r int, rows []int32) {
				batchRows(rows, how, step.x[r][0], uint64(seed.x[r][0]), c.total, c.all, c.round, c.valid)
			})
		}
	}
}

// batchRows is what the CPU's index instruction computes.
func batchRows(rows []int32, how int, step int64, seed uint64, total, all, round, valid int) {
	batch := len(rows)
	if how <= previous {
		if how == previous && step > 0 {
			step--
		}
		perEpoch := int64(max(1, total/batch))
		order.Fill(seed, uint64(step/perEpoch), uint32(all), int(step%perEpoch)*batch, rows)
		return
	}
	for i := range rows {
		at := 0
		if i < valid {
			at = round*batch + i
		}
		if how == sample {
			at = int(order.Index(seed, order.PTXSampleEpoch, uint32(all), uint32(at)))
		}
		rows[i] = int32(at)
	}
}

// TestDropout holds the kernel to package random.
func TestDropout(t *testing.T) {
	number := func(r *rand.Rand) int64 { return r.Int64() }
	sweep(t, func(t *testing.T, s shape, v mode) {
		for _, drop := range []float64{0, 0.3, 1} {
			l := newLaunch(t, "dropout")
			x := in(l, s.m, s.d, s.d+s.gap, v.draw)
			y, mask := out[float32](l, s.m, s.d, s.d), out[float32](l, s.m, s.d, s.d+s.gap)
			step, seed := in(l, 1, 1, 1, number), in(l, 1, 1, 1, number)
			below, times := random.Keep(drop)
			l.run(s.m, s.d, []int{s.m, s.d, x.ld, y.ld, mask.ld, 2, 5}, times, float64(below))
			drawn := func(r int, y, mask []float32) {
				key := random.Key(uint64(seed.x[r][0]), uint64(step.x[r][0]), 2, 5)
				random.Dropout(drop, key, 0, s.d, s.m, s.d, x.x[r], x.ld, y, s.d, mask, s.d+s.gap)
			}
			y.check("y", func(r int, to []float32) { drawn(r, to, make([]float32, s.m*mask.ld)) })
			mask.check("mask", func(r int, to []float32) { drawn(r, make([]float32, s.m*s.d), to) })
		}
	})
}

func TestControl(t *testing.T) {
	const ring = 5
	for _, v := range []float32{1.5, float32(math.NaN()), float32(math.Inf(-1)), math.MaxFloat32} {
		l := newLaunch(t, "tick")
		in(l, 1, 1, 1, constant(v))
		losses := in(l, 1, ring, ring, constant(float32(9)))
		stopped, step := in(l, 1, 1, 1, constant(int64(-1))), in(l, 1, 1, 1, constant(int64(12)))
		l.run(1, 1, []int{ring})
		losses.check("losses", func(_ int, x []float32) { x[12%ring] = v })
		stopped.check("diverged", func(_ int, x []int64) {
			if v-v != 0 {
				x[0] = 12
			}
		})
		step.check("step", func(_ int, x []int64) { x[0]++ })
	}

	l := newLaunch(t, "begin")
	number := func(r *rand.Rand) int64 { return r.Int64() }
	stopped, step := in(l, 1, 1, 1, number), in(l, 1, 1, 1, number)
	halted, now := out[int64](l, 1, 1, 1), out[int64](l, 1, 1, 1)
	l.run(1, 1, nil)
	for r := range replicas {
		if halted.got[r][0] != stopped.x[r][0] || now.got[r][0] != step.x[r][0] {
			t.Errorf("replica %d: begin copied %d and %d of %d and %d", r, halted.got[r][0], now.got[r][0], stopped.x[r][0], step.x[r][0])
		}
	}
}
