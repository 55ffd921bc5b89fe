package cuda_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"driftless/kernels/activation"
	"driftless/kernels/cuda"
	"driftless/kernels/cuda/fused"
	"driftless/kernels/gather"
	"driftless/kernels/gemm"
	"driftless/kernels/loss"
	"driftless/kernels/norm"
	"driftless/kernels/optim"
)

var layers = []product{{1, 1, 1, 0}, {7, 33, 12, 3}, {60, 36, 100, 4}, {64, 16, 64, 0}, {130, 20, 30, 0}, {5, 7, 1030, 1}}

// eachLayer runs f for layers of all kinds.
func eachLayer(t *testing.T, f func(t *testing.T, c product, v mode, act activation.Kind)) {
	for _, c := range layers {
		for i, v := range modes {
			t.Run(fmt.Sprintf("%d×%d×%d+%d/%s", c.m, c.n, c.k, c.gap, v.name), func(t *testing.T) {
				f(t, c, v, activation.Kind((i+c.m)%4))
			})
		}
	}
}

// multiply is gemm.Gemm without alpha, into a new matrix without gaps.
func multiply(transB bool, m, n, k int, a []float32, lda int, b []float32, ldb int, bias []float32) []float32 {
	c := make([]float32, m*n)
	gemm.Gemm(false, transB, m, n, k, 1, a, lda, b, ldb, false, c, n, gemm.Epilogue[float32]{Bias: bias}, make([]float32, gemm.Scratch(false, transB, m, n, k)))
	return c
}

// put copies a matrix without gaps.
func put(from []float32, m, n int, to []float32, ld int) {
	for i := range m {
		copy(to[i*ld:][:n], from[i*n:])
	}
}

// tight copies a matrix to where it has no gaps.
func tight(from []float32, m, n, ld int) []float32 {
	to := make([]float32, m*n)
	for i := range m {
		copy(to[i*n:][:n], from[i*ld:])
	}
	return to
}

// eachStrip runs a test with the strips of all widths, in each of their forms.
func eachStrip(t *testing.T, f func(t *testing.T, strip string)) {
	for _, strip := range []string{"strip", "narrow_strip", "tall_strip"} {
		t.Run(strip, func(t *testing.T) { eachForm(t, strip, func(t *testing.T) { f(t, strip) }) })
	}
}

// TestStrip repeats the tests of the kernels that strips do as operations.
func TestStrip(t *testing.T) { eachStrip(t, testStrip) }

func testStrip(t *testing.T, strip string) {
	asOperation = strip
	defer func() { asOperation = "" }()
	clear(didAsOperation)
	for name, f := range map[string]func(*testing.T){"gemm": testGemms, "columns": TestColumns, "EMA": TestEMA, "standardize": TestStandardize,
		"gradients": TestNormGrad, "transforms": TestTransforms, "optimizers": TestOptimizers, "activations": TestActivation, "rows": TestRows, "copies": TestFillAndCopy, "packs": testPack} {
		if !products(strip) && name == "gemm" {
			continue
		}
		t.Run(name, f)
	}
	for _, name := range fused.Operations() {
		if name != "gemm_tn" && (products(strip) || !strings.HasPrefix(name, "gemm")) && didAsOperation[name] == 0 {
			t.Errorf("no test does %s as an operation", name)
		}
	}
}

// products reports whether a strip may begin with a product.
func products(strip string) bool { return strip != "tall_strip" }

// TestStripOfMany: operations read what those before them wrote, and their widths may
// differ.
func TestStripOfMany(t *testing.T) { eachStrip(t, testStripOfMany) }

func testStripOfMany(t *testing.T, strip string) {
	eachLayer(t, func(t *testing.T, c product, v mode, act activation.Kind) {
		m, n, k, ld := c.m, c.n, c.k, c.n+c.gap
		l := newLaunch(t, strip)
		a, b, bias := in(l, m, k, k+c.gap, v.draw), in(l, k, n, ld, v.draw), in(l, 1, n, n, v.draw)
		h0, mean, y := in(l, m, n, ld, v.draw), out[float32](l, 1, n, n), out[float32](l, m, n, ld)
		wide := in(l, 1, n+20, n+20, v.draw)
		copied := out[float32](l, 1, n+20, n+20)
		at := l.tensors[1:]
		ops := []fused.Op{
			{Kernel: entry(t, "gemm_nn_32"), Tensors: []cuda.Tensor{at[0], at[1], at[2], at[3], {}}, Ints: []int{m, n, k, a.ld, ld, ld, 0}},
			{Kernel: entry(t, "column_mean"), Tensors: []cuda.Tensor{at[3], at[4]}, Ints: []int{m, n, ld}},
			{Kernel: entry(t, "copy"), Tensors: []cuda.Tensor{at[6], at[7]}, Ints: []int{1, n + 20, n + 20, n + 20}},
			{Kernel: entry(t, "center_by"), Tensors: []cuda.Tensor{at[3], at[4], at[5]}, Ints: []int{m, n, ld, ld}},
			{Kernel: entry(t, "activation"), Tensors: []cuda.Tensor{at[5], at[5]}, Ints: []int{m, n, ld, ld, int(act)}},
		}
		if !products(strip) {
			ops = ops[1:]
		}
		l.table(n+20, ops...)
		want := func(r int) (h, mean, y []float32) {
			mean, y = make([]float32, n), make([]float32, m*n)
			if products(strip) {
				h = multiply(false, m, n, k, a.x[r], a.ld, b.x[r], ld, bias.x[r])
			} else {
				h = tight(h0.x[r], m, n, ld)
			}
			norm.ColumnMean(m, n, h, n, mean)
			norm.CenterBy(m, n, h, n, mean, y, n)
			activation.Forward(act, m, n, y, n, y, n)
			return h, mean, y
		}
		h0.check("h", func(r int, x []float32) { z, _, _ := want(r); put(z, m, n, x, ld) })
		mean.check("mean", func(r int, x []float32) { _, z, _ := want(r); copy(x, z) })
		y.check("y", func(r int, x []float32) { _, _, z := want(r); put(z, m, n, x, ld) })
		copied.check("copied", func(r int, x []float32) { copy(x, wide.x[r]) })
	})
}

// TestStripDoesMore: an operation that activates its result, or passes its gradient back through an
// activation first, and makes a copy of the result in BF16, has the bits of the operations one by one.
func TestStripDoesMore(t *testing.T) { eachStrip(t, testStripDoesMore) }

func testStripDoesMore(t *testing.T, strip string) {
	for _, packs := range []bool{false, true} {
		// copied adds a copy of y to an operation, and checks it.
		copied := func(l *launch, op *fused.Op, y *tensor[float32], d int) (check func(want func(r int, x []float32))) {
			if !packs {
				return func(func(r int, x []float32)) {}
			}
			words := gemm.PackedWords(d)
			to := out[int32](l, y.rows, words, words+4)
			op.Packed = fused.Matrix{Tensor: to.at, LD: to.ld}
			return func(want func(r int, x []float32)) {
				to.check("copy", func(r int, x []int32) {
					z := make([]float32, len(y.x[r]))
					want(r, z)
					pack(x, to.ld, z, y.ld, y.rows, d)
				})
			}
		}
		t.Run(fmt.Sprintf("forward/packs=%v", packs), func(t *testing.T) {
			eachLayer(t, func(t *testing.T, c product, v mode, act activation.Kind) {
				m, n, ld := c.m, c.n, c.n+c.gap
				l := newLaunch(t, strip)
				x, gamma, beta := in(l, m, n, ld, v.draw), in(l, 1, n, n, v.draw), in(l, 1, n, n, v.draw)
				xhat := out[float32](l, m, n, n)
				for range 3 { // mean, variance, invstd
					out[float32](l, 1, n, n)
				}
				y := out[float32](l, m, n, ld)
				op := fused.Op{Kernel: entry(t, "standardize_affine"), Tensors: l.tensors[1:], Ints: []int{m, n, ld, n, ld}, Floats: []float64{eps}, Act: int(act)}
				check := copied(l, &op, y, n)
				l.table(n, op)
				want := func(r int) (xh, y []float32) {
					vec := func() []float32 { return make([]float32, n) }
					xh, y = make([]float32, m*n), make([]float32, m*n)
					norm.StandardizeAffine(m, n, x.x[r], ld, eps, vec(), vec(), vec(), gamma.x[r], beta.x[r], xh, n, y, n)
					activation.Forward(act, m, n, y, n, y, n)
					return xh, y
				}
				xhat.check("xhat", func(r int, x []float32) { z, _ := want(r); copy(x, z) })
				of := func(r int, x []float32) { _, z := want(r); put(z, m, n, x, ld) }
				y.check("y", of)
				check(of)
			})
		})
		t.Run(fmt.Sprintf("back/packs=%v", packs), func(t *testing.T) {
			eachLayer(t, func(t *testing.T, c product, v mode, act activation.Kind) {
				m, n, ld := c.m, c.n, c.n+c.gap
				l := newLaunch(t, strip)
				xhat, g := in(l, m, n, n, v.draw), in(l, m, n, ld, v.draw)
				gamma, invstd := in(l, 1, n, n, v.draw), in(l, 1, n, n, v.draw)
				dx, dgamma, dbeta := out[float32](l, m, n, ld), out[float32](l, 1, n, n), out[float32](l, 1, n, n)
				op := fused.Op{Kernel: entry(t, "affine_grad"), Tensors: append(slices.Clone(l.tensors[1:]), cuda.Tensor{}), Ints: []int{m, n, n, ld, ld}, Act: int(act)}
				y := in(l, m, n, n+4, v.draw)
				if act != activation.Identity {
					op.Activated = fused.Matrix{Tensor: y.at, LD: y.ld}
				}
				check := copied(l, &op, dx, n)
				l.table(n, op)
				want := func(r int) (z, dg, db []float32) {
					h := make([]float32, m*n)
					z, dg, db = make([]float32, m*n), make([]float32, n), make([]float32, n)
					activation.Backward(act, m, n, y.x[r], y.ld, g.x[r], ld, h, n)
					norm.AffineGrad(m, n, xhat.x[r], n, h, n, gamma.x[r], invstd.x[r], dg, db, z, n, make([]float64, 4*n))
					return z, dg, db
				}
				of := func(r int, x []float32) { z, _, _ := want(r); put(z, m, n, x, ld) }
				dx.check("dx", of)
				dgamma.check("dgamma", func(r int, x []float32) { _, z, _ := want(r); copy(x, z) })
				dbeta.check("dbeta", func(r int, x []float32) { _, _, z := want(r); copy(x, z) })
				check(of)
			})
		})
	}
	for name, op := range map[string]fused.Op{
		"a sum with an activation":              {Kernel: entry(t, "column_sum"), Tensors: make([]cuda.Tensor, 2), Ints: []int{1, 1, 1}, Act: int(activation.Tanh)},
		"a gradient without what was activated": {Kernel: entry(t, "affine_grad"), Tensors: make([]cuda.Tensor, 8), Ints: []int{1, 1, 1, 1, 1}, Act: int(activation.Tanh)},
		"a copy of a sum":                       {Kernel: entry(t, "column_sum"), Tensors: make([]cuda.Tensor, 2), Ints: []int{1, 1, 1}, Packed: fused.Matrix{Tensor: cuda.Tensor{Ptr: 4}}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a table has %s", name)
				}
			}()
			fused.Pack([]fused.Op{op})
		}()
	}
}

// TestUpdates does products of several sizes: with a step of SGD in the product, with one
// of each rule after it, with nothing but a bias.
func TestUpdates(t *testing.T) { eachForm(t, "updates", testUpdates) }

func testUpdates(t *testing.T) {
	eachLayer(t, func(t *testing.T, c product, v mode, _ activation.Kind) {
		l := newLaunch(t, "updates")
		var weights []*weight
		var ops []fused.Op
		tiles := 0
		for i, rule := range []string{"product", "momentum", "", "sgd", "adam"} {
			w := newWeight(l, rule, product{c.k%50 + 1 + 30*i, c.n, c.m, c.gap}, v)
			for _, op := range w.ops(t) {
				op.First = tiles
				ops = append(ops, op)
			}
			tiles += fused.UpdateTiles(w.m, w.n)
			weights = append(weights, w)
		}
		l.table(tiles, ops...)
		for _, w := range weights {
			w.check()
		}
	})
}

// weight is a parameter of a launch of updates.
type weight struct {
	product
	rule               string
	lda, ld            int
	a, b, bias, g      *tensor[float32]
	p, first, second   *tensor[float32]
	powers, rate       *tensor[float64]
	moments            []float64 // of Adam
	l2, nesterov       float64   // of momentum
	correct1, correct2 float32
}

func newWeight(l *launch, rule string, c product, v mode) *weight {
	one, power := 1.0, 0.9
	w := &weight{product: c, rule: rule, lda: c.m + c.gap, ld: c.n + c.gap, moments: []float64{0.9, one - 0.9, 0.999, one - 0.999, 1e-8, 0, 0}, l2: 0.01, nesterov: 1,
		correct1: float32(1 - power), correct2: float32(1 - power)}
	w.a, w.b, w.bias = in(l, c.k, c.m, w.lda, v.draw), in(l, c.k, c.n, w.ld, v.draw), in(l, 1, c.n, c.n, v.draw)
	w.g, w.p = in(l, c.m, c.n, w.ld, v.draw), in(l, c.m, c.n, w.ld, v.draw)
	w.first, w.second = in(l, c.m, c.n, w.ld, v.draw), in(l, c.m, c.n, w.ld, positive.draw)
	w.powers, w.rate = in(l, 1, 2, 2, constant(power)), in(l, 1, 1, 1, constant(rate))
	return w
}

// ops are the product and what follows it.
func (w *weight) ops(t testing.TB) []fused.Op {
	product := fused.Op{Kernel: entry(t, "gemm_tn_32"), Ints: []int{w.m, w.n, w.k, w.lda, w.ld, w.ld, 0}, Tensors: []cuda.Tensor{w.a.at, w.b.at, {}, w.g.at, {}}}
	step := fused.Op{Ints: []int{w.m, w.n, w.ld, w.ld}}
	switch w.rule {
	case "product":
		product.Tensors[3], product.Tensors[4] = w.p.at, w.rate.at
		return []fused.Op{product}
	case "":
		product.Tensors[2] = w.bias.at
		return []fused.Op{product}
	case "momentum":
		step.Ints, step.Floats = append(step.Ints, w.ld), []float64{0.9, w.nesterov, w.l2}
		step.Tensors = []cuda.Tensor{w.g.at, w.p.at, w.first.at, w.rate.at}
	case "sgd":
		step.Floats = []float64{0}
		step.Tensors = []cuda.Tensor{w.g.at, w.p.at, w.rate.at}
	case "adam":
		step.Ints, step.Floats = append(step.Ints, w.ld, w.ld), w.moments
		step.Tensors = []cuda.Tensor{w.g.at, w.powers.at, w.p.at, w.first.at, w.second.at, w.rate.at}
	}
	step.Kernel = entry(t, w.rule)
	return []fused.Op{product, step}
}

// gradient adds to x, or sets it to, alpha times the product.
func (w *weight) gradient(r int, alpha float32, add bool, x []float32) {
	ep := gemm.Epilogue[float32]{}
	if w.rule == "" {
		ep.Bias = w.bias.x[r]
	}
	gemm.Gemm(true, false, w.m, w.n, w.k, alpha, w.a.x[r], w.lda, w.b.x[r], w.ld, add, x, w.ld, ep, make([]float32, gemm.Scratch(true, false, w.m, w.n, w.k)))
}

// after returns the parameter and its slots after the step.
func (w *weight) after(r int) (p, first, second []float32) {
	clone := func(b *tensor[float32]) []float32 { return append([]float32(nil), b.x[r]...) }
	p, first, second = clone(w.p), clone(w.first), clone(w.second)
	dw := make([]float32, len(p))
	w.gradient(r, 1, false, dw)
	for i := range w.m {
		row := func(x []float32) []float32 { return x[i*w.ld:][:w.n] }
		switch w.rule {
		case "momentum":
			optim.Nesterov(row(p), decayed(row(p), row(dw), w.l2), row(first), rate, 0.9)
		case "sgd":
			optim.SGD(row(p), row(dw), rate)
		case "adam":
			optim.Adam(row(p), row(dw), row(first), row(second), rate, 0.9, 0.999, 1e-8, w.correct1, w.correct2)
		}
	}
	if w.rule == "product" {
		w.gradient(r, -rate, true, p)
	}
	return p, first, second
}

func (w *weight) check() {
	w.p.check("p", func(r int, x []float32) { p, _, _ := w.after(r); copy(x, p) })
	w.first.check("first slot", func(r int, x []float32) { _, s, _ := w.after(r); copy(x, s) })
	w.second.check("second slot", func(r int, x []float32) { _, _, s := w.after(r); copy(x, s) })
	if w.rule == "product" {
		w.g.check("g", nil)
		return
	}
	w.g.check("g", func(r int, x []float32) { w.gradient(r, 1, false, x) })
}

func TestBatch(t *testing.T) { eachForm(t, "batch", testBatch) }

func testBatch(t *testing.T) {
	const total = 300
	for _, s := range shapes {
		for how := shuffled; how <= sample; how++ {
			m, cols, ld := s.m, s.d, s.d+s.gap
			pixels, classes := gather.Map(how%3), gather.Map((how+1)%3)
			byteOf := func(r *rand.Rand) uint8 { return uint8(r.UintN(256)) }
			l := newLaunch(t, "batch")
			data, labels := in(l, total, cols, cols, byteOf).share(), in(l, 1, total, total, byteOf).share()
			rows, x, y := out[int32](l, 1, m, m), out[float32](l, m, cols, ld), out[float32](l, 1, m, m)
			halted, now := out[int64](l, 1, 1, 1), out[int64](l, 1, 1, 1)
			next := int64(-1)
			stopped := in(l, 1, 1, 1, func(*rand.Rand) int64 { next++; return []int64{-1, 5, -1}[next] })
			step := in(l, 1, 1, 1, func(r *rand.Rand) int64 { return r.Int64N(1000) })
			seed := in(l, 1, 1, 1, func(r *rand.Rand) int64 { return int64(r.Uint64()) })
			l.run(m, cols, []int{m, cols, ld, int(pixels), int(classes), total, total, how, 1, m / 2})
			want := func(r int) []int32 {
				rows := make([]int32, m)
				batchRows(rows, how, step.x[r][0], uint64(seed.x[r][0]), total, total, 1, m/2)
				return rows
			}
			rows.check("rows", func(r int, x []int32) { copy(x, want(r)) })
			x.check("x", func(r int, x []float32) { gather.BytesRows(want(r), data.x[r], cols, pixels, x, ld) })
			y.check("y", func(r int, y []float32) { gather.BytesRows(want(r), labels.x[r], 1, classes, y, 1) })
			for r := range replicas {
				if halted.got[r][0] != stopped.x[r][0] || now.got[r][0] != step.x[r][0] {
					t.Errorf("replica %d: halted %d, now %d, want %d, %d", r, halted.got[r][0], now.got[r][0], stopped.x[r][0], step.x[r][0])
				}
			}
		}
	}
}

func TestHead(t *testing.T) { eachForm(t, "head", testHead) }

func testHead(t *testing.T) {
	const ring = 7
	eachLayer(t, func(t *testing.T, c product, v mode, _ activation.Kind) {
		m, n, k, ld := c.m, c.n, c.k, c.n+c.gap
		l := newLaunch(t, "head")
		a, b := in(l, m, k, k+c.gap, v.draw), in(l, k, n, ld, v.draw)
		shift := func(int) []float32 { return nil }
		if v.name == special.name {
			l.null()
		} else {
			bias := in(l, 1, n, n, v.draw)
			shift = func(r int) []float32 { return bias.x[r] }
		}
		scales := 1
		if v.name == wide.name {
			scales = m
		}
		y, scale := in(l, 1, m, m, labels(n, ordinary)), in(l, 1, scales, scales, v.draw)
		logits, rows, dz, mean := out[float32](l, m, n, ld), out[float32](l, 1, m, m), out[float32](l, m, n, n), out[float32](l, 1, 1, 1)
		losses := in(l, 1, ring, ring, constant(float32(9)))
		stopped, step := in(l, 1, 1, 1, constant(int64(-1))), in(l, 1, 1, 1, constant(int64(12)))
		l.run(m, n, []int{m, n, k, a.ld, ld, ld, n, scales, ring})
		want := func(r int) (z, l, d []float32) {
			z, l, d = multiply(false, m, n, k, a.x[r], a.ld, b.x[r], ld, shift(r)), make([]float32, m), make([]float32, m*n)
			loss.SoftmaxCrossEntropyBoth(m, n, z, n, y.x[r], scale.x[r], l, d, n)
			return z, l, d
		}
		logits.check("logits", func(r int, x []float32) { z, _, _ := want(r); put(z, m, n, x, ld) })
		rows.check("losses", func(r int, x []float32) { _, l, _ := want(r); copy(x, l) })
		dz.check("dz", func(r int, x []float32) { _, _, d := want(r); copy(x, d) })
		total := func(r int) float32 { _, l, _ := want(r); return loss.Mean(l) }
		mean.check("loss", func(r int, x []float32) { x[0] = total(r) })
		losses.check("ring", func(r int, x []float32) { x[12%ring] = total(r) })
		stopped.check("diverged", func(r int, x []int64) {
			if v := total(r); v-v != 0 {
				x[0] = 12
			}
		})
		step.check("step", func(_ int, x []int64) { x[0]++ })
	})
}

// entry is what the tables say of a kernel.
func entry(t testing.TB, name string) *cuda.Kernel {
	k := kernel(t, name)
	return &k.Kernel
}

// TestStripChoice: strips with a product are narrow while every block has a multiprocessor to
// itself, and those without have no product's code.
func TestStripChoice(t *testing.T) {
	for _, c := range []struct {
		product                    bool
		cols, replicas, processors int
		want                       string
	}{{true, 100, 1, 132, "narrow_strip"}, {true, 100, 5, 132, "narrow_strip"}, {true, 100, 6, 132, "strip"}, {true, 1024, 1, 132, "strip"},
		{true, 1, 1, 1, "narrow_strip"}, {false, 100, 1, 132, "tall_strip"}, {false, 1024, 1, 132, "tall_strip"}} {
		if got := fused.Strip(c.product, c.cols, c.replicas, c.processors); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}
