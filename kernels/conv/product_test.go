package conv

import (
	"math"
	"math/rand/v2"
	"testing"

	"driftless/kernels"
	"driftless/kernels/activation"
	"driftless/kernels/gemm"
)

// testProducts: products that read the images themselves have the bits of those with patches laid
// out, and the gradient of patches those of plain loops, in all windows: with several chunks of a sum, images between chunks, positions apart, and
// shares that begin anywhere.
func testProducts[T kernels.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	random := func(n int) []T {
		x := make([]T, n)
		for i := range x {
			x[i] = T(r.NormFloat64())
		}
		return x
	}
	for _, c := range []struct {
		w                 Window
		images, n, gap    int
		first, from, d, m int // shares: m and d of -1 are all
	}{
		{Square(28, 28, 1, 5, 1, 2), 3, 6, 0, 0, 0, -1, -1},
		{Square(14, 14, 6, 5, 1, 0), 23, 16, 0, 0, 0, -1, -1},
		{Square(14, 14, 6, 5, 1, 0), 4, 33, 3, 7, 31, 70, 289},
		{Square(9, 11, 3, 3, 2, 1), 50, 17, 1, 29, 5, 19, 1401},
		{Window{Height: 6, Width: 8, Channels: 2, KernelHeight: 2, KernelWidth: 3, Stride: 1, Padding: 1}, 30, 1, 0, 3, 0, 11, 200},
		{Square(5, 5, 300, 2, 1, 0), 2, 7, 0, 0, 0, -1, -1}, // a patch of two chunks
		{Square(8, 8, 4, 8, 1, 7), 5, 40, 0, 100, 3, 100, 500},
	} {
		w := c.w
		windows, k, ldx, n := c.images*w.Windows(), w.Patch(), w.Channels+c.gap, c.n
		ldb, ldc := n+c.gap, n+2*c.gap
		m, d := c.m, c.d
		if m < 0 {
			m, d = windows, k
		}
		x, b, g, bias := random(c.images*w.Positions()*ldx), random(k*ldb), random(windows*ldb), random(n)
		p := make([]T, windows*k)
		Patches(w, 0, windows, 0, k, x, ldx, p, k)
		for _, isa := range kernels.ISAs() {
			restore := kernels.UseISA(isa)
			compare := func(what string, got, want []T) {
				t.Helper()
				for i := range want {
					if math.Float64bits(float64(got[i])) != math.Float64bits(float64(want[i])) {
						t.Errorf("%v, %v, %d columns: %s: element %d is %v, want %v", w, isa, n, what, i, got[i], want[i])
						return
					}
				}
			}
			got, want := random(m*ldc), make([]T, m*ldc)
			copy(want, got) // what lies between rows stays
			for _, act := range []activation.Kind{activation.Identity, activation.ReLU, activation.Sigmoid} {
				ep := gemm.Epilogue[T]{Bias: bias, Act: act}
				if act == activation.Identity {
					ep.Bias = nil
				}
				gemm.Gemm(false, false, m, n, k, 1, p[c.first*k:], k, b, ldb, false, want, ldc, ep, make([]T, gemm.Scratch(false, false, m, n, k)))
				Product(w, c.first, m, n, x, ldx, b, ldb, got, ldc, ep, random(ProductScratch(w, m, n)))
				compare(act.String(), got, want)
			}
			got, want = random(d*ldc), make([]T, d*ldc)
			copy(want, got)
			gemm.Gemm(true, false, d, n, windows, 1, p[c.from:], k, g, ldb, false, want, ldc, gemm.Epilogue[T]{}, make([]T, gemm.Scratch(true, false, d, n, windows)))
			Gradient(w, windows, c.from, d, n, x, ldx, g, ldb, got, ldc, random(GradScratch(w, windows, d, n)))
			compare("gradient", got, want)
			got, want = random(c.images*w.Positions()*ldx), make([]T, c.images*w.Positions()*ldx)
			copy(want, got)
			plain := kernels.UseISA(kernels.Go)
			PatchesGrad(w, 0, c.images*w.Positions(), p, k, want, ldx)
			plain()
			for i, half := 0, c.images*w.Positions()/2+1; i < 2*half; i += half {
				PatchesGrad(w, i, min(half, c.images*w.Positions()-i), p, k, got[i*ldx:], ldx)
			}
			compare("patches' gradient", got, want)
			all, said := random(len(got)), make([]T, windows*k)
			copy(want, all)
			gemm.Gemm(false, true, windows, k, n, 1, g, ldb, b, ldb, false, said, k, gemm.Epilogue[T]{}, make([]T, gemm.Scratch(false, true, windows, k, n)))
			PatchesGrad(w, 0, c.images*w.Positions(), said, k, want, ldx)
			for i, third := 0, c.images*w.Positions()/3+1; i < 3*third; i += third {
				some := min(third, c.images*w.Positions()-i)
				InputGrad(w, i, some, n, g, ldb, b, ldb, all[i*ldx:], ldx, random(InputGradScratch(w, n)))
			}
			compare("images' gradient", all, want)
			restore()
		}
	}
}

func TestProducts(t *testing.T) {
	t.Run("float32", testProducts[float32])
	t.Run("float64", testProducts[float64])
}
