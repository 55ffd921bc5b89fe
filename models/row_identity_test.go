package models_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"driftless/engine"
	"driftless/engine/device/cpu"
	"driftless/engine/program"
	"driftless/models"
	"driftless/models/norm"

	"gonum.org/v1/gonum/mat"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// through is a normalization's result for x, and what the gradient g of the result becomes
// in x. The layer's state holds what values says, where it says something.
func through(t *testing.T, m norm.Method, x, g *mat.Dense, values map[string][]float64, opts ...models.Option) (y, dx *mat.Dense) {
	t.Helper()
	graph := G.NewGraph()
	rows, cols := x.Dims()
	input := func(name string, v *mat.Dense) *G.Node {
		data := slices.Clone(v.RawMatrix().Data)
		return G.NewMatrix(graph, tensor.Float64, G.WithShape(rows, cols), G.WithName(name), G.WithValue(program.NewValue([]int{rows, cols}, data)))
	}
	xn := input("x", x)
	yn, err := models.Normalize(xn, m, opts...)
	must(t, err)
	grads, err := G.Grad(G.Must(G.Sum(G.Must(G.HadamardProd(yn, input("g", g))))), xn)
	must(t, err)
	for _, n := range graph.AllNodes() {
		if v := values[n.Name()]; n.IsVar() && v != nil {
			must(t, G.Let(n, program.NewValue(n.Shape(), slices.Clone(v))))
		}
	}
	var kept [2]G.Value
	G.Read(yn, &kept[0])
	G.Read(grads[0], &kept[1])
	vm := engine.NewVM(graph, cpu.New())
	defer func() { must(t, vm.Close()) }()
	must(t, vm.RunAll())
	return mat.NewDense(rows, cols, kept[0].Data().([]float64)), mat.NewDense(rows, cols, kept[1].Data().([]float64))
}

func normal(rng *rand.Rand, rows, cols int) *mat.Dense {
	out := mat.NewDense(rows, cols, nil)
	out.Apply(func(_, _ int, _ float64) float64 { return rng.NormFloat64() }, out)
	return out
}

func scaled(a float64, x *mat.Dense) *mat.Dense {
	out := new(mat.Dense)
	out.Scale(a, x)
	return out
}

// alike compares matrices.
func alike(t *testing.T, what string, got, want *mat.Dense, tol float64) {
	t.Helper()
	close(t, what, got.RawMatrix().Data, want.RawMatrix().Data, tol)
}

// testEps are the eps of identities that hold for any.
var testEps = []float64{0, 1e-5, 1e-3, 0.5}

// rowIdentities holds what is true of a normalization of rows in groups of w features: of
// x̂ = (x − mean)/s, s = √(mean square + eps) where the mean is that of the group if it is
// taken out, else 0. named gives the method for an eps.
func rowIdentities(t *testing.T, w int, centred bool, named func(eps float64) norm.Method) {
	const rows, cols = 5, 12
	rng := rand.New(rand.NewPCG(1, 2))
	x, g := normal(rng, rows, cols), normal(rng, rows, cols)
	x.Apply(func(_, j int, v float64) float64 { return 2*v + float64(j) }, x)
	for _, eps := range testEps {
		y, dx := through(t, named(eps), x, g, nil)
		for i := range rows {
			for at := 0; at < cols; at += w {
				part := func(m *mat.Dense) []float64 { return m.RawRowView(i)[at:][:w] }
				mean, v, n := 0.0, 0.0, float64(w)
				if centred {
					for _, a := range part(x) {
						mean += a / n
					}
				}
				for _, a := range part(x) {
					v += (a - mean) * (a - mean) / n
				}
				s := math.Sqrt(v + eps)
				var sum, size, dot, scale, total, square float64
				for j, a := range part(x) {
					xh, d := (a-mean)/s, part(dx)[j]
					if math.Abs(part(y)[j]-xh) > 1e-12 {
						t.Fatalf("eps %v: x̂ is %v, want %v", eps, part(y)[j], xh)
					}
					sum, dot = sum+d, dot+xh*d
					size, scale = size+math.Abs(part(g)[j])/s, scale+part(g)[j]*xh
					total, square = total+xh, square+xh*xh/n
				}
				// Nothing of the gradient lies along 1 where the mean is taken out, and along x̂
				// only what eps leaves (sum of g x̂ times eps/(v+eps), over s).
				if centred && (math.Abs(sum) > 1e-13*size || math.Abs(total) > 1e-12) {
					t.Errorf("eps %v: the sum of dx is %g, of x̂ %g", eps, sum, total)
				}
				if want := scale / s * eps / (v + eps); math.Abs(dot-want) > 1e-12*size {
					t.Errorf("eps %v: the sum of x̂ dx is %v, want %v", eps, dot, want)
				}
				if want := v / (v + eps); math.Abs(square-want) > 1e-12 {
					t.Errorf("eps %v: the mean square of x̂ is %v, want %v", eps, square, want)
				}
			}
		}
		// A layer of a times the weights has the same result with a² eps, and 1/a of the gradient.
		for _, a := range []float64{1e-3, 3.7, 1e3, -2} {
			y2, dx2 := through(t, named(a*a*eps), scaled(a, x), g, nil)
			sign := math.Copysign(1, a)
			alike(t, fmt.Sprintf("x̂ of %v x", a), y2, scaled(sign, y), 1e-10)
			alike(t, fmt.Sprintf("dx of %v x", a), scaled(a*sign, dx2), dx, 1e-10)
		}
		// The same added to all units changes nothing, if the mean is taken out.
		moved := mat.DenseCopyOf(x)
		moved.Apply(func(i, _ int, v float64) float64 { return v + float64(i+1) }, moved)
		y3, _ := through(t, named(eps), moved, g, nil)
		y3.Sub(y3, y)
		if d := mat.Norm(y3, 2); (d < 1e-12) != centred {
			t.Errorf("eps %v: a vector added to the weights of all units changes the result by %g", eps, d)
		}
		rowSpectrum(t, eps, w, centred, named(eps))
	}
}

// rowSpectrum: the Jacobian of a group, times s, is symmetric with the eigenvalues 0 (of 1,
// if the mean is taken out), eps/(v+eps) (of x̂) and 1.
func rowSpectrum(t *testing.T, eps float64, w int, centred bool, m norm.Method) {
	t.Helper()
	const cols = 12
	x := mat.NewDense(cols, cols, nil)
	x.Apply(func(_, j int, _ float64) float64 { return math.Sin(float64(3*j + 1)) }, x) // row by row the same
	_, jacobian := through(t, m, x, eye(cols), nil)
	mean, v := 0.0, 0.0
	for _, a := range x.RawRowView(0)[:w] {
		mean += a / float64(w)
	}
	if !centred {
		mean = 0
	}
	for _, a := range x.RawRowView(0)[:w] {
		v += (a - mean) * (a - mean) / float64(w)
	}
	group := mat.NewSymDense(w, nil)
	for i := range w {
		for j := range w {
			if d := jacobian.At(i, j) - jacobian.At(j, i); math.Abs(d) > 1e-12 {
				t.Errorf("eps %v: the Jacobian is not symmetric: %g", eps, d)
			}
			group.SetSym(i, j, jacobian.At(i, j)*math.Sqrt(v+eps))
		}
	}
	var e mat.EigenSym
	if !e.Factorize(group, false) {
		t.Fatal("no eigenvalues")
	}
	want := []float64{eps / (v + eps)}
	if centred {
		want = append(want, 0)
	}
	for len(want) < w {
		want = append(want, 1)
	}
	slices.Sort(want)
	close(t, fmt.Sprintf("eps %v: eigenvalue", eps), e.Values(nil), want, 1e-10)
}

func testLayerNorm(t *testing.T) {
	rowIdentities(t, 12, true, func(eps float64) norm.Method { return norm.Must(fmt.Sprintf("layernorm:eps=%v", eps)) })
}

// testGroupNorm: groups of features; one group is layer normalization; groups that do not
// divide a layer are refused.
func testGroupNorm(t *testing.T) {
	rowIdentities(t, 4, true, func(eps float64) norm.Method { return norm.Must(fmt.Sprintf("groupnorm:groups=3:eps=%v", eps)) })
	rng := rand.New(rand.NewPCG(3, 4))
	x, g := normal(rng, 6, 10), normal(rng, 6, 10)
	y, dx := through(t, norm.Must("groupnorm:groups=1"), x, g, nil)
	y1, dx1 := through(t, norm.Must("layernorm"), x, g, nil)
	alike(t, "x̂ of one group", y, y1, 0)
	alike(t, "dx of one group", dx, dx1, 0)
	for arm, want := range map[string]string{"groupnorm:groups=4": "cannot divide a layer of 6 units", "groupnorm:groups=6": "takes statistics over the units of"} {
		m := small(norm.Must("none"))
		m.Norm = norm.Must(arm)
		if _, err := m.Build(norm.Training, 4); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", arm, err, want)
		}
	}
}

func testRMSNorm(t *testing.T) {
	rowIdentities(t, 12, false, func(eps float64) norm.Method { return norm.Must(fmt.Sprintf("rmsnorm:eps=%v", eps)) })
}
