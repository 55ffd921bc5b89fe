package engine_test

import (
	"errors"
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// inPlace adds its operands, and has a derivative that writes into an operand, in Gorgonia's Iop.
type inPlace struct{}

func (inPlace) Arity() int { return 2 }
func (inPlace) Type() hm.Type {
	t := G.TensorType{Dims: 2, Of: hm.TypeVariable('a')}
	return hm.NewFnType(t, t, t)
}
func (inPlace) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	return ds[0].(tensor.Shape).Clone(), nil
}
func (op inPlace) Do(vs ...G.Value) (G.Value, error) {
	out, err := G.CloneValue(vs[0])
	if err != nil {
		return nil, err
	}
	return op.UsePreallocDo(out, vs...)
}
func (inPlace) UsePreallocDo(into G.Value, vs ...G.Value) (G.Value, error) {
	return tensor.Add(vs[0], vs[1], tensor.WithReuse(into.(tensor.Tensor)))
}
func (inPlace) ReturnsPtr() bool          { return true }
func (inPlace) CallsExtern() bool         { return false }
func (inPlace) OverwritesInput() int      { return -1 }
func (inPlace) WriteHash(h hash.Hash)     { fmt.Fprint(h, "in place") }
func (inPlace) Hashcode() uint32          { return 7001 }
func (inPlace) String() string            { return "InPlace" }
func (inPlace) DiffWRT(inputs int) []bool { return []bool{true, true} }
func (op inPlace) SymDiff(in G.Nodes, out, grad *G.Node) (G.Nodes, error) {
	d := G.NewUniqueNode(G.WithType(in[1].Type()), G.WithShape(in[1].Shape()...), G.WithChildren(G.Nodes{in[1]}), G.In(in[0].Graph()), G.WithOp(G.Iop{}))
	e, err := G.ApplyOp(inPlaceDiff{}, in[0], in[1], d)
	return G.Nodes{e, d}, err
}

type inPlaceDiff struct{ inPlace }

func (inPlaceDiff) Arity() int { return 3 }
func (inPlaceDiff) Type() hm.Type {
	t := G.TensorType{Dims: 2, Of: hm.TypeVariable('a')}
	return hm.NewFnType(t, t, t, t)
}
func (inPlaceDiff) Do(vs ...G.Value) (G.Value, error) {
	for i := range vs[2].Data().([]float64) {
		vs[2].Data().([]float64)[i] = 1000
	}
	return G.CloneValue(vs[1])
}
func (inPlaceDiff) UsePreallocDo(_ G.Value, vs ...G.Value) (G.Value, error) {
	return inPlaceDiff{}.Do(vs...)
}
func (inPlaceDiff) Hashcode() uint32      { return 7002 }
func (inPlaceDiff) WriteHash(h hash.Hash) { fmt.Fprint(h, "in place diff") }
func (inPlaceDiff) String() string        { return "InPlaceDiff" }

// writes doubles its operand where it lies.
type writes struct{ inPlace }

func (writes) Arity() int { return 1 }
func (writes) Type() hm.Type {
	t := G.TensorType{Dims: 2, Of: hm.TypeVariable('a')}
	return hm.NewFnType(t, t)
}
func (writes) Do(vs ...G.Value) (G.Value, error) {
	d := vs[0].Data().([]float64)
	for i := range d {
		d[i] *= 2
	}
	return vs[0], nil
}
func (writes) UsePreallocDo(_ G.Value, vs ...G.Value) (G.Value, error) { return writes{}.Do(vs...) }
func (writes) UnsafeDo(vs ...G.Value) (G.Value, error)                 { return writes{}.Do(vs...) }
func (writes) OverwritesInput() int                                    { return 0 }
func (writes) Hashcode() uint32                                        { return 7003 }
func (writes) WriteHash(h hash.Hash)                                   { fmt.Fprint(h, "writes") }
func (writes) String() string                                          { return "Writes" }

// fails does not do what it is asked.
type fails struct{ writes }

func (fails) Do(...G.Value) (G.Value, error) { return nil, errors.New("it cannot") }
func (fails) UsePreallocDo(G.Value, ...G.Value) (G.Value, error) {
	return nil, errors.New("it cannot")
}
func (fails) OverwritesInput() int  { return -1 }
func (fails) Hashcode() uint32      { return 7004 }
func (fails) WriteHash(h hash.Hash) { fmt.Fprint(h, "fails") }
func (fails) String() string        { return "Fails" }
