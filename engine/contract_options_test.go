package engine_test

import (
	"bytes"
	"log"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// optionCases: what the options do.
func optionCases() []contractCase {
	return []contractCase{
		{name: "TraceExec", do: func(r *rig) {
			m := newRegression()
			vm := r.run(m.g, G.TraceExec())
			o := m.inner.Value()
			r.note("inner", m.inner, m.out, m.err)
			_ = G.Let(m.b, program22(2))
			r.again(vm)
			r.note("inner", m.inner, m.inner.Value() == o, m.loss)
		}},
		{name: "TraceExec of a watched node", do: func(r *rig) {
			m := newRegression()
			vm := r.run(m.g, G.TraceExec(), G.WithWatchlist(m.inner))
			o := m.inner.Value()
			r.note("inner", m.inner)
			r.again(vm)
			r.note("same", m.inner.Value() == o)
		}},
		{name: "TraceExec and BindDualValues", do: func(r *rig) {
			m := newRegression()
			vm := r.run(m.g, G.TraceExec(), G.BindDualValues(m.w))
			r.again(vm)
			r.note("w", gradOf(m.w), m.out)
		}},
		{name: "BindDualValues of a column whose derivative is a vector", do: func(r *rig) {
			g := G.NewGraph()
			x, y := mat(g, "x", 3, 2), vec(g, "y", 1, 2, 3)
			column := G.Must(G.Reshape(y, tensor.Shape{3, 1}))
			loss := G.Must(G.Sum(G.Must(G.BroadcastHadamardProd(x, column, nil, []byte{1}))))
			gradients(loss, x, y)
			r.run(g, G.BindDualValues())
			r.note("gradients", gradOf(x), gradOf(y), gradOf(column))
		}},
		{name: "watched node", do: func(r *rig) {
			m := newRegression()
			r.run(m.g, G.WithWatchlist(m.inner, m.out))
			r.note("inner", m.inner, m.out)
		}, ours: []string{"inner: float64(2, 2) [22.1 28.2 49.3 64.4] float64(2, 2) [0.21747 0.27476 0.45659 0.56762]"}},
		{name: "EvalMode and Dropout", do: func(r *rig) {
			g := G.NewGraph()
			y := G.Must(G.Dropout(mat(g, "x", 10, 10), .5))
			vm := r.run(g, G.EvalMode())
			r.again(vm)
			r.note("y", y)
		}},
		{name: "training and Dropout", do: func(r *rig) {
			g := G.NewGraph()
			y := G.Must(G.Dropout(mat(g, "x", 50, 50), .5))
			r.run(g)
			zeros := 0
			for _, v := range y.Value().Data().([]float64) {
				if v == 0 {
					zeros++
				}
			}
			r.note("dropped", zeros > 1000 && zeros < 1500)
		}},
		{name: "training, then EvalMode of BatchNorm", do: func(r *rig) {
			g := G.NewGraph()
			x := mat(g, "x", 4, 3)
			y, _, _, op, err := G.BatchNorm(x, input64(g, "s", []float64{1, 1, 1}, 1, 3), input64(g, "o", []float64{0, 0, 0}, 1, 3), .9, 1e-3)
			if err != nil {
				panic(err)
			}
			vm := r.run(g)
			r.again(vm)
			mean, variance := op.Stats()
			r.note("trained", y, mean, variance)
			r.run(g, G.EvalMode())
			r.note("evaluated", y)
		}},
		{name: "WithNaNWatch", do: func(r *rig) {
			g := G.NewGraph()
			x := vec(g, "x", -1, 4)
			y := G.Must(G.Sum(G.Must(G.Sqrt(x))))
			r.run(g, G.WithInfWatch())
			r.run(g, G.WithNaNWatch())
			_ = G.Let(x, tensor.New(tensor.WithBacking([]float64{1, 4})))
			r.run(g, G.WithNaNWatch())
			r.note("y", y)
		}},
		{name: "WithInfWatch", do: func(r *rig) {
			g := G.NewGraph()
			y := G.Must(G.Neg(G.Must(G.Inverse(vec(g, "x", 0, 4)))))
			r.run(g, G.WithNaNWatch())
			r.run(g, G.WithInfWatch())
			r.note("y", y.Shape())
		}},
		{name: "options without an effect", do: func(r *rig) {
			g := G.NewGraph()
			y := G.Must(G.Square(vec(g, "x", 1, 2)))
			r.run(g, G.WithPointerWatch(), G.WithValueFmt("%v"), G.UseCudaFor("mul"), G.UseCudaFor(), G.WithLogger(nil), G.WithManualGradient(),
				G.WithWatchlist(), G.WithWatchlist(y), G.WithEngine(G.StandardEngine{}))
			r.note("y", y)
		}},
		{name: "WithLogger", do: func(r *rig) {
			g := G.NewGraph()
			y := G.Must(G.Square(vec(g, "x", 1, 2)))
			var text bytes.Buffer
			r.run(g, G.WithLogger(log.New(&text, "", 0)), G.WithWatchlist())
			r.note("y", y, text.Len() > 0)
		}},
		{name: "WithEngine of another engine", do: func(r *rig) {
			g := G.NewGraph()
			y := G.Must(G.Square(vec(g, "x", 1, 2)))
			r.run(g, G.WithEngine(tensor.Float64Engine{}))
			r.note("y", y)
		}},
		{name: "options of a LispMachine", do: func(r *rig) {
			for _, o := range []G.VMOpt{G.ExecuteFwdOnly(), G.ExecuteBwdOnly(), G.LogFwd(), G.LogBwd(), G.LogBothDir()} {
				g := G.NewGraph()
				G.Must(G.Square(vec(g, "x", 1, 2)))
				r.run(g, o)
			}
		}},
		{name: "WithPrecompiled", do: func(r *rig) {
			g := G.NewGraph()
			x, w := vec(g, "x", 1, 2), vec(g, "w", 3, 4)
			y := G.Must(G.Add(x, w))
			z := G.Must(G.Square(y))
			prog, locs, err := G.CompileFunction(g, G.Nodes{x, w}, G.Nodes{y})
			if err != nil {
				panic(err)
			}
			vm := r.run(g, G.WithPrecompiled(prog, locs))
			r.note("y", y, z)
			r.again(vm)
			r.note("y", y, z)
		}},
	}
}
