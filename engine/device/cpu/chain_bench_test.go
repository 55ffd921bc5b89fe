package cpu

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"driftless/engine/program"
	"driftless/kernels"
	"driftless/kernels/elem"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// chainForms are the operands of a chain of n elements.
var chainForms = []struct {
	name  string
	shape func(n int) tensor.Shape
	other func(shape tensor.Shape) tensor.Shape // what is multiplied by
	along []byte
	sum   bool // of all ends it
}{
	{"vector", vectorOf, same, nil, false},
	{"matrix", matrixOf, same, nil, false},
	{"row", matrixOf, func(s tensor.Shape) tensor.Shape { return tensor.Shape{1, s[1]} }, []byte{0}, false},
	{"column", matrixOf, func(s tensor.Shape) tensor.Shape { return tensor.Shape{s[0], 1} }, []byte{1}, false},
	{"sum", matrixOf, same, nil, true},
}

func vectorOf(n int) tensor.Shape      { return tensor.Shape{n} }
func matrixOf(n int) tensor.Shape      { return tensor.Shape{n / 250, 250} }
func same(s tensor.Shape) tensor.Shape { return s }

// BenchmarkChain measures chains of so many operations, products and sums by turns, on one worker:
//
//	ns/element  of the engine
//	pass×       its time over that of one pass which reads two operands and writes a result
//	apart×      the time of a pass over all elements for each operation, over that of one
func BenchmarkChain(b *testing.B) {
	b.Run("float32", benchmarkChain[float32])
	b.Run("float64", benchmarkChain[float64])
}

func benchmarkChain[T kernel](b *testing.B) {
	for _, form := range chainForms {
		for _, length := range []int{2, 4, 8} {
			for _, n := range []int{1e4, 1e5, 1e6, 1e7} {
				b.Run(fmt.Sprintf("of=%s/ops=%d/n=%d", form.name, length, n), func(b *testing.B) {
					dt, isFloat32 := program.Float64, kernels.IsFloat32[T]()
					if isFloat32 {
						dt = program.Float32
					}
					l := program.NewLayout(dt)
					l.Plain = true
					g := G.NewGraph()
					input := func(name string, shape tensor.Shape) *G.Node {
						v := make([]T, shape.TotalSize())
						for i := range v {
							v[i] = T(i%97) / 97
						}
						return G.NewTensor(g, dt.Dtype(), len(shape), G.WithName(name), G.WithShape(shape...), G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))))
					}
					shape := form.shape(n)
					x, y := input("x", shape), input("y", form.other(shape))
					v := x
					for i := range length {
						switch {
						case i%2 == 1:
							v = G.Must(G.Add(v, x))
						case form.along == nil:
							v = G.Must(G.HadamardProd(v, y))
						default:
							v = G.Must(G.BroadcastHadamardProd(v, y, nil, form.along))
						}
					}
					if form.sum {
						v = G.Must(G.Sum(v))
					}
					p, err := program.Compile(l, program.Spec{Name: "chain", Graph: g, Outputs: []program.Output{{Node: v, Name: "out"}}})
					if err != nil {
						b.Fatal(err)
					}
					s, err := newDevice(1, 0).Open(l, 1)
					if err != nil {
						b.Fatal(err)
					}
					defer s.Close()
					first, other, out, room := make([]T, n), make([]T, n), make([]T, n), make([]T, n)
					var times [3][]float64
					reps := max(1, 100000/n)
					for b.Loop() {
						for k, f := range []func(){
							func() {
								if err := s.Run(context.Background(), p, reps); err != nil {
									b.Fatal(err)
								}
							},
							func() {
								for range reps {
									elem.Apply(elem.Add, first, other, out)
								}
							},
							func() {
								for range reps {
									v := first
									for i := range length {
										op, with, to := elem.Mul, other, out
										if i%2 == 1 {
											op, with, to = elem.Add, first, room
										}
										elem.Apply(op, v, with, to)
										v = to
									}
								}
							},
						} {
							start := time.Now()
							f()
							times[k] = append(times[k], float64(time.Since(start).Nanoseconds())/float64(n*reps))
						}
					}
					for k := range times {
						slices.Sort(times[k])
					}
					mid := func(k int) float64 { return times[k][len(times[k])/2] }
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(mid(0), "ns/element")
					b.ReportMetric(mid(0)/mid(1), "pass×")
					b.ReportMetric(mid(2)/mid(1), "apart×")
				})
			}
		}
	}
}
