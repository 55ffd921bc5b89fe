package program_test

import (
	"testing"

	"driftless/engine"
	"driftless/engine/ops"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/models/norm"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestScheduledStep: a schedule and clipping add what they take to a step and nothing else, and
// nothing without them; the rate is there, for all workers, before it is read.
func TestScheduledStep(t *testing.T) {
	for _, n := range []norm.Method{norm.Must("none"), norm.Must("batchnorm")} {
		for _, o := range []optim.Optimizer{optim.SGD(0.1), optim.Momentum(0.1, 0.9), optim.Adam(0.1)} {
			plain := trainProgram(t, n, o)
			constant, scheduled, clipped := o, o, o
			constant.Schedule.Kind = optim.ScheduleConstant
			scheduled.Schedule.WarmUp = 5
			clipped.ClipNorm = 1
			if got := trainProgram(t, n, constant); got.String() != plain.String() || got.Layout.Bytes() != plain.Layout.Bytes() {
				t.Errorf("%v, %s: a constant rate gives another program:\n%v", n, o.Kind, got)
			}

			p := trainProgram(t, n, scheduled)
			setInTime(t, p)
			if got, want := len(p.Blocks[0].Instrs), len(plain.Blocks[0].Instrs)+1; got != want {
				t.Errorf("%v, %s: %d instructions with a schedule, want %d", n, o.Kind, got, want)
			}
			if p.Layout.Lookup(program.StateBaseLR) == nil || plain.Layout.Lookup(program.StateBaseLR) != nil {
				t.Errorf("%v, %s: a base rate without a schedule, or a schedule without", n, o.Kind)
			}

			p, clips, steps := trainProgram(t, n, clipped), 0, 0
			for _, in := range p.Blocks[0].Instrs {
				if in.Op == program.OpClipScale {
					clips++
				}
				if in.Op == program.OpUpdate {
					steps++
					if clips == 0 {
						t.Errorf("%v, %s: a step comes before its gradient is clipped:\n%v", n, o.Kind, p)
					}
				}
				if in.Update {
					t.Errorf("%v, %s: a product takes a step that is not clipped:\n%v", n, o.Kind, p)
				}
			}
			if want := params(plain); clips != 1 || steps != want {
				t.Errorf("%v, %s: %d steps and %d norms, want %d and one:\n%v", n, o.Kind, steps, clips, want, p)
			}
		}
	}
}

// setInTime checks that all workers meet between the setting of the learning rate and each step.
func setInTime(t *testing.T, p *program.Program) {
	t.Helper()
	set, met, steps := false, false, 0
	for i, in := range p.Blocks[0].Instrs {
		met = set && (met || in.Wait)
		set = set || in.Op == program.OpLearningRate
		if in.Op != program.OpUpdate && !in.Update {
			continue
		}
		if steps++; !met {
			t.Errorf("instruction %d reads the learning rate, and the workers have not met after it was set:\n%v", i, p)
		}
	}
	if steps == 0 {
		t.Errorf("no parameter takes a step:\n%v", p)
	}
}

// TestRateInTime: workers meet for the learning rate where nothing else has them meet, and the
// step waits for it where its gradient is there before.
func TestRateInTime(t *testing.T) {
	g := G.NewGraph()
	labels := G.NewVector(g, tensor.Float32, G.WithShape(60), G.WithName("labels"), G.WithInit(G.Zeroes()))
	input := func(g *G.ExprGraph, shape ...int) *G.Node {
		return G.NewTensor(g, tensor.Float32, len(shape), G.WithShape(shape...), G.WithName("w"), G.WithInit(G.Ones()))
	}
	logits := input(g, 60, 70)
	for what, c := range map[string]struct{ loss, param *G.Node }{
		"a sum":                               {loss: G.Must(G.Sum(input(G.NewGraph(), 200)))},
		"a vector's length":                   {loss: G.Must(G.Sum(G.Must(G.Square(input(G.NewGraph(), 200)))))},
		"a matrix's length":                   {loss: G.Must(G.Sum(G.Must(G.Square(input(G.NewGraph(), 60, 70)))))},
		"a gradient that comes with the loss": {G.Must(ops.CrossEntropy(logits, labels)), logits},
	} {
		o := optim.SGD(0.1)
		o.Schedule.WarmUp = 5
		training := engine.Training{Loss: c.loss, Optimizer: o}
		if c.param != nil {
			training.Params = []*G.Node{c.param}
		}
		p, err := engine.Compile(program.NewLayout(program.Float32), training)
		must(t, err)
		t.Run(what, func(t *testing.T) { setInTime(t, p) })
	}
}

// params counts what a program's optimizer moves.
func params(p *program.Program) (n int) {
	for _, in := range p.Blocks[0].Instrs {
		if in.Op == program.OpUpdate || in.Update {
			n++
		}
	}
	return n
}
