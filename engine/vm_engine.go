package engine

import (
	"math"
	"unsafe"

	"driftless/engine/program"
	"driftless/kernels"
	"driftless/kernels/elem"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// solverEngine is Gorgonia's StandardEngine with our kernels for what solvers compute: sums,
// differences, products, quotients and square roots of large float tensors, to its bits. Inputs that
// have their gradients in dual values have it, and so do those, and with them what a solver
// derives from either: Gorgonia's solvers are faster on them. All else is StandardEngine's.
type solverEngine struct{ G.StandardEngine }

// leastFast is the number of elements from which on the kernels are worth it; a tensor of one
// element may be a scalar, for which StandardEngine has rules of its own.
const leastFast = 256

// Add returns a + b.
func (e solverEngine) Add(a, b tensor.Tensor, opts ...tensor.FuncOpt) (tensor.Tensor, error) {
	if r := pointwise(elem.Add, a, b, opts); r != nil {
		return r, nil
	}
	return e.StandardEngine.Add(a, b, opts...)
}

// Sub returns a - b.
func (e solverEngine) Sub(a, b tensor.Tensor, opts ...tensor.FuncOpt) (tensor.Tensor, error) {
	if r := pointwise(elem.Sub, a, b, opts); r != nil {
		return r, nil
	}
	return e.StandardEngine.Sub(a, b, opts...)
}

// Mul returns a · b.
func (e solverEngine) Mul(a, b tensor.Tensor, opts ...tensor.FuncOpt) (tensor.Tensor, error) {
	if r := pointwise(elem.Mul, a, b, opts); r != nil {
		return r, nil
	}
	return e.StandardEngine.Mul(a, b, opts...)
}

// Div returns a / b, which is +Inf where b is 0.
func (e solverEngine) Div(a, b tensor.Tensor, opts ...tensor.FuncOpt) (tensor.Tensor, error) {
	if r := pointwise(elem.Div, a, b, opts); r != nil {
		return r, nil
	}
	return e.StandardEngine.Div(a, b, opts...)
}

// AddScalar returns t + s.
func (e solverEngine) AddScalar(t tensor.Tensor, s any, leftTensor bool, opts ...tensor.FuncOpt) (tensor.Tensor, error) {
	if r := withScalar(elem.Add, t, s, leftTensor, opts); r != nil {
		return r, nil
	}
	return e.StandardEngine.AddScalar(t, s, leftTensor, opts...)
}

// MulScalar returns t · s.
func (e solverEngine) MulScalar(t tensor.Tensor, s any, leftTensor bool, opts ...tensor.FuncOpt) (tensor.Tensor, error) {
	if r := withScalar(elem.Mul, t, s, leftTensor, opts); r != nil {
		return r, nil
	}
	return e.StandardEngine.MulScalar(t, s, leftTensor, opts...)
}

// Sqrt returns √a.
func (e solverEngine) Sqrt(a tensor.Tensor, opts ...tensor.FuncOpt) (tensor.Tensor, error) {
	if r := mapped(elem.Sqrt, a, opts); r != nil {
		return r, nil
	}
	return e.StandardEngine.Sqrt(a, opts...)
}

// InvSqrt returns 1/√a.
func (e solverEngine) InvSqrt(a tensor.Tensor, opts ...tensor.FuncOpt) (tensor.Tensor, error) {
	if r := mapped(elem.InverseSqrt, a, opts); r != nil {
		return r, nil
	}
	return e.StandardEngine.InvSqrt(a, opts...)
}

// Square returns a².
func (e solverEngine) Square(a tensor.Tensor, opts ...tensor.FuncOpt) (tensor.Tensor, error) {
	if r := mapped(elem.Square, a, opts); r != nil {
		return r, nil
	}
	return e.StandardEngine.Square(a, opts...)
}

// large returns a tensor that the kernels can take, or nil.
func large(t tensor.Tensor) *tensor.Dense {
	d, ok := t.(*tensor.Dense)
	if !ok || d.Shape().TotalSize() < leastFast || d.Dtype() != tensor.Float32 && d.Dtype() != tensor.Float64 ||
		!d.IsNativelyAccessible() || d.RequiresIterator() || !program.Plain(d) {
		return nil
	}
	return d
}

// target returns the tensor that a result goes into, and whether it is added to that; nil if it
// is one that the kernels cannot take.
func target(a *tensor.Dense, opts []tensor.FuncOpt) (into *tensor.Dense, incr bool) {
	o := tensor.ParseFuncOpts(opts...)
	reuse, incr := o.IncrReuse()
	switch {
	case incr:
		if into = large(reuse); into == nil || into.Dtype() != a.Dtype() || !into.Shape().Eq(a.Shape()) || into != a && overlap(into, a) {
			return nil, false
		}
		return into, true
	case reuse != nil:
		return nil, false
	case o.Safe():
		return a.Clone().(*tensor.Dense), false
	}
	return a, false
}

// overlap reports whether two tensors share memory.
func overlap(a, b *tensor.Dense) bool {
	return a.Uintptr() < b.Uintptr()+b.MemSize() && b.Uintptr() < a.Uintptr()+a.MemSize()
}

// pointwise computes a op b, or returns nil.
func pointwise(op elem.Binary, a, b tensor.Tensor, opts []tensor.FuncOpt) tensor.Tensor {
	x, y := large(a), large(b)
	if x == nil || y == nil || x.Dtype() != y.Dtype() || !x.Shape().Eq(y.Shape()) || x.Uintptr() != y.Uintptr() && overlap(x, y) {
		return nil
	}
	into, incr := target(x, opts)
	if into == nil || incr {
		return nil
	}
	if x.Dtype() == tensor.Float32 {
		binary(op, x.Float32s(), y.Float32s(), into.Float32s())
	} else {
		binary(op, x.Float64s(), y.Float64s(), into.Float64s())
	}
	return into
}

// withScalar computes t op s, or returns nil.
func withScalar(op elem.Binary, t tensor.Tensor, s any, leftTensor bool, opts []tensor.FuncOpt) tensor.Tensor {
	x := large(t)
	if x == nil || !leftTensor {
		return nil
	}
	switch s := s.(type) {
	case float32:
		if x.Dtype() == tensor.Float32 {
			return scaled(op, x, s, (*tensor.Dense).Float32s, opts)
		}
	case float64:
		if x.Dtype() == tensor.Float64 {
			return scaled(op, x, s, (*tensor.Dense).Float64s, opts)
		}
	}
	return nil
}

func scaled[T kernels.Float](op elem.Binary, x *tensor.Dense, s T, elements func(*tensor.Dense) []T, opts []tensor.FuncOpt) tensor.Tensor {
	into, incr := target(x, opts)
	if into == nil {
		return nil
	}
	a, out, scalar := elements(x), elements(into), []T{s}
	if !incr {
		elem.Apply(op, a, scalar, out)
		return into
	}
	var block [1024]T
	for len(a) > 0 {
		part := block[:min(len(block), len(a))]
		elem.Apply(op, a[:len(part)], scalar, part)
		elem.Apply(elem.Add, out[:len(part)], part, out[:len(part)])
		a, out = a[len(part):], out[len(part):]
	}
	return into
}

// mapped computes op(a), or returns nil.
func mapped(op elem.Unary, a tensor.Tensor, opts []tensor.FuncOpt) tensor.Tensor {
	x := large(a)
	if x == nil {
		return nil
	}
	into, incr := target(x, opts)
	if into == nil || incr {
		return nil
	}
	if x.Dtype() == tensor.Float32 {
		elem.Map(op, x.Float32s(), into.Float32s())
	} else {
		elem.Map(op, x.Float64s(), into.Float64s())
	}
	return into
}

// binary computes out = a op b, but for quotients by 0, which StandardEngine has be +Inf.
func binary[T kernels.Float](op elem.Binary, a, b, out []T) {
	if op != elem.Div {
		elem.Apply(op, a, b, out)
		return
	}
	same := unsafe.SliceData(b) == unsafe.SliceData(out)
	var divisors [1024]T
	for len(a) > 0 {
		n := min(len(divisors), len(a))
		d := b[:n]
		if same {
			copy(divisors[:], d)
			d = divisors[:n]
		}
		elem.Apply(op, a[:n], d, out[:n])
		for i, v := range d {
			if v == 0 {
				out[i] = T(math.Inf(1))
			}
		}
		a, b, out = a[n:], b[n:], out[n:]
	}
}
