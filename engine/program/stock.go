package program

import (
	"fmt"
	"reflect"
	"strings"

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
	byIndicesGrad                                                                        reflect.Type
	slice, sliceGrad, concat, softmaxGrad, patches, patchesGrad, maxPoolGrad             reflect.Type
	batchNorm, batchNormGrad, groupNorm, groupNormGrad                                   reflect.Type
	random, tensordot                                                                    reflect.Type
	clusters                                                                             []string // the groups of what Grad makes
	globalPool, upsample, upsampleGrad                                                   reflect.Type
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
// numbers nor keeps state. BatchNorm in training takes none, and does not move it in a Program that
// holds it (Spec.Held).
func Repeats(n *G.Node) bool {
	if n.Op() == nil || Own(n) {
		return true
	}
	return gorgonias(n) && (!stock().hidden(n) || trainsBatchNorm(n))
}

// trainsBatchNorm reports whether a node is BatchNorm in training, or its derivative.
func trainsBatchNorm(n *G.Node) bool {
	s, op := stock(), reflect.ValueOf(n.Op())
	switch {
	case is(n, s.batchNormGrad):
		if op = op.Elem().FieldByName("BatchNormOp"); !op.IsValid() {
			return false
		}
	case !is(n, s.batchNorm):
		return false
	}
	training := op.Elem().FieldByName("training")
	return training.IsValid() && training.Bool()
}

// Takes returns how many elements a node's operation takes of an operand, where it reads but a part of
// it: none, where it asks for the shape alone. ok is false for operations that read all.
func Takes(n *G.Node, operand int) (size int, ok bool) {
	switch s := stock(); {
	case operand > 0:
		return 0, false
	case is(n, s.slice), is(n, s.byIndices):
		return n.Shape().TotalSize(), true
	case is(n, s.sliceGrad), is(n, s.byIndicesGrad), is(n, s.size):
		return 0, true
	}
	return 0, false
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
