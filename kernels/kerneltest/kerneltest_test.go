package kerneltest

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
)

func TestKernels(t *testing.T) { Run(t, Implementations()) }

// TestNames: a row that is named twice would be reported under the wrong name.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range table[float32]() {
		if seen[k.name] {
			t.Errorf("%s is in the table twice", k.name)
		}
		seen[k.name] = true
	}
}

// recorder keeps the first failure instead of failing the test.
type recorder struct {
	testing.TB
	failure string
}

func (r *recorder) Helper() {}
func (r *recorder) Fatalf(format string, args ...any) {
	r.failure = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// judge returns what the suite says of a kernel; "" if it conforms.
func judge(k kernel[float32], impls []Implementation) string {
	r := &recorder{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conform(r, &k, impls)
	}()
	<-done
	return r.failure
}

var sink []float32

// TestFaults breaks a kernel, y = 2x + row, in every way that the suite is to
// notice.
func TestFaults(t *testing.T) {
	run := func(each func(i, j, last int, x, y []float32, v float32)) func(s size, a []arg[float32]) {
		return func(s size, a []arg[float32]) {
			for i := range s.m {
				for j := range s.d {
					x, y := a[0].x[i*a[0].ld:], a[2].x[i*a[2].ld:]
					each(i, j, s.d-1, x, y, 2*x[j]+a[1].x[j])
				}
			}
		}
	}
	good := kernel[float32]{
		name:     "good",
		operands: []operand{read("x", matrix), read("row", perCol), written("y", matrix)},
		run:      run(func(_, j, _ int, _, y []float32, v float32) { y[j] = v }),
		ref: func(s size, a []*dense) {
			a[2].each(func(i, j int) (v, mag float64) {
				p, q := 2*a[0].at(i, j), a[1].at(0, j)
				return p + q, math.Abs(p) + math.Abs(q)
			})
		},
		tol:   2,
		alias: [][2]int{{2, 0}},
	}
	if f := judge(good, Implementations()); f != "" {
		t.Fatalf("rejects a kernel without a fault: %s", f)
	}
	for name, fault := range map[string]struct {
		each func(i, j, last int, x, y []float32, v float32)
		want string
	}{
		"one element wrong": {func(i, j, last int, _, y []float32, v float32) {
			y[j] = v
			if i == 7 && j == last {
				y[j] = 0.999 * v
			}
		}, "want"},
		"writes between rows": {func(i, j, last int, _, y []float32, v float32) {
			y[j] = v
			if j == last && len(y) > last+1 {
				y[j+1] = v
			}
		}, "wrote"},
		"reads between rows": {func(i, j, last int, x, y []float32, v float32) {
			y[j] = v
			if j == last && len(x) > last+1 {
				y[j] += 0 * x[j+1]
			}
		}, "is NaN"},
		"writes an operand": {func(i, j, last int, x, y []float32, v float32) {
			y[j] = v
			x[j]++
		}, "x: "},
		"adds to what was there": {func(_, j, _ int, _, y []float32, v float32) { y[j] += v }, "is NaN"},
		"leaves an element out": {func(i, j, last int, _, y []float32, v float32) {
			if i != 4 || j != last {
				y[j] = v
			}
		}, "is NaN"},
		"loses NaN": {func(_, j, _ int, _, y []float32, v float32) {
			if v != v {
				v = 0
			}
			y[j] = v
		}, "want NaN"},
		"loses infinity": {func(_, j, _ int, _, y []float32, v float32) { y[j] = min(v, math.MaxFloat32) }, "want +Inf"},
		"flushes denormals": {func(_, j, _ int, _, y []float32, v float32) {
			if math.Abs(float64(v)) < 0x1p-126 {
				v = 0
			}
			y[j] = v
		}, "denormal numbers"},
		"reads x after writing y": {func(i, j, last int, x, y []float32, v float32) {
			y[j] = v
			if j > 0 && x[j-1] == y[j-1] {
				y[j]++
			}
		}, "y in place of x"},
		"allocates": {func(_, j, _ int, _, y []float32, v float32) {
			sink = append([]float32(nil), v)
			y[j] = v
		}, "allocates"},
	} {
		bad := good
		bad.run = run(fault.each)
		if name == "writes between rows" {
			bad.alias = nil // would notice it first, where there is no gap
		}
		if f := judge(bad, Implementations()); !strings.Contains(f, fault.want) {
			t.Errorf("%s: the suite says %q, want it to mention %q", name, f, fault.want)
		}
	}

	// An implementation one unit in the last place off the specification.
	off := false
	twin := good
	twin.run = run(func(i, j, _ int, _, y []float32, v float32) {
		if off && i == 2 {
			v = math.Nextafter32(v, 1e30)
		}
		y[j] = v
	})
	impls := append(Implementations(), Implementation{"off", func() func() {
		off = true
		return func() { off = false }
	}})
	if f := judge(twin, impls); !strings.Contains(f, "off") || !strings.Contains(f, "differs from go") {
		t.Errorf("bits that differ from the specification's: the suite says %q", f)
	}
}
