package program_test

import (
	"fmt"
	"strings"
	"testing"

	"driftless/engine"
	"driftless/engine/ops"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/models"
	"driftless/models/norm"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// trainProgram compiles a network's training step.
func trainProgram(t *testing.T, n norm.Method, o optim.Optimizer) *program.Program {
	t.Helper()
	m := models.MLP{Inputs: 9, Hidden: []int{20, 40, 20}, Classes: 4, Activation: "sigmoid", InitSD: 1, Norm: n}.Network()
	l := program.NewLayout(program.Float32)
	must(t, m.AddState(l))
	add(t, l, "x", 40, 9)
	add(t, l, "y", 40, 1)
	b, err := m.Build(norm.Training, 20)
	must(t, err)
	training := m.Training(b, models.Source{Images: "x", Labels: "y"})
	training.Optimizer = o
	p, err := engine.Compile(l, training)
	must(t, err)
	return p
}

func add(t *testing.T, l *program.Layout, name string, n, cols int) {
	t.Helper()
	_, err := l.AddData(name, program.Uint8, n, cols, make([]uint8, n*cols))
	must(t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type place struct {
	space program.Space
	off   int
}

func placeOf(t *program.Tensor) place { return place{t.Space, t.Off} }

func bytes(t *program.Tensor) int { return t.Rows * t.LD * t.DType.Size() }

// TestScratchIsNeverShared replays each instruction against a map of which value
// lies where: an operand must still hold what its producer wrote, and a result
// must not overlap an operand.
func TestScratchIsNeverShared(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	clipped := optim.Adam(0.1)
	clipped.ClipNorm = 1
	for _, n := range norm.Forms() {
		for _, o := range []optim.Optimizer{optim.SGD(0.1), optim.Adam(0.1), clipped} {
			p := trainProgram(t, n, o)
			for _, b := range p.Blocks {
				type owner struct{ off, end int }
				written := map[string][]owner{} // by name of the value
				held := map[int]string{}        // byte / Align → name
				for i, in := range b.Instrs {
					for _, x := range in.In {
						if x.Space != program.SpaceScratch {
							continue
						}
						if held[x.Off/program.Align] == "" {
							t.Fatalf("%v: instruction %d (%v) reads %s before anything is written there", n, i, in.Op, x.Name)
						}
						for _, y := range in.Out {
							if y.Space == program.SpaceScratch && x.Off < y.Off+bytes(y) && y.Off < x.Off+bytes(x) {
								t.Fatalf("%v: instruction %d (%v) writes %s over its operand %s", n, i, in.Op, y.Name, x.Name)
							}
						}
						if got := held[x.Off/program.Align]; got != key(x) {
							t.Fatalf("%v: instruction %d (%v) reads %s where %s lies", n, i, in.Op, key(x), got)
						}
					}
					for _, y := range in.Out {
						if y.Space != program.SpaceScratch {
							continue
						}
						if y.Base().Off%program.Align != 0 || y.Off+bytes(y) > b.Scratch {
							t.Fatalf("%v: %s at %d is misplaced", n, y.Name, y.Off)
						}
						written[key(y)] = append(written[key(y)], owner{y.Off, y.Off + bytes(y)})
						for line := y.Off / program.Align; line*program.Align < y.Off+bytes(y); line++ {
							held[line] = key(y)
						}
					}
				}
			}
		}
	}
}

// key tells values apart; a view has its buffer's.
// key names the buffer that a tensor is, or is a part of.
func key(t *program.Tensor) string { return fmt.Sprint(t.Base().Off, "/", t.Base().Len()) }

// TestUpdatesComeAfterReads: a parameter is never read after its update, and the
// update follows its gradient.
func TestUpdatesComeAfterReads(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	for _, n := range norm.Forms() {
		p := trainProgram(t, n, optim.Momentum(0.1, 0.9))
		updates := 0
		for _, b := range p.Blocks {
			updated := map[place]bool{}
			for i, in := range b.Instrs {
				for _, x := range in.In {
					if x.Space == program.SpaceReplica && updated[placeOf(x)] {
						t.Errorf("%v: instruction %d (%v) reads %s after its update", n, i, in.Op, x.Name)
					}
				}
				if in.Op == program.OpUpdate {
					updates++
					updated[placeOf(in.Out[0])] = true
				}
			}
		}
		want := 0
		for _, s := range p.Layout.States() {
			if name := s.Name[strings.LastIndex(s.Name, ".")+1:]; strings.HasPrefix(name, "weight") || name == "bias" {
				want++
			}
		}
		if updates != want {
			t.Errorf("%s: %d updates, want %d", norm.String(n), updates, want)
		}
	}
}

// TestFusion: bias and, where no normalization is between, activation are in the
// matrix product's epilogue, and a normalization's statistics are computed once.
func TestFusion(t *testing.T) {
	count := func(p *program.Program, op program.Op) (n int) {
		for _, in := range p.Blocks[0].Instrs {
			if in.Op == op {
				n++
			}
		}
		return n
	}
	none, bn := trainProgram(t, norm.Must("none"), optim.SGD(1)), trainProgram(t, norm.Must("batchnorm"), optim.SGD(1))
	for _, p := range []*program.Program{none, bn} {
		// 4 forward, 3 for inputs' gradients (not the first layer's), 4 for weights';
		// the batch is all zeros, so two of them take a mask.
		if got, masked := count(p, program.OpGEMM), count(p, program.OpMasked); got != 9 || masked != 2 {
			t.Errorf("%d and %d matrix products, want 9 and 2 with a mask:\n%v", got, masked, p)
		}
		if got := count(p, program.OpUpdate); got != 4+2*count(p, program.OpStandardizeAffine) {
			t.Errorf("%d updates are on their own, want those of vectors only:\n%v", got, p)
		}
		if got := count(p, program.OpAddRow); got != 0 {
			t.Errorf("%d biases are added on their own:\n%v", got, p)
		}
	}
	// Its mean reads the batch itself, so that is gathered beside the mask; labels too.
	wide := trainProgram(t, norm.Must("mnsgd"), optim.SGD(1))
	if masked, mask, whole := count(wide, program.OpMasked), count(wide, program.OpGatherMask), count(wide, program.OpGather); masked != 2 || mask != 1 || whole != 2 {
		t.Errorf("%d products with a mask, %d masks and %d gathers, want 2, 1 and 2:\n%v", masked, mask, whole, wide)
	}
	if got := count(none, program.OpActivate); got != 0 {
		t.Errorf("%d activations are on their own:\n%v", got, none)
	}
	for _, op := range []program.Op{program.OpColumnMean, program.OpColumnVar, program.OpAffine, program.OpScaleColumns, program.OpColumnDot,
		program.OpStandardizeGrad, program.OpCrossEntropyGrad, program.OpCopy} {
		if got := count(bn, op); got != 0 {
			t.Errorf("%d times %v beside the fused instruction that has it:\n%v", got, op, bn)
		}
	}
	for _, want := range []string{"affine, standardize grad", "gemm AᵀB, update sgd", "20×20×40", "fc2.weight"} {
		if !strings.Contains(bn.String(), want) {
			t.Errorf("the listing lacks %q:\n%v", want, bn)
		}
	}
	for line := range strings.Lines(bn.String()) {
		if len([]rune(line)) > 81 {
			t.Errorf("a line of the listing is longer than 80 columns: %s", line)
		}
	}
}

// TestTransposedOperands: products read matrices transposed, unless the transpose is there
// anyway, or both operands would be.
func TestTransposedOperands(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(a, b, at, bt *G.Node) *G.Node
		want  int // transposes that are left
	}{
		{"left", func(_, b, at, _ *G.Node) *G.Node { return G.Must(G.Mul(at, b)) }, 0},
		{"right", func(a, _, _, bt *G.Node) *G.Node { return G.Must(G.Mul(a, bt)) }, 0},
		{"both", func(_, _, at, bt *G.Node) *G.Node { return G.Must(G.Mul(at, bt)) }, 1},
		{"shared by products", func(a, b, at, _ *G.Node) *G.Node { return G.Must(G.Add(G.Must(G.Mul(at, b)), G.Must(G.Mul(a, at)))) }, 0},
		{"shared", func(_, b, at, _ *G.Node) *G.Node { return G.Must(G.Add(G.Must(G.Mul(at, b)), at)) }, 1},
	} {
		g, l := G.NewGraph(), program.NewLayout(program.Float32)
		var in []*G.Node
		for _, name := range []string{"a", "b"} {
			in = append(in, G.NewMatrix(g, tensor.Float32, G.WithShape(3, 3), G.WithName(name)))
			must(t, addState(l, name, 3, 3))
		}
		y := c.build(in[0], in[1], G.Must(G.Transpose(in[0])), G.Must(G.Transpose(in[1])))
		p, err := program.Compile(l, program.Spec{Graph: g, Outputs: []program.Output{{Node: y, Name: "y"}}})
		must(t, err)
		got := 0
		for _, in := range p.Blocks[0].Instrs {
			if in.Op == program.OpTranspose {
				got++
			}
		}
		if got != c.want {
			t.Errorf("%s: %d transposes, want %d:\n%v", c.name, got, c.want, p)
		}
	}
}

// TestRefreshIsConditional: statistics that are due every T steps are computed
// every T steps, not only written.
func TestRefreshIsConditional(t *testing.T) {
	n := norm.Must("standardize:naive:interval=5")
	for _, in := range trainProgram(t, n, optim.SGD(1)).Blocks[0].Instrs {
		if conditional := in.Op == program.OpColumnMean || in.Op == program.OpColumnVar; conditional && in.Every != 5 {
			t.Errorf("%v runs every %d steps, want 5", in.Nodes, in.Every)
		} else if !conditional && in.Op != program.OpCopy && in.Every > 1 {
			t.Errorf("%v %v runs every %d steps only", in.Op, in.Nodes, in.Every)
		}
	}
}

// TestErrors: what cannot be compiled is refused in a sentence that names it.
func TestErrors(t *testing.T) {
	type world struct {
		l    *program.Layout
		g    *G.ExprGraph
		x, w *G.Node
	}
	for _, c := range []struct {
		name, want string
		compile    func(w world) error
	}{
		{"no value", `"w" has neither a value nor a feed`, func(w world) error {
			_, err := program.Compile(w.l, program.Spec{Graph: w.g, Outputs: []program.Output{{Node: G.Must(G.Square(w.w)), Name: "o"}}})
			return err
		}},
		{"loss not scalar", "not a scalar", func(w world) error {
			_, err := engine.Compile(w.l, engine.Training{Loss: w.x, Params: []*G.Node{w.w}, Optimizer: optim.SGD(1)})
			return err
		}},
		{"no loss", "no loss", func(w world) error {
			_, err := engine.Compile(w.l, engine.Training{})
			return err
		}},
		{"nothing to train", "no input node with a value", func(w world) error {
			_, err := engine.Compile(w.l, engine.Training{Loss: G.Must(G.Mean(w.x)), Data: []engine.Data{{Node: w.x, Values: make([]float32, 80)}}, Optimizer: optim.SGD(1)})
			return err
		}},
		{"batch larger than the data", "larger than the data set", func(w world) error {
			_, err := engine.Compile(w.l, engine.Training{Loss: G.Must(G.Mean(G.Must(G.Mul(w.x, w.w)))), Params: []*G.Node{w.w},
				Data: []engine.Data{{Node: w.x, Values: make([]float32, 8)}}, Optimizer: optim.SGD(1)})
			return err
		}},
		{"broken rows", "not whole rows of 4", func(w world) error {
			_, err := engine.Compile(w.l, engine.Training{Loss: G.Must(G.Mean(G.Must(G.Mul(w.x, w.w)))), Params: []*G.Node{w.w},
				Data: []engine.Data{{Node: w.x, Values: make([]float32, 81)}}, Optimizer: optim.SGD(1)})
			return err
		}},
		{"no such data set", `no data set "nowhere"`, func(w world) error {
			_, err := engine.Compile(w.l, engine.Training{Loss: G.Must(G.Mean(w.x)), Params: []*G.Node{w.w},
				Data: []engine.Data{{Node: w.x, Name: "nowhere"}}, Optimizer: optim.SGD(1)})
			return err
		}},
		{"negative learning rate", "learning rate -1", func(w world) error {
			must(t, addState(w.l, "w", 4, 3))
			_, err := engine.Compile(w.l, engine.Training{Loss: G.Must(G.Mean(G.Must(G.Mul(w.x, w.w)))), Params: []*G.Node{w.w},
				Data: []engine.Data{{Node: w.x, Values: make([]float32, 80)}}, Optimizer: optim.SGD(-1)})
			return err
		}},
		{"same name, other shape", "rename one of them", func(w world) error {
			must(t, addState(w.l, "w", 2, 2))
			_, err := program.Compile(w.l, program.Spec{Graph: w.g, Outputs: []program.Output{{Node: G.Must(G.Square(w.w)), Name: "o"}}})
			return err
		}},
		{"assigned twice, early and late", "assigned twice", func(w world) error { return assignTwice(t, w.l, w.w, false, true) }},
		{"assigned twice, early", "assigned twice", func(w world) error { return assignTwice(t, w.l, w.w, false, false) }},
		{"assigned twice, late", "assigned twice", func(w world) error { return assignTwice(t, w.l, w.w, true, true) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := G.NewGraph()
			w := world{l: program.NewLayout(program.Float32), g: g,
				x: G.NewMatrix(g, tensor.Float32, G.WithShape(5, 4), G.WithName("x")), w: G.NewMatrix(g, tensor.Float32, G.WithShape(4, 3), G.WithName("w"))}
			if err := c.compile(w); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// assignTwice compiles a graph that assigns w its square and its negative.
func assignTwice(t *testing.T, l *program.Layout, w *G.Node, first, second bool) error {
	t.Helper()
	must(t, addState(l, "w", 4, 3))
	for i, value := range []*G.Node{G.Must(G.Square(w)), G.Must(G.Neg(w))} {
		_, err := ops.Assign(w, value, 1, []bool{first, second}[i])
		must(t, err)
	}
	_, err := program.Compile(l, program.Spec{Graph: w.Graph()})
	return err
}

func addState(l *program.Layout, name string, r, c int) error {
	_, err := l.Add(program.State{Name: name, DType: program.Float32, Rows: r, Cols: c, Shape: []int{r, c}})
	return err
}

// TestEndOfStepWaits: workers look at the step count when a block begins, so the instruction
// that counts the step comes after a meeting, however little there is before it.
func TestEndOfStepWaits(t *testing.T) {
	g := G.NewGraph()
	w := G.NewScalar(g, tensor.Float32, G.WithName("w"), G.WithValue(float32(1)))
	p, err := engine.Compile(program.NewLayout(program.Float32), engine.Training{Loss: G.Must(G.Square(w)), Optimizer: optim.SGD(0.1)})
	must(t, err)
	met := false
	for i, in := range p.Blocks[0].Instrs {
		met = met || in.Wait && i > 0
		if in.Op == program.OpTick && !met {
			t.Errorf("nothing before the end of the step waits:\n%v", p)
		}
	}
}
