package ops

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// standardized is one differentiated standardization of x [m,d].
type standardized struct {
	m, d     int
	x, g     []float64
	xhat, dx []float64
}

// standardize runs Standardize on Gorgonia's machine, with g as the gradient of
// its output.
func standardize(t *testing.T, dt tensor.Dtype, x, g []float64, m, d int, eps float64) standardized {
	t.Helper()
	graph := G.NewGraph()
	xn := input(graph, "x", toValue(x, dt, m, d))
	xhat := must(Standardize(xn, eps))(t)
	grads := must(G.Grad(contract(t, xhat, g), xn))(t)
	out := run(t, "TapeMachine", xhat, grads[0])
	return standardized{m: m, d: d, x: x, g: g, xhat: out[0], dx: out[1]}
}

// column returns column j of a matrix [m,d].
func (s standardized) column(x []float64, j int) []float64 {
	c := make([]float64, s.m)
	for i := range c {
		c[i] = x[i*s.d+j]
	}
	return c
}

// sums returns sum(a), sum(|a|) and sum(a·b).
func sums(a, b []float64) (sum, abs, dot float64) {
	for i := range a {
		sum += a[i]
		abs += math.Abs(a[i])
		dot += a[i] * b[i]
	}
	return sum, abs, dot
}

// near fails unless |got-want| <= tol.
func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s is %v, want %v within %.3g, off by %.3g", what, got, want, tol, math.Abs(got-want))
	}
}

var testEps = []float64{0, 1e-5, 1e-3, 0.5}

// TestStandardizeIdentities checks what holds for every batch of batch
// normalization: sum(xhat) = 0, mean(xhat²) = v/(v+eps), sum(dx) = 0,
// sum(xhat·dx) = (Gam/s)·eps/(v+eps) with Gam = sum(g·xhat), and the norm of dx.
func TestStandardizeIdentities(t *testing.T) {
	const m, d = 60, 8
	for _, eps := range testEps {
		t.Run(fmt.Sprint(eps), func(t *testing.T) {
			r := newRand(3)
			s := standardize(t, tensor.Float64, normals(r, m*d), normals(r, m*d), m, d, eps)
			for j := 0; j < d; j++ {
				xhat, dx, g := s.column(s.xhat, j), s.column(s.dx, j), s.column(s.g, j)
				_, v := columnMoments(s.x, m, d, j)
				sd := math.Sqrt(v + eps)

				sumXhat, _, squares := sums(xhat, xhat)
				near(t, "sum(xhat)", sumXhat, 0, 1e-12)
				near(t, "mean(xhat²)", squares/m, v/(v+eps), 1e-13)

				sumG, absG, gam := sums(g, xhat)
				sumDx, _, normDx := sums(dx, dx)
				near(t, "sum(dx)", sumDx, 0, 1e-13*absG/sd)

				ratio := eps / (v + eps)
				scale := 0.0
				for i := range g {
					scale += math.Abs(g[i] * xhat[i])
				}
				_, _, xhatDx := sums(xhat, dx)
				near(t, "sum(xhat·dx)", xhatDx, gam/sd*ratio, 1e-12*scale/sd)

				// dx is g/s without its component along 1 and with that along xhat
				// times eps/(v+eps).
				_, _, normG := sums(g, g)
				want := (normG - sumG*sumG/m - (1-ratio*ratio)*gam*gam/squares) / (sd * sd)
				near(t, "|dx|²", normDx, want, 1e-12*normG/(sd*sd))
			}
		})
	}
}

// TestStandardizeFloat32 checks sum(dx) = 0 to the rounding of float32.
func TestStandardizeFloat32(t *testing.T) {
	const m, d = 60, 200
	r := newRand(4)
	s := standardize(t, tensor.Float32, normals(r, m*d), normals(r, m*d), m, d, 1e-5)
	for j := 0; j < d; j++ {
		_, v := columnMoments(s.x, m, d, j)
		_, absG, _ := sums(s.column(s.g, j), s.column(s.g, j))
		sum, _, _ := sums(s.column(s.dx, j), s.column(s.dx, j))
		near(t, fmt.Sprintf("sum(dx) of column %d", j), sum, 0, 16*0x1p-24*absG/math.Sqrt(v+1e-5))
	}
}

// TestStandardizeFarFromZero: no rounding of the mean to float32 shows in what is left
// without it.
func TestStandardizeFarFromZero(t *testing.T) {
	x := []float64{1e6, 1e6 + .0625, 1e6 + .125, 1e6 + .1875}
	g := []float64{1, 2, 5, 10}
	s := standardize(t, tensor.Float32, x, g, 4, 1, 1e-5)
	for i, deviation := range []float64{-.09375, -.03125, .03125, .09375} {
		want := deviation / math.Sqrt(.0048828125+1e-5)
		near(t, "xhat", s.xhat[i], want, 4*0x1p-24*math.Abs(want))
	}
	sum, _, _ := sums(s.dx, s.dx)
	near(t, "sum(dx)", sum, 0, 16*0x1p-24*18/math.Sqrt(.0048828125+1e-5))
}

// TestStandardizeSmallBatches checks one row (nothing is left to normalize) and
// two (xhat is ±h/sqrt(h²+eps), h half their difference).
func TestStandardizeSmallBatches(t *testing.T) {
	for _, d := range []int{1, 3} {
		t.Run(fmt.Sprintf("m=1 d=%d", d), func(t *testing.T) {
			r := newRand(5)
			x, g := normals(r, d), normals(r, d)
			graph := G.NewGraph()
			xn := matrix64(graph, "x", x, 1, d)
			gamma, beta := vector64(graph, "gamma", normals(r, d)), vector64(graph, "beta", normals(r, d))
			xhat := must(Standardize(xn, 1e-5))(t)
			y := must(Affine(xhat, gamma, beta))(t)
			grads := must(G.Grad(contract(t, y, g), xn, gamma, beta))(t)
			out := run(t, "TapeMachine", append([]*G.Node{xhat, y}, grads...)...)
			zero := make([]float64, d)
			close64(t, "xhat", out[0], zero, 0)
			close64(t, "y", out[1], floats(t, beta.Value()), 0)
			close64(t, "dx", out[2], zero, 0)
			close64(t, "dgamma", out[3], zero, 0)
			close64(t, "dbeta", out[4], g, 0)
		})
		for _, eps := range testEps {
			t.Run(fmt.Sprintf("m=2 d=%d eps=%v", d, eps), func(t *testing.T) {
				r := newRand(6)
				s := standardize(t, tensor.Float64, normals(r, 2*d), normals(r, 2*d), 2, d, eps)
				for j := 0; j < d; j++ {
					h := (s.x[j] - s.x[d+j]) / 2
					want := h / math.Sqrt(h*h+eps)
					near(t, "xhat of row 1", s.xhat[j], want, 1e-15*math.Abs(1/h))
					near(t, "xhat of row 2", s.xhat[d+j], -want, 1e-15*math.Abs(1/h))
					// The only direction left, that of xhat, is multiplied by eps/(v+eps).
					sd := math.Sqrt(h*h + eps)
					dx := (s.g[j] - s.g[d+j]) / 2 * eps / (h*h + eps) / sd
					tol := 1e-14 * (math.Abs(s.g[j]) + math.Abs(s.g[d+j])) / (sd * math.Abs(h))
					near(t, "dx of row 1", s.dx[j], dx, tol)
					near(t, "dx of row 2", s.dx[d+j], -dx, tol)
				}
			})
		}
	}
}

// TestStandardizeSpectrum checks the Jacobian of Standardize, row by row from the
// gradients of unit vectors: symmetric, and times s its eigenvalues are 0 (along
// 1), eps/(v+eps) (along xhat) and 1 (m-2 times).
func TestStandardizeSpectrum(t *testing.T) {
	const m = 12
	x := normals(newRand(8), m)
	_, v := columnMoments(x, m, 1, 0)
	for _, eps := range testEps {
		t.Run(fmt.Sprint(eps), func(t *testing.T) {
			sd := math.Sqrt(v + eps)
			jacobian := mat.NewDense(m, m, nil)
			var xhat []float64
			for i := 0; i < m; i++ {
				unit := make([]float64, m)
				unit[i] = 1
				s := standardize(t, tensor.Float64, x, unit, m, 1, eps)
				jacobian.SetRow(i, s.dx)
				xhat = s.xhat
			}
			sym := mat.NewSymDense(m, nil)
			for i := 0; i < m; i++ {
				for k := i; k < m; k++ {
					near(t, "asymmetry", jacobian.At(i, k)-jacobian.At(k, i), 0, 1e-13/sd)
					sym.SetSym(i, k, jacobian.At(i, k)*sd)
				}
			}
			var eigen mat.EigenSym
			if !eigen.Factorize(sym, false) {
				t.Fatal("the eigenvalue iteration did not converge")
			}
			want := []float64{0, eps / (v + eps)}
			for len(want) < m {
				want = append(want, 1)
			}
			close64(t, "spectrum", eigen.Values(nil), want, 1e-10)

			var along mat.VecDense
			along.MulVec(jacobian, mat.NewVecDense(m, xhat))
			for i := range xhat {
				near(t, "J·xhat", along.AtVec(i), xhat[i]*eps/(v+eps)/sd, 1e-12)
			}
		})
	}
}

// layer is x = u·w + b followed by a normalization, differentiated in w and b.
type layer struct{ xhat, dw, db []float64 }

// runLayer runs the layer with g as the gradient of the normalization's output.
func runLayer(t *testing.T, u, w, b, g []float64, m, n, d int, norm func(x *G.Node) *G.Node) layer {
	t.Helper()
	graph := G.NewGraph()
	un, wn, bn := matrix64(graph, "u", u, m, n), matrix64(graph, "w", w, n, d), vector64(graph, "b", b)
	x := must(G.Add(must(G.Mul(un, wn))(t), must(BroadcastRows(bn, m))(t)))(t)
	xhat := norm(x)
	grads := must(G.Grad(contract(t, xhat, g), wn, bn))(t)
	out := run(t, "TapeMachine", xhat, grads[0], grads[1])
	return layer{out[0], out[1], out[2]}
}

// TestScaleInvariance checks, for a layer x = u·w, that with eps scaled along the
// output does not depend on the scale of w and its gradient is 1/|a| times as
// large, that a negative factor flips the sign of xhat, and that
// <w, dw> = Gam·eps/(v+eps) for every unit.
func TestScaleInvariance(t *testing.T) {
	const m, n, d = 40, 6, 5
	r := newRand(9)
	u, w, g, b := normals(r, m*n), normals(r, n*d), normals(r, m*d), make([]float64, d)
	x := make([]float64, m*d)
	for i := 0; i < m; i++ {
		for j := 0; j < d; j++ {
			for k := 0; k < n; k++ {
				x[i*d+j] += u[i*n+k] * w[k*d+j]
			}
		}
	}
	at := func(a, eps float64) layer {
		return runLayer(t, u, times(a, w), b, g, m, n, d, func(x *G.Node) *G.Node {
			return must(Standardize(x, a*a*eps))(t)
		})
	}
	for _, eps := range testEps {
		base := at(1, eps)
		for _, a := range []float64{1e-3, 3.7, 1e3, -1, -3.7} {
			t.Run(fmt.Sprintf("eps=%v a=%v", eps, a), func(t *testing.T) {
				got := at(a, eps)
				xhat, dw := times(math.Copysign(1, a), base.xhat), times(1/math.Abs(a), base.dw)
				close64(t, "xhat", got.xhat, xhat, 1e-12*maxAbs(xhat))
				close64(t, "dw", got.dw, dw, 1e-12*maxAbs(dw))
			})
		}
		for j := 0; j < d; j++ {
			_, v := columnMoments(x, m, d, j)
			gam, scale, wdw := 0.0, 0.0, 0.0
			for i := 0; i < m; i++ {
				gam += g[i*d+j] * base.xhat[i*d+j]
				scale += math.Abs(g[i*d+j] * base.xhat[i*d+j])
			}
			for k := 0; k < n; k++ {
				wdw += w[k*d+j] * base.dw[k*d+j]
			}
			near(t, fmt.Sprintf("eps=%v: <w,dw> of unit %d", eps, j), wdw, gam*eps/(v+eps), 1e-12*scale)
		}
	}
}

// times returns a·x.
func times(a float64, x []float64) []float64 {
	y := make([]float64, len(x))
	for i := range x {
		y[i] = a * x[i]
	}
	return y
}

// TestStatisticsInAndOutsideTheGraph is the point of the project. The same
// normalization of the same numbers has two gradients. With the statistics in
// the graph, written out as ColumnMean, ColumnVar and NormalizeBy, it is that of
// Standardize, and a bias receives nothing. With the statistics as input nodes
// that hold the same numbers, the value is the same, but the bias receives
// sum(g)/s and the weights the force that belongs to it.
func TestStatisticsInAndOutsideTheGraph(t *testing.T) {
	const m, n, d, eps = 30, 4, 5, 1e-3
	r := newRand(10)
	u, w, b, g := normals(r, m*n), normals(r, n*d), normals(r, d), normals(r, m*d)
	var means, variances []float64
	sd, sumG, absG := make([]float64, d), make([]float64, d), make([]float64, d)
	x := make([]float64, m*d)
	for i := 0; i < m; i++ {
		for j := 0; j < d; j++ {
			x[i*d+j] = b[j]
			for k := 0; k < n; k++ {
				x[i*d+j] += u[i*n+k] * w[k*d+j]
			}
			sumG[j] += g[i*d+j]
			absG[j] += math.Abs(g[i*d+j])
		}
	}
	for j := 0; j < d; j++ {
		mean, v := columnMoments(x, m, d, j)
		means, variances = append(means, mean), append(variances, v)
		sd[j] = math.Sqrt(v + eps)
	}

	fused := runLayer(t, u, w, b, g, m, n, d, func(x *G.Node) *G.Node { return must(Standardize(x, eps))(t) })
	inside := runLayer(t, u, w, b, g, m, n, d, func(x *G.Node) *G.Node {
		mean := must(ColumnMean(x))(t)
		return must(NormalizeBy(x, mean, must(ColumnVar(x, mean))(t), eps))(t)
	})
	outside := runLayer(t, u, w, b, g, m, n, d, func(x *G.Node) *G.Node {
		return must(NormalizeBy(x, vector64(x.Graph(), "mean", means), vector64(x.Graph(), "variance", variances), eps))(t)
	})

	close64(t, "value inside", inside.xhat, fused.xhat, 1e-12*maxAbs(fused.xhat))
	close64(t, "value outside", outside.xhat, fused.xhat, 1e-12*maxAbs(fused.xhat))
	close64(t, "dw inside", inside.dw, fused.dw, 1e-12*maxAbs(fused.dw))
	for j := 0; j < d; j++ {
		near(t, "db of Standardize", fused.db[j], 0, 1e-13*absG[j]/sd[j])
		near(t, "db inside", inside.db[j], 0, 1e-12*absG[j]/sd[j])
		near(t, "db outside", outside.db[j], sumG[j]/sd[j], 1e-12*absG[j]/sd[j])
		if math.Abs(outside.db[j]) < 1e-3 {
			t.Errorf("db outside is %v; the draw hides the effect", outside.db[j])
		}
	}
	force := make([]float64, n*d) // sum of g·u/s, with neither mean nor scale taken out
	for i := 0; i < m; i++ {
		for k := 0; k < n; k++ {
			for j := 0; j < d; j++ {
				force[k*d+j] += u[i*n+k] * g[i*d+j] / sd[j]
			}
		}
	}
	close64(t, "dw outside", outside.dw, force, 1e-12*maxAbs(force))
}

// TestCenterInAndOutsideTheGraph is the same for centring alone: Center equals
// CenterBy of ColumnMean, and with a given mean the bias receives sum(g).
func TestCenterInAndOutsideTheGraph(t *testing.T) {
	const m, d = 20, 4
	r := newRand(12)
	x, g := normals(r, m*d), normals(r, m*d)
	gradient := func(center func(x *G.Node) *G.Node) (y, dx []float64) {
		xn := matrix64(G.NewGraph(), "x", x, m, d)
		yn := center(xn)
		out := run(t, "TapeMachine", yn, must(G.Grad(contract(t, yn, g), xn))(t)[0])
		return out[0], out[1]
	}
	y, dx := gradient(func(x *G.Node) *G.Node { return must(Center(x))(t) })
	inside, dxInside := gradient(func(x *G.Node) *G.Node { return must(CenterBy(x, must(ColumnMean(x))(t)))(t) })
	outside, dxOutside := gradient(func(xn *G.Node) *G.Node {
		mean := do(t, ColumnMeanOp{}, toValue(x, tensor.Float64, m, d))
		return must(CenterBy(xn, vector64(xn.Graph(), "mean", mean)))(t)
	})
	close64(t, "value inside", inside, y, 1e-14)
	close64(t, "value outside", outside, y, 1e-14)
	close64(t, "dx inside", dxInside, dx, 1e-14)
	close64(t, "dx outside", dxOutside, g, 0)
	for _, sum := range do(t, ColumnSumOp{}, toValue(dx, tensor.Float64, m, d)) {
		near(t, "sum(dx)", sum, 0, 1e-13)
	}
}
