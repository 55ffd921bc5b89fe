package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// image returns a step of rank 4, an image if need be.
func (b *builder) image() int { return b.operand(4, nil, ofNormal) }

func imageMakers() []maker {
	pool := func(b *builder, name string, i int, kernel, pad, stride []int, call string, build unary) bool {
		s := b.vals[i].shape
		if s[2]+2*pad[0] < kernel[0] || s[3]+2*pad[1] < kernel[1] || pad[0] >= kernel[0] || pad[1] >= kernel[1] {
			return false
		}
		return b.add(of1step(name, call, i, build, func(k *kinks, a array) array { return a.pooled(k, kernel, pad, stride) }))
	}
	return []maker{
		{"Conv2d", func(b *builder, name string) bool {
			i := b.image()
			s := b.vals[i].shape
			kernel, pad := []int{1 + b.IntN(3), 1 + b.IntN(3)}, []int{b.IntN(2), b.IntN(2)}
			stride, dilation := []int{1 + b.IntN(2), 1 + b.IntN(2)}, []int{1 + b.IntN(5)/4, 1 + b.IntN(5)/4}
			if s[2]+2*pad[0] < dilation[0]*(kernel[0]-1)+1 || s[3]+2*pad[1] < dilation[1]*(kernel[1]-1)+1 {
				return false
			}
			j := b.like(shape{1 + b.IntN(3), s[1], kernel[0], kernel[1]}, nil, ofNormal)
			return b.add(step{name: name, call: fmt.Sprintf("G.Conv2d(%%s, %%s, tensor.Shape{%s}, %#v, %#v, %#v)", goInts(kernel), pad, stride, dilation), in: []int{i, j},
				build: of2(func(x, f *G.Node) (*G.Node, error) { return G.Conv2d(x, f, shape(kernel), pad, stride, dilation) }),
				ref: func(_ *kinks, in []array) array {
					p := in[0].patches(kernel, pad, stride, dilation)
					f := in[1].reshaped(in[1].shape[0], p.shape[3])
					return contracted(p, f, []int{3}, []int{1}).transposed(0, 3, 1, 2)
				}})
		}},
		{"Conv1d", func(b *builder, name string) bool {
			i := b.image()
			s := b.vals[i].shape
			kernel, pad, stride, dilation := 1+b.IntN(3), b.IntN(2), 1+b.IntN(2), 1+b.IntN(5)/4
			if s[3]+2*pad < dilation*(kernel-1)+1 {
				return false
			}
			j := b.like(shape{1 + b.IntN(3), s[1], 1, kernel}, nil, ofNormal)
			return b.add(step{name: name, call: fmt.Sprintf("G.Conv1d(%%s, %%s, %d, %d, %d, %d)", kernel, pad, stride, dilation), in: []int{i, j},
				build: of2(func(x, f *G.Node) (*G.Node, error) { return G.Conv1d(x, f, kernel, pad, stride, dilation) }),
				ref: func(_ *kinks, in []array) array {
					p := in[0].patches([]int{1, kernel}, []int{0, pad}, []int{1, stride}, []int{1, dilation})
					return contracted(p, in[1].reshaped(in[1].shape[0], p.shape[3]), []int{3}, []int{1}).transposed(0, 3, 1, 2)
				}})
		}},
		{"Im2Col", func(b *builder, name string) bool {
			i := b.image()
			s := b.vals[i].shape
			kernel, pad, stride, dilation := []int{1 + b.IntN(3), 1 + b.IntN(3)}, []int{b.IntN(2), b.IntN(2)}, []int{1 + b.IntN(2), 1 + b.IntN(2)}, []int{1, 1}
			if s[2]+2*pad[0] < kernel[0] || s[3]+2*pad[1] < kernel[1] {
				return false
			}
			return b.add(of1step(name, fmt.Sprintf("G.Im2Col(%%s, tensor.Shape{%s}, tensor.Shape{%s}, tensor.Shape{%s}, tensor.Shape{1, 1})", goInts(kernel), goInts(pad), goInts(stride)), i,
				func(n *G.Node) (*G.Node, error) {
					return G.Im2Col(n, shape(kernel), shape(pad), shape(stride), shape(dilation))
				}, func(_ *kinks, a array) array { return a.patches(kernel, pad, stride, dilation) }))
		}},
		{"MaxPool2D", func(b *builder, name string) bool {
			kernel, pad, stride := []int{1 + b.IntN(3), 1 + b.IntN(3)}, []int{b.IntN(2), b.IntN(2)}, []int{1 + b.IntN(2), 1 + b.IntN(2)}
			return pool(b, name, b.image(), kernel, pad, stride, fmt.Sprintf("G.MaxPool2D(%%s, tensor.Shape{%s}, %#v, %#v)", goInts(kernel), pad, stride),
				func(n *G.Node) (*G.Node, error) { return G.MaxPool2D(n, shape(kernel), pad, stride) })
		}},
		{"MaxPool1D", func(b *builder, name string) bool {
			kernel, pad, stride := 1+b.IntN(3), b.IntN(2), 1+b.IntN(2)
			return pool(b, name, b.image(), []int{1, kernel}, []int{0, pad}, []int{1, stride}, fmt.Sprintf("G.MaxPool1D(%%s, %d, %d, %d)", kernel, pad, stride),
				func(n *G.Node) (*G.Node, error) { return G.MaxPool1D(n, kernel, pad, stride) })
		}},
		{"AveragePool1D", func(b *builder, name string) bool { // Gorgonia's takes the maximum
			return pool(b, name, b.image(), []int{1, 2}, []int{0, 0}, []int{1, 2}, "G.AveragePool1D(%s, 2, 0, 2)",
				func(n *G.Node) (*G.Node, error) { return G.AveragePool1D(n, 2, 0, 2) })
		}},
		{"GlobalAveragePool2D", func(b *builder, name string) bool {
			st := of1step(name, "G.GlobalAveragePool2D(%s)", b.image(), G.GlobalAveragePool2D, func(_ *kinks, a array) array {
				m := meanOf(a, []int{2, 3})
				return m.reshaped(a.shape[0], a.shape[1], 1, 1)
			})
			st.none = true
			return b.add(st)
		}},
		{"Upsample2D", func(b *builder, name string) bool {
			scale := 1 + b.IntN(3)
			return b.add(of1step(name, fmt.Sprintf("G.Upsample2D(%%s, %d)", scale), b.image(), func(n *G.Node) (*G.Node, error) { return G.Upsample2D(n, scale) },
				func(_ *kinks, a array) array {
					out := newArray(a.shape[0], a.shape[1], a.shape[2]*scale, a.shape[3]*scale)
					each(out.shape, func(at int, index []int) { out.v[at] = a.get(index[0], index[1], index[2]/scale, index[3]/scale) })
					return out
				}))
		}},
	}
}

func layerMakers() []maker {
	affine := func(in []array, y array) array {
		return zip(zip(y, in[1], func(x, s float64) float64 { return x * s }), in[2], func(x, b float64) float64 { return x + b })
	}
	// ofChannels is the shape of a scale of channels, the second axis.
	ofChannels := func(s shape) shape {
		to := shape(slices.Repeat([]int{1}, len(s)))
		to[1] = s[1]
		return to
	}
	return []maker{
		{"BatchNorm", func(b *builder, name string) bool {
			i := b.operand([]int{2, 4}[b.IntN(2)], nil, ofNormal)
			s := b.vals[i].shape
			if len(b.vals[i].v)/s[1] < 3 || !b.first("batchnorm", i) { // Gorgonia tells them apart by one digit
				return false
			}
			in, mode := []int{i, b.like(ofChannels(s), nil, ofPositive), b.like(ofChannels(s), nil, ofNormal)}, b.r.mode
			return b.add(step{name: name, call: "G.BatchNorm(%s, %s, %s, 0.1, 0.01)", in: in,
				build: func(n nodes) (*G.Node, error) {
					y, _, _, _, err := G.BatchNorm(n[0], n[1], n[2], 0.1, 0.01)
					return y, err
				},
				ref: func(_ *kinks, in []array) array {
					if mode != "" { // its running variance is 0 yet
						return affine(in, in[0].apply(func(x float64) float64 { return x / 0.1 }))
					}
					return affine(in, in[0].standardized(0.01, s[1], func(index []int) int { return index[1] }))
				}})
		}},
		{"GroupNorm", func(b *builder, name string) bool {
			i := b.operand([]int{2, 4}[b.IntN(2)], nil, ofNormal)
			s := b.vals[i].shape
			groups := 1 + b.IntN(3)
			if s[1]%groups != 0 {
				return false
			}
			if size := len(b.vals[i].v) / s[0] / groups; size < 3 || size > 256 || !b.first("groupnorm", i, groups) {
				return false
			}
			in := []int{i, b.like(ofChannels(s), nil, ofPositive), b.like(ofChannels(s), nil, ofNormal)}
			return b.add(step{name: name, call: fmt.Sprintf("G.GroupNorm(%%s, %%s, %%s, %d, %d, 0.01)", groups, s[1]), in: in,
				build: func(n nodes) (*G.Node, error) { return G.GroupNorm(n[0], n[1], n[2], groups, s[1], 0.01) },
				ref: func(_ *kinks, in []array) array {
					return affine(in, in[0].standardized(0.01, s[0]*groups, func(index []int) int { return index[0]*groups + index[1]/(s[1]/groups) }))
				}})
		}},
		{"Dropout", func(b *builder, name string) bool {
			p, mode := []float64{0, 0.25, 0.5, 0.75}[b.IntN(4)], b.r.mode
			st := of1step(name, fmt.Sprintf("G.Dropout(%%s, %v)", p), b.operand(-1, nil, ofNormal), func(n *G.Node) (*G.Node, error) { return G.Dropout(n, p) },
				func(_ *kinks, a array) array {
					return a.apply(func(x float64) float64 {
						if mode != "" {
							return x
						}
						return x / (1 - p)
					})
				})
			if len(b.vals[st.in[0]].shape) == 0 && b.mixed { // Gorgonia's own code takes no scalar
				return false
			}
			if p > 0 {
				st.keeps = 1 - p
			}
			return b.add(st)
		}},
		{"CTCLoss", func(b *builder, name string) bool {
			i := b.operand(3, within(-6, 6), ofNormal)
			s := b.vals[i].shape
			width := 1 + b.IntN(3)
			if s[2] < 2 || s[0] < 2*width || !b.first("ctc", i) {
				return false
			}
			ints := func(s shape, from, to int) (int, []int) {
				a, v := newArray(s...), []int{}
				for k := range a.v {
					x := from + b.IntN(to-from+1)
					a.v[k] = float64(x)
					v = append(v, x)
				}
				return b.leaf(step{value: a, ints: true}), v
			}
			t, targets := ints(shape{s[1], width}, 1, s[2]-1)
			n, times := ints(shape{s[1]}, 2*width, s[0])
			l, lengths := ints(shape{s[1]}, 1, width)
			how, text := G.ReductionMean, "G.ReductionMean"
			if b.IntN(2) == 0 {
				how, text = G.ReductionSum, "G.ReductionSum"
			}
			return b.add(step{name: name, call: "G.CTCLoss(%s, %s, %s, %s, " + text + ")", in: []int{i, t, n, l},
				build: func(n nodes) (*G.Node, error) { return G.CTCLoss(n[0], n[1], n[2], n[3], how) },
				ref: func(_ *kinks, in []array) array {
					sum := 0.0
					for k, x := range in[0].ctc(targets, times, lengths) {
						if how == G.ReductionMean {
							x /= float64(lengths[k] * s[1])
						}
						sum += x
					}
					return array{v: []float64{sum}}
				}})
		}},
		{"UniformRandomNode", func(b *builder, name string) bool {
			return b.draw(name, "0.3, 1.3", func(g *G.ExprGraph, dt tensor.Dtype, s shape) *G.Node {
				return G.UniformRandomNode(g, dt, 0.3, 1.3, s...)
			}, ofPositive)
		}},
		{"GaussianRandomNode", func(b *builder, name string) bool {
			return b.draw(name, "0, 1", func(g *G.ExprGraph, dt tensor.Dtype, s shape) *G.Node { return G.GaussianRandomNode(g, dt, 0, 1, s...) }, ofNormal)
		}},
		{"BinomialRandomNode", func(b *builder, name string) bool {
			return b.draw(name, "5, 0.5", func(g *G.ExprGraph, dt tensor.Dtype, s shape) *G.Node {
				return G.BinomialRandomNode(g, dt, 5, 0.5, s...)
			},
				func(r *rand.Rand) float64 { return float64(r.IntN(6)) })
		}},
	}
}

// draw adds a node of random numbers. It names a step for its graph alone.
func (b *builder) draw(name, args string, build func(g *G.ExprGraph, dt tensor.Dtype, s shape) *G.Node, fill func(r *rand.Rand) float64) bool {
	if b.IntN(3) > 0 { // what is random hides what is wrong elsewhere
		return false
	}
	i := b.operand(-1, nil, ofNormal)
	s, dt := b.shape(b.IntN(4)), b.dt
	now := newArray(s...)
	for k := range now.v {
		now.v[k] = fill(b.Rand)
	}
	return b.add(step{name: name, call: fmt.Sprintf("G.%s(%%s.Graph(), tensor.F%s, %s%s)", name, dt.String()[1:], args, strings.TrimSuffix(", "+goInts(s), ", ")), in: []int{i},
		build: of1(func(n *G.Node) (*G.Node, error) { return build(n.Graph(), dt, s), nil }), draws: true, flat: true,
		ref: func(*kinks, []array) array { return now }})
}
