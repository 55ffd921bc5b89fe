package kerneltest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"driftless/kernels"
)

// Implementation is one way to compute the kernels.
type Implementation struct {
	// Name is what results are reported under.
	Name string
	// Select makes the kernels' public functions use this implementation, and
	// returns a function that undoes it.
	Select func() (restore func())
}

// Implementations returns those that this machine can run, the specification
// first.
func Implementations() []Implementation {
	var out []Implementation
	for _, isa := range kernels.ISAs() {
		out = append(out, Implementation{Name: isa.String(), Select: func() func() { return kernels.UseISA(isa) }})
	}
	return out
}

// Run puts every kernel of the table through the suite, under each of the
// implementations; the first is the specification, whose bits the others must
// reproduce.
func Run(t *testing.T, impls []Implementation) {
	t.Run("float32", func(t *testing.T) { runTable(t, table[float32](), impls) })
	t.Run("float64", func(t *testing.T) { runTable(t, table[float64](), impls) })
}

func runTable[T kernels.Float](t *testing.T, rows []kernel[T], impls []Implementation) {
	for _, k := range rows {
		t.Run(k.name, func(t *testing.T) { conform(t, &k, impls) })
	}
}

// conform puts one kernel through the suite and stops at its first failure.
func conform[T kernels.Float](t testing.TB, k *kernel[T], impls []Implementation) {
	t.Helper()
	fail := func(impl Implementation, c caseOf, format string, args ...any) {
		t.Helper()
		t.Fatalf("%s, %s: %s", impl.Name, c, fmt.Sprintf(format, args...))
	}
	for _, s := range sizes {
		for _, mode := range modes {
			for _, pad := range []int{0, 3} {
				if pad == 0 && mode != ordinary {
					continue // the numbers do not care
				}
				c := caseOf{s, pad, mode}
				want := newCall(k, c).reference()
				var spec *call[T]
				for _, impl := range impls {
					got := newCall(k, c)
					got.run(impl)
					if err := got.check(want); err != nil {
						fail(impl, c, "%v", err)
					}
					if spec == nil {
						spec = got
					} else if err := got.equal(spec); err != nil {
						fail(impl, c, "differs from %s: %v", impls[0].Name, err)
					}
					for _, a := range k.alias {
						same := newCall(k, c)
						same.share(a[0], a[1])
						same.run(impl)
						if err := same.equalResult(got, a); err != nil {
							fail(impl, c, "%s in place of %s: %v", k.operands[a[0]].name, k.operands[a[1]].name, err)
						}
					}
				}
			}
		}
	}
	c := caseOf{size{13, 33, 7}, 3, ordinary}
	for _, impl := range impls {
		call := newCall(k, c)
		restore := impl.Select()
		n := testing.AllocsPerRun(3, func() { call.k.run(c.size, call.args) })
		restore()
		if n != 0 {
			fail(impl, c, "allocates %v times a call", n)
		}
	}
}

// caseOf names one run of a kernel.
type caseOf struct {
	size size
	pad  int
	mode mode
}

func (c caseOf) String() string {
	return fmt.Sprintf("m=%d d=%d k=%d, rows %d apart from the next, %s numbers", c.size.m, c.size.d, c.size.k, c.pad, c.mode)
}

// size holds the dimensions that operands are made of: m rows, d columns, and k
// for a third dimension.
type size struct{ m, d, k int }

// sizes straddle the widths of vectors, tiles and column blocks.
var sizes = []size{{1, 1, 1}, {2, 1, 5}, {1, 7, 3}, {3, 5, 1}, {5, 31, 33}, {8, 33, 16}, {13, 64, 5}, {17, 65, 3}, {60, 19, 9}, {3, 129, 4}, {37, 6, 4}}

// mode says what numbers the operands hold.
type mode uint8

const (
	ordinary mode = iota // standard normal
	offset               // the same, 1000 further on
	tiny                 // denormals
	zeros                // zeros of both signs
	special              // standard normal, with NaN, infinities and zeros among them
)

var modes = []mode{ordinary, offset, tiny, zeros, special}

func (m mode) String() string {
	return [...]string{"ordinary", "offset", "denormal", "zero", "special"}[m]
}

// draw returns a number of the mode, for a type with the given scale of
// denormals.
func (m mode) draw(r *rand.Rand, denormal float64) float64 {
	v := r.NormFloat64()
	switch m {
	case offset:
		return 1000 + v
	case tiny:
		return math.Round(v*1000) * denormal
	case zeros:
		return math.Copysign(0, v)
	case special:
		if r.IntN(12) == 0 {
			return [...]float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1)}[r.IntN(5)]
		}
	}
	return v
}
