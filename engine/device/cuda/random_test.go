//go:build gpu

package cuda

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/kernels/activation"
)

// drawn is a random Program. All matrices are square and of one size, so that columns and
// rows are easily mistaken.
type drawn struct {
	*raw
	r          *rand.Rand
	mats, vecs tensors // that instructions may read and, later, write again
	states     tensors // matrices that are states, whose last two are slots
	losses     *program.Tensor
	mean       *program.Tensor
}

const side = 20

func randomProgram(t *testing.T, seed uint64) *raw {
	g := &drawn{raw: newRaw(t), r: rand.New(rand.NewPCG(seed, 77))}
	numbers := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(g.r.NormFloat64()) * 0.3
		}
		return v
	}
	for i := range 4 {
		g.mats = append(g.mats, g.state(fmt.Sprint("m", i), side, side, numbers(side*side)))
		g.vecs = append(g.vecs, g.state(fmt.Sprint("v", i), 1, side, numbers(side)))
	}
	g.states = append(g.states, g.mats...)
	slots := tensors{g.vecs[0], g.vecs[2]}
	classes := make([]float32, side)
	for i := range classes {
		classes[i] = float32(g.r.IntN(side))
	}
	labels, scale := g.state("labels", 1, side, classes), g.state("scale", 1, 1, []float32{0.05})
	count := 8 + g.r.IntN(14)
	loss := g.r.IntN(count)
	for i := range count {
		switch {
		case i == loss:
			g.lossOf(labels, scale)
		case g.losses != nil && g.r.IntN(3) == 0:
			g.tail()
		case g.mean != nil && g.r.IntN(3) == 0:
			g.tail()
		default:
			g.instruction(slots)
		}
	}
	for g.losses != nil || g.mean != nil {
		g.tail()
	}
	g.onHost = hostOps()
	for op := range program.Ops() {
		if g.r.IntN(4) > 0 {
			delete(g.onHost, op)
		}
	}
	return g.raw
}

func (g *drawn) pick(from tensors) *program.Tensor { return from[g.r.IntN(len(from))] }

// result is a new buffer or one that is there, other than these; new tells which.
func (g *drawn) result(rows int, not ...*program.Tensor) (t *program.Tensor, fresh bool) {
	pool := g.vecs
	if rows > 1 {
		pool = g.mats
	}
	if g.r.IntN(3) == 0 {
	again:
		for range 20 {
			t = g.pick(pool)
			for _, o := range not {
				if o.Base() == t.Base() {
					continue again
				}
			}
			return t, false
		}
	}
	return scratch(rows, side), true
}

// emit adds an instruction. One that writes nothing new may be due every other step.
func (g *drawn) emit(in program.Instr, fresh ...bool) {
	all := true
	for _, f := range fresh {
		all = all && !f
	}
	if all && g.r.IntN(4) == 0 {
		in.Every = 2
	}
	g.do(in)
	for _, t := range in.Out {
		switch {
		case t.Space != program.SpaceScratch || t.Cols != side:
		case t.Rows == side:
			g.mats = append(g.mats, t)
		case t.Rows == 1:
			g.vecs = append(g.vecs, t)
		}
	}
}

// lossOf adds a last layer and its loss, perhaps with something between.
func (g *drawn) lossOf(labels, scale *program.Tensor) {
	logits := scratch(side, side)
	in := program.Instr{Op: program.OpGEMM, In: tensors{g.pick(g.mats), g.pick(g.mats)}, Out: tensors{logits}}
	if g.r.IntN(2) == 0 {
		in.In = append(in.In, g.pick(g.vecs))
	}
	g.emit(in, true)
	for range g.r.IntN(2) {
		y, fresh := g.result(side, logits)
		g.emit(program.Instr{Op: program.OpActivate, Act: activation.Tanh, In: tensors{g.pick(g.mats[:4])}, Out: tensors{y}}, fresh)
	}
	losses, _ := g.result(1, labels)
	dz, _ := g.result(side, logits)
	g.emit(program.Instr{Op: program.OpCrossEntropyBoth, In: tensors{logits, labels, scale}, Out: tensors{losses, dz}}, true)
	g.losses = losses
}

// tail adds the mean of the losses, or then the end of the step.
func (g *drawn) tail() {
	if g.losses != nil {
		g.mean = scratch(1, 1)
		g.do(program.Instr{Op: program.OpMean, In: tensors{g.losses}, Out: tensors{g.mean}})
		g.losses = nil
		return
	}
	g.do(program.Instr{Op: program.OpTick, In: tensors{g.mean}})
	g.mean = nil
}

func (g *drawn) instruction(slots tensors) {
	one := func(op program.Op, rows int, in program.Instr, operands ...*program.Tensor) {
		not := operands
		if rows > 1 && g.r.IntN(4) == 0 && op == program.OpActivate {
			not = nil // in place
		}
		y, fresh := g.result(rows, not...)
		in.Op, in.In, in.Out = op, operands, tensors{y}
		g.emit(in, fresh)
	}
	kinds := []activation.Kind{activation.Identity, activation.Sigmoid, activation.Tanh, activation.ReLU}
	switch g.r.IntN(14) {
	case 0, 1, 2:
		g.product(kinds[g.r.IntN(4)])
	case 3:
		g.gradient()
	case 4:
		if x := g.pick(g.vecs); x != slots[0] && x != slots[1] {
			g.emit(program.Instr{Op: program.OpUpdate, Rule: g.rule(), In: tensors{x}, Out: slots})
		}
	case 5:
		one(program.OpActivate, side, program.Instr{Act: kinds[1+g.r.IntN(3)]}, g.pick(g.mats))
	case 6: // through views of another shape
		x := g.pick(g.mats)
		if y, fresh := g.result(side, x); x.LD == side && y.LD == side {
			g.do(program.Instr{Op: program.OpActivate, Act: activation.Tanh, In: tensors{program.View(x, 1, side*side)}, Out: tensors{program.View(y, 1, side*side)}})
			if fresh {
				g.mats = append(g.mats, y)
			}
		}
	case 7:
		one([]program.Op{program.OpAddRow, program.OpCenterBy, program.OpSquaredDev}[g.r.IntN(3)], side, program.Instr{}, g.pick(g.mats), g.pick(g.vecs))
	case 8:
		one([]program.Op{program.OpColumnSum, program.OpColumnMean}[g.r.IntN(2)], 1, program.Instr{}, g.pick(g.mats))
	case 9:
		one(program.OpColumnDot, 1, program.Instr{}, g.pick(g.mats), g.pick(g.mats))
	case 10:
		x := g.pick(g.mats)
		y, _ := g.result(side, x)
		g.emit(program.Instr{Op: program.OpCenter, In: tensors{x}, Out: tensors{y, scratch(1, side)}}, true)
	case 11:
		x, invStd := g.pick(g.mats), scratch(1, side)
		y, _ := g.result(side, x)
		g.emit(program.Instr{Op: program.OpStandardize, Eps: 1e-3, In: tensors{x}, Out: tensors{y, scratch(1, side), scratch(1, side), invStd}}, true)
		dx, _ := g.result(side, x, y)
		sums := scratch(1, 2*side)
		sums.DType = program.Float64
		g.emit(program.Instr{Op: program.OpStandardizeGrad, In: tensors{y, x, invStd}, Out: tensors{dx, sums}}, true)
	case 12:
		if g.r.IntN(2) == 0 {
			one(program.OpCopy, side, program.Instr{}, g.pick(g.mats))
		} else {
			one(program.OpCopy, 1, program.Instr{}, g.pick(g.vecs))
		}
	case 13:
		one(program.OpEMA, 1, program.Instr{Alpha: 0.1, Scale: 1}, g.pick(g.vecs), g.pick(g.vecs))
	}
}

// rule is momentum with settings or without.
func (g *drawn) rule() optim.Optimizer {
	o := optim.Momentum(0.01, 0.9)
	o.Nesterov, o.WeightDecay = g.r.IntN(3) == 0, []float64{0, 0.1}[g.r.IntN(2)]
	return o
}

// product adds a product: of one transpose or none, with a bias and an activation, or a
// step of SGD.
func (g *drawn) product(act activation.Kind) {
	in := program.Instr{Op: program.OpGEMM, In: tensors{g.pick(g.mats), g.pick(g.mats)}, Act: act}
	switch g.r.IntN(3) {
	case 1:
		in.TransA, in.Act = true, activation.Identity
	case 2:
		in.TransB = true
	}
	if g.r.IntN(3) == 0 {
		in.In = append(in.In, g.pick(g.vecs))
	}
	c, fresh := g.result(side, in.In...)
	if !fresh && g.r.IntN(2) == 0 && len(in.In) == 2 {
		in.Update, in.Act = true, activation.Identity
	}
	in.Out = tensors{c}
	g.emit(in, fresh)
}

// gradient adds a gradient and its step, perhaps with something between, and perhaps with
// other readers of the gradient to come.
func (g *drawn) gradient() {
	dw := scratch(side, side)
	g.emit(program.Instr{Op: program.OpGEMM, TransA: true, In: tensors{g.pick(g.mats), g.pick(g.mats)}, Out: tensors{dw}}, true)
	if g.r.IntN(2) == 0 {
		g.mats = g.mats[:len(g.mats)-1]
	}
	if g.r.IntN(2) == 0 {
		y, _ := g.result(side, dw)
		g.emit(program.Instr{Op: program.OpCopy, In: tensors{g.pick(g.mats[:4])}, Out: tensors{y}}, true)
	}
	p := g.r.IntN(2)
	if g.r.IntN(4) == 0 {
		dw = program.View(dw, side, side)
	}
	g.emit(program.Instr{Op: program.OpUpdate, Rule: g.rule(), In: tensors{dw}, Out: tensors{g.states[p], g.states[p+2]}})
}
