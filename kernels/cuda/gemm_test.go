package cuda_test

import (
	"fmt"
	"testing"

	"driftless/kernels/activation"
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
		for _, trans := range []string{"nn", "tn", "nt"} {
			for _, c := range v.cases {
				for e, m := range []mode{ordinary, tiny, special, faint} {
					name := "gemm_" + trans + "_" + v.suffix
					t.Run(fmt.Sprintf("%s/%d×%d×%d+%d/%s", name, c.m, c.n, c.k, c.gap, m.name), func(t *testing.T) {
						act, hasBias := activation.Kind((e+c.m+c.n)%4), (e+c.k)%2 == 0
						if m.name == faint.name { // -0 is to be seen
							act, hasBias = activation.Identity, false
						}
						for _, step := range []bool{false, true} {
							testGemm(t, name, gemm.Float32, trans[0] == 't', trans[1] == 't', c, m, hasBias, step, act)
						}
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
	for _, p := range []gemm.Precision{gemm.TF32, gemm.BF16} {
		for _, trans := range []string{"nn", "tn", "nt"} {
			for size, cases := range map[int][]product{64: middle, 128: large} {
				for _, c := range cases {
					for e, m := range []mode{ordinary, tiny, special, faint} {
						name := fmt.Sprintf("tensor_%v_%s_%d", p, trans, size)
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
	a := in(l, ar, ac, ac+c.gap, v.draw)
	b := in(l, br, bc, bc+c.gap, v.draw)
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
	alpha := float32(1)
	if step {
		const lr = 0.37
		in(l, 1, 1, 1, constant(lr))
		alpha = -float32(lr)
	} else {
		l.null()
	}
	l.run(c.m, c.n, []int{c.m, c.n, c.k, a.ld, b.ld, ldc, int(act)})
	scratch := make([]float32, gemm.Scratch(transA, transB, c.m, c.n, c.k))
	result.check("c", func(r int, x []float32) {
		ep := gemm.Epilogue[float32]{Act: act}
		if hasBias {
			ep.Bias = bias.x[r]
		}
		if p != gemm.Float32 {
			gemm.GemmRounded(p, transA, transB, c.m, c.n, c.k, alpha, a.x[r], a.ld, b.x[r], b.ld, step, x, ldc, ep)
			return
		}
		gemm.Gemm(transA, transB, c.m, c.n, c.k, alpha, a.x[r], a.ld, b.x[r], b.ld, step, x, ldc, ep, scratch)
	})
	a.check("a", nil)
	b.check("b", nil)
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
		{gemm.TF32, true, false, 1024, 1024, 1, 132, "tensor_tf32_tn_128", true}, // whose operands are read half as often
		{gemm.BF16, false, false, 512, 1024, 1, 132, "tensor_bf16_nn_128", true}, // for which products are fast enough
		{gemm.BF16, false, false, 512, 10, 1, 132, "tensor_bf16_nn_64", true},
		{gemm.BF16, true, false, 4096, 4096, 1, 132, "tensor_bf16_tn_128", true},
		{gemm.BF16, true, true, 1, 1, 1, 132, "", false},
	} {
		if got, ok := gemm.PTXKernel(c.p, c.a, c.b, c.m, c.n, c.replicas, c.processors); got != c.want || ok != c.ok {
			t.Errorf("%+v: got %q, %v", c, got, ok)
		}
	}
}
