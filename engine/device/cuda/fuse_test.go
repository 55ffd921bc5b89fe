//go:build gpu

package cuda

import (
	"context"
	"fmt"
	"math"
	"testing"

	"driftless/engine/device"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/kernels/activation"
)

// tensors is short for lists of operands.
type tensors = []*program.Tensor

// raw is a Program made by hand, of one block.
type raw struct {
	t      testing.TB
	layout *program.Layout
	block  program.Block
	states []string
	data   int
	onHost map[program.Op]bool // instructions that check has the host run as well
}

func newRaw(t testing.TB) *raw {
	l := program.NewLayout(program.Float32)
	l.Lookup(program.StateLR).Init = []float64{0.01}
	return &raw{t: t, layout: l, block: program.Block{Name: "by hand", Rounds: 1}}
}

// state adds a state of the replica.
func (r *raw) state(name string, rows, cols int, init []float32) *program.Tensor {
	r.t.Helper()
	st, err := r.layout.Add(program.State{Name: name, DType: program.Float32, Rows: rows, Cols: cols, Init: init})
	must(r.t, err)
	r.states = append(r.states, name)
	return &program.Tensor{Space: program.SpaceReplica, DType: program.Float32, Off: st.Off, Rows: rows, Cols: cols, LD: st.LD, Shape: []int{rows, cols}, Name: name}
}

// bytes adds a data set.
func (r *raw) bytes(name string, rows, cols int) *program.Tensor {
	r.t.Helper()
	data := make([]uint8, rows*cols)
	for i := range data {
		data[i] = uint8(i * 7 % 10)
	}
	_, err := r.layout.AddData(name, program.Uint8, rows, cols, data)
	must(r.t, err)
	r.data++
	return &program.Tensor{Space: program.SpaceShared, DType: program.Uint8, Off: r.data - 1, Rows: rows, Cols: cols, LD: cols, Shape: []int{rows, cols}}
}

func scratch(rows, cols int) *program.Tensor {
	return &program.Tensor{Space: program.SpaceScratch, DType: program.Float32, Rows: rows, Cols: cols, LD: cols, Shape: []int{rows, cols}}
}

func (r *raw) do(in program.Instr) *program.Instr {
	r.block.Instrs = append(r.block.Instrs, &in)
	return &in
}

// end records the mean of losses and ends the step.
func (r *raw) end(losses *program.Tensor) {
	mean := scratch(1, 1)
	r.do(program.Instr{Op: program.OpMean, In: tensors{losses}, Out: tensors{mean}})
	r.do(program.Instr{Op: program.OpTick, In: tensors{mean}})
}

// check runs steps of the Program, fused and not, and with work on the host if it is asked
// for: all states are the same, and so many launches a step are left.
func (r *raw) check(steps, launches int) {
	r.t.Helper()
	var text string
	run := func(apart bool, onHost map[program.Op]bool) (device.Session, Counters) {
		d := open(r.t)
		d.(*Device).apart, d.(*Device).onHost = apart, onHost
		s, err := d.Open(r.layout, 2)
		must(r.t, err)
		r.t.Cleanup(func() { _ = s.Close() })
		p := &program.Program{Layout: r.layout, Blocks: []*program.Block{&r.block}}
		for range steps {
			must(r.t, s.Run(context.Background(), p, 1))
		}
		plan := program.Plan{}
		own := s.(*session)
		must(r.t, own.with(p, func(b *bound) error { plan = own.describe(b); return nil }))
		text = p.Listing(plan)
		return s, counters(s)
	}
	plain, _ := run(true, nil)
	same := func(other device.Session) {
		for _, name := range append(r.states, program.StateStep, program.StateNonFinite, program.StateLosses) {
			st := r.layout.Lookup(name)
			x, xs := makeSlice(st.DType, st.Len())
			y, ys := makeSlice(st.DType, st.Len())
			must(r.t, plain.Read(name, 1, x))
			must(r.t, other.Read(name, 1, y))
			if string(xs) != string(ys) && !sameNaNs(x, y) {
				r.t.Errorf("%s: %s\n%s", name, different(x, y), text)
			}
		}
	}
	if r.onHost != nil {
		mixed, _ := run(false, r.onHost)
		same(mixed)
	}
	fused, count := run(false, nil)
	same(fused)
	if n := count.Launches + count.GraphKernels; n != launches && launches > 0 {
		r.t.Errorf("%d launches, want %d\n%s", n, launches, text)
	}
}

// sameNaNs reports whether two buffers differ only in what NaNs hold.
func sameNaNs(x, y any) bool {
	a, ok := x.([]float32)
	if !ok {
		return false
	}
	for i, v := range a {
		if w := y.([]float32)[i]; math.Float32bits(v) != math.Float32bits(w) && (v == v || w == w) {
			return false
		}
	}
	return true
}

// last is the last layer of a network, up to its loss.
type last struct{ x, w, labels, other, scale, logits, losses, dz *program.Tensor }

func newLast(r *raw) last {
	const n = 6
	l := last{x: r.state("x", n, n, wave(n*n)), w: r.state("w", n, n, wave(n * n)[:]),
		labels: r.state("labels", 1, n, []float32{0, 1, 2, 3, 4, 5}), other: r.state("other", 1, n, []float32{5, 4, 3, 2, 1, 0}),
		scale: r.state("scale", 1, 1, []float32{0.1}), logits: scratch(n, n), losses: scratch(1, n), dz: r.state("dz", n, n, make([]float32, n*n))}
	return l
}

func (l last) product() program.Instr {
	return program.Instr{Op: program.OpGEMM, In: tensors{l.x, l.w}, Out: tensors{l.logits}}
}

func (l last) entropy() program.Instr {
	return program.Instr{Op: program.OpCrossEntropyBoth, In: tensors{l.logits, l.labels, l.scale}, Out: tensors{l.losses, l.dz}}
}

// TestFusedEnd: the end of a step is one launch, but not where something else would
// see the difference. begin is a launch too.
func TestFusedEnd(t *testing.T) {
	for _, c := range []struct {
		name     string
		launches int // of two steps
		build    func(r *raw, l last)
	}{
		{"plain", 2 * 2, func(r *raw, l last) {
			r.do(l.product())
			r.do(l.entropy())
			r.end(l.losses)
		}},
		{"labels come late", 2 * 3, func(r *raw, l last) {
			r.do(l.product())
			r.do(program.Instr{Op: program.OpCopy, In: tensors{l.other}, Out: tensors{l.labels}})
			r.do(l.entropy())
			r.end(l.losses)
		}},
		{"labels come of the logits", 2 * 5, func(r *raw, l last) {
			r.do(l.product())
			r.do(program.Instr{Op: program.OpColumnSum, In: tensors{l.logits}, Out: tensors{l.labels}})
			r.do(program.Instr{Op: program.OpCopy, In: tensors{l.other}, Out: tensors{l.labels}})
			r.do(l.entropy())
			r.end(l.losses)
		}},
		{"labels of the step before", 2 * 3, func(r *raw, l last) {
			r.do(l.product())
			r.do(l.entropy())
			r.end(l.losses)
			r.do(program.Instr{Op: program.OpCopy, In: tensors{l.other}, Out: tensors{l.labels}})
		}},
		{"two losses of the same logits", 0, func(r *raw, l last) {
			r.do(l.product())
			r.do(l.entropy())
			second := l.entropy()
			second.In = tensors{l.logits, l.other, l.scale}
			second.Out = tensors{r.state("losses of the second", 1, 6, make([]float32, 6)), scratch(6, 6)}
			r.do(second)
			r.end(l.losses)
		}},
		{"logits that are a parameter", 0, func(r *raw, l last) {
			in := l.product()
			in.Update, in.Out = true, tensors{r.state("p", 6, 6, wave(36))}
			r.do(in)
			l.logits = in.Out[0]
			r.do(l.entropy())
			r.end(l.losses)
		}},
		{"a loss every other step", 0, func(r *raw, l last) {
			l.losses = r.state("kept", 1, 6, wave(6))
			r.do(program.Instr{Op: program.OpActivate, Act: activation.Tanh, In: tensors{l.x}, Out: tensors{l.x}})
			r.do(l.product())
			in := l.entropy()
			in.Every = 2
			r.do(in)
			r.end(l.losses)
		}},
		{"an activation", 0, func(r *raw, l last) {
			in := l.product()
			in.Act = activation.Tanh
			r.do(in)
			r.do(l.entropy())
			r.end(l.losses)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRaw(t)
			c.build(r, newLast(r))
			r.check(2, c.launches)
		})
	}
}

// TestFusedHost: work on the host that fails ends the step before what comes after it,
// the end of the step and steps of weights included.
func TestFusedHost(t *testing.T) {
	r := newRaw(t)
	l := newLast(r)
	calls := 0
	r.do(l.product())
	r.do(l.entropy())
	r.do(program.Instr{Op: program.OpHost, Host: failing{&calls}, In: tensors{r.state("nan", 1, 1, []float32{float32(math.NaN())})}, Out: tensors{scratch(1, 1)}})
	r.end(l.losses)
	dw := scratch(6, 6)
	r.do(program.Instr{Op: program.OpGEMM, TransA: true, In: tensors{l.x, l.dz}, Out: tensors{dw}})
	r.do(program.Instr{Op: program.OpUpdate, Rule: optim.SGD(0.01), In: tensors{dw}, Out: tensors{l.w}})
	r.check(2, 6) // in the second step all are halted
	if calls != 4 {
		t.Errorf("%d calls, want one for each replica and run", calls)
	}
}

// TestFusedBatch: rows and labels of a step come with its begin; those of rounds, whose
// begin is one for all, do not.
func TestFusedBatch(t *testing.T) {
	const batch, cols = 4, 8
	for _, rounds := range []int{1, 3} {
		r := newRaw(t)
		x, y := r.bytes("x", 12, cols), r.bytes("y", 12, 1)
		rows := &program.Tensor{Space: program.SpaceScratch, DType: program.Int32, Rows: 1, Cols: batch, LD: batch, Shape: []int{batch}}
		a, b := scratch(batch, cols), scratch(1, batch)
		sum, kept := r.state("sum", 1, cols, make([]float32, cols)), r.state("kept", 1, batch, make([]float32, batch))
		r.block.Rounds, r.block.Batch, r.block.Total = rounds, batch, 12
		r.do(program.Instr{Op: program.OpIndex, Out: tensors{rows}, Order: program.Sequential, All: 12, Total: 12})
		r.do(program.Instr{Op: program.OpGather, In: tensors{x, rows}, Out: tensors{a}, Map: 1})
		r.do(program.Instr{Op: program.OpColumnSum, In: tensors{a}, Out: tensors{sum}})
		r.do(program.Instr{Op: program.OpGather, In: tensors{y, rows}, Out: tensors{b}})
		r.do(program.Instr{Op: program.OpCopy, In: tensors{b}, Out: tensors{kept}})
		mean := scratch(1, 1)
		r.do(program.Instr{Op: program.OpMean, In: tensors{b}, Out: tensors{mean}})
		r.do(program.Instr{Op: program.OpTick, In: tensors{mean}})
		want := 1 + 1 + 1 + 1 // batch, a strip of sum and copy, mean, tick
		if rounds > 1 {
			want = 1 + rounds*7 // begin, and each by itself
		}
		r.check(1, want)
	}

	// A second matrix is no vector of labels.
	r := newRaw(t)
	x, y := r.bytes("x", 12, cols), r.bytes("y", 12, 2)
	rows := &program.Tensor{Space: program.SpaceScratch, DType: program.Int32, Rows: 1, Cols: batch, LD: batch, Shape: []int{batch}}
	r.block.Batch, r.block.Total = batch, 12
	r.do(program.Instr{Op: program.OpIndex, Out: tensors{rows}, Order: program.Sequential, All: 12, Total: 12})
	r.do(program.Instr{Op: program.OpGather, In: tensors{x, rows}, Out: tensors{r.state("a", batch, cols, make([]float32, batch*cols))}, Map: 1})
	r.do(program.Instr{Op: program.OpGather, In: tensors{y, rows}, Out: tensors{r.state("b", batch, 2, make([]float32, 2*batch))}})
	r.check(1, 4)
}

// TestFusedUpdates: gradients and steps of several weights are one launch, but not with
// those that are due at other steps, or whose gradient is read elsewhere or changed.
func TestFusedUpdates(t *testing.T) {
	const n = 20
	gradient := func(r *raw, a, b, g *program.Tensor) *program.Instr {
		return r.do(program.Instr{Op: program.OpGEMM, TransA: true, In: tensors{a, b}, Out: tensors{g}})
	}
	step := func(r *raw, g *program.Tensor, name string, shape ...int) *program.Instr {
		if shape == nil {
			shape = []int{n, n}
		}
		size := shape[0] * shape[1]
		return r.do(program.Instr{Op: program.OpUpdate, Rule: optim.Momentum(0.01, 0.9), In: tensors{g},
			Out: tensors{r.state(name, shape[0], shape[1], wave(size)), r.state(name+".slot", shape[0], shape[1], wave(size))}})
	}
	for _, c := range []struct {
		name     string
		launches int // of four steps, with begin
		build    func(r *raw, a, b *program.Tensor)
	}{
		{"two", 4 * 2, func(r *raw, a, b *program.Tensor) {
			g, h := scratch(n, n), scratch(n, n)
			gradient(r, a, b, g)
			gradient(r, b, b, h)
			step(r, g, "p")
			step(r, h, "q")
		}},
		{"one every other step", 4*2 + 2, func(r *raw, a, b *program.Tensor) {
			g, h := scratch(n, n), scratch(n, n)
			gradient(r, a, b, g)
			step(r, g, "p")
			gradient(r, b, b, h).Every = 2
			step(r, h, "q").Every = 2
		}},
		{"the step every other", 0, func(r *raw, a, b *program.Tensor) {
			g := scratch(n, n)
			gradient(r, a, b, g)
			step(r, g, "p").Every = 2
		}},
		{"the gradient is read elsewhere", 0, func(r *raw, a, b *program.Tensor) {
			g := scratch(n, n)
			gradient(r, a, b, g)
			r.do(program.Instr{Op: program.OpColumnSum, In: tensors{g}, Out: tensors{r.state("sum", 1, n, make([]float32, n))}})
			step(r, g, "p")
		}},
		{"an operand changes before the step", 0, func(r *raw, a, b *program.Tensor) {
			g := scratch(n, n)
			gradient(r, a, b, g)
			r.do(program.Instr{Op: program.OpActivate, Act: activation.Tanh, In: tensors{a}, Out: tensors{a}})
			step(r, g, "p")
		}},
		{"the gradient in another shape", 0, func(r *raw, a, b *program.Tensor) {
			g := scratch(n, n)
			gradient(r, a, b, g)
			step(r, program.View(g, 10, 40), "p", 10, 40)
		}},
		{"the gradient of a step to come", 0, func(r *raw, a, b *program.Tensor) {
			g := r.state("g", n, n, wave(n*n))
			step(r, g, "p")
			gradient(r, a, b, g)
		}},
		{"an activation of the gradient", 0, func(r *raw, a, b *program.Tensor) {
			g := scratch(n, n)
			gradient(r, a, b, g).Act = activation.ReLU
			step(r, g, "p")
		}},
		{"a parameter that the next product reads", 0, func(r *raw, a, b *program.Tensor) {
			g, h := scratch(n, n), scratch(n, n)
			gradient(r, a, b, g)
			p := step(r, g, "p").Out[0]
			gradient(r, p, b, h)
			step(r, h, "q")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRaw(t)
			c.build(r, r.state("a", n, n, wave(n*n)), r.state("b", n, n, wave(n*n)))
			// A loss ends the step, so that steps count.
			loss := r.state("loss", 1, 1, []float32{1})
			r.do(program.Instr{Op: program.OpTick, In: tensors{loss}})
			launches := c.launches
			if launches > 0 {
				launches += 4
			}
			r.check(4, launches)
		})
	}
}

// TestActivated: an activation is part of the operation whose result it takes, but not where
// something else reads that, or writes it.
func TestActivated(t *testing.T) {
	const m, n = 9, 20
	for _, c := range []struct {
		name       string
		operations int // of the strip
		build      func(r *raw, y, a *program.Tensor)
	}{
		{"alone", 2, func(r *raw, y, a *program.Tensor) {}},
		{"the result is read as well", 4, func(r *raw, y, a *program.Tensor) {
			r.do(program.Instr{Op: program.OpColumnSum, In: tensors{y}, Out: tensors{r.state("sum", 1, n, make([]float32, n))}})
		}},
		{"by another launch", 3, func(r *raw, y, a *program.Tensor) {
			r.do(program.Instr{Op: program.OpMean, In: tensors{program.View(y, 1, m*n)}, Out: tensors{r.state("mean", 1, 1, []float32{0})}})
		}},
	} {
		for _, in := range []struct {
			name string
			y, a func(r *raw) *program.Tensor
		}{
			{"scratch", func(*raw) *program.Tensor { return scratch(m, n) }, func(*raw) *program.Tensor { return scratch(m, n) }},
			{"a state", func(r *raw) *program.Tensor { return r.state("y", m, n, make([]float32, m*n)) }, func(*raw) *program.Tensor { return scratch(m, n) }},
			{"in place", func(*raw) *program.Tensor { return scratch(m, n) }, nil},
		} {
			t.Run(c.name+"/"+in.name, func(t *testing.T) {
				r := newRaw(t)
				vec := func(name string) *program.Tensor { return r.state(name, 1, n, wave(n)) }
				y := in.y(r)
				a, want := y, c.operations
				if in.a != nil {
					a = in.a(r)
				} else if want > 2 { // it is activated before that
					want--
				}
				if in.name == "a state" {
					want = max(want, 3)
				}
				r.do(program.Instr{Op: program.OpStandardizeAffine, Eps: 1e-5, In: tensors{r.state("x", m, n, wave(m*n)), vec("gamma"), vec("beta")},
					Out: tensors{r.state("xhat", m, n, make([]float32, m*n)), vec("mu"), vec("variance"), vec("invstd"), y}})
				r.do(program.Instr{Op: program.OpActivate, Act: activation.Tanh, In: tensors{y}, Out: tensors{a}})
				c.build(r, y, a)
				r.do(program.Instr{Op: program.OpColumnSum, In: tensors{a}, Out: tensors{r.state("sum of activated", 1, n, make([]float32, n))}})
				r.check(1, 0)
				r.operations(t, want)
			})
		}
	}
}

// operations checks how many there are in the table of the block's first launch.
func (r *raw) operations(t *testing.T, want int) {
	t.Helper()
	s, err := open(t).Open(r.layout, 1)
	must(t, err)
	must(t, s.(*session).with(&program.Program{Layout: r.layout, Blocks: []*program.Block{&r.block}}, func(b *bound) error {
		if got := len(b.blocks[0].actions[0].launches[0].table); got != want {
			t.Errorf("%d operations, want %d", got, want)
		}
		return nil
	}))
	must(t, s.Close())
}

// TestPassedBack: a gradient goes back through an activation within the operation that takes it, but
// not where something else reads what that gives, or where it would be written over too early.
func TestPassedBack(t *testing.T) {
	const m, n = 9, 20
	for _, c := range []struct {
		name       string
		operations int // of the strip, a sum included
		in         func(r *raw) (g, back, dx *program.Tensor)
		build      func(r *raw, back *program.Tensor)
	}{
		{name: "alone", operations: 2, in: func(r *raw) (g, back, dx *program.Tensor) {
			return r.state("g", m, n, wave(m*n)), scratch(m, n), scratch(m, n)
		}},
		{name: "all in place", operations: 2, in: func(r *raw) (g, back, dx *program.Tensor) {
			x := scratch(m, n)
			r.do(program.Instr{Op: program.OpActivate, Act: activation.ReLU, In: tensors{r.state("g", m, n, wave(m*n))}, Out: tensors{x}})
			return x, x, x
		}},
		{name: "to a state", operations: 3, in: func(r *raw) (g, back, dx *program.Tensor) {
			return r.state("g", m, n, wave(m*n)), r.state("back", m, n, make([]float32, m*n)), scratch(m, n)
		}},
		{name: "read as xhat", operations: 3, in: func(r *raw) (g, back, dx *program.Tensor) {
			return r.state("g", m, n, wave(m*n)), scratch(m, n), scratch(m, n)
		}},
		{name: "read as well", operations: 4, in: func(r *raw) (g, back, dx *program.Tensor) {
			return r.state("g", m, n, wave(m*n)), scratch(m, n), scratch(m, n)
		}, build: func(r *raw, back *program.Tensor) {
			r.do(program.Instr{Op: program.OpColumnSum, In: tensors{back}, Out: tensors{r.state("sum of back", 1, n, make([]float32, n))}})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRaw(t)
			vec := func(name string) *program.Tensor { return r.state(name, 1, n, wave(n)) }
			sums := scratch(1, 4*n)
			sums.DType = program.Float64
			g, back, dx := c.in(r)
			want := c.operations
			if c.name == "all in place" {
				want++ // what makes g
			}
			r.do(program.Instr{Op: program.OpActivateGrad, Act: activation.Tanh, In: tensors{r.state("y", m, n, wave(m*n)), g}, Out: tensors{back}})
			if c.build != nil {
				c.build(r, back)
			}
			xhat := r.state("xhat", m, n, wave(m*n))
			if c.name == "read as xhat" {
				xhat = back
			}
			r.do(program.Instr{Op: program.OpAffineGrad, In: tensors{xhat, back, vec("gamma"), vec("invstd")},
				Out: tensors{dx, vec("dgamma"), vec("dbeta"), sums}})
			r.do(program.Instr{Op: program.OpColumnSum, In: tensors{dx}, Out: tensors{r.state("sum", 1, n, make([]float32, n))}})
			r.check(1, 0)
			r.operations(t, want)
		})
	}
}

// TestRandomPrograms: what is fused has the bits of what is not, whatever the order of
// instructions, buffers that are used again, views, and steps at which not all is due.
func TestRandomPrograms(t *testing.T) {
	count := uint64(60)
	if testing.Short() {
		count = 10
	}
	for seed := range count {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { randomProgram(t, seed).check(3, 0) })
	}
}
