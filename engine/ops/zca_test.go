package ops

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gorgonia.org/tensor"
)

// zca runs the reference on a float64 covariance.
func zca(t *testing.T, cov []float64, d int, relEps float64) []float64 {
	t.Helper()
	return do(t, ZCAOp{RelEps: relEps}, toValue(cov, tensor.Float64, d, d))
}

// covariance returns the covariance of a batch of m normal samples of d features.
func covariance(t *testing.T, m, d int) []float64 {
	t.Helper()
	x := toValue(normals(newRand(20), m*d), tensor.Float64, m, d)
	mean := toValue(do(t, ColumnMeanOp{}, x), tensor.Float64, d)
	return do(t, CovarianceOp{}, x, mean)
}

// TestZCAWhitens checks A·(cov + εI)·A = I and that A is exactly symmetric, for
// full, degenerate and deficient spectra.
func TestZCAWhitens(t *testing.T) {
	diag := func(values ...float64) []float64 {
		d := len(values)
		m := make([]float64, d*d)
		for i, v := range values {
			m[i*d+i] = v
		}
		return m
	}
	rankOne := make([]float64, 16)
	for i := range rankOne {
		rankOne[i] = 1
	}
	withConstant := covariance(t, 50, 4)
	for i := 0; i < 4; i++ {
		withConstant[4*i+2], withConstant[4*2+i] = 0, 0
	}
	for _, c := range []struct {
		name   string
		cov    []float64
		d      int
		relEps float64
	}{
		{"full rank", covariance(t, 50, 6), 6, 0},
		{"full rank with ridge", covariance(t, 50, 6), 6, 1e-3},
		{"batch smaller than d", covariance(t, 4, 9), 9, 1e-3},
		{"one sample per feature", covariance(t, 6, 6), 6, 1e-2},
		{"rank one", rankOne, 4, 1e-3},
		{"constant feature", withConstant, 4, 1e-3},
		{"identity", diag(1, 1, 1, 1, 1), 5, 0},
		{"multiple of the identity", diag(7, 7, 7), 3, 0.1},
		{"repeated eigenvalue", diag(2, 5, 2, 2), 4, 0},
		{"far apart", diag(1e-6, 1, 1e6), 3, 0},
		{"one feature", diag(3), 1, 0.5},
		{"tiny", diag(1e-200, 2e-200), 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := c.d
			a := zca(t, c.cov, d, c.relEps)
			trace := 0.0
			for i := 0; i < d; i++ {
				trace += c.cov[i*d+i]
			}
			ridged := append([]float64(nil), c.cov...)
			for i := 0; i < d; i++ {
				ridged[i*d+i] += c.relEps * trace / float64(d)
			}
			var product mat.Dense
			product.Product(mat.NewDense(d, d, a), mat.NewDense(d, d, ridged), mat.NewDense(d, d, a))
			for i := 0; i < d; i++ {
				for k := 0; k < d; k++ {
					want := 0.0
					if i == k {
						want = 1
					}
					near(t, fmt.Sprintf("element (%d, %d) of A(cov+εI)A", i, k), product.At(i, k), want, 1e-10)
					if a[i*d+k] != a[k*d+i] {
						t.Errorf("A is not symmetric at (%d, %d): %v, %v", i, k, a[i*d+k], a[k*d+i])
					}
				}
			}
		})
	}
}

// TestZCAIsBasisFree checks that A follows a rotation of the features,
// A(QᵀΣQ) = QᵀA(Σ)Q, also where eigenvalues repeat, and their scale,
// A(a²Σ) = A(Σ)/a. Dependence on the sign or order of eigenvectors would break
// both.
func TestZCAIsBasisFree(t *testing.T) {
	const d = 5
	for _, relEps := range []float64{0, 1e-3} {
		for name, cov := range map[string][]float64{
			"distinct": covariance(t, 40, d),
			"repeated": {2, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 3},
		} {
			t.Run(fmt.Sprintf("%s/%v", name, relEps), func(t *testing.T) {
				a := zca(t, cov, d, relEps)
				var qr mat.QR
				qr.Factorize(mat.NewDense(d, d, normals(newRand(21), d*d)))
				var q, rotated, want mat.Dense
				qr.QTo(&q)
				rotated.Product(q.T(), mat.NewDense(d, d, cov), &q)
				want.Product(q.T(), mat.NewDense(d, d, a), &q)
				close64(t, "rotated", zca(t, rotated.RawMatrix().Data, d, relEps), want.RawMatrix().Data, 1e-12*maxAbs(a))
				close64(t, "scaled", zca(t, times(1e6, cov), d, relEps), times(1e-3, a), 1e-14*maxAbs(a))
			})
		}
	}
}

// TestZCAErrors checks covariances that cannot be whitened.
func TestZCAErrors(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		name   string
		cov    []float64
		relEps float64
		want   string
	}{
		{"NaN", []float64{1, 0, 0, nan}, 1e-3, "element (1, 1) is NaN"},
		{"NaN off the diagonal", []float64{1, 0, nan, 1}, 1e-3, "element (0, 1) is NaN"},
		{"Inf", []float64{inf, 0, 0, 1}, 1e-3, "element (0, 0) is +Inf"},
		{"overflowing trace", []float64{1e308, 0, 0, 1e308}, 1e-3, "trace overflows"},
		{"zero", []float64{0, 0, 0, 0}, 1e-3, "trace is 0"},
		{"singular", []float64{1, 1, 1, 1}, 0, "singular"},
		{"negative", []float64{1, 0, 0, -0.5}, 1e-3, "singular"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, dt := range bothDtypes {
				if dt == tensor.Float32 && c.name == "overflowing trace" {
					continue // it is Inf before it gets here
				}
				_, err := ZCAOp{RelEps: c.relEps}.Do(toValue(c.cov, dt, 2, 2))
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "ZCA{relEps") {
					t.Errorf("%v: got error %v, want one with %q", dt, err, c.want)
				}
			}
		})
	}
}

// TestCovariance compares with the textbook formula E[xy] - E[x]E[y].
func TestCovariance(t *testing.T) {
	const m, d = 9, 4
	x := normals(newRand(20), m*d)
	got := covariance(t, m, d)
	for j := 0; j < d; j++ {
		for k := 0; k < d; k++ {
			var sj, sk, sjk float64
			for i := 0; i < m; i++ {
				sj += x[i*d+j]
				sk += x[i*d+k]
				sjk += x[i*d+j] * x[i*d+k]
			}
			near(t, fmt.Sprintf("element (%d, %d)", j, k), got[j*d+k], sjk/m-sj/m*sk/m, 1e-14)
		}
	}
}

// TestZCAGradOfRepeatedEigenvalues holds the gradient against central differences where
// eigenvalues repeat, and eigenvectors with them are any.
func TestZCAGradOfRepeatedEigenvalues(t *testing.T) {
	const d, relEps, h = 4, 1e-2, 1e-5
	cov := make([]float64, d*d)
	for i, v := range []float64{2, 5, 2, 2} {
		cov[i*d+i] = v
	}
	g := normals(newRand(3), d*d)
	got := do(t, ZCAGradOp{RelEps: relEps}, toValue(cov, tensor.Float64, d, d), toValue(g, tensor.Float64, d, d))
	for i := range cov {
		along := func(step float64) (sum float64) {
			moved := append([]float64(nil), cov...)
			moved[i] += step
			for k, a := range zca(t, moved, d, relEps) {
				sum += g[k] * a
			}
			return sum
		}
		near(t, fmt.Sprintf("dcov[%d]", i), got[i], (along(h)-along(-h))/(2*h), 1e-8)
	}
}
