package engine_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// nearKink is how near to a kink random graphs must not come.
const nearKink = 3e-3

var makers = slices.Concat(unaryMakers(), pairMakers(), compareMakers(), stableMakers(), reduceMakers(), shapeMakers(), productMakers(), imageMakers(), layerMakers())

// goInts prints integers as arguments.
func goInts(v []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(v), " ", ", "), "[]")
}

func within(lo, hi float64) func(x float64) bool {
	return func(x float64) bool { return lo <= x && x <= hi }
}

// of1step is a call on one operand.
func of1step(name, call string, i int, build func(n *G.Node) (*G.Node, error), ref func(k *kinks, a array) array) step {
	return step{name: name, call: call, in: []int{i}, build: of1(build), ref: func(k *kinks, in []array) array { return ref(k, in[0]) }}
}

// of2step is a call on two operands, element by element.
func of2step(name string, build binary, i, j int, f func(x, y float64) float64) step {
	return step{name: name, call: "G." + name + "(%s, %s)", in: []int{i, j}, build: of2(build),
		ref: func(_ *kinks, in []array) array { return zip(in[0], in[1], f) }}
}

func unaryMakers() (out []maker) {
	add := func(name string, build unary, f func(x float64) float64, lo, hi float64, kink func(x float64) float64, flat bool) {
		out = append(out, maker{name, func(b *builder, name string) bool {
			fill := ofNormal
			if lo > -1 {
				fill = ofPositive
			}
			if hi == 1 {
				fill = ofShare
			}
			i := b.operand(-1, within(lo, hi), fill)
			if name == "Log" && b.rewritten(i) || name == "Sign" && b.dt != b.r.dt && len(b.vals[i].shape) == 0 { // whose sign of 0 is Gorgonia's
				return false
			}
			s := of1step(name, "G."+name+"(%s)", i, build, func(k *kinks, a array) array {
				if kink != nil {
					for _, x := range a.v {
						k.at(kink(x))
					}
				}
				return a.apply(f)
			})
			s.flat = flat
			return b.add(s)
		}})
	}
	const inf = 30
	zero := func(x float64) float64 { return x }
	whole := func(x float64) float64 { return x - math.Round(x) }
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	softplus := func(x float64) float64 { return math.Log1p(math.Exp(x)) }
	add("Abs", G.Abs, math.Abs, -inf, inf, zero, false)
	add("Neg", G.Neg, func(x float64) float64 { return -x }, -inf, inf, nil, false)
	add("Square", G.Square, func(x float64) float64 { return x * x }, -7, 7, nil, false)
	add("Cube", G.Cube, func(x float64) float64 { return x * x * x }, -3, 3, nil, false)
	add("Exp", G.Exp, math.Exp, -9, 3, nil, false)
	add("Expm1", G.Expm1, math.Expm1, -9, 3, nil, false)
	add("Sin", G.Sin, math.Sin, -inf, inf, nil, false)
	add("Cos", G.Cos, math.Cos, -inf, inf, nil, false)
	add("Tanh", G.Tanh, math.Tanh, -9, 9, nil, false)
	add("Sigmoid", G.Sigmoid, sigmoid, -inf, inf, nil, false)
	add("Softplus", G.Softplus, softplus, -inf, inf, nil, false)
	add("Mish", G.Mish, func(x float64) float64 { return x * math.Tanh(softplus(x)) }, -inf, inf, nil, false)
	add("Rectify", G.Rectify, func(x float64) float64 { return max(x, 0) }, -inf, inf, zero, false)
	add("Sign", G.Sign, func(x float64) float64 {
		if x == 0 {
			return 0
		}
		return math.Copysign(1, x)
	}, -inf, inf, zero, true)
	add("Floor", G.Floor, math.Floor, -inf, inf, whole, true)
	add("Ceil", G.Ceil, math.Ceil, -inf, inf, whole, true)
	add("Sqrt", G.Sqrt, math.Sqrt, 0.05, inf, nil, false)
	add("Log", G.Log, math.Log, 0.05, inf, nil, false)
	add("Log1p", G.Log1p, math.Log1p, -0.5, inf, nil, false)
	add("Log2", G.Log2, math.Log2, 0.05, inf, nil, false)
	add("Inverse", G.Inverse, func(x float64) float64 { return 1 / x }, 0.1, inf, nil, false)
	add("InverseSqrt", G.InverseSqrt, func(x float64) float64 { return 1 / math.Sqrt(x) }, 0.1, inf, nil, false)
	out = append(out, maker{"LeakyRelu", func(b *builder, name string) bool {
		alpha, dt := float64(b.IntN(9))/10, b.dt
		return b.add(of1step(name, fmt.Sprintf("G.LeakyRelu(%%s, %v)", alpha), b.operand(-1, nil, ofNormal),
			func(n *G.Node) (*G.Node, error) { return G.LeakyRelu(n, alpha) }, func(k *kinks, a array) array {
				return a.apply(func(x float64) float64 {
					if k.at(x); x < 0 {
						return roundTo(dt, alpha) * x
					}
					return x
				})
			}))
	}})
	return out
}

// rewritten reports whether Gorgonia's Log, or its derivative of Pow, changes what a step is for all
// that reads it.
func (b *builder) rewritten(i int) bool {
	s := b.r.steps[i]
	return slices.Contains([]string{"SoftMax", "Sub", "Mish", "Rectify", "LeakyRelu", "BinaryXent"}, s.name) || strings.Contains(s.name, "HadamardProd") || strings.Contains(s.name, "Add") ||
		strings.Contains(s.name, "Sub") || strings.Contains(s.name, "Norm")
}

// number is a constant of the graph's type, and what it looks like in Go. It is none of those that
// Gorgonia rewrites.
func (b *builder) number(lo, hi float64) (*G.Node, float64, string) {
	x := math.Round((lo+(hi-lo)*b.Float64())*100) / 100
	if x == 0 || x == 1 {
		x = 1.25
	}
	if b.dt == tensor.Float32 {
		return G.NewConstant(float32(x)), float64(float32(x)), fmt.Sprintf("G.NewConstant(float32(%v))", x)
	}
	return G.NewConstant(x), x, fmt.Sprintf("G.NewConstant(%v)", x)
}

func pairMakers() (out []maker) {
	type pattern = func(a, b *G.Node, l, r []byte) (*G.Node, error)
	for name, p := range map[string]struct {
		build  binary
		spread pattern
		f      func(x, y float64) float64
		ok     [2]func(x float64) bool
		fill   func(r *rand.Rand) float64
	}{
		"Add":          {G.Add, G.BroadcastAdd, func(x, y float64) float64 { return x + y }, [2]func(x float64) bool{}, ofNormal},
		"Sub":          {G.Sub, G.BroadcastSub, func(x, y float64) float64 { return x - y }, [2]func(x float64) bool{}, ofNormal},
		"HadamardProd": {G.HadamardProd, G.BroadcastHadamardProd, func(x, y float64) float64 { return x * y }, [2]func(x float64) bool{}, ofNormal},
		"HadamardDiv":  {G.HadamardDiv, G.BroadcastHadamardDiv, func(x, y float64) float64 { return x / y }, [2]func(x float64) bool{nil, within(0.2, 30)}, ofPositive},
		"Div":          {G.Div, nil, func(x, y float64) float64 { return x / y }, [2]func(x float64) bool{nil, within(0.2, 30)}, ofPositive},
		"Pow":          {G.Pow, G.BroadcastPow, math.Pow, [2]func(x float64) bool{within(0.1, 9), within(-3, 3)}, ofPositive},
	} {
		out = append(out, maker{name, func(b *builder, name string) bool {
			i := b.operand(-1, p.ok[0], p.fill)
			s, j := b.vals[i].shape, 0
			switch b.IntN(6) {
			case 0: // a scalar
				if j = b.operand(0, p.ok[1], p.fill); p.ok[0] == nil && p.ok[1] == nil && b.IntN(2) == 0 {
					i, j = j, i
				}
			case 1: // the same
				j = i
			case 2: // a constant
				if name == "Pow" && b.rewritten(i) {
					return false
				}
				c, x, text := b.number(0.3, 2.5)
				of := array{v: []float64{x}}
				if b.IntN(2) == 0 && b.vals[i].all(within(0.2, 3)) {
					return b.add(of1step(name, "G."+name+"("+text+", %s)", i, func(n *G.Node) (*G.Node, error) { return p.build(c, n) },
						func(_ *kinks, a array) array { return zip(of, a, p.f) }))
				}
				return b.add(of1step(name, "G."+name+"(%s, "+text+")", i, func(n *G.Node) (*G.Node, error) { return p.build(n, c) },
					func(_ *kinks, a array) array { return zip(a, of, p.f) }))
			default:
				j = b.like(s, p.ok[1], p.fill)
			}
			if name == "Pow" && b.rewritten(i) {
				return false
			}
			if p.ok[1] != nil && !b.vals[j].all(p.ok[1]) || p.ok[0] != nil && !b.vals[i].all(p.ok[0]) {
				return false
			}
			return b.add(of2step(name, p.build, i, j, p.f))
		}})
		if p.spread == nil {
			continue
		}
		out = append(out, maker{"Broadcast" + name, func(b *builder, name string) bool {
			return b.broadcast(name, p.spread, p.ok, p.fill, func(_ *kinks, x, y float64) float64 { return p.f(x, y) }, false)
		}})
		out = append(out, maker{"Auto " + name, func(b *builder, _ string) bool {
			i := b.operand(-1, p.ok[0], p.fill)
			s := slices.Clone(b.vals[i].shape)
			for k := range s {
				if b.IntN(2) == 0 {
					s[k] = 1
				}
			}
			if len(s) == 0 || name == "Pow" && b.rewritten(i) {
				return false
			}
			j := b.like(s, p.ok[1], p.fill)
			if p.ok[0] == nil && p.ok[1] == nil && b.IntN(2) == 0 {
				i, j = j, i
			}
			st := of2step(name, nil, i, j, p.f)
			st.name, st.call = "Auto "+name, "G.Auto(G.Broadcast"+name+", %s, %s)"
			st.build = of2(func(a, b *G.Node) (*G.Node, error) { return G.Auto(p.spread, a, b) })
			return b.add(st)
		}})
	}
	slices.SortFunc(out, func(a, b maker) int { return strings.Compare(a.name, b.name) })
	return out
}

// broadcast adds a call with patterns: one operand is repeated along axes that it has of size 1,
// or not at all.
func (b *builder) broadcast(name string, spread func(a, b *G.Node, l, r []byte) (*G.Node, error), ok [2]func(x float64) bool, fill func(r *rand.Rand) float64, f func(k *kinks, x, y float64) float64, flat bool) bool {
	i := b.operand(-1, ok[0], fill)
	whole := b.vals[i].shape
	rank := len(whole)
	if rank == 0 || rank > 4 || strings.HasSuffix(name, "Pow") && b.rewritten(i) {
		return false
	}
	axes := b.axes(rank)
	slices.Sort(axes)
	along, less, same := []byte{}, shape{}, slices.Clone(whole)
	for k, n := range whole {
		if slices.Contains(axes, k) {
			along, same[k] = append(along, byte(k)), 1
		} else {
			less = append(less, n)
		}
	}
	s := same
	if b.IntN(2) == 0 {
		s = less
	}
	j := b.like(s, ok[1], fill)
	l, r := []byte(nil), along
	if ok[0] == nil && ok[1] == nil && b.IntN(2) == 0 {
		i, j, l, r = j, i, along, nil
	}
	return b.add(step{name: name, call: fmt.Sprintf("G.%s(%%s, %%s, %#v, %#v)", name, l, r), in: []int{i, j}, flat: flat,
		build: of2(func(a, b *G.Node) (*G.Node, error) { return spread(a, b, l, r) }),
		ref: func(k *kinks, in []array) array {
			return zip(in[0].spread(rank, l), in[1].spread(rank, r), func(x, y float64) float64 { return f(k, x, y) })
		}})
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func compareMakers() (out []maker) {
	for _, p := range []struct {
		name   string
		build  func(a, b *G.Node, same bool) (*G.Node, error)
		spread func(a, b *G.Node, same bool, l, r []byte) (*G.Node, error)
		f      func(x, y float64) bool
	}{
		{"Lt", G.Lt, G.BroadcastLt, func(x, y float64) bool { return x < y }}, {"Gt", G.Gt, G.BroadcastGt, func(x, y float64) bool { return x > y }},
		{"Lte", G.Lte, G.BroadcastLte, func(x, y float64) bool { return x <= y }}, {"Gte", G.Gte, G.BroadcastGte, func(x, y float64) bool { return x >= y }},
		{"Eq", G.Eq, G.BroadcastEq, func(x, y float64) bool { return x == y }}, {"Ne", G.Ne, G.BroadcastNe, func(x, y float64) bool { return x != y }},
	} {
		f := func(k *kinks, x, y float64) float64 {
			k.at(x - y)
			return truth(p.f(x, y))
		}
		out = append(out, maker{p.name, func(b *builder, name string) bool {
			i := b.operand(-1, nil, ofNormal)
			j := b.like(b.vals[i].shape, nil, ofNormal)
			switch b.IntN(4) {
			case 0:
				if j = b.operand(0, nil, ofNormal); b.IntN(2) == 0 {
					i, j = j, i
				}
			case 1:
				j = i
			}
			same := b.IntN(3) > 0
			return b.add(step{name: name, call: fmt.Sprintf("G.%s(%%s, %%s, %v)", name, same), in: []int{i, j}, flat: true, none: !same,
				build: of2(func(a, b *G.Node) (*G.Node, error) { return p.build(a, b, same) }),
				ref: func(k *kinks, in []array) array {
					if &in[0].v[0] == &in[1].v[0] { // every time
						k = &kinks{}
					}
					return zip(in[0], in[1], func(x, y float64) float64 { return f(k, x, y) })
				}})
		}}, maker{"Broadcast" + p.name, func(b *builder, name string) bool {
			return b.broadcast(name, func(x, y *G.Node, l, r []byte) (*G.Node, error) { return p.spread(x, y, true, l, r) },
				[2]func(x float64) bool{}, ofNormal, f, true)
		}})
	}
	for name, p := range map[string]struct {
		build binary
		f     func(x, y float64) float64
	}{"MinBetween": {G.MinBetween, math.Min}, "MaxBetween": {G.MaxBetween, math.Max}} {
		out = append(out, maker{name, func(b *builder, name string) bool {
			i := b.operand(-1, nil, ofNormal)
			if len(b.vals[i].shape) == 0 { // Gorgonia has it not of scalars
				return false
			}
			return b.add(step{name: name, call: "G." + name + "(%s, %s)", in: []int{i, b.like(b.vals[i].shape, nil, ofNormal)}, build: of2(p.build),
				ref: func(k *kinks, in []array) array {
					return zip(in[0], in[1], func(x, y float64) float64 {
						k.at(x - y)
						return p.f(x, y)
					})
				}})
		}})
	}
	slices.SortFunc(out, func(a, b maker) int { return strings.Compare(a.name, b.name) })
	return out
}

// stableMakers are what Gorgonia rewrites as it is written down.
func stableMakers() (out []maker) {
	add := func(name, call string, lo, hi float64, build func(one, n *G.Node) (*G.Node, error), f func(x float64) float64, key string) {
		out = append(out, maker{name, func(b *builder, name string) bool {
			one1, text := G.NewConstant(1.0), "G.NewConstant(1.0)"
			if b.dt == tensor.Float32 {
				one1, text = G.NewConstant(float32(1)), "G.NewConstant(float32(1))"
			}
			fill := ofNormal
			if lo > -1 {
				fill = ofPositive
			}
			if hi < 1 {
				fill = ofShare
			}
			i := b.operand(-1, within(lo, hi), fill)
			if key != "" && !b.first(key, i) {
				return false
			}
			return b.add(of1step(name, strings.ReplaceAll(call, "ONE", text), i, func(n *G.Node) (*G.Node, error) { return build(one1, n) },
				func(_ *kinks, a array) array { return a.apply(f) }))
		}})
	}
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	add("Log of Sigmoid", "G.Log(G.Sigmoid(%s))", -9, 9, func(_, n *G.Node) (*G.Node, error) { return G.Log(G.Must(G.Sigmoid(n))) }, func(x float64) float64 { return math.Log(sigmoid(x)) }, "")
	add("1 - Sigmoid", "G.Sub(ONE, G.Sigmoid(%s))", -9, 9, func(one, n *G.Node) (*G.Node, error) { return G.Sub(one, G.Must(G.Sigmoid(n))) }, func(x float64) float64 { return 1 - sigmoid(x) }, "1-sigmoid")
	add("Log of 1 - Sigmoid", "G.Log(G.Sub(ONE, G.Sigmoid(%s)))", -9, 2, func(one, n *G.Node) (*G.Node, error) {
		return G.Log(G.Must(G.Sub(one, G.Must(G.Sigmoid(n)))))
	}, func(x float64) float64 { return math.Log(1 - sigmoid(x)) }, "1-sigmoid")
	add("Log1p of -Sigmoid", "G.Log1p(G.Neg(G.Sigmoid(%s)))", -9, 2, func(_, n *G.Node) (*G.Node, error) {
		return G.Log1p(G.Must(G.Neg(G.Must(G.Sigmoid(n)))))
	}, func(x float64) float64 { return math.Log(1 - sigmoid(x)) }, "")
	add("Log1p of Exp", "G.Log1p(G.Exp(%s))", -9, 9, func(_, n *G.Node) (*G.Node, error) { return G.Log1p(G.Must(G.Exp(n))) }, func(x float64) float64 { return math.Log1p(math.Exp(x)) }, "")
	add("Exp - 1", "G.Sub(G.Exp(%s), ONE)", -9, 3, func(one, n *G.Node) (*G.Node, error) { return G.Sub(G.Must(G.Exp(n)), one) }, math.Expm1, "")
	add("Log of 1 +", "G.Log(G.Add(ONE, %s))", -0.5, 30, func(one, n *G.Node) (*G.Node, error) { return G.Log(G.Must(G.Add(one, n))) }, math.Log1p, "")
	add("Log of + 1", "G.Log(G.Add(%s, ONE))", -0.5, 30, func(one, n *G.Node) (*G.Node, error) { return G.Log(G.Must(G.Add(n, one))) }, math.Log1p, "")
	add("Log of 1 -", "G.Log(G.Sub(ONE, %s))", 0, 0.95, func(one, n *G.Node) (*G.Node, error) { return G.Log(G.Must(G.Sub(one, n))) }, func(x float64) float64 { return math.Log1p(-x) }, "1-")
	add("Neg of Neg", "G.Neg(G.Neg(%s))", -30, 30, func(_, n *G.Node) (*G.Node, error) { return G.Neg(G.Must(G.Neg(n))) }, func(x float64) float64 { return x }, "")
	out = append(out, maker{"BinaryXent", func(b *builder, name string) bool {
		i := b.operand(-1, within(0.05, 0.95), ofShare)
		j := b.like(b.vals[i].shape, within(0.05, 0.95), ofShare)
		if len(b.vals[i].shape) == 0 || b.rewritten(i) || !b.first("1-", i) || !b.first("1-", j) {
			return false
		}
		return b.add(of2step(name, G.BinaryXent, i, j, func(p, y float64) float64 { return -(y*math.Log(p) + (1-y)*math.Log(1-p)) }))
	}}, maker{"Log of SoftMax", func(b *builder, name string) bool {
		i := b.operand(-1, nil, ofNormal)
		s := b.vals[i].shape
		if len(s) == 0 || !b.first("softmax", i) {
			return false
		}
		return b.add(of1step(name, "G.Log(G.SoftMax(%s))", i, func(n *G.Node) (*G.Node, error) { return G.Log(G.Must(G.SoftMax(n))) },
			func(_ *kinks, a array) array { return a.softmax(softmaxAxis(s), true) }))
	}}, maker{"Log of SoftMax times", func(b *builder, name string) bool {
		i := b.operand(-1, nil, ofNormal)
		s := b.vals[i].shape
		if len(s) == 0 || !b.first("softmax", i) {
			return false
		}
		j := b.like(s, within(0.1, 30), ofPositive)
		if b.rewritten(j) {
			return false
		}
		return b.add(step{name: name, call: "G.Log(G.HadamardProd(%[2]s, G.SoftMax(%[1]s)))", in: []int{i, j},
			build: of2(func(a, c *G.Node) (*G.Node, error) { return G.Log(G.Must(G.HadamardProd(c, G.Must(G.SoftMax(a))))) }),
			ref: func(_ *kinks, in []array) array {
				return zip(in[0].softmax(softmaxAxis(s), true), in[1], func(p, y float64) float64 { return p + math.Log(y) })
			}})
	}})
	return out
}

// softmaxAxis is that which Gorgonia takes where none is given.
func softmaxAxis(s shape) int {
	if s.IsColVec() {
		return 0
	}
	return len(s) - 1
}
