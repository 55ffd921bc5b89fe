//go:build gpu

package cuda

import (
	"fmt"
	"slices"
	"testing"

	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/optim"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// planeNet is a net of Gorgonia's convolutions and pooling, each layer with a norm: its images and parameters, and what it says
// of the images.
func planeNet(norm func(x, gamma, beta *G.Node) *G.Node) (x *G.Node, params G.Nodes, y *G.Node) {
	g := G.NewGraph()
	param := func(name string, shape ...int) *G.Node {
		return G.NewTensor(g, tensor.Float32, len(shape), G.WithShape(shape...), G.WithName(name),
			G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(wave(tensor.Shape(shape).TotalSize())))))
	}
	x = G.NewTensor(g, tensor.Float32, 4, G.WithShape(3, 2, 8, 9), G.WithName("x"))
	h := x
	for i, shape := range [][]int{{4, 2, 3, 3}, {6, 4, 3, 2}} {
		layer := string(rune('a' + i))
		w := param("w"+layer, shape...)
		params = append(params, w)
		h = G.Must(G.Conv2d(h, w, tensor.Shape(shape[2:]), []int{1, 1}, []int{1, 1 + i}, []int{1, 1}))
		if norm != nil {
			gamma, beta := param("gamma"+layer, 1, shape[0], 1, 1), param("beta"+layer, 1, shape[0], 1, 1)
			params = append(params, gamma, beta)
			h = norm(h, gamma, beta)
		}
		h = G.Must(G.MaxPool2D(G.Must(G.Rectify(h)), tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
	}
	return x, params, h
}

func batchNorm(x, gamma, beta *G.Node) *G.Node {
	y, _, _, _, err := G.BatchNorm(x, gamma, beta, 0.1, 1e-5)
	return G.Must(y, err)
}

func groupNorm(x, gamma, beta *G.Node) *G.Node {
	return G.Must(G.GroupNorm(x, gamma, beta, 2, x.Shape()[1], 1e-5))
}

// TestPlanes trains nets of Gorgonia's convolutions and pooling: the bits are the CPU's, running statistics
// included, and the host has nothing to do.
func TestPlanes(t *testing.T) {
	for name, norm := range map[string]func(x, gamma, beta *G.Node) *G.Node{"plain": nil, "batch norm": batchNorm, "group norm": groupNorm} {
		t.Run(name, func(t *testing.T) {
			l := program.NewLayout(program.Float32)
			x, params, y := planeNet(norm)
			p, err := engine.Compile(l, engine.Training{Loss: G.Must(G.Mean(G.Must(G.Square(y)))), Params: params, Optimizer: optim.SGD(0.1),
				Data: []engine.Data{{Node: x, Values: wideWave(5 * x.Shape()[1:].TotalSize())}}})
			must(t, err)
			if got := l.Lookup("batchnorm.0.variance") != nil; got != (name == "batch norm") {
				t.Errorf("running statistics are states: %v", got)
			}
			sessions := besideCPU(t, l, open(t, Warn(func(m string) { t.Error(m) })))
			sessions.run(t, p, 4, 4)
			sessions.same(t, "")
			if c := counters(sessions.device); c.HostCalls != 0 || c.GraphLaunches == 0 {
				t.Errorf("%+v, want graphs and nothing on the host", c)
			}
		})
	}
}

// opened keeps the sessions that a device has opened.
type opened struct {
	device.Device
	sessions []device.Session
}

// Open implements device.Device.
func (d *opened) Open(l *program.Layout, replicas int) (device.Session, error) {
	s, err := d.Device.Open(l, replicas)
	d.sessions = append(d.sessions, s)
	return s, err
}

// TestNormModes: a machine that trains, evaluates and trains again has the CPU's bits, the operations' running statistics
// included. It replays a graph for each mode, and the host computes nothing.
func TestNormModes(t *testing.T) {
	for name, norm := range map[string]func(x, gamma, beta *G.Node) *G.Node{"batch norm": batchNorm, "group norm": groupNorm} {
		t.Run(name, func(t *testing.T) {
			on := func(d device.Device, end func()) (bits []string) {
				x, params, y := planeNet(norm)
				size, out := x.Shape().TotalSize(), G.Value(nil)
				G.Read(y, &out)
				_, err := G.Grad(G.Must(G.Mean(G.Must(G.Square(y)))), params...)
				must(t, err)
				m := engine.NewVM(y.Graph(), d)
				defer m.Close()
				solver := G.NewVanillaSolver(G.WithLearnRate(0.1))
				for i, training := range []bool{true, true, true, false, false, false, true, true} {
					must(t, G.Let(x, tensor.New(tensor.WithShape(x.Shape()...), tensor.WithBacking(wave(4 * size)[i%4*size:][:size:size]))))
					var ops []*G.BatchNormOp
					for _, n := range y.Graph().AllNodes() {
						if op, ok := n.Op().(*G.BatchNormOp); ok {
							ops = append(ops, op)
							if i == 3 || i == 6 {
								must(t, op.SetTraining(training))
							}
						}
					}
					must(t, m.RunAll())
					said := fmt.Sprintf("run %d: %v", i, out.Data())
					for _, p := range params {
						g, err := p.Grad()
						must(t, err)
						said += fmt.Sprint(g.Data())
					}
					for _, op := range ops {
						mean, variance := op.Stats()
						said += fmt.Sprint(mean.Data(), variance.Data())
					}
					bits = append(bits, said)
					if training {
						must(t, solver.Step(G.NodesToValueGrads(params)))
					}
				}
				end()
				return bits
			}
			want := on(cpu.New(), func() {})
			d := &opened{Device: open(t, Warn(func(m string) { t.Error(m) }))}
			got := on(d, func() {
				if len(d.sessions) != 1 {
					t.Fatalf("%d sessions, want one", len(d.sessions))
				}
				graphs := 0
				for _, b := range d.sessions[0].(*session).bound {
					graphs += len(b.graphs)
				}
				modes := map[string]int{"batch norm": 2, "group norm": 1}[name]
				if c := counters(d.sessions[0]); c.HostCalls != 0 || c.GraphLaunches != 8-modes || graphs != modes {
					t.Errorf("%+v and %d graphs, want %d and nothing on the host", c, graphs, modes)
				}
			})
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("%s\nwant %s", got[i], want[i])
				}
			}
			if name == "batch norm" && want[3] == want[0] {
				t.Error("evaluation says what training does")
			}
		})
	}
}

// TestIndices: a machine that trains rows of a table, which ByIndices picks, replays a graph, and the host computes nothing
// in it. Indices may be others in each run, and one outside the table is an error.
func TestIndices(t *testing.T) {
	on := func(d device.Device, end func()) (bits []string) {
		g := G.NewGraph()
		table := G.NewMatrix(g, tensor.Float32, G.WithShape(7, 5), G.WithName("table"), G.WithValue(tensor.New(tensor.WithShape(7, 5), tensor.WithBacking(wave(35)))))
		at := G.NewVector(g, tensor.Int, G.WithShape(4), G.WithName("at"))
		picked := G.Must(G.ByIndices(table, at, 0))
		_, err := G.Grad(G.Must(G.Mean(G.Must(G.Square(G.Must(G.Tanh(picked)))))), table)
		must(t, err)
		m := engine.NewVM(g, d)
		defer m.Close()
		for i, indices := range [][]int{{0, 6, 6, 3}, {1, 1, 1, 1}, {5, 4, 3, 2}, {0, 7, 1, 1}, {-1, 0, 0, 0}, {2, 0, 2, 0}} {
			must(t, G.Let(at, tensor.New(tensor.WithBacking(indices))))
			if err := m.RunAll(); (err != nil) != (i == 3 || i == 4) {
				t.Fatalf("indices %v: error %v", indices, err)
			} else if err != nil {
				bits = append(bits, err.Error())
				continue
			}
			grad, err := table.Grad()
			must(t, err)
			bits = append(bits, fmt.Sprint(grad.Data()))
			must(t, G.NewVanillaSolver(G.WithLearnRate(0.1)).Step(G.NodesToValueGrads(G.Nodes{table})))
		}
		end()
		return bits
	}
	want := on(cpu.New(), func() {})
	d := &opened{Device: open(t, Warn(func(m string) { t.Error(m) }))}
	got := on(d, func() {
		if c := counters(d.sessions[0]); len(d.sessions) != 1 || c.HostCalls != 0 || c.GraphLaunches != 3 {
			t.Errorf("%d sessions, %+v, want one, 3 graphs and nothing on the host", len(d.sessions), c)
		}
	})
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}
