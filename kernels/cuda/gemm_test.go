package cuda_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"driftless/kernels/activation"
	"driftless/kernels/cuda"
	"driftless/kernels/gemm"
)

// product is a case of a matrix product: gap is how much longer than a row the rows
// of all operands lie apart.
type product struct{ m, n, k, gap int }

func TestGemm(t *testing.T) { eachForm(t, "gemm_nn_32", testGemms) }

func testGemms(t *testing.T) {
	small := []product{{1, 1, 1, 0}, {3, 5, 7, 1}, {33, 17, 64, 3}, {36, 40, 100, 12}, {5, 4, 0, 0}, {32, 32, 32, 0}, {20, 12, 1030, 4}, {7, 10, 2100, 0}}
	middle := []product{{66, 70, 40, 0}, {64, 64, 64, 3}, {9, 68, 1056, 4}, {130, 65, 17, 1}}
	large := []product{{130, 132, 40, 0}, {128, 128, 32, 4}, {9, 140, 1056, 3}}
	for _, v := range []struct {
		suffix string
		cases  []product
	}{{"32", small}, {"64", middle}, {"128", large}} {
		if asOperation != "" && v.suffix == "128" {
			continue // to strips, which have tiles of their own, these are as those of 64
		}
		for _, trans := range []string{"nn", "tn", "nt"} {
			if asOperation != "" && trans == "tn" {
				continue // no strip has it
			}
			for i, c := range v.cases {
				for e, m := range []mode{ordinary, tiny, special, faint} {
					name := "gemm_" + trans + "_" + v.suffix
					t.Run(fmt.Sprintf("%s/%d×%d×%d+%d/%s", name, c.m, c.n, c.k, c.gap, m.name), func(t *testing.T) {
						act, hasBias := activation.Kind((e+c.m+c.n)%4), (e+c.k)%2 == 0
						if m.name == faint.name { // -0 is to be seen
							act, hasBias = activation.Identity, false
						}
						// Every mode is there with a step and without.
						testGemm(t, name, gemm.Float32, trans[0] == 't', trans[1] == 't', c, m, hasBias, (i+e)%2 == 0, act)
					})
				}
			}
		}
	}
}

// TestTensorGemm: products on tensor cores have the bits of their specification where the
// virtual device adds up as that does.
func TestTensorGemm(t *testing.T) {
	middle := []product{{1, 1, 1, 0}, {66, 70, 40, 0}, {64, 64, 64, 4}, {9, 68, 1056, 4}, {70, 65, 17, 1}, {5, 4, 0, 0}, {17, 12, 36, 3}}
	large := []product{{130, 132, 40, 0}, {128, 128, 64, 4}, {9, 140, 100, 3}}
	between := []product{{130, 68, 100, 0}, {128, 64, 96, 4}, {9, 75, 129, 3}}
	for _, p := range []gemm.Precision{gemm.TF32, gemm.BF16} {
		for _, trans := range []string{"nn", "tn", "nt"} {
			for size, cases := range map[string][]product{"64": middle, "128": large, "128_64": between} {
				if p == gemm.TF32 && size == "128_64" {
					continue
				}
				for _, c := range cases {
					for e, m := range []mode{ordinary, tiny, special, faint} {
						name := fmt.Sprintf("tensor_%v_%s_%s", p, trans, size)
						t.Run(fmt.Sprintf("%s/%d×%d×%d+%d/%s", name, c.m, c.n, c.k, c.gap, m.name), func(t *testing.T) {
							act, hasBias := activation.Kind((e+c.m+c.n)%4), (e+c.k)%2 == 0
							if m.name == faint.name { // -0 is to be seen
								act, hasBias = activation.Identity, false
							}
							testGemm(t, name, p, trans[0] == 't', trans[1] == 't', c, m, hasBias, (e+c.n)%2 == 0, act)
						})
					}
				}
			}
		}
	}
}

// testGemm compares a product with the Go kernel; step adds it, times -lr.
func testGemm(t *testing.T, name string, p gemm.Precision, transA, transB bool, c product, v mode, hasBias, step bool, act activation.Kind) {
	ar, ac, br, bc := c.m, c.k, c.k, c.n
	if transA {
		ar, ac = ac, ar
	}
	if transB {
		br, bc = bc, br
	}
	l := newLaunch(t, name)
	a := operand(l, p, ar, ac, c.gap, v.draw)
	b := operand(l, p, br, bc, c.gap, v.draw)
	bias := (*tensor[float32])(nil)
	if hasBias {
		bias = in(l, 1, c.n, c.n, v.draw)
	} else {
		l.null()
	}
	ldc := c.n + c.gap
	var result *tensor[float32]
	if step {
		result = in(l, c.m, c.n, ldc, v.draw)
	} else {
		result = out[float32](l, c.m, c.n, ldc)
	}
	var copied *tensor[int32]
	if p == gemm.BF16 {
		words := gemm.PackedWords(c.n)
		copied = out[int32](l, c.m, words, words+4*c.gap)
	}
	alpha := float32(1)
	if step {
		const lr = 0.37
		in(l, 1, 1, 1, constant(lr))
		alpha = -float32(lr)
	} else {
		l.null()
	}
	ints := []int{c.m, c.n, c.k, a.words, b.words, ldc, int(act)}
	if copied != nil {
		ints = append(ints[:6:6], copied.ld, int(act))
	}
	l.run(c.m, c.n, ints)
	scratch := make([]float32, gemm.Scratch(transA, transB, c.m, c.n, c.k))
	multiply := func(r int, x []float32) {
		ep := gemm.Epilogue[float32]{Act: act}
		if hasBias {
			ep.Bias = bias.x[r]
		}
		if p != gemm.Float32 {
			gemm.GemmRounded(p, transA, transB, c.m, c.n, c.k, alpha, a.x[r], a.ld, b.x[r], b.ld, step, x, ldc, ep)
			return
		}
		gemm.Gemm(transA, transB, c.m, c.n, c.k, alpha, a.x[r], a.ld, b.x[r], b.ld, step, x, ldc, ep, scratch)
	}
	result.check("c", multiply)
	if copied != nil {
		copied.check("packed", func(r int, words []int32) { pack(words, copied.ld, result.got[r], ldc, c.m, c.n) })
	}
	a.unchanged()
	b.unchanged()
}

// matrix is an operand of a product: what it is before it is rounded, and where it lies.
type matrix struct {
	x         [][]float32 // one a replica
	ld        int
	words     int // from one row to the next where it lies
	unchanged func()
}

// operand is one as a product in a precision takes it: in BF16 packed.
func operand(l *launch, p gemm.Precision, rows, cols, gap int, draw func(*rand.Rand) float32) *matrix {
	l.t.Helper()
	m := &matrix{ld: cols + gap}
	if p != gemm.BF16 {
		x := in(l, rows, cols, m.ld, draw)
		m.x, m.words, m.unchanged = x.x, x.ld, func() { x.check("operand", nil) }
		return m
	}
	words := gemm.PackedWords(cols)
	y := place[int32](l, rows, words, words+4*gap)
	for r := range y.x {
		x := make([]float32, max(0, rows*m.ld))
		for i := range x {
			x[i] = draw(l.rand)
		}
		pack(y.x[r], y.ld, x, m.ld, rows, cols)
		m.x = append(m.x, x)
	}
	y.upload()
	m.words, m.unchanged = y.ld, func() { y.check("operand", nil) }
	return m
}

// pack is the specification of packed matrices.
func pack(to []int32, ldto int, x []float32, ldx, rows, cols int) {
	for i := range rows {
		for w := range gemm.PackedWords(cols) {
			var word uint32
			for h := range 2 {
				if j := 2*w + h; j < cols {
					v := x[i*ldx+j]
					bits := math.Float32bits(gemm.BF16.Round(v)) >> 16
					if v != v {
						bits = 0x7fff
					}
					word |= bits << (16 * h)
				}
			}
			to[i*ldto+w] = int32(word)
		}
	}
}

// TestPack: a copy in BF16 has the bits of its specification, and zeros behind the rows;
// without a control word it is made for a replica that has diverged as well.
func TestPack(t *testing.T) { eachForm(t, "pack", testPack) }

func testPack(t *testing.T) {
	for _, s := range append(shapes, shape{4, 8, 0}, shape{3, 44, 2}, shape{0, 5, 0}) {
		for _, v := range []mode{ordinary, special, tiny} {
			for _, controlled := range []bool{true, false} {
				if asOperation != "" && !controlled {
					continue // a strip has control
				}
				l := newLaunch(t, "pack")
				x := in(l, s.m, s.d, s.d+s.gap, v.draw)
				words := gemm.PackedWords(s.d)
				y := out[int32](l, s.m, words, words+4*s.gap)
				if !controlled {
					l.tensors[0] = cuda.Tensor{}
				}
				l.run(s.m, s.d, []int{s.m, s.d, x.ld, y.ld})
				want := func(r int, to []int32) { pack(to, y.ld, x.x[r], x.ld, s.m, s.d) }
				if controlled {
					y.check("packed", want)
					continue
				}
				for r := range y.x {
					all := append([]int32(nil), y.x[r]...)
					if want(r, all); !slices.Equal(all, y.got[r]) {
						t.Errorf("%+v: without control replica %d has %v, want %v", s, r, y.got[r], all)
					}
				}
			}
		}
	}
}

func TestGemmChoice(t *testing.T) {
	for _, c := range []struct {
		p              gemm.Precision
		a, b           bool
		m, n, replicas int
		processors     int
		want           string
		ok             bool
	}{
		{gemm.Float32, false, false, 60, 100, 1, 132, "gemm_nn_32", true},
		{gemm.Float32, true, false, 784, 100, 1, 132, "gemm_tn_32", true},
		{gemm.Float32, true, false, 784, 100, 10, 132, "gemm_tn_64", true},
		{gemm.Float32, false, true, 1024, 1024, 1, 132, "gemm_nt_64", true}, // two tiles each, not one of 128 for 64 of them
		{gemm.Float32, false, true, 1024, 1024, 1, 64, "gemm_nt_128", true},
		{gemm.Float32, false, false, 512, 1024, 1, 132, "gemm_nn_64", true},
		{gemm.Float32, false, false, 4096, 4096, 1, 132, "gemm_nn_128", true},
		{gemm.Float32, false, false, 60, 100, 100, 40, "gemm_nn_64", true},
		{gemm.Float32, false, false, 0, 100, 1, 132, "gemm_nn_128", true},
		{gemm.Float32, true, true, 1, 1, 1, 132, "", false},
		{gemm.TF32, false, false, 512, 1024, 1, 132, "tensor_tf32_nn_64", true},
		{gemm.TF32, true, false, 1024, 1024, 1, 132, "tensor_tf32_tn_128", true},    // whose operands are read half as often
		{gemm.BF16, false, false, 512, 1024, 1, 132, "tensor_bf16_nn_128_64", true}, // twice as many multiprocessors as with 128, and less to read than with 64
		{gemm.BF16, true, false, 1024, 1024, 1, 132, "tensor_bf16_tn_128", true},
		{gemm.BF16, false, false, 512, 10, 1, 132, "tensor_bf16_nn_64", true},
		{gemm.BF16, true, false, 4096, 4096, 1, 132, "tensor_bf16_tn_128", true},
		{gemm.BF16, true, true, 1, 1, 1, 132, "", false},
	} {
		if got, ok := gemm.PTXKernel(c.p, c.a, c.b, c.m, c.n, c.replicas, c.processors); got != c.want || ok != c.ok {
			t.Errorf("%+v: got %q, %v", c, got, ok)
		}
	}
}
