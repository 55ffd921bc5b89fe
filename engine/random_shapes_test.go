package engine_test

import (
	"fmt"
	"math"
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func meanOf(a array, axes []int) array {
	n := 1
	for _, k := range axes {
		n *= a.shape[k]
	}
	return a.sum(axes...).apply(func(x float64) float64 { return x / float64(n) })
}

func reduceMakers() (out []maker) {
	type reduction = func(*G.Node, ...int) (*G.Node, error)
	for _, p := range []struct {
		name  string
		build reduction
		ref   func(k *kinks, a array, axes []int) array
	}{
		{"Sum", G.Sum, func(_ *kinks, a array, axes []int) array { return a.sum(axes...) }},
		{"Mean", G.Mean, func(_ *kinks, a array, axes []int) array { return meanOf(a, axes) }},
		{"Max", G.Max, func(k *kinks, a array, axes []int) array { return a.max(k, axes...) }},
	} {
		out = append(out, maker{p.name, func(b *builder, name string) bool {
			i := b.operand(-1, nil, ofNormal)
			rank := len(b.vals[i].shape)
			if rank == 0 {
				return false
			}
			axes := b.axes(rank)
			given := axes
			if b.IntN(5) == 0 {
				axes, given = all(rank), nil
			}
			call := strings.TrimSuffix("G."+name+"(%s, "+goInts(given), ", ") + ")"
			return b.add(of1step(name, call, i, func(n *G.Node) (*G.Node, error) { return p.build(n, given...) },
				func(k *kinks, a array) array { return p.ref(k, a, axes) }))
		}}, maker{"KeepDims " + p.name, func(b *builder, name string) bool {
			i := b.operand(-1, nil, ofNormal)
			rank := len(b.vals[i].shape)
			if rank < 2 {
				return false
			}
			axes, left := b.axes(rank), b.IntN(2) == 0
			if len(axes) == rank {
				return false
			}
			return b.add(of1step(name, fmt.Sprintf("G.KeepDims(%%s, %v, func(a *G.Node) (*G.Node, error) { return G.%s(a, %s) })", left, p.name, goInts(axes)), i,
				func(n *G.Node) (*G.Node, error) {
					return G.KeepDims(n, left, func(a *G.Node) (*G.Node, error) { return p.build(a, axes...) })
				},
				func(k *kinks, a array) array {
					r := p.ref(k, a, axes)
					ones := shape(slices.Repeat([]int{1}, len(axes)))
					if left {
						return r.reshaped(append(ones, r.shape...)...)
					}
					return r.reshaped(append(slices.Clone(r.shape), ones...)...)
				}))
		}})
	}
	out = append(out, maker{"Norm", func(b *builder, name string) bool {
		p := 1 + b.IntN(3)
		i := b.operand(-1, within(0.1, 9), ofPositive)
		rank := len(b.vals[i].shape)
		if rank == 0 || b.rewritten(i) {
			return false
		}
		axis := b.IntN(rank)
		return b.add(of1step(name, fmt.Sprintf("G.Norm(%%s, %d, %d)", axis, p), i, func(n *G.Node) (*G.Node, error) { return G.Norm(n, axis, p) },
			func(_ *kinks, a array) array {
				return a.apply(func(x float64) float64 { return math.Pow(x, float64(p)) }).sum(axis).apply(func(x float64) float64 { return math.Pow(x, 1/float64(p)) })
			}))
	}}, maker{"LogSumExp", func(b *builder, name string) bool { // Gorgonia's: the maximum is added before the logarithm
		i := b.operand(1, nil, ofNormal)
		return b.add(of1step(name, "G.LogSumExp(%s, 0)", i, func(n *G.Node) (*G.Node, error) { return G.LogSumExp(n, 0) },
			func(k *kinks, a array) array {
				m := a.max(k, 0).v[0]
				sum := a.apply(func(x float64) float64 { return math.Exp(x - m) }).sum(0)
				return sum.apply(func(x float64) float64 { return math.Log(x + m) })
			}))
	}}, maker{"SoftMax", func(b *builder, _ string) bool {
		i := b.operand(-1, nil, ofNormal)
		s := b.vals[i].shape
		if len(s) == 0 {
			return false
		}
		axis, given := softmaxAxis(s), []int(nil)
		key := fmt.Sprint("softmax", i)
		if b.IntN(2) == 0 {
			axis = b.IntN(len(s))
			given = []int{axis}
			key = fmt.Sprint("softmax", i, axis)
		}
		if !b.first(key) { // Gorgonia does not tell SoftMax from LogSoftMax
			return false
		}
		name, build, log := "SoftMax", G.SoftMax, b.IntN(2) == 0
		if log {
			name, build = "LogSoftMax", G.LogSoftMax
		}
		return b.add(of1step(name, strings.TrimSuffix("G."+name+"(%s, "+goInts(given), ", ")+")", i, func(n *G.Node) (*G.Node, error) { return build(n, given...) },
			func(_ *kinks, a array) array { return a.softmax(axis, log) }))
	}}, maker{"Sparsemax", func(b *builder, name string) bool {
		i := b.operand(-1, nil, ofNormal)
		if len(b.vals[i].shape) == 0 {
			return false
		}
		return b.add(of1step(name, "G.Sparsemax(%s)", i, func(n *G.Node) (*G.Node, error) { return G.Sparsemax(n) },
			func(k *kinks, a array) array { return a.sparsemax(k) }))
	}}, maker{"SizeOf", func(b *builder, name string) bool {
		i := b.operand(-1, nil, ofNormal)
		s := b.vals[i].shape
		if len(s) == 0 {
			return false
		}
		axis := b.IntN(len(s))
		st := of1step(name, fmt.Sprintf("G.SizeOf(%d, %%s)", axis), i, func(n *G.Node) (*G.Node, error) { return G.SizeOf(axis, n) },
			func(_ *kinks, a array) array { return array{v: []float64{float64(a.shape[axis])}} })
		st.flat = true
		return b.add(st)
	}}, maker{"ReduceAdd", func(b *builder, name string) bool {
		i := b.operand(-1, nil, ofNormal)
		s := b.vals[i].shape
		in := []int{i, b.like(s, nil, ofNormal), b.like(s, nil, ofNormal)}
		return b.add(step{name: name, call: "G.ReduceAdd(G.Nodes{%s, %s, %s})", in: in,
			build: func(n nodes) (*G.Node, error) { return G.ReduceAdd(n) },
			ref: func(_ *kinks, in []array) array {
				return zip(zip(in[0], in[1], func(x, y float64) float64 { return x + y }), in[2], func(x, y float64) float64 { return x + y })
			}})
	}}, maker{"ReduceMul", func(b *builder, name string) bool {
		in := []int{b.operand(0, nil, ofNormal), b.operand(0, nil, ofNormal), b.operand(0, nil, ofNormal)}
		return b.add(step{name: name, call: "G.ReduceMul(G.Nodes{%s, %s, %s})", in: in,
			build: func(n nodes) (*G.Node, error) { return G.ReduceMul(n) },
			ref: func(_ *kinks, in []array) array {
				return zip(zip(in[0], in[1], func(x, y float64) float64 { return x * y }), in[2], func(x, y float64) float64 { return x * y })
			}})
	}})
	return out
}

func shapeMakers() []maker {
	return []maker{
		{"Reshape", func(b *builder, name string) bool {
			i := b.operand(-1, nil, ofNormal)
			s := b.vals[i].shape
			if len(s) == 0 {
				return false
			}
			to := b.factors(s.TotalSize())
			return b.add(of1step(name, fmt.Sprintf("G.Reshape(%%s, tensor.Shape{%s})", goInts(to)), i,
				func(n *G.Node) (*G.Node, error) { return G.Reshape(n, slices.Clone(to)) }, func(_ *kinks, a array) array { return a.reshaped(to...) }))
		}},
		{"Ravel", func(b *builder, name string) bool {
			i := b.operand(-1, nil, ofNormal)
			if len(b.vals[i].shape) == 0 {
				return false
			}
			return b.add(of1step(name, "G.Ravel(%s)", i, G.Ravel, func(_ *kinks, a array) array { return a.reshaped(len(a.v)) }))
		}},
		{"Transpose", func(b *builder, name string) bool {
			i := b.operand(-1, nil, ofNormal)
			rank := len(b.vals[i].shape)
			if rank < 2 {
				return false
			}
			axes := b.Perm(rank)
			return b.add(of1step(name, fmt.Sprintf("G.Transpose(%%s, %s)", goInts(axes)), i, func(n *G.Node) (*G.Node, error) { return G.Transpose(n, slices.Clone(axes)...) },
				func(_ *kinks, a array) array { return a.transposed(axes...) }))
		}},
		{"Slice", func(b *builder, name string) bool {
			i := b.operand(-1, nil, ofNormal)
			s := b.vals[i].shape
			if len(s) == 0 {
				return false
			}
			at, text := make([]tensor.Slice, 1+b.IntN(len(s))), []string{}
			type span struct{ from, to, by int }
			spans := make([]*span, len(at))
			for k := range at {
				n := s[k]
				from := b.IntN(n)
				switch b.IntN(4) {
				case 0:
					text = append(text, "nil")
				case 1:
					at[k], spans[k] = G.S(from), &span{from, from + 1, 1}
					text = append(text, fmt.Sprintf("G.S(%d)", from))
				case 2:
					to := from + 1 + b.IntN(n-from)
					at[k], spans[k] = G.S(from, to), &span{from, to, 1}
					text = append(text, fmt.Sprintf("G.S(%d, %d)", from, to))
				case 3:
					by := 2 + b.IntN(2)
					if (n-from)/by < 2 {
						text = append(text, "nil")
						break
					}
					to := from + (n-from)/by*by
					if b.dt == b.r.dt { // an incomplete step is left out; Gorgonia's own code then has more than its shape says
						to += b.IntN((n-from)%by + 1)
					}
					at[k], spans[k] = G.S(from, to, by), &span{from, to, by}
					text = append(text, fmt.Sprintf("G.S(%d, %d, %d)", from, to, by))
				}
			}
			return b.add(of1step(name, "G.Slice(%s, "+strings.Join(text, ", ")+")", i, func(n *G.Node) (*G.Node, error) { return G.Slice(n, at...) },
				func(_ *kinks, a array) array {
					var s shape
					for k, n := range a.shape {
						if k < len(spans) && spans[k] != nil {
							sp := spans[k]
							a = a.taken(k, sp.from, sp.from+(sp.to-sp.from)/sp.by*sp.by, sp.by)
							if n = a.shape[k]; n == 1 {
								continue
							}
						}
						s = append(s, n)
					}
					return a.reshaped(s...)
				}))
		}},
		{"Unconcat", func(b *builder, name string) bool {
			i := b.operand(-1, nil, ofNormal)
			s := b.vals[i].shape
			if len(s) == 0 {
				return false
			}
			axis := b.IntN(len(s))
			n := 2 + b.IntN(2)
			if s[axis]%n != 0 || s[axis]/n < 2 {
				return false
			}
			for k, size := range s {
				if size == 1 && k != axis { // it takes those axes out
					return false
				}
			}
			part, size := b.IntN(n), s[axis]/n
			return b.add(of1step(name, fmt.Sprintf("G.Unconcat(%%s, %d, %d)[%d]", axis, n, part), i, func(x *G.Node) (*G.Node, error) {
				parts, err := G.Unconcat(x, axis, n)
				if err != nil {
					return nil, err
				}
				return parts[part], nil
			}, func(_ *kinks, a array) array { return a.taken(axis, part*size, (part+1)*size, 1) }))
		}},
		{"Concat", func(b *builder, name string) bool {
			i := b.operand(-1, nil, ofNormal)
			s := slices.Clone(b.vals[i].shape)
			if len(s) == 0 {
				return false
			}
			axis := b.IntN(len(s))
			in := []int{i}
			for range 1 + b.IntN(2) {
				s[axis] = b.sizes[b.IntN(len(b.sizes))]
				in = append(in, b.like(s, nil, ofNormal))
			}
			return b.add(step{name: name, call: fmt.Sprintf("G.Concat(%d%s)", axis, strings.Repeat(", %s", len(in))), in: in,
				build: func(n nodes) (*G.Node, error) { return G.Concat(axis, n...) },
				ref:   func(_ *kinks, in []array) array { return concat(axis, in...) }})
		}},
		{"ByIndices", func(b *builder, name string) bool {
			i := b.operand(-1, nil, ofNormal)
			s := b.vals[i].shape
			if len(s) == 0 {
				return false
			}
			axis := []int{0, len(s) - 1}[b.IntN(2)]
			j := b.indices(shape{1 + b.IntN(5)}, s[axis])
			return b.add(step{name: name, call: fmt.Sprintf("G.ByIndices(%%s, %%s, %d)", axis), in: []int{i, j},
				build: of2(func(x, at *G.Node) (*G.Node, error) { return G.ByIndices(x, at, axis) }),
				ref: func(_ *kinks, in []array) array {
					var parts []array
					for _, at := range in[1].v {
						parts = append(parts, in[0].taken(axis, int(at), int(at)+1, 1))
					}
					return concat(axis, parts...)
				}})
		}},
		{"At", func(b *builder, name string) bool {
			i := b.operand(-1, nil, ofNormal)
			s := b.vals[i].shape
			if len(s) == 0 {
				return false
			}
			at := make([]int, len(s))
			for k, n := range s {
				at[k] = b.IntN(n)
			}
			st := of1step(name, fmt.Sprintf("G.At(%%s, %s)", goInts(at)), i, func(n *G.Node) (*G.Node, error) { return G.At(n, at...) },
				func(_ *kinks, a array) array { return array{v: []float64{a.get(at...)}} })
			st.none = true
			return b.add(st)
		}},
		{"DiagFlat", func(b *builder, name string) bool {
			i := b.operand(-1, nil, ofNormal)
			if n := len(b.vals[i].v); n < 2 || n > 20 {
				return false
			}
			st := of1step(name, "G.DiagFlat(%s)", i, G.DiagFlat, func(_ *kinks, a array) array {
				out := newArray(len(a.v), len(a.v))
				for i, x := range a.v {
					out.v[i*len(a.v)+i] = x
				}
				return out
			})
			st.none = true
			return b.add(st)
		}},
	}
}

// factors is a random shape of that size.
func (b *builder) factors(size int) shape {
	s := shape{}
	for range b.IntN(4) {
		var all []int
		for n := 1; n <= size; n++ {
			if size%n == 0 {
				all = append(all, n)
			}
		}
		n := all[b.IntN(len(all))]
		s, size = append(s, n), size/n
	}
	return append(s, size)
}

func productMakers() []maker {
	return []maker{
		{"Mul", func(b *builder, name string) bool {
			i := b.operand(1+b.IntN(2), nil, ofNormal)
			s := b.vals[i].shape
			k := s[len(s)-1]
			to := shape{k}
			if b.IntN(2) == 0 {
				to = shape{k, b.sizes[b.IntN(len(b.sizes))]}
			}
			j := b.like(to, nil, ofNormal)
			return b.add(step{name: name, call: "G.Mul(%s, %s)", in: []int{i, j}, build: of2(G.Mul),
				ref: func(_ *kinks, in []array) array {
					return contracted(in[0], in[1], []int{len(in[0].shape) - 1}, []int{0})
				}})
		}},
		{"OuterProd", func(b *builder, name string) bool {
			return b.add(step{name: name, call: "G.OuterProd(%s, %s)", in: []int{b.operand(1, nil, ofNormal), b.operand(1, nil, ofNormal)}, build: of2(G.OuterProd),
				ref: func(_ *kinks, in []array) array {
					return contracted(in[0].reshaped(len(in[0].v), 1), in[1].reshaped(1, len(in[1].v)), []int{1}, []int{0})
				}})
		}},
		{"BatchedMatMul", func(b *builder, name string) bool {
			i := b.operand(3+b.IntN(2), nil, ofNormal)
			s := slices.Clone(b.vals[i].shape)
			r, ta, tb := len(s), b.IntN(2) == 0, b.IntN(2) == 0
			k, n := s[r-1], b.sizes[b.IntN(len(b.sizes))]
			if ta {
				k = s[r-2]
			}
			s[r-2], s[r-1] = k, n
			if tb {
				s[r-2], s[r-1] = n, k
			}
			j := b.like(s, nil, ofNormal)
			return b.add(step{name: name, call: fmt.Sprintf("G.BatchedMatMul(%%s, %%s, %v, %v)", ta, tb), in: []int{i, j},
				build: of2(func(x, y *G.Node) (*G.Node, error) { return G.BatchedMatMul(x, y, ta, tb) }),
				ref: func(_ *kinks, in []array) array {
					flip := func(a array, t bool) array {
						axes := all(r)
						if t {
							axes[r-2], axes[r-1] = r-1, r-2
						}
						a = a.transposed(axes...)
						return a.reshaped(a.shape[:r-2].TotalSize(), a.shape[r-2], a.shape[r-1])
					}
					x, y := flip(in[0], ta), flip(in[1], tb)
					var parts []array
					for k := range x.shape[0] {
						p := contracted(x.taken(0, k, k+1, 1).reshaped(x.shape[1:]...), y.taken(0, k, k+1, 1).reshaped(y.shape[1:]...), []int{1}, []int{0})
						parts = append(parts, p.reshaped(1, p.shape[0], p.shape[1]))
					}
					whole := concat(0, parts...)
					return whole.reshaped(append(slices.Clone(in[0].shape[:r-2]), whole.shape[1:]...)...)
				}})
		}},
		{"Tensordot", func(b *builder, name string) bool {
			i := b.operand(1+b.IntN(3), nil, ofNormal)
			s := b.vals[i].shape
			aAxes := b.axes(len(s))
			to := b.shape(max(len(aAxes), 1+b.IntN(3)))
			bAxes := b.Perm(len(to))[:len(aAxes)]
			for k, axis := range bAxes {
				to[axis] = s[aAxes[k]]
			}
			if to.TotalSize() > 300 {
				return false
			}
			j := b.like(to, nil, ofNormal)
			return b.add(step{name: name, call: fmt.Sprintf("G.Tensordot(%#v, %#v, %%s, %%s)", aAxes, bAxes), in: []int{i, j},
				build: of2(func(x, y *G.Node) (*G.Node, error) {
					return G.Tensordot(slices.Clone(aAxes), slices.Clone(bAxes), x, y)
				}),
				ref: func(_ *kinks, in []array) array { return contracted(in[0], in[1], aAxes, bAxes) }})
		}},
	}
}
