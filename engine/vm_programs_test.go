package engine_test

import (
	"math/rand/v2"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// gorgoniaProgram is a training as users of Gorgonia write it: it differentiates its cost, makes a
// machine with BindDualValues, and for each batch calls Let, RunAll, Step of its solver, and Reset.
type gorgoniaProgram struct {
	name  string
	dtype tensor.Dtype
	build func(p *training) // fills in all but the machine
}

// training is a program with a machine.
type training struct {
	dt      tensor.Dtype
	g       *G.ExprGraph
	rng     *rand.Rand
	cost    *G.Node
	params  G.Nodes
	solver  G.Solver
	batches []batch // taken in turn
	steps   int
	costIs  G.Value // as Read gives it
	vm      G.VM
}

// batch is the values of input nodes.
type batch map[*G.Node]G.Value

// newTraining builds a program and makes a machine for it.
func newTraining(prog gorgoniaProgram, machine func(g *G.ExprGraph, opts ...G.VMOpt) G.VM) (*training, error) {
	p := &training{dt: prog.dtype, g: G.NewGraph(), rng: rand.New(rand.NewPCG(1, 2))}
	prog.build(p)
	G.Read(p.cost, &p.costIs)
	if _, err := G.Grad(p.cost, p.params...); err != nil {
		return nil, err
	}
	p.vm = machine(p.g, G.BindDualValues(p.params...))
	return p, nil
}

// step trains with the next batch.
func (p *training) step() error {
	for n, v := range p.batches[p.steps%len(p.batches)] {
		if err := G.Let(n, v); err != nil {
			return err
		}
	}
	p.steps++
	if err := p.vm.RunAll(); err != nil {
		return err
	}
	if err := p.solver.Step(G.NodesToValueGrads(p.params)); err != nil {
		return err
	}
	p.vm.Reset()
	return nil
}

// values makes a tensor of numbers that f returns.
func (p *training) values(f func() float64, shape ...int) G.Value {
	size := tensor.Shape(shape).TotalSize()
	if p.dt == tensor.Float64 {
		x := make([]float64, size)
		for i := range x {
			x[i] = f()
		}
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x))
	}
	x := make([]float32, size)
	for i := range x {
		x[i] = float32(f())
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x))
}

func (p *training) normal(sd float64) func() float64 {
	return func() float64 { return sd * p.rng.NormFloat64() }
}

func (p *training) uniform() float64 { return p.rng.Float64() }

// oneHot is a random class of each row.
func (p *training) oneHot(rows, classes int) G.Value {
	hot, i := 0, -1
	return p.values(func() float64 {
		if i++; i%classes == 0 {
			hot = p.rng.IntN(classes)
		}
		if i%classes == hot {
			return 1
		}
		return 0
	}, rows, classes)
}

// input is a node that each batch gives a value.
func (p *training) input(name string, shape ...int) *G.Node {
	return G.NewTensor(p.g, p.dt, len(shape), G.WithName(name), G.WithShape(shape...))
}

// param is a node that is trained.
func (p *training) param(name string, sd float64, shape ...int) *G.Node {
	n := G.NewTensor(p.g, p.dt, len(shape), G.WithName(name), G.WithShape(shape...), G.WithValue(p.values(p.normal(sd), shape...)))
	p.params = append(p.params, n)
	return n
}

// constant is a node that has one value throughout.
func (p *training) constant(name string, v float64, shape ...int) *G.Node {
	return G.NewTensor(p.g, p.dt, len(shape), G.WithName(name), G.WithShape(shape...), G.WithValue(p.values(func() float64 { return v }, shape...)))
}

// dense is a layer x·w + b.
func (p *training) dense(x *G.Node, name string, to int) *G.Node {
	from := x.Shape()[1]
	w, b := p.param("w"+name, 1/float64(1+from/8), from, to), p.param("b"+name, 0.01, 1, to)
	return G.Must(G.BroadcastAdd(G.Must(G.Mul(x, w)), b, nil, []byte{0}))
}

// crossEntropy is the mean of -log p of the classes, of which each row of y has one.
func (p *training) crossEntropy(logits, y *G.Node) {
	losses := G.Must(G.HadamardProd(G.Must(G.Log(G.Must(G.SoftMax(logits)))), y))
	p.cost = G.Must(G.Neg(G.Must(G.Mean(losses))))
}

// classify gives the program random batches of x and classes of y.
func (p *training) classify(x, y *G.Node) {
	for range 4 {
		p.batches = append(p.batches, batch{x: p.values(p.uniform, x.Shape()...), y: p.oneHot(y.Shape()[0], y.Shape()[1])})
	}
}

func must(n *G.Node, err error) *G.Node { return G.Must(n, err) }

// programs are what BenchmarkVM runs and TestPrograms compares.
func programs() []gorgoniaProgram {
	f32, f64 := tensor.Float32, tensor.Float64
	return []gorgoniaProgram{
		{"linear", f64, linearRegression},
		{"iris", f64, iris},
		{"logistic", f64, logisticRegression},
		{"mlp-f32", f32, mlp(sgd)},
		{"mlp-f64", f64, mlp(sgd)},
		{"mlp-adam-f32", f32, mlp(adam)},
		{"mlp-adam-f64", f64, mlp(adam)},
		{"convnet-f32", f32, convnet(false)},
		{"convnet-f64", f64, convnet(false)},
		{"convnet-bn-f32", f32, convnet(true)},
		{"convnet-bn-f64", f64, convnet(true)},
		{"autoencoder", f64, autoencoder},
		{"charrnn", f32, charRNN},
		{"lstm", f32, lstm},
		{"qnet", f32, qNetwork},
		{"groupnorm", f32, groupNorm},
		{"ctc", f32, ctc},
		{"embedding", f32, embedding},
	}
}

func sgd(rate float64) G.Solver  { return G.NewVanillaSolver(G.WithLearnRate(rate)) }
func adam(rate float64) G.Solver { return G.NewAdamSolver(G.WithLearnRate(rate / 10)) }

// linearRegression fits a line to 10,000 points.
func linearRegression(p *training) {
	const points = 10000
	x, y := p.input("x", points), p.input("y", points)
	m := G.NewScalar(p.g, p.dt, G.WithName("m"), G.WithValue(0.3))
	c := G.NewScalar(p.g, p.dt, G.WithName("c"), G.WithValue(0.1))
	p.params = G.Nodes{m, c}
	line := G.Must(G.Add(G.Must(G.Mul(x, m)), c))
	p.cost = G.Must(G.Mean(G.Must(G.Square(G.Must(G.Sub(line, y))))))
	p.batches = []batch{{x: p.values(p.uniform, points), y: p.values(p.normal(1), points)}}
	p.solver = sgd(0.1)
}

// iris is a network so small that nothing but the costs of calls counts: 150 flowers, 4-8-3.
func iris(p *training) {
	x, y := p.input("x", 150, 4), p.input("y", 150, 3)
	h := G.Must(G.Tanh(p.dense(x, "0", 8)))
	p.crossEntropy(p.dense(h, "1", 3), y)
	p.classify(x, y)
	p.solver = sgd(0.1)
}

// logisticRegression is the example of Gorgonia: binary cross-entropy with a penalty.
func logisticRegression(p *training) {
	const rows, features = 5000, 10
	x, y := p.input("x", rows, features), p.input("y", rows)
	w := p.param("w", 0.1, features)
	b := G.NewScalar(p.g, p.dt, G.WithName("bias"), G.WithValue(0.0))
	p.params = append(p.params, b)
	one := G.NewConstant(1.0)
	prob := G.Must(G.Sigmoid(G.Must(G.Add(G.Must(G.Mul(x, w)), b))))
	hit := G.Must(G.HadamardProd(G.Must(G.Neg(y)), G.Must(G.Log(prob))))
	miss := G.Must(G.HadamardProd(G.Must(G.Sub(one, y)), G.Must(G.Log(G.Must(G.Sub(one, prob))))))
	loss := G.Must(G.Mean(G.Must(G.Sub(hit, miss))))
	p.cost = G.Must(G.Add(loss, G.Must(G.Mul(G.NewConstant(0.01), G.Must(G.Sum(G.Must(G.Square(w))))))))
	p.batches = []batch{{x: p.values(p.uniform, rows, features), y: p.values(func() float64 { return float64(p.rng.IntN(2)) }, rows)}}
	p.solver = sgd(0.1)
}

// mlp is the usual network for MNIST, 784-300-100-10, batch 100.
func mlp(solver func(rate float64) G.Solver) func(p *training) {
	return func(p *training) {
		x, y := p.input("x", 100, 784), p.input("y", 100, 10)
		h := G.Must(G.Rectify(p.dense(x, "0", 300)))
		h = G.Must(G.Rectify(p.dense(h, "1", 100)))
		p.crossEntropy(p.dense(h, "2", 10), y)
		p.classify(x, y)
		p.solver = solver(0.1)
	}
}

// convnet is Gorgonia's example for MNIST, batch 100, without its Dropout, whose random numbers are
// each machine's own, and narrower.
func convnet(batchNorm bool) func(p *training) {
	return func(p *training) {
		x, y := p.input("x", 100, 1, 28, 28), p.input("y", 100, 10)
		h := x
		for i, channels := range []int{8, 16} {
			name := string(rune('0' + i))
			w := p.param("w"+name, 0.2, channels, h.Shape()[1], 3, 3)
			h = G.Must(G.Conv2d(h, w, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}))
			if batchNorm {
				gamma, beta := p.param("gamma"+name, 1, 1, channels, 1, 1), p.param("beta"+name, 1, 1, channels, 1, 1)
				var err error
				h, _, _, _, err = G.BatchNorm(h, gamma, beta, 0.1, 1e-5)
				h = must(h, err)
			}
			h = G.Must(G.MaxPool2D(G.Must(G.Rectify(h)), tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
		}
		s := h.Shape()
		h = G.Must(G.Reshape(h, tensor.Shape{s[0], s[1] * s[2] * s[3]}))
		h = G.Must(G.Rectify(p.dense(h, "fc", 100)))
		p.crossEntropy(p.dense(h, "out", 10), y)
		p.classify(x, y)
		p.solver = sgd(0.05)
	}
}

// autoencoder has 784-100-784 units, sigmoids and tied weights, batch 20.
func autoencoder(p *training) {
	x := p.input("x", 20, 784)
	w, b, c := p.param("w", 0.05, 784, 100), p.param("b", 0.01, 1, 100), p.param("c", 0.01, 1, 784)
	h := G.Must(G.Sigmoid(G.Must(G.BroadcastAdd(G.Must(G.Mul(x, w)), b, nil, []byte{0}))))
	out := G.Must(G.Sigmoid(G.Must(G.BroadcastAdd(G.Must(G.Mul(h, G.Must(G.Transpose(w)))), c, nil, []byte{0}))))
	p.cost = G.Must(G.Mean(G.Must(G.Square(G.Must(G.Sub(out, x))))))
	for range 4 {
		p.batches = append(p.batches, batch{x: p.values(p.uniform, 20, 784)})
	}
	p.solver = sgd(0.5)
}

// cell is an LSTM's, of vectors or of matrices with a row a sequence.
type cell struct{ wx, wh, b [4]*G.Node }

func (p *training) cell(name string, from, units int, vectors bool) (c cell) {
	for i, gate := range []string{"i", "f", "o", "c"} {
		if vectors {
			c.wx[i], c.wh[i], c.b[i] = p.param("wx"+gate+name, 0.08, units, from), p.param("wh"+gate+name, 0.08, units, units), p.param("b"+gate+name, 0.01, units)
		} else {
			c.wx[i], c.wh[i], c.b[i] = p.param("wx"+gate+name, 0.08, from, units), p.param("wh"+gate+name, 0.08, units, units), p.param("b"+gate+name, 0.01, 1, units)
		}
	}
	return c
}

func (c cell) next(x, hidden, state *G.Node) (h, s *G.Node) {
	gate := func(i int, f func(*G.Node) (*G.Node, error)) *G.Node {
		if x.Dims() == 1 {
			sum := G.Must(G.Add(G.Must(G.Mul(c.wx[i], x)), G.Must(G.Mul(c.wh[i], hidden))))
			return must(f(G.Must(G.Add(sum, c.b[i]))))
		}
		sum := G.Must(G.Add(G.Must(G.Mul(x, c.wx[i])), G.Must(G.Mul(hidden, c.wh[i]))))
		return must(f(G.Must(G.BroadcastAdd(sum, c.b[i], nil, []byte{0}))))
	}
	in, forget, out, write := gate(0, G.Sigmoid), gate(1, G.Sigmoid), gate(2, G.Sigmoid), gate(3, G.Tanh)
	s = G.Must(G.Add(G.Must(G.HadamardProd(forget, state)), G.Must(G.HadamardProd(in, write))))
	return G.Must(G.HadamardProd(out, G.Must(G.Tanh(s)))), s
}

// charRNN is Gorgonia's example, unrolled over 20 characters of one text: an embedding, an LSTM of 100
// units, all vectors, and the loss of each character.
func charRNN(p *training) {
	const vocabulary, embedding, units = 60, 10, 100
	text := make([]int, 21)
	for i := range text {
		text[i] = p.rng.IntN(vocabulary)
	}
	embed, decode, bias := p.param("embedding", 0.1, vocabulary, embedding), p.param("whd", 0.08, vocabulary, units), p.param("biasd", 0.01, vocabulary)
	layer := p.cell("0", embedding, units, true)
	h, s := p.constant("hidden", 0, units), p.constant("state", 0, units)
	for i := range text[1:] {
		h, s = layer.next(G.Must(G.Slice(embed, G.S(text[i]))), h, s)
		probs := G.Must(G.SoftMax(G.Must(G.Add(G.Must(G.Mul(decode, h)), bias))))
		loss := G.Must(G.Slice(G.Must(G.Neg(G.Must(G.Log(probs)))), G.S(text[i+1])))
		if p.cost == nil {
			p.cost = loss
		} else {
			p.cost = G.Must(G.Add(p.cost, loss))
		}
	}
	p.batches = []batch{{}}
	p.solver = G.NewRMSPropSolver(G.WithLearnRate(0.001), G.WithL2Reg(1e-6), G.WithClip(5))
}

// lstm reads 32 sequences of 20 vectors, and classifies each.
func lstm(p *training) {
	const rows, inputs, units, classes, steps = 32, 32, 128, 10, 20
	layer := p.cell("0", inputs, units, false)
	h, s := p.constant("hidden", 0, rows, units), p.constant("state", 0, rows, units)
	x := p.input("x", steps, rows, inputs)
	y := p.input("y", rows, classes)
	for i := range steps {
		h, s = layer.next(G.Must(G.Slice(x, G.S(i))), h, s)
	}
	p.crossEntropy(p.dense(h, "out", classes), y)
	p.classify(x, y)
	p.solver = adam(0.01)
}

// qNetwork learns from 32 transitions: the value of the action that was taken goes towards a target.
func qNetwork(p *training) {
	const rows, state, actions = 32, 8, 4
	x, taken, target := p.input("x", rows, state), p.input("taken", rows, actions), p.input("target", rows)
	h := G.Must(G.Rectify(p.dense(x, "0", 64)))
	h = G.Must(G.Rectify(p.dense(h, "1", 64)))
	q := G.Must(G.Sum(G.Must(G.HadamardProd(p.dense(h, "2", actions), taken)), 1))
	p.cost = G.Must(G.Mean(G.Must(G.Square(G.Must(G.Sub(q, target))))))
	for range 4 {
		p.batches = append(p.batches, batch{x: p.values(p.normal(1), rows, state), taken: p.oneHot(rows, actions), target: p.values(p.normal(1), rows)})
	}
	p.solver = adam(0.01)
}

// groupNorm is a convolution with group normalization, batch 32.
func groupNorm(p *training) {
	const channels = 8
	x, y := p.input("x", 32, 1, 12, 12), p.input("y", 32, 10)
	w := p.param("w", 0.2, channels, 1, 3, 3)
	h := G.Must(G.Conv2d(x, w, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}))
	h = must(G.GroupNorm(h, p.param("gamma", 1, 1, channels, 1, 1), p.param("beta", 1, 1, channels, 1, 1), channels, channels, 1e-5))
	h = G.Must(G.MaxPool2D(G.Must(G.Rectify(h)), tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
	s := h.Shape()
	h = G.Must(G.Reshape(h, tensor.Shape{s[0], s[1] * s[2] * s[3]}))
	p.crossEntropy(p.dense(h, "out", 10), y)
	p.classify(x, y)
	p.solver = sgd(0.05)
}

// ctc labels 16 sequences of 50 vectors with 10 of 20 labels each.
func ctc(p *training) {
	const steps, rows, inputs, classes, labels = 50, 16, 40, 21, 10
	x := p.input("x", steps*rows, inputs)
	h := G.Must(G.Tanh(p.dense(x, "0", 64)))
	logits := G.Must(G.Reshape(p.dense(h, "1", classes), tensor.Shape{steps, rows, classes}))
	ints := func(name string, f func() int, shape ...int) *G.Node {
		v := make([]int, tensor.Shape(shape).TotalSize())
		for i := range v {
			v[i] = f()
		}
		return G.NewTensor(p.g, tensor.Int, len(shape), G.WithName(name), G.WithShape(shape...), G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))))
	}
	targets := ints("targets", func() int { return 1 + p.rng.IntN(classes-1) }, rows, labels)
	lengths, targetLengths := ints("lengths", func() int { return steps }, rows), ints("target lengths", func() int { return labels }, rows)
	p.cost = must(G.CTCLoss(G.Must(G.LogSoftMax(logits, 2)), targets, lengths, targetLengths, G.ReductionSum))
	for range 4 {
		p.batches = append(p.batches, batch{x: p.values(p.normal(1), steps*rows, inputs)})
	}
	p.solver = sgd(0.001)
}

// embedding trains a classifier on the means of 16 rows each of a table of 20,000 that is not trained.
func embedding(p *training) {
	const words, width, rows, length, classes = 20000, 64, 32, 16, 10
	table := p.constant("table", 0, words, width)
	_ = G.Let(table, p.values(p.normal(0.1), words, width))
	ids := G.NewTensor(p.g, tensor.Int, 1, G.WithName("ids"), G.WithShape(rows*length))
	y := p.input("y", rows, classes)
	picked := G.Must(G.Reshape(G.Must(G.ByIndices(table, ids, 0)), tensor.Shape{rows, length, width}))
	p.crossEntropy(p.dense(G.Must(G.Mean(picked, 1)), "out", classes), y)
	for range 4 {
		v := make([]int, rows*length)
		for i := range v {
			v[i] = p.rng.IntN(words)
		}
		p.batches = append(p.batches, batch{ids: tensor.New(tensor.WithShape(rows*length), tensor.WithBacking(v)), y: p.oneHot(rows, classes)})
	}
	p.solver = sgd(0.1)
}
