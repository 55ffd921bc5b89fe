package ops

import (
	"fmt"
	"math"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

var directOps = []interface {
	G.Op
	Direct
}{ZCAOp{RelEps: 0.01}, PrecisionOp{Eps: 0.01}, PrecisionOp{}}

// TestDirect: what is computed without values of Gorgonia's is what Do computes, to rounding,
// and fails where Do fails, for the reason it gives.
func TestDirect(t *testing.T) {
	r := newRand(11)
	for _, d := range []int{1, 2, 5, 33} {
		cov, rows := make([]float64, d*d), 2*d+1
		x := make([]float64, rows*d)
		for i := range x {
			x[i] = r.NormFloat64() * float64(1+i%d)
		}
		for j := range d {
			for k := range d {
				for i := range rows {
					cov[j*d+k] += x[i*d+j] * x[i*d+k] / float64(rows)
				}
			}
		}
		bad := map[string][]float64{"": cov, "diverged": append([]float64{math.NaN()}, cov[1:]...), "singular": make([]float64, d*d)}
		for want, c := range bad {
			for _, op := range directOps {
				v, doErr := op.Do(tensor.New(tensor.WithShape(d, d), tensor.WithBacking(append([]float64(nil), c...))))
				out := make([]float64, d*d)
				err := op.Call([]any{c}, []any{out}, make([]float64, op.Room(d*d)))
				if (err != nil) != (doErr != nil) || want == "" && err != nil || want == "diverged" && !strings.Contains(fmt.Sprint(err), want) {
					t.Errorf("%v, d %d, %q: %v, Do says %v", op, d, want, err, doErr)
				}
				if err != nil {
					if !strings.HasSuffix(doErr.Error(), err.Error()) {
						t.Errorf("%v: %v, Do says %v", op, err, doErr)
					}
					continue
				}
				for i, y := range v.Data().([]float64) {
					if !(math.Abs(out[i]-y) <= 1e-9*(1+math.Abs(y))) {
						t.Fatalf("%v, d %d: element %d is %v, Do has %v", op, d, i, out[i], y)
					}
				}
			}
		}
		c32, out := make([]float32, d*d), make([]float32, d*d)
		for i, v := range cov {
			c32[i] = float32(v)
		}
		for _, op := range directOps {
			in, to, room := []any{c32}, []any{out}, make([]float64, op.Room(d*d))
			if n := testing.AllocsPerRun(10, func() {
				if err := op.Call(in, to, room); err != nil {
					t.Fatal(err)
				}
			}); n > 0 {
				t.Errorf("%v: %v allocations", op, n)
			}
		}
	}
}
