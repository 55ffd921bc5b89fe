package scalar

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"driftless/kernels"
)

// vectorised is a function that has vectors, with its plain Go.
type vectorised[T kernels.Float] struct {
	name string
	rows func(m, d int, x []T, ldx int, y []T, ldy int)
	spec func(x, y []T)
}

func vectorFuncs[T kernels.Float]() []vectorised[T] {
	spec := func(f vectorFunc) func(x, y []T) { return func(x, y []T) { plainRow(f, x, y) } }
	return []vectorised[T]{
		{"Exp", ExpRows[T], spec(vectorExp)},
		{"Sigmoid", SigmoidRows[T], spec(vectorSigmoid)},
		{"Tanh", TanhRows[T], spec(vectorTanh)},
	}
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

func sameBits[T kernels.Float](a, b T) bool {
	return math.Float64bits(float64(a)) == math.Float64bits(float64(b)) || a != a && b != b
}

// stride says how many float32 TestVectorBits goes on by: a change of the kernels
// deserves -stride 37, or 1.
var stride = flag.Uint64("stride", 499, "compare vectors with plain Go at one in so many float32")

// TestVectorBits compares arguments from all float32.
func TestVectorBits(t *testing.T) {
	stride := *stride
	const n = 1 << 12
	x, want, got := make([]float32, n), make([]float32, n), make([]float32, n)
	for _, f := range vectorFuncs[float32]() {
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
	t.Run("float32", func(t *testing.T) {
		testVectorSpecial(t, 0x1p-149, math.MaxFloat32, func(x, to float32) float32 { return math.Nextafter32(x, to) })
	})
	t.Run("float64", func(t *testing.T) {
		testVectorSpecial(t, math.SmallestNonzeroFloat64, math.MaxFloat64, math.Nextafter)
	})
}

func testVectorSpecial[T kernels.Float](t *testing.T, least, most T, next func(x, to T) T) {
	inf := T(math.Inf(1))
	special := []T{0, T(math.Copysign(0, -1)), 0.625, -0.625, 44, 44.1, 87, -87, 87.01, -87.01, 88, 88.01, 88.8, 88.81, 89, -103.9, -104, -104.1,
		-110, 200, -200, 1e9, -1e9, 1e-40, -1e-40, least, -least, 3 * least, T(math.NaN()), inf, -inf, most, -most,
		354, 354.5, 708, -708, 708.5, -708.5, 709, 709.5, 709.78271289338397, -709.78, -745, -745.13321910194111, -745.2}
	for s := range special { // and their neighbours
		special = append(special, next(special[s], inf), next(special[s], -inf))
	}
	eachVector(t, func(t *testing.T) {
		for _, f := range vectorFuncs[T]() {
			for n := range 40 {
				for k := n % 7; k < len(special); k += 7 { // all, over the lengths
					const rows, pad = 2, 3
					x, y := make([]T, rows*(n+pad)), make([]T, rows*(n+pad))
					for i := range x {
						x[i], y[i] = T(i-n/2)/3, 7
					}
					if n > 0 {
						x[k%n], x[n+pad+(k+1)%n] = special[k%len(special)], special[(k+5)%len(special)]
					}
					f.rows(rows, n, x, n+pad, y, n+pad)
					for i := range rows {
						want := make([]T, n)
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

// TestVectorBits64 compares random arguments of any size.
func TestVectorBits64(t *testing.T) {
	const n = 1 << 12
	r := rand.New(rand.NewPCG(1, 2))
	x, want, got := make([]float64, n), make([]float64, n), make([]float64, n)
	for round := range 200 {
		for i := range x {
			switch i % 3 {
			case 0:
				x[i] = math.Float64frombits(r.Uint64())
			case 1:
				x[i] = 1600 * (r.Float64() - 0.5)
			default:
				x[i] = math.Ldexp(r.NormFloat64(), round%20-10)
			}
		}
		for _, f := range vectorFuncs[float64]() {
			f.spec(x, want)
			for _, isa := range kernels.ISAs()[1:] {
				restore := kernels.UseISA(isa)
				f.rows(1, n, x, n, got, n)
				restore()
				for i, w := range want {
					if !sameBits(got[i], w) {
						t.Fatalf("%s: %s(%v) is %x, plain Go has %x", isa, f.name, x[i], math.Float64bits(got[i]), math.Float64bits(w))
					}
				}
			}
		}
	}
}

// testBlocks crosses the borders of calls of assembly, along rows and columns.
func testBlocks[T kernels.Float](t *testing.T) {
	for _, s := range [][3]int{{1, 20000, 0}, {3, 9001, 1}, {300, 70, 2}, {70, 300, 0}} {
		m, d, ld := s[0], s[1], s[1]+s[2]
		r := rand.New(rand.NewPCG(1, 2))
		x, want, y := make([]T, m*ld), make([]T, m*ld), make([]T, m*ld)
		for i := range x {
			x[i] = T(5 * r.NormFloat64())
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

func TestBlocks(t *testing.T) {
	t.Run("float32", testBlocks[float32])
	t.Run("float64", testBlocks[float64])
}

func BenchmarkRows(b *testing.B) {
	b.Run("float32", benchmarkRows[float32])
	b.Run("float64", benchmarkRows[float64])
}

func benchmarkRows[T kernels.Float](b *testing.B) {
	const n = 6000
	r := rand.New(rand.NewPCG(1, 2))
	for _, spread := range []float64{2, 500} {
		x, y := make([]T, n), make([]T, n)
		for i := range x {
			x[i] = T(spread * r.NormFloat64())
		}
		for _, f := range vectorFuncs[T]() {
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
