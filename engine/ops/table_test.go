package ops

import (
	"math"
	"math/rand/v2"

	"driftless/kernels/conv"
	"driftless/kernels/ngsgd"
	"driftless/kernels/whiten"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// opCase describes an operation to the generic tests.
type opCase struct {
	name  string
	args  []arg
	build func(n []*G.Node) (*G.Node, error)
	bad   [][]tensor.Shape // shapes of the arguments that must be refused
	noSym bool             // SymDiff returns an error by design
}

// arg is one argument of the operation under test.
type arg struct {
	name  string
	shape tensor.Shape
	fill  func(r *rand.Rand, i int) float64
	wrt   bool // Grad must give its gradient
}

func gaussian(r *rand.Rand, _ int) float64 { return r.NormFloat64() }
func positive(r *rand.Rand, _ int) float64 { return 0.3 + r.Float64() }
func class(_ *rand.Rand, i int) float64    { return float64(i * 7 % testK) }

const (
	testM = 5 // rows
	testD = 3 // columns
	testK = 4 // classes
)

var (
	sMat  = tensor.Shape{testM, testD}
	sCol  = tensor.Shape{testD} // one element per column
	sRow  = tensor.Shape{testM} // one element per row
	sLog  = tensor.Shape{testM, testK}
	sSqr  = tensor.Shape{testD, testD}
	sOne  = tensor.Shape{1}
	sNone = tensor.Shape{}

	sGroups = tensor.Shape{testM, 4} // two groups of two columns
	sBlocks = tensor.Shape{4, 2}     // their blocks
)

func matrixArg(name string) arg              { return arg{name, sMat, gaussian, true} }
func columnArg(name string) arg              { return arg{name, sCol, gaussian, true} }
func varianceArg(name string) arg            { return arg{name, sCol, positive, true} }
func stepsArg() arg                          { return arg{"steps", sOne, func(*rand.Rand, int) float64 { return 3 }, false} }
func logits() arg                            { return arg{"logits", sLog, gaussian, true} }
func labels() arg                            { return arg{"labels", sRow, class, false} }
func constant(a arg) arg                     { a.wrt = false; return a }
func each(ss ...tensor.Shape) []tensor.Shape { return ss }

// badMatrix are shapes refused where a single matrix is wanted.
var badMatrix = [][]tensor.Shape{each(sCol), each(sNone), each(tensor.Shape{2, 3, 4})}

// badColumns are shapes refused for a matrix and a vector of its columns.
var badColumns = [][]tensor.Shape{
	each(sCol, sCol), each(sMat, sRow), each(sMat, sMat), each(sMat, sNone), each(sMat, tensor.Shape{testD, 1}),
}

// badColumns2 are shapes refused for a matrix and two vectors of its columns.
var badColumns2 = [][]tensor.Shape{
	each(sCol, sCol, sCol), each(sMat, sRow, sCol), each(sMat, sCol, sRow), each(sMat, sCol, sNone), each(sMat, sMat, sCol),
}

// badLabels are shapes refused for logits and labels.
var badLabels = [][]tensor.Shape{
	each(sRow, sRow), each(sLog, tensor.Shape{testK}), each(sLog, sLog), each(sLog, tensor.Shape{testM, 1}), each(sLog, sNone),
}

var opCases = []opCase{
	{
		name: "Center", args: []arg{matrixArg("x")}, bad: badMatrix,
		build: func(n []*G.Node) (*G.Node, error) { return Center(n[0]) },
	}, {
		name: "Standardize", args: []arg{matrixArg("x")}, bad: badMatrix,
		build: func(n []*G.Node) (*G.Node, error) { return Standardize(n[0], 1e-3) },
	}, {
		name: "StandardizeGrad", args: []arg{matrixArg("x"), matrixArg("xhat"), matrixArg("g")}, noSym: true,
		bad:   [][]tensor.Shape{each(sCol, sCol, sCol), each(sMat, sLog, sMat), each(sMat, sMat, sCol)},
		build: func(n []*G.Node) (*G.Node, error) { return StandardizeGrad(n[0], n[1], n[2], 1e-3) },
	}, {
		name: "Rescale", args: []arg{matrixArg("x")}, bad: badMatrix,
		build: func(n []*G.Node) (*G.Node, error) { return Rescale(n[0], 1e-3) },
	}, {
		name: "RescaleGrad", args: []arg{matrixArg("x"), matrixArg("y"), matrixArg("g")}, noSym: true,
		bad:   [][]tensor.Shape{each(sCol, sCol, sCol), each(sMat, sLog, sMat), each(sMat, sMat, sCol)},
		build: func(n []*G.Node) (*G.Node, error) { return RescaleGrad(n[0], n[1], n[2], 1e-3) },
	}, {
		name: "ColumnSum", args: []arg{matrixArg("x")}, bad: badMatrix,
		build: func(n []*G.Node) (*G.Node, error) { return ColumnSum(n[0]) },
	}, {
		name: "ColumnMean", args: []arg{matrixArg("x")}, bad: badMatrix,
		build: func(n []*G.Node) (*G.Node, error) { return ColumnMean(n[0]) },
	}, {
		name: "ColumnVar", args: []arg{matrixArg("x"), columnArg("mean")}, bad: badColumns,
		build: func(n []*G.Node) (*G.Node, error) { return ColumnVar(n[0], n[1]) },
	}, {
		name: "ColumnDot", args: []arg{matrixArg("a"), matrixArg("b")},
		bad:   [][]tensor.Shape{each(sCol, sCol), each(sMat, sLog), each(sMat, sCol)},
		build: func(n []*G.Node) (*G.Node, error) { return ColumnDot(n[0], n[1]) },
	}, {
		name: "BroadcastRows", args: []arg{columnArg("v")}, bad: [][]tensor.Shape{each(sMat), each(sNone)},
		build: func(n []*G.Node) (*G.Node, error) { return BroadcastRows(n[0], testM) },
	}, {
		name: "Scale", args: []arg{matrixArg("x")},
		build: func(n []*G.Node) (*G.Node, error) { return Scale(n[0], -0.7) },
	}, {
		name: "Scale of a scalar", args: []arg{{"x", sNone, gaussian, true}},
		build: func(n []*G.Node) (*G.Node, error) { return Scale(n[0], -0.7) },
	}, {
		name: "ScaleBy", args: []arg{matrixArg("x"), varianceArg("variance")}, bad: badColumns,
		build: func(n []*G.Node) (*G.Node, error) { return ScaleBy(n[0], n[1], 0.1) },
	}, {
		name: "ScaleColumns", args: []arg{matrixArg("x"), columnArg("gamma")}, bad: badColumns,
		build: func(n []*G.Node) (*G.Node, error) { return ScaleColumns(n[0], n[1]) },
	}, {
		name: "CenterBy", args: []arg{matrixArg("x"), columnArg("mean")}, bad: badColumns,
		build: func(n []*G.Node) (*G.Node, error) { return CenterBy(n[0], n[1]) },
	}, {
		name: "NormalizeBy", args: []arg{matrixArg("x"), columnArg("mean"), varianceArg("variance")}, bad: badColumns2,
		build: func(n []*G.Node) (*G.Node, error) { return NormalizeBy(n[0], n[1], n[2], 0.1) },
	}, {
		name: "Affine", args: []arg{matrixArg("xhat"), columnArg("gamma"), columnArg("beta")}, bad: badColumns2,
		build: func(n []*G.Node) (*G.Node, error) { return Affine(n[0], n[1], n[2]) },
	}, {
		name: "ReLU", args: []arg{matrixArg("x")}, bad: badMatrix,
		build: func(n []*G.Node) (*G.Node, error) { return ReLU(n[0]) },
	}, {
		name: "ReLUGrad", args: []arg{constant(matrixArg("y")), matrixArg("g")},
		bad:   [][]tensor.Shape{each(sCol, sCol), each(sMat, sLog), each(sMat, sCol)},
		build: func(n []*G.Node) (*G.Node, error) { return ReLUGrad(n[0], n[1]) },
	}, {
		name: "CrossEntropy", args: []arg{logits(), labels()}, bad: badLabels,
		build: func(n []*G.Node) (*G.Node, error) { return CrossEntropy(n[0], n[1]) },
	}, {
		name: "CrossEntropyGrad", args: []arg{logits(), labels(), {"g", sNone, gaussian, true}}, noSym: true,
		bad:   [][]tensor.Shape{each(sLog, sCol, sNone), each(sLog, sRow, sRow), each(sRow, sRow, sNone)},
		build: func(n []*G.Node) (*G.Node, error) { return CrossEntropyGrad(n[0], n[1], n[2]) },
	}, {
		name: "CrossEntropyRows", args: []arg{logits(), labels()}, bad: badLabels,
		build: func(n []*G.Node) (*G.Node, error) { return CrossEntropyRows(n[0], n[1]) },
	}, {
		name: "CrossEntropyRowsGrad", args: []arg{logits(), labels(), {"g", sRow, gaussian, true}}, noSym: true,
		bad:   [][]tensor.Shape{each(sLog, sCol, sRow), each(sLog, sRow, sCol), each(sLog, sRow, sNone)},
		build: func(n []*G.Node) (*G.Node, error) { return CrossEntropyRowsGrad(n[0], n[1], n[2]) },
	}, {
		name: "Correct", args: []arg{constant(logits()), labels()}, bad: badLabels,
		build: func(n []*G.Node) (*G.Node, error) { return Correct(n[0], n[1]) },
	}, {
		name: "EMA", args: []arg{columnArg("old"), columnArg("new")},
		bad:   [][]tensor.Shape{each(sCol, sRow), each(sCol, sMat), each(sCol, tensor.Shape{testD, 1})},
		build: func(n []*G.Node) (*G.Node, error) { return EMA(n[0], n[1], 0.1, 1.25) },
	}, {
		name: "RenormScale", args: []arg{constant(varianceArg("variance")), constant(varianceArg("running")), stepsArg()},
		bad:   [][]tensor.Shape{each(sMat, sCol, sOne), each(sCol, sRow, sOne), each(sCol, sCol, sCol), each(sCol, sCol, sNone)},
		build: func(n []*G.Node) (*G.Node, error) { return RenormScale(n[0], n[1], n[2], 1e-3, Ramp{1.5, 1, 5}) },
	}, {
		name: "RenormShift", args: []arg{constant(columnArg("mean")), constant(columnArg("running")), constant(varianceArg("variance")), stepsArg()},
		bad:   [][]tensor.Shape{each(sMat, sCol, sCol, sOne), each(sCol, sCol, sRow, sOne), each(sCol, sCol, sCol, sCol)},
		build: func(n []*G.Node) (*G.Node, error) { return RenormShift(n[0], n[1], n[2], n[3], 1e-3, Ramp{0.5, 1, 5}) },
	}, {
		name: "EMARows", args: []arg{columnArg("old"), matrixArg("new")}, noSym: true,
		bad:   [][]tensor.Shape{each(sRow, sMat), each(sCol, sCol), each(sMat, sMat)},
		build: func(n []*G.Node) (*G.Node, error) { return EMARows(n[0], n[1], 0.1, 1.25) },
	}, {
		name: "EMA of matrices", args: []arg{matrixArg("old"), matrixArg("new")},
		build: func(n []*G.Node) (*G.Node, error) { return EMA(n[0], n[1], 0.3, 1) },
	}, {
		name: "SquaredDeviation", args: []arg{matrixArg("x"), columnArg("mean")}, bad: badColumns,
		build: func(n []*G.Node) (*G.Node, error) { return SquaredDeviation(n[0], n[1]) },
	}, {
		name: "Covariance", args: []arg{matrixArg("x"), columnArg("mean")}, bad: badColumns,
		build: func(n []*G.Node) (*G.Node, error) { return Covariance(n[0], n[1]) },
	}, {
		name: "ZCA", args: []arg{{"cov", sSqr, diagonal, true}},
		bad:   [][]tensor.Shape{each(sMat), each(sCol), each(sNone)},
		build: func(n []*G.Node) (*G.Node, error) { return ZCA(n[0], 1e-3) },
	}, {
		name: "ZCAGrad", args: []arg{{"cov", sSqr, diagonal, true}, {"g", sSqr, gaussian, true}}, noSym: true,
		bad:   [][]tensor.Shape{each(sMat, sMat), each(sSqr, sMat), each(sCol, sCol)},
		build: func(n []*G.Node) (*G.Node, error) { return ZCAGrad(n[0], n[1], 1e-3) },
	}, {
		name: "Precision", args: []arg{{"cov", sSqr, diagonal, true}}, noSym: true,
		bad:   [][]tensor.Shape{each(sMat), each(sCol), each(sNone)},
		build: func(n []*G.Node) (*G.Node, error) { return Precision(n[0], 1e-3) },
	}, {
		name: "SubOuter", args: []arg{matrixArg("x"), {"rows", sRow, gaussian, true}, columnArg("columns")}, noSym: true,
		bad:   [][]tensor.Shape{each(sMat, sCol, sCol), each(sMat, sRow, sRow), each(sRow, sRow, sCol), each(sMat, sMat, sCol)},
		build: func(n []*G.Node) (*G.Node, error) { return SubOuter(n[0], n[1], n[2]) },
	}, {
		name: "Rows", args: []arg{constant(matrixArg("x"))}, bad: [][]tensor.Shape{each(sCol), each(tensor.Shape{2, 3})},
		build: func(n []*G.Node) (*G.Node, error) { return Rows(n[0], 1, 4) },
	}, {
		name: "Row", args: []arg{constant(matrixArg("x"))}, bad: [][]tensor.Shape{each(sCol), each(tensor.Shape{2, 3})},
		build: func(n []*G.Node) (*G.Node, error) { return Row(n[0], 2) },
	}, {
		name: "FactorStart", args: []arg{{"factor", sFac, zero, false}, constant(matrixArg("x"))},
		bad:   [][]tensor.Shape{each(sMat, sMat), each(sFac, sLog), each(sFac, sCol), each(tensor.Shape{6, 3}, sMat)},
		build: func(n []*G.Node) (*G.Node, error) { return FactorStart(n[0], n[1], testRule) },
	}, {
		name: "FactorNext", args: []arg{{"factor", sFac, factorOf, false}, constant(matrixArg("x"))},
		build: func(n []*G.Node) (*G.Node, error) { return FactorNext(n[0], n[1], testRule) },
	}, {
		name: "FactorShrink", args: []arg{{"h", tensor.Shape{testM, 2}, gaussian, true}, {"factor", sFac, factorOf, true}}, noSym: true,
		bad:   [][]tensor.Shape{each(sMat, sFac), each(sCol, sFac), each(tensor.Shape{testM, 2}, tensor.Shape{3, 2})},
		build: func(n []*G.Node) (*G.Node, error) { return FactorShrink(n[0], n[1], 4) },
	}, {
		name: "FactorNorm", args: []arg{matrixArg("x"), {"h", tensor.Shape{testM, 2}, smaller, true}, {"y", tensor.Shape{testM, 2}, smaller, true}}, noSym: true,
		bad:   [][]tensor.Shape{each(sMat, sMat, sLog), each(sMat, sCol, sCol), each(sMat, tensor.Shape{2, 2}, tensor.Shape{2, 2})},
		build: func(n []*G.Node) (*G.Node, error) { return FactorNorm(n[0], n[1], n[2], true) },
	}, {
		name: "LeaveOneOut", args: []arg{{"gram", sSqr, diagonal, true}}, noSym: true, bad: [][]tensor.Shape{each(sMat), each(sCol)},
		build: func(n []*G.Node) (*G.Node, error) { return LeaveOneOut(n[0], 4, 5, true) },
	}, {
		name: "GroupProduct", args: []arg{{"x", sGroups, gaussian, true}, {"a", sBlocks, gaussian, true}},
		bad:   [][]tensor.Shape{each(sGroups, sGroups), each(sGroups, tensor.Shape{3, 3}), each(sCol, sBlocks), each(sGroups, sCol), each(sGroups, tensor.Shape{4, 3})},
		build: func(n []*G.Node) (*G.Node, error) { return GroupProduct(n[0], n[1]) },
	}, {
		name: "GroupProduct", args: []arg{{"x", sGroups, gaussian, true}, {"a", sBlocks, gaussian, true}}, noSym: true,
		build: func(n []*G.Node) (*G.Node, error) {
			return apply(GroupProductOp{Factor: whiten.Both, Scale: 0.3}, n...)
		},
	}, {
		name: "GroupOuter", args: []arg{{"x", sGroups, gaussian, true}, {"y", sGroups, gaussian, true}}, noSym: true,
		bad:   [][]tensor.Shape{each(sGroups, sMat), each(sCol, sCol), each(sMat, sMat)},
		build: func(n []*G.Node) (*G.Node, error) { return apply(GroupOuterOp{Columns: 2, Scale: 0.3}, n...) },
	}, {
		name: "GroupCovariance", args: []arg{{"c", sGroups, gaussian, true}}, bad: badMatrix,
		build: func(n []*G.Node) (*G.Node, error) { return GroupCovariance(n[0], 2) },
	}, {
		name: "InverseRoot", args: []arg{{"cov", sBlocks, definite, true}}, bad: append([][]tensor.Shape{each(sMat)}, badMatrix...),
		build: func(n []*G.Node) (*G.Node, error) { return InverseRoot(n[0], whiten.ZCA, 0.1, 0) },
	}, {
		name: "InverseRoot", args: []arg{{"cov", sBlocks, definite, true}},
		build: func(n []*G.Node) (*G.Node, error) { return InverseRoot(n[0], whiten.PCA, 0.1, 0) },
	}, {
		name: "InverseRoot", args: []arg{{"cov", sBlocks, definite, true}},
		build: func(n []*G.Node) (*G.Node, error) { return InverseRoot(n[0], whiten.Newton, 0.1, 3) },
	}, {
		name: "InverseRootGrad", args: []arg{{"cov", sBlocks, definite, true}, {"root", sBlocks, gaussian, true}, {"g", sBlocks, gaussian, true}}, noSym: true,
		bad: [][]tensor.Shape{each(sBlocks, sBlocks, sMat), each(sMat, sMat, sMat)},
		build: func(n []*G.Node) (*G.Node, error) {
			return apply(InverseRootGradOp{Of: InverseRootOp{Form: whiten.ZCA, Eps: 0.1}}, n...)
		},
	}, {
		name: "DiagonalBlocks", args: []arg{{"x", tensor.Shape{4, 4}, gaussian, true}}, noSym: true,
		bad:   append([][]tensor.Shape{each(sGroups), each(sSqr)}, badMatrix...),
		build: func(n []*G.Node) (*G.Node, error) { return DiagonalBlocks(n[0], 2) },
	}, {
		name: "Patches", args: []arg{{"x", sImages, gaussian, true}}, bad: badImages,
		build: func(n []*G.Node) (*G.Node, error) { return Patches(n[0], testWindow) },
	}, {
		name: "PatchesGrad", args: []arg{{"g", tensor.Shape{2 * 2 * 3, 3 * 2 * 2}, gaussian, true}}, bad: append([][]tensor.Shape{each(sImages)}, badMatrix...),
		build: func(n []*G.Node) (*G.Node, error) { return PatchesGrad(n[0], testWindow) },
	}, {
		name: "MaxPool", args: []arg{{"x", sImages, gaussian, true}}, bad: badImages,
		build: func(n []*G.Node) (*G.Node, error) { return MaxPool(n[0], testPool) },
	}, {
		name: "MaxPool of windows that overlap", args: []arg{{"x", sImages, gaussian, true}},
		build: func(n []*G.Node) (*G.Node, error) { return MaxPool(n[0], conv.Square(4, 5, 2, 3, 1, 0)) },
	}, {
		name: "MaxPoolGrad", args: []arg{constant(arg{"x", sImages, gaussian, true}), constant(arg{"y", sPooled, gaussian, true}), {"g", sPooled, gaussian, true}}, noSym: true,
		bad:   [][]tensor.Shape{each(sImages, sImages, sPooled), each(sImages, sPooled, sImages), each(sPooled, sPooled, sPooled)},
		build: func(n []*G.Node) (*G.Node, error) { return MaxPoolGrad(n[0], n[1], n[2], testPool) },
	}, {
		name: "AveragePool", args: []arg{{"x", sImages, gaussian, true}}, bad: badImages,
		build: func(n []*G.Node) (*G.Node, error) { return AveragePool(n[0], testPool) },
	}, {
		name: "AveragePoolGrad", args: []arg{{"g", sPooled, gaussian, true}}, bad: append([][]tensor.Shape{each(tensor.Shape{7, 2})}, badMatrix...),
		build: func(n []*G.Node) (*G.Node, error) { return AveragePoolGrad(n[0], testPool) },
	}, {
		name: "ChannelsLast", args: []arg{{"x", tensor.Shape{2, 3, 4, 5}, gaussian, true}}, bad: [][]tensor.Shape{each(sMat), each(sCol), each(tensor.Shape{2, 3, 4})},
		build: func(n []*G.Node) (*G.Node, error) { return ChannelsLast(n[0]) },
	}, {
		name: "ChannelsFirst", args: []arg{{"x", sImages, gaussian, true}}, bad: append([][]tensor.Shape{each(tensor.Shape{41, 2})}, badMatrix...),
		build: func(n []*G.Node) (*G.Node, error) { return ChannelsFirst(n[0], 4, 5) },
	}, {
		name: "State", args: []arg{constant(matrixArg("n"))},
		build: func(n []*G.Node) (*G.Node, error) { return State(n[0]) },
	}, {
		name: "Assign", args: []arg{constant(matrixArg("state")), constant(matrixArg("value"))},
		bad:   [][]tensor.Shape{each(sMat, sCol), each(sMat, sLog)},
		build: func(n []*G.Node) (*G.Node, error) { return Assign(n[0], n[1], 2, true) },
	},
}

// Two images of 4×5 positions and two channels, windows of which some numbers lie in the padding,
// and a pooling that leaves a column over.
var (
	sImages    = tensor.Shape{2 * 4 * 5, 2}
	sPooled    = tensor.Shape{2 * 2 * 2, 2}
	testWindow = conv.Window{Height: 4, Width: 5, Channels: 2, KernelHeight: 3, KernelWidth: 2, Stride: 2, Padding: 1}
	testPool   = conv.Square(4, 5, 2, 2, 2, 0)
	badImages  = append([][]tensor.Shape{each(tensor.Shape{41, 2}), each(tensor.Shape{40, 3})}, badMatrix...)
)

// sFac is the shape of a factor of rank 2 of rows of testD.
var sFac = tensor.Shape{testD + ngsgd.Tail, 2}

var testRule = ngsgd.Rule{Scale: 3, Alpha: 4, History: 50, Period: 2}

func zero(*rand.Rand, int) float64 { return 0 }

func smaller(r *rand.Rand, _ int) float64 { return r.NormFloat64() / 10 }

// factorOf fills a factor that has seen something.
func factorOf(_ *rand.Rand, i int) float64 {
	return []float64{1, 0, 0, 1, 0, 0, 0.5, 0.25, 0.125, 0, 3, 0}[i]
}

// diagonal fills a positive definite matrix [testD,testD], diagonally dominant.
func diagonal(r *rand.Rand, i int) float64 {
	if i%(testD+1) == 0 {
		return 2 + r.Float64()
	}
	return 0.1 * math.Sin(float64(i/testD+i%testD)) // symmetric in row and column
}

// definite fills blocks of [2,2] like diagonal, with eigenvalues apart.
func definite(r *rand.Rand, i int) float64 {
	switch i % 4 {
	case 0:
		return 2 + r.Float64()
	case 3:
		return 0.5 + r.Float64()
	}
	return 0.3
}

// data returns the arguments of the case, the same on every call.
func (c opCase) data() [][]float64 {
	r := newRand(7)
	data := make([][]float64, len(c.args))
	for i, a := range c.args {
		n := 1
		for _, s := range a.shape {
			n *= s
		}
		data[i] = make([]float64, n)
		for k := range data[i] {
			data[i][k] = a.fill(r, k)
		}
	}
	return data
}

// values returns the arguments as values of the dtype.
func (c opCase) values(dt tensor.Dtype) []G.Value {
	vs := make([]G.Value, len(c.args))
	for i, x := range c.data() {
		vs[i] = toValue(x, dt, c.args[i].shape...)
	}
	return vs
}

// nodes returns input nodes that hold the arguments, in a new graph.
func (c opCase) nodes(dt tensor.Dtype) []*G.Node {
	g := G.NewGraph()
	ns := make([]*G.Node, len(c.args))
	for i, v := range c.values(dt) {
		ns[i] = input(g, c.args[i].name, v)
	}
	return ns
}
