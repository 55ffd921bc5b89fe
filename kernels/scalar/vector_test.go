package scalar

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"driftless/kernels"
)

// vectorFuncs are the functions that have vectors, with their plain Go.
var vectorFuncs = []struct {
	name string
	rows func(m, d int, x []float32, ldx int, y []float32, ldy int)
	spec func(x, y []float32)
}{
	{"Exp", ExpRows[float32], exps32},
	{"Sigmoid", SigmoidRows[float32], sigmoid32},
	{"Tanh", TanhRows[float32], tanhs32},
}

// eachVector runs f for every instruction set beyond the plain Go.
func eachVector(t *testing.T, f func(t *testing.T)) {
	for _, isa := range kernels.ISAs()[1:] {
		t.Run(isa.String(), func(t *testing.T) {
			defer kernels.UseISA(isa)()
			f(t)
		})
	}
}

func sameBits(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

// stride says how many float32 TestVectorBits goes on by: a change of the kernels
// deserves -stride 37, or 1.
var stride = flag.Uint64("stride", 499, "compare vectors with plain Go at one in so many float32")

// TestVectorBits compares arguments from all float32.
func TestVectorBits(t *testing.T) {
	stride := *stride
	const n = 1 << 12
	x, want, got := make([]float32, n), make([]float32, n), make([]float32, n)
	for _, f := range vectorFuncs {
		for b := uint64(0); b < 1<<32; b += n * stride {
			for i := range x {
				x[i] = math.Float32frombits(uint32(b + uint64(i)*stride))
			}
			f.spec(x, want)
			for _, isa := range kernels.ISAs()[1:] {
				restore := kernels.UseISA(isa)
				f.rows(1, n, x, n, got, n)
				restore()
				for i, w := range want {
					if !sameBits(got[i], w) {
						t.Fatalf("%s: %s(%v) is %x, plain Go has %x", isa, f.name, x[i], math.Float32bits(got[i]), math.Float32bits(w))
					}
				}
			}
		}
	}
}

// TestVectorSpecial puts special values at every place of rows of every length, in
// place or not, amid guards.
func TestVectorSpecial(t *testing.T) {
	inf := float32(math.Inf(1))
	special := []float32{0, float32(math.Copysign(0, -1)), 0.625, -0.625, 44, 44.1, 87, -87, 87.01, -87.01, 88, 88.01, 88.8, 88.81, 89, -103.9, -104, -104.1,
		-110, 200, -200, 1e9, -1e9, 1e-40, -1e-40, 0x1p-149, float32(math.NaN()), inf, -inf, math.MaxFloat32, -math.MaxFloat32}
	for s := range special { // and their neighbours
		special = append(special, math.Nextafter32(special[s], inf), math.Nextafter32(special[s], -inf))
	}
	eachVector(t, func(t *testing.T) {
		for _, f := range vectorFuncs {
			for n := range 40 {
				for k := n % 7; k < len(special); k += 7 { // all, over the lengths
					const rows, pad = 2, 3
					x, y := make([]float32, rows*(n+pad)), make([]float32, rows*(n+pad))
					for i := range x {
						x[i], y[i] = float32(i-n/2)/3, 7
					}
					if n > 0 {
						x[k%n], x[n+pad+(k+1)%n] = special[k%len(special)], special[(k+5)%len(special)]
					}
					f.rows(rows, n, x, n+pad, y, n+pad)
					for i := range rows {
						want := make([]float32, n)
						f.spec(x[i*(n+pad):][:n], want)
						f.rows(1, n, x[i*(n+pad):], n, x[i*(n+pad):], n)
						for j, w := range want {
							got, in := y[i*(n+pad)+j], x[i*(n+pad)+j]
							if !sameBits(got, w) || !sameBits(in, w) {
								t.Fatalf("%s, column %d of %d: %v, in place %v, plain Go has %v", f.name, j, n, got, in, w)
							}
						}
						for j := n; j < n+pad; j++ {
							if y[i*(n+pad)+j] != 7 {
								t.Fatalf("%s: wrote beyond %d columns", f.name, n)
							}
						}
					}
				}
			}
		}
	})
}

// TestBlocks crosses the borders of calls of assembly, along rows and columns.
func TestBlocks(t *testing.T) {
	for _, s := range [][3]int{{1, 20000, 0}, {3, 9001, 1}, {300, 70, 2}, {70, 300, 0}} {
		m, d, ld := s[0], s[1], s[1]+s[2]
		r := rand.New(rand.NewPCG(1, 2))
		x, want, y := make([]float32, m*ld), make([]float32, m*ld), make([]float32, m*ld)
		for i := range x {
			x[i] = float32(5 * r.NormFloat64())
		}
		func() {
			defer kernels.UseISA(kernels.Go)()
			SigmoidRows(m, d, x, ld, want, ld)
		}()
		SigmoidRows(m, d, x, ld, y, ld)
		for i := range want {
			if !sameBits(y[i], want[i]) {
				t.Fatalf("%d×%d: element %d is %v, plain Go has %v", m, d, i, y[i], want[i])
			}
		}
	}
}

func BenchmarkRows(b *testing.B) {
	const n = 6000
	r := rand.New(rand.NewPCG(1, 2))
	for _, spread := range []float64{2, 500} {
		x, y := make([]float32, n), make([]float32, n)
		for i := range x {
			x[i] = float32(spread * r.NormFloat64())
		}
		for _, f := range vectorFuncs {
			for _, isa := range kernels.ISAs() {
				b.Run(fmt.Sprintf("impl=%v/f=%s/spread=%v", isa, f.name, spread), func(b *testing.B) {
					defer kernels.UseISA(isa)()
					for b.Loop() {
						f.rows(1, n, x, n, y, n)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
				})
			}
		}
	}
}
