package program

import (
	"reflect"
	"slices"
	"sync"

	"driftless/kernels/elem"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// stock are Gorgonia's operations, learned once.
var stock = sync.OnceValue(func() *stockOps {
	g := G.NewGraph()
	e := exemplars{g: g,
		a: G.NewMatrix(g, tensor.Float64, G.WithShape(2, 2), G.WithName("a")),
		b: G.NewMatrix(g, tensor.Float64, G.WithShape(2, 2), G.WithName("b")),
		v: G.NewVector(g, tensor.Float64, G.WithShape(2), G.WithName("v"))}
	s := &stockOps{binaries: map[string]elem.Binary{}, unaries: map[string]elem.Unary{}, products: map[string]product{}}
	s.learnProducts(e)
	s.learnElementwise(e)
	s.learnAxes(e)
	s.learnLayers(e)
	s.learnImages(e)
	return s
})

// exemplars are a graph to build operations in, and operands: two matrices and a vector.
type exemplars struct {
	g       *G.ExprGraph
	a, b, v *G.Node
}

func kindOf(n *G.Node) reflect.Type { return reflect.TypeOf(n.Op()) }

// gradKindOf is the type of the operation that computes a node's derivative, nil if there is none.
func gradKindOf(n *G.Node) reflect.Type {
	if op, ok := n.Op().(G.SDOp); ok {
		if d, err := op.SymDiff(Children(n), n, n); err == nil {
			return kindOf(d[0])
		}
	}
	return nil
}

func (s *stockOps) learnProducts(e exemplars) {
	products := func(p product, ns ...*G.Node) {
		for _, n := range ns {
			// Parents of a node are found through its children, since To mutates the graph.
			p.dims = [2]int{Children(n)[0].Dims(), Children(n)[1].Dims()}
			s.products[n.Op().String()] = p
		}
	}
	mul := G.Must(G.Mul(e.a, e.b))
	s.linAlg = kindOf(mul)
	products(product{}, mul)
	// The comparison has no derivative, so that what Grad makes for it is of a group of its own.
	kept := G.Must(G.HadamardProd(mul, G.Must(G.Gte(e.b, e.a, true))))
	if grads, err := G.Grad(G.Must(G.Sum(kept)), e.a, e.b); err == nil {
		products(product{transB: true}, grads[0])
		products(product{transA: true}, grads[1])
	}
	for _, n := range e.g.AllNodes() {
		if name := clusterOf(n); name != "" && !slices.Contains(s.clusters, name) {
			s.clusters = append(s.clusters, name)
		}
	}
	outer := G.Must(G.OuterProd(e.v, e.v))
	s.outer = outer.Op().String()
	products(product{swap: true, transB: true}, G.Must(G.Mul(e.a, e.v)))
	products(product{swap: true}, G.Must(G.Mul(e.v, e.a)))
	products(product{transB: true}, G.Must(G.Mul(e.v, e.v)))
	products(product{transA: true}, outer)
	stack := G.NewTensor(e.g, tensor.Float64, 3, G.WithShape(2, 2, 2), G.WithName("stack"))
	s.batched = binaryOperator(G.Must(G.BatchedMatMul(stack, stack)))
	s.tensordot = kindOf(G.Must(G.Tensordot([]int{0}, []int{0}, e.v, e.v)))
}

func (s *stockOps) learnElementwise(e exemplars) {
	s.binary = kindOf(G.Must(G.Add(e.a, e.b)))
	for _, x := range []struct {
		f  func(a, b *G.Node) (*G.Node, error)
		op elem.Binary
	}{{G.Add, elem.Add}, {G.Sub, elem.Sub}, {G.HadamardProd, elem.Mul}, {G.HadamardDiv, elem.Div}, {G.Pow, elem.Pow}, {G.MinBetween, elem.Min},
		{G.MaxBetween, elem.Max}} {
		s.binaries[symbol(G.Must(x.f(e.a, e.b)))] = x.op
	}
	s.minimum, s.maximum = kindOf(G.Must(G.MinBetween(e.a, e.b))), kindOf(G.Must(G.MaxBetween(e.a, e.b)))
	for _, x := range []struct {
		f  func(a, b *G.Node, same bool) (*G.Node, error)
		op elem.Binary
	}{{G.Gt, elem.Gt}, {G.Gte, elem.Gte}, {G.Lt, elem.Lt}, {G.Lte, elem.Lte}, {G.Eq, elem.Eq}, {G.Ne, elem.Ne}} {
		s.binaries[symbol(G.Must(x.f(e.a, e.b, true)))] = x.op
	}
	for _, x := range []struct {
		f  func(a *G.Node) (*G.Node, error)
		op elem.Unary
	}{{G.Neg, elem.Neg}, {G.Square, elem.Square}, {G.Sqrt, elem.Sqrt}, {G.Exp, elem.Exp}, {G.Log, elem.Log}, {G.Log1p, elem.Log1p},
		{G.Abs, elem.Abs}, {G.Sign, elem.Sign}, {G.Inverse, elem.Inverse}, {G.InverseSqrt, elem.InverseSqrt}, {G.Cube, elem.Cube},
		{G.Expm1, elem.Expm1}, {G.Softplus, elem.Softplus}, {G.Sigmoid, elem.Sigmoid}, {G.Tanh, elem.Tanh}, {G.Sin, elem.Sin}, {G.Cos, elem.Cos},
		{G.Log2, elem.Log2}, {G.Ceil, elem.Ceil}, {G.Floor, elem.Floor}} {
		n := G.Must(x.f(e.a))
		s.unary = kindOf(n)
		s.unaries[n.Op().String()] = x.op
	}
	s.log2 = G.Must(G.Log2(e.a)).Op().String()
	s.scalar = kindOf(G.NewConstant(1.0))
}

func (s *stockOps) learnAxes(e exemplars) {
	s.sum, s.max = kindOf(G.Must(G.Sum(e.a, 0))), kindOf(G.Must(G.Max(e.a, 0)))
	s.transpose = kindOf(G.Must(G.Transpose(e.a, 1, 0)))
	s.reshape = kindOf(G.Must(G.Reshape(e.a, tensor.Shape{4})))
	repeat := Children(G.Must(G.BroadcastAdd(e.a, e.v, nil, []byte{0})))[1]
	s.repeat, s.size = kindOf(repeat), kindOf(Children(repeat)[1])
	slice := G.Must(G.Slice(e.a, G.S(0, 1)))
	s.slice, s.sliceGrad, s.concat = kindOf(slice), gradKindOf(slice), kindOf(G.Must(G.Concat(0, e.a, e.b)))
	picked := G.Must(G.ByIndices(e.a, e.ints("indices", 2), 0))
	s.byIndices, s.byIndicesGrad = kindOf(picked), gradKindOf(picked)
	var into G.Value
	s.read, s.let = kindOf(G.Read(e.a, &into)), kindOf(G.Set(e.a, e.b))
}

func (s *stockOps) learnLayers(e exemplars) {
	soft := G.Must(G.SoftMax(e.b))
	s.softmax, s.softmaxGrad, s.sparsemax = kindOf(soft), gradKindOf(soft), kindOf(G.Must(G.Sparsemax(e.a)))
	s.dropout, s.random = kindOf(G.Must(G.Dropout(e.a, 0.5))), kindOf(G.UniformRandomNode(e.g, tensor.Float64, 0, 1, 2))
	logp := G.NewTensor(e.g, tensor.Float64, 3, G.WithShape(1, 1, 2), G.WithName("logp"))
	s.ctcLoss = kindOf(G.Must(G.CTCLoss(logp, e.ints("targets", 1, 1), e.ints("lengths", 1), e.ints("targetLengths", 1), G.ReductionMean)))
}

func (s *stockOps) learnImages(e exemplars) {
	images := func(name string, shape ...int) *G.Node {
		return G.NewTensor(e.g, tensor.Float64, 4, G.WithShape(shape...), G.WithName(name))
	}
	image, one := images("image", 1, 1, 2, 2), tensor.Shape{1, 1}
	s.averagePool = kindOf(G.Must(G.AveragePool2D(image, one, []int{0, 0}, []int{1, 1})))
	pool, patches := G.Must(G.MaxPool2D(image, one, []int{0, 0}, []int{1, 1})), G.Must(G.Im2Col(image, one, tensor.Shape{0, 0}, one, one))
	s.maxPool, s.maxPoolGrad, s.patches, s.patchesGrad = kindOf(pool), gradKindOf(pool), kindOf(patches), gradKindOf(patches)
	up := G.Must(G.Upsample2D(image, 2))
	s.upsample, s.upsampleGrad, s.globalPool = kindOf(up), gradKindOf(up), kindOf(G.Must(G.GlobalAveragePool2D(image)))
	gamma, beta := images("gamma", 1, 1, 1, 1), images("beta", 1, 1, 1, 1)
	_, _ = G.GroupNorm(image, gamma, beta, 1, 1, 1e-5) // what is missing is not recognised
	_, _, _, _, _ = G.BatchNorm(image, gamma, beta, 0.1, 1e-5)
	for _, n := range e.g.AllNodes() {
		switch n.Op().(type) {
		case *G.BatchNormOp:
			s.batchNorm, s.batchNormGrad = kindOf(n), gradKindOf(n)
		case *G.GroupNormOp:
			s.groupNorm, s.groupNormGrad = kindOf(n), gradKindOf(n)
		}
	}
}

func (e exemplars) ints(name string, shape ...int) *G.Node {
	return G.NewTensor(e.g, tensor.Int, len(shape), G.WithShape(shape...), G.WithName(name))
}
