package program

import (
	"fmt"
	"reflect"
	"strings"
	"sync"

	"driftless/engine/ops"
	"driftless/kernels/elem"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Gorgonia's own operations are unexported structs. Their types are learned
// from exemplar nodes built through the public API, their unexported fields are
// read by reflection, and whatever does not match is left to Op.Do.
type stockOps struct {
	linAlg, binary, unary, sum, max, repeat, reshape, transpose, size, scalar, read, let reflect.Type // keep nothing between calls
	softmax, sparsemax, byIndices, dropout, ctcLoss, averagePool, maxPool                reflect.Type
	slice, sliceGrad, concat, softmaxGrad, patches, patchesGrad, maxPoolGrad             reflect.Type
	batchNorm, batchNormGrad, groupNorm, groupNormGrad                                   reflect.Type
	random, tensordot                                                                    reflect.Type
	minimum, maximum                                                                     reflect.Type // of two operands
	log2, outer                                                                          string       // a unary operation, one of linear algebra

	batched  string // the operator of batched products
	binaries map[string]elem.Binary
	unaries  map[string]elem.Unary
	products map[string]product
}

// product says how an operation of linear algebra is a product of two matrices, where a
// vector is a row.
type product struct {
	dims                 [2]int // of its operands
	swap, transA, transB bool   // the operands change places, then are transposed
}

var stock = sync.OnceValue(func() *stockOps {
	g := G.NewGraph()
	a := G.NewMatrix(g, tensor.Float64, G.WithShape(2, 2), G.WithName("a"))
	b := G.NewMatrix(g, tensor.Float64, G.WithShape(2, 2), G.WithName("b"))
	v := G.NewVector(g, tensor.Float64, G.WithShape(2), G.WithName("v"))
	kind := func(n *G.Node) reflect.Type { return reflect.TypeOf(n.Op()) }
	// Parents of a node are found through its children, since To mutates the graph.
	child := func(n *G.Node, i int) *G.Node { return Children(n)[i] }

	s := &stockOps{binaries: map[string]elem.Binary{}, unaries: map[string]elem.Unary{}, products: map[string]product{}}
	mul := G.Must(G.Mul(a, b))
	s.linAlg = kind(mul)
	products := func(p product, ns ...*G.Node) {
		for _, n := range ns {
			p.dims = [2]int{child(n, 0).Dims(), child(n, 1).Dims()}
			s.products[n.Op().String()] = p
		}
	}
	products(product{}, mul)
	if grads, err := G.Grad(G.Must(G.Sum(mul)), a, b); err == nil {
		products(product{transB: true}, grads[0])
		products(product{transA: true}, grads[1])
	}
	stack := G.NewTensor(g, tensor.Float64, 3, G.WithShape(2, 2, 2), G.WithName("stack"))
	s.batched = binaryOperator(G.Must(G.BatchedMatMul(stack, stack)))
	outer := G.Must(G.OuterProd(v, v))
	products(product{swap: true, transB: true}, G.Must(G.Mul(a, v)))
	products(product{swap: true}, G.Must(G.Mul(v, a)))
	products(product{transB: true}, G.Must(G.Mul(v, v)))
	products(product{transA: true}, outer)
	sum := G.Must(G.Add(a, b))
	s.binary = kind(sum)
	for _, e := range []struct {
		f  func(a, b *G.Node) (*G.Node, error)
		op elem.Binary
	}{{G.Add, elem.Add}, {G.Sub, elem.Sub}, {G.HadamardProd, elem.Mul}, {G.HadamardDiv, elem.Div}, {G.Pow, elem.Pow}, {G.MinBetween, elem.Min},
		{G.MaxBetween, elem.Max}} {
		s.binaries[symbol(G.Must(e.f(a, b)))] = e.op
	}
	s.minimum, s.maximum = kind(G.Must(G.MinBetween(a, b))), kind(G.Must(G.MaxBetween(a, b)))
	for _, e := range []struct {
		f  func(a, b *G.Node, same bool) (*G.Node, error)
		op elem.Binary
	}{{G.Gt, elem.Gt}, {G.Gte, elem.Gte}, {G.Lt, elem.Lt}, {G.Lte, elem.Lte}, {G.Eq, elem.Eq}, {G.Ne, elem.Ne}} {
		s.binaries[symbol(G.Must(e.f(a, b, true)))] = e.op
	}
	for _, e := range []struct {
		f  func(a *G.Node) (*G.Node, error)
		op elem.Unary
	}{{G.Neg, elem.Neg}, {G.Square, elem.Square}, {G.Sqrt, elem.Sqrt}, {G.Exp, elem.Exp}, {G.Log, elem.Log}, {G.Log1p, elem.Log1p},
		{G.Abs, elem.Abs}, {G.Sign, elem.Sign}, {G.Inverse, elem.Inverse}, {G.InverseSqrt, elem.InverseSqrt}, {G.Cube, elem.Cube},
		{G.Expm1, elem.Expm1}, {G.Softplus, elem.Softplus}, {G.Sigmoid, elem.Sigmoid}, {G.Tanh, elem.Tanh}, {G.Sin, elem.Sin}, {G.Cos, elem.Cos}, {G.Log2, elem.Log2},
		{G.Ceil, elem.Ceil}, {G.Floor, elem.Floor}} {
		n := G.Must(e.f(a))
		s.unary = kind(n)
		s.unaries[n.Op().String()] = e.op
	}
	s.sum, s.max = kind(G.Must(G.Sum(a, 0))), kind(G.Must(G.Max(a, 0)))
	s.transpose = kind(G.Must(G.Transpose(a, 1, 0)))
	s.reshape = kind(G.Must(G.Reshape(a, tensor.Shape{4})))
	rep := child(G.Must(G.BroadcastAdd(a, v, nil, []byte{0})), 1)
	s.repeat = kind(rep)
	s.size = kind(child(rep, 1))
	s.scalar = kind(G.NewConstant(1.0))
	var into G.Value
	s.read = kind(G.Read(a, &into))
	s.let = kind(G.Set(a, b))
	s.log2, s.outer = G.Must(G.Log2(a)).Op().String(), outer.Op().String()
	s.softmax, s.sparsemax, s.dropout = kind(G.Must(G.SoftMax(a))), kind(G.Must(G.Sparsemax(a))), kind(G.Must(G.Dropout(a, 0.5)))
	s.tensordot = kind(G.Must(G.Tensordot([]int{0}, []int{0}, v, v)))
	s.random = kind(G.UniformRandomNode(g, tensor.Float64, 0, 1, 2))
	ints := func(name string, shape ...int) *G.Node {
		return G.NewTensor(g, tensor.Int, len(shape), G.WithShape(shape...), G.WithName(name))
	}
	s.byIndices = kind(G.Must(G.ByIndices(a, ints("indices", 2), 0)))
	logp := G.NewTensor(g, tensor.Float64, 3, G.WithShape(1, 1, 2), G.WithName("logp"))
	s.ctcLoss = kind(G.Must(G.CTCLoss(logp, ints("targets", 1, 1), ints("lengths", 1), ints("targetLengths", 1), G.ReductionMean)))
	image := G.NewTensor(g, tensor.Float64, 4, G.WithShape(1, 1, 2, 2), G.WithName("image"))
	s.averagePool = kind(G.Must(G.AveragePool2D(image, tensor.Shape{1, 1}, []int{0, 0}, []int{1, 1})))
	grad := func(n *G.Node) reflect.Type { // of the operation that computes a derivative
		if op, ok := n.Op().(G.SDOp); ok {
			if d, err := op.SymDiff(Children(n), n, n); err == nil {
				return kind(d[0])
			}
		}
		return nil
	}
	part, soft := G.Must(G.Slice(a, G.S(0, 1))), G.Must(G.SoftMax(b))
	s.slice, s.sliceGrad, s.concat, s.softmaxGrad = kind(part), grad(part), kind(G.Must(G.Concat(0, a, b))), grad(soft)
	one := tensor.Shape{1, 1}
	patches, pool := G.Must(G.Im2Col(image, one, tensor.Shape{0, 0}, one, one)), G.Must(G.MaxPool2D(image, one, []int{0, 0}, []int{1, 1}))
	s.patches, s.patchesGrad, s.maxPool, s.maxPoolGrad = kind(patches), grad(patches), kind(pool), grad(pool)
	gamma, beta := G.NewTensor(g, tensor.Float64, 4, G.WithShape(1, 1, 1, 1), G.WithName("gamma")), G.NewTensor(g, tensor.Float64, 4, G.WithShape(1, 1, 1, 1), G.WithName("beta"))
	_, _ = G.GroupNorm(image, gamma, beta, 1, 1, 1e-5) // what is missing is not recognised
	_, _, _, _, _ = G.BatchNorm(image, gamma, beta, 0.1, 1e-5)
	for _, n := range g.AllNodes() {
		switch n.Op().(type) {
		case *G.BatchNormOp:
			s.batchNorm, s.batchNormGrad = kind(n), grad(n)
		case *G.GroupNormOp:
			s.groupNorm, s.groupNormGrad = kind(n), grad(n)
		}
	}
	return s
})

// binaryOperator is the operator of a node of linear algebra, without its transposes; "" if that cannot be read.
func binaryOperator(n *G.Node) string {
	if f := field(n, "āBinaryOperator"); f.IsValid() {
		return fmt.Sprint(f)
	}
	return ""
}

// symbol is the operator of an elementwise binary node, without its flags.
func symbol(n *G.Node) string {
	f := strings.Fields(fmt.Sprint(n.Op()))
	if len(f) == 0 {
		return ""
	}
	return f[0]
}

// foreign reports whether a node's operation is Gorgonia's, or somebody else's, and may
// keep state between calls.
func (s *stockOps) foreign(n *G.Node) bool {
	if n.Op() == nil || Own(n) {
		return false
	}
	switch reflect.TypeOf(n.Op()) {
	case s.linAlg, s.binary, s.minimum, s.maximum, s.unary, s.sum, s.max, s.repeat, s.reshape, s.transpose, s.size, s.scalar, s.read, s.let,
		s.slice, s.sliceGrad, s.concat, s.softmax, s.softmaxGrad, s.patches, s.patchesGrad:
		return false
	}
	return true
}

// hidden reports whether a node's operation keeps state in itself from step to step, or draws
// random numbers.
func (s *stockOps) hidden(n *G.Node) bool {
	_, trains := n.Op().(G.TrainModeOp)
	return trains || is(n, s.random)
}

func is(n *G.Node, t reflect.Type) bool {
	return n.Op() != nil && t != nil && reflect.TypeOf(n.Op()) == t
}

// field reads an unexported field of a node's operation; it is invalid when the
// operation has none of that name.
func field(n *G.Node, name string) reflect.Value {
	v := reflect.ValueOf(n.Op())
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return v.FieldByName(name)
}

// ints reads an integer or a slice of integers.
func ints(v reflect.Value) ([]int, bool) {
	if !v.IsValid() {
		return nil, false
	}
	if v.CanInt() {
		return []int{int(v.Int())}, true
	}
	if v.Kind() != reflect.Slice {
		return nil, false
	}
	out := make([]int, v.Len())
	for i := range out {
		if !v.Index(i).CanInt() {
			return nil, false
		}
		out[i] = int(v.Index(i).Int())
	}
	return out, true
}

// binaryOf recognises an elementwise binary node whose result has its operands'
// type.
func (s *stockOps) binaryOf(n *G.Node) (elem.Binary, bool) {
	if !is(n, s.binary) && !is(n, s.minimum) && !is(n, s.maximum) {
		return 0, false
	}
	op, ok := s.binaries[symbol(n)]
	for _, c := range Children(n) {
		ok = ok && c.Dtype() == n.Dtype()
	}
	return op, ok
}

func (s *stockOps) unaryOf(n *G.Node) (elem.Unary, bool) {
	if !is(n, s.unary) {
		return 0, false
	}
	op, ok := s.unaries[n.Op().String()]
	return op, ok && Children(n)[0].Dtype() == n.Dtype()
}

// isBinary and isUnary ask for one operation.
func (s *stockOps) isBinary(n *G.Node, op elem.Binary) bool {
	got, ok := s.binaryOf(n)
	return ok && got == op
}

func (s *stockOps) isUnary(n *G.Node, op elem.Unary) bool {
	got, ok := s.unaryOf(n)
	return ok && got == op
}

// sigmoidGrad recognises the product that Gorgonia's derivative of a sigmoid
// emits, (σ(z) ⊙ σ(-z)) ⊙ g, and returns the sigmoid's node and g.
func (s *stockOps) sigmoidGrad(n *G.Node) (y, g *G.Node, ok bool) {
	return s.productOf(n, func(p *G.Node) (*G.Node, bool) {
		if !s.isBinary(p, elem.Mul) {
			return nil, false
		}
		c := Children(p)
		for i, y := range c {
			o := c[1-i]
			if s.isUnary(y, elem.Sigmoid) && s.isUnary(o, elem.Sigmoid) {
				if neg := Children(o)[0]; s.isUnary(neg, elem.Neg) && Children(neg)[0] == Children(y)[0] {
					return y, true
				}
			}
		}
		return nil, false
	})
}

// tanhGrad recognises (1 - t ⊙ t) ⊙ g.
func (s *stockOps) tanhGrad(n *G.Node) (y, g *G.Node, ok bool) {
	return s.productOf(n, func(p *G.Node) (*G.Node, bool) {
		if !s.isBinary(p, elem.Sub) {
			return nil, false
		}
		c := Children(p)
		one, isOne := s.scalarConst(c[0])
		if !isOne || one != 1 || !s.isBinary(c[1], elem.Mul) {
			return nil, false
		}
		sq := Children(c[1])
		if sq[0] != sq[len(sq)-1] || !s.isUnary(sq[0], elem.Tanh) {
			return nil, false
		}
		return sq[0], true
	})
}

// productOf matches n = p ⊙ g in either order, where match accepts p.
func (s *stockOps) productOf(n *G.Node, match func(p *G.Node) (*G.Node, bool)) (y, g *G.Node, ok bool) {
	if !s.isBinary(n, elem.Mul) {
		return nil, nil, false
	}
	c := Children(n)
	if len(c) != 2 {
		return nil, nil, false
	}
	for i, p := range c {
		if y, ok := match(p); ok {
			return y, c[1-i], true
		}
	}
	return nil, nil, false
}

// Bound returns the input node that an Assign node writes or a State node reads, nil for
// any other node.
func Bound(n *G.Node) *G.Node {
	switch n.Op().(type) {
	case ops.AssignOp:
		state := Children(n)[0]
		if read := Bound(state); read != nil {
			return read
		}
		return state
	case ops.StateOp:
		return Children(n)[0]
	}
	return nil
}

// scalarConst reads a scalar constant.
func (s *stockOps) scalarConst(n *G.Node) (float64, bool) {
	if !is(n, s.scalar) || n.Value() == nil {
		return 0, false
	}
	switch v := n.Value().Data().(type) {
	case float32:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// IsStatement reports whether a node computes nothing: gorgonia.Read's and Set's.
func IsStatement(n *G.Node) bool { return n.Type() == nil }

// Reads maps the nodes that statements of gorgonia.Read among nodes ask for to those.
// Gorgonia keeps them as parents, which can only be found by a search.
func Reads(nodes []*G.Node) map[*G.Node][]*G.Node {
	out := map[*G.Node][]*G.Node{}
	for _, n := range nodes {
		if is(n, stock().read) {
			c := Children(n)[0]
			out[c] = append(out[c], n)
		}
	}
	return out
}

// ReadInto returns the variable that a gorgonia.Read statement names, nil if it cannot be found.
func ReadInto(r *G.Node) *G.Value {
	if p := field(r, "into"); p.IsValid() && p.Type() == reflect.TypeFor[*G.Value]() {
		return (*G.Value)(p.UnsafePointer())
	}
	return nil
}

// ValueShape returns the shape of the Value that Gorgonia's machines give a node. It is the node's
// own, but for a number that Tensordot returns.
func ValueShape(n *G.Node) tensor.Shape {
	if is(n, stock().tensordot) && n.Shape().IsScalar() {
		return tensor.Shape{1}
	}
	return n.Shape()
}

// IsConstant reports whether a node has its value from its operation.
func IsConstant(n *G.Node) bool {
	_, ok := n.Op().(interface{ Value() G.Value })
	return ok
}

// IsSet reports whether a node is a statement of gorgonia.Set.
func IsSet(n *G.Node) bool { return is(n, stock().let) }

// Repeats reports whether a node's operation gives the same result again for the same operands,
// and nobody sees that it ran: it is of package ops, or Gorgonia's, and neither draws random
// numbers nor keeps state, as those that have a mode for training do.
func Repeats(n *G.Node) bool {
	if n.Op() == nil || Own(n) {
		return true
	}
	return gorgonias(n) && !stock().hidden(n)
}

// IsSize reports whether a node is the length of an axis, which does not depend on the elements.
func IsSize(n *G.Node) bool { return is(n, stock().size) }

// gorgonias reports whether a node's operation is one of Gorgonia's.
func gorgonias(n *G.Node) bool {
	t := reflect.TypeOf(n.Op())
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() == reflect.TypeFor[G.Node]().PkgPath()
}
