package conv

import (
	"testing"

	"driftless/kernels"
	"driftless/kernels/gemm"
)

// TestShortSlices: on every instruction set a slice that is too short is refused, before anything
// is read or written.
func TestShortSlices(t *testing.T) {
	const m, n = 100, 16
	w := Square(14, 14, 6, 5, 1, 0)
	of := func(n int) []float32 { return make([]float32, n) }
	x, b, c, scratch := 14*14*6, w.Patch()*n, m*n, ProductScratch(w, m, n)
	gradScratch := GradScratch(w, m, w.Patch(), n)
	for _, isa := range kernels.ISAs() {
		restore := kernels.UseISA(isa)
		for want, call := range map[string]func(){
			"conv: x is too short for its images": func() { Product(w, 0, m, n, of(x-300), 6, of(b), n, of(c), n, gemm.Epilogue[float32]{}, of(scratch)) },
			"conv: b is too short for its shape":  func() { Product(w, 0, m, n, of(x), 6, of(b-1), n, of(c), n, gemm.Epilogue[float32]{}, of(scratch)) },
			"conv: c is too short for its shape":  func() { Product(w, 0, m, n, of(x), 6, of(b), n, of(c-500), n, gemm.Epilogue[float32]{}, of(scratch)) },
			"conv: scratch is too short":          func() { Product(w, 0, m, n, of(x), 6, of(b), n, of(c), n, gemm.Epilogue[float32]{}, of(scratch-1)) },
			"conv: the bias is too short": func() {
				Product(w, 0, m, n, of(x), 6, of(b), n, of(c), n, gemm.Epilogue[float32]{Bias: of(n - 1)}, of(scratch))
			},
			"conv: there are no such windows":            func() { Product(w, -1, m, n, of(x), 6, of(b), n, of(c), n, gemm.Epilogue[float32]{}, of(scratch)) },
			"conv: g is too short for its shape":         func() { Gradient(w, m, 0, w.Patch(), n, of(x), 6, of(c-1), n, of(b), n, of(gradScratch)) },
			"conv: there are no such numbers of windows": func() { Gradient(w, m, 1, w.Patch(), n, of(x), 6, of(c), n, of(b), n, of(gradScratch)) },
		} {
			func() {
				defer func() {
					if got := recover(); got != want {
						t.Errorf("%v: it says %v, want %q", isa, got, want)
					}
				}()
				call()
			}()
		}
		restore()
	}
}
