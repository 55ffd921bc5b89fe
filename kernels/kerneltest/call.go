package kerneltest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"unsafe"

	"driftless/kernels"
)

// guard is the number of elements before and after each operand that must stay
// as they are.
const guard = 16

// memory is an operand's elements with guards around them and poison in every
// gap.
type memory[T kernels.Float] struct {
	rows, cols, ld int
	buf            []T
}

// poison is a quiet NaN with a payload that no arithmetic produces.
func poison[T kernels.Float]() T {
	var z T
	if unsafe.Sizeof(z) == 4 {
		return T(math.Float32frombits(0x7fc0dead))
	}
	return T(math.Float64frombits(0x7ff80000dead0000))
}

func bits[T kernels.Float](x T) uint64 {
	if unsafe.Sizeof(x) == 4 {
		return uint64(math.Float32bits(float32(x)))
	}
	return math.Float64bits(float64(x))
}

func newMemory[T kernels.Float](rows, cols, pad int) *memory[T] {
	m := &memory[T]{rows: rows, cols: cols, ld: cols}
	if rows > 1 {
		m.ld += pad
	}
	m.buf = make([]T, 2*guard+rows*m.ld)
	for i := range m.buf {
		m.buf[i] = poison[T]()
	}
	return m
}

// data ends at the last element, so that a read beyond it panics.
func (m *memory[T]) data() []T {
	end := guard + (m.rows-1)*m.ld + m.cols
	return m.buf[guard:end:end]
}

func (m *memory[T]) at(i, j int) *T { return &m.buf[guard+i*m.ld+j] }

func (m *memory[T]) fill(f func() float64) {
	for i := range m.rows {
		for j := range m.cols {
			*m.at(i, j) = T(f())
		}
	}
}

// dense copies the elements.
func (m *memory[T]) dense() *dense {
	d := &dense{m.rows, m.cols, make([]float64, m.rows*m.cols), make([]float64, m.rows*m.cols)}
	for i := range m.rows {
		for j := range m.cols {
			d.v[i*m.cols+j] = float64(*m.at(i, j))
		}
	}
	return d
}

// gaps returns an error if something was written outside the elements.
func (m *memory[T]) gaps() error {
	for at, v := range m.buf {
		p := at - guard
		if p >= 0 && p < m.rows*m.ld && p%m.ld < m.cols {
			continue
		}
		if bits(v) != bits(poison[T]()) {
			return fmt.Errorf("wrote %v at offset %d, outside of %d×%d with leading dimension %d", v, p, m.rows, m.cols, m.ld)
		}
	}
	return nil
}

// same returns an error where the bits differ; all NaNs are equal.
func (m *memory[T]) same(o *memory[T]) error {
	for i := range m.rows {
		for j := range m.cols {
			a, b := *m.at(i, j), *o.at(i, j)
			if bits(a) != bits(b) && !(a != a && b != b) {
				return fmt.Errorf("(%d,%d) is %v (%#x), want %v (%#x)", i, j, a, bits(a), b, bits(b))
			}
		}
	}
	return nil
}

// close returns an error where m is not the reference within the bound.
func (m *memory[T]) close(want *dense, tol, slack float64) error {
	u := unitRoundoff[T]()
	for i := range m.rows {
		for j := range m.cols {
			got, w, mag := float64(*m.at(i, j)), want.at(i, j), want.mag[i*want.cols+j]
			switch {
			case math.IsNaN(w):
				if !math.IsNaN(got) {
					return fmt.Errorf("(%d,%d) is %v, want NaN", i, j, got)
				}
				continue
			case math.Abs(w) > largest[T]():
				if got != math.Copysign(math.Inf(1), w) {
					return fmt.Errorf("(%d,%d) is %v, want %v", i, j, got, w)
				}
				continue
			}
			if mag == 0 {
				mag = math.Abs(w)
			}
			bound := tol*(u*mag+4*leastDenormal[T]()) + slack*0x1p-53*mag
			if tol == 0 {
				bound = 0
			}
			if !(math.Abs(got-w) <= bound) {
				return fmt.Errorf("(%d,%d) is %v, want %v ± %.3g", i, j, got, w, bound)
			}
		}
	}
	return nil
}

// call is one case of a kernel: its operands in guarded memory.
type call[T kernels.Float] struct {
	k      *kernel[T]
	c      caseOf
	narrow []*memory[T]       // nil where the operand is wide
	wide   []*memory[float64] // nil where it is not
	before []*memory[T]       // copies of what is only read
	args   []arg[T]
}

// newCall fills the operands of a case: always the same way.
func newCall[T kernels.Float](k *kernel[T], c caseOf) *call[T] {
	n := len(k.operands)
	l := &call[T]{k, c, make([]*memory[T], n), make([]*memory[float64], n), make([]*memory[T], n), make([]arg[T], n)}
	r := rand.New(rand.NewPCG(uint64(c.size.m*1000+c.size.d), uint64(c.mode)))
	for i, o := range k.operands {
		rows, cols := o.shape(c.size)
		draw := func() float64 {
			if o.fill != nil {
				return o.fill(r, c.size, c.mode)
			}
			return c.mode.draw(r, leastDenormal[T]())
		}
		pad := c.pad
		if pad > 0 {
			pad += i // all leading dimensions differ
		}
		if o.wide {
			l.wide[i] = newMemory[float64](rows, cols, pad)
			if o.role&in != 0 {
				l.wide[i].fill(draw)
			}
		} else {
			l.narrow[i] = newMemory[T](rows, cols, pad)
			if o.role&in != 0 {
				l.narrow[i].fill(draw)
			}
			if o.role == in {
				b := *l.narrow[i]
				b.buf = append([]T(nil), b.buf...)
				l.before[i] = &b
			}
		}
		l.bind(i)
	}
	return l
}

func (l *call[T]) bind(i int) {
	if w := l.wide[i]; w != nil {
		l.args[i] = arg[T]{wide: w.data(), ld: w.ld}
		return
	}
	l.args[i] = arg[T]{x: l.narrow[i].data(), ld: l.narrow[i].ld}
}

// share makes the result an operand's own slice.
func (l *call[T]) share(result, operand int) {
	l.narrow[result] = l.narrow[operand]
	l.before[operand] = nil
	l.bind(result)
}

func (l *call[T]) run(impl Implementation) {
	defer impl.Select()()
	l.k.run(l.c.size, l.args)
}

// reference returns the operands and what the reference makes of them.
func (l *call[T]) reference() []*dense {
	a := make([]*dense, len(l.args))
	for i := range a {
		if w := l.wide[i]; w != nil {
			a[i] = w.dense()
		} else {
			a[i] = l.narrow[i].dense()
		}
	}
	l.k.ref(l.c.size, a)
	return a
}

// check compares a call that ran with the reference.
func (l *call[T]) check(want []*dense) error {
	slack := float64(l.c.size.m + l.c.size.d + l.c.size.k)
	for i, o := range l.k.operands {
		var err error
		switch n, w := l.narrow[i], l.wide[i]; {
		case w != nil:
			if err = w.gaps(); err == nil && o.role&out != 0 {
				err = w.close(want[i], l.k.tol, slack)
			}
		case o.role == in:
			if err = n.gaps(); err == nil {
				err = n.same(l.before[i])
			}
		default:
			if err = n.gaps(); err == nil && o.role != lost {
				err = n.close(want[i], l.k.tol, slack)
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
	}
	return nil
}

// equal compares all operands with those of another call, bit for bit.
func (l *call[T]) equal(o *call[T]) error {
	for i, op := range l.k.operands {
		if op.role == lost {
			continue
		}
		var err error
		if l.wide[i] != nil {
			err = l.wide[i].same(o.wide[i])
		} else {
			err = l.narrow[i].same(o.narrow[i])
		}
		if err != nil {
			return fmt.Errorf("%s: %w", op.name, err)
		}
	}
	return nil
}

// equalResult compares the results of a call with shared slices with those of one
// without.
func (l *call[T]) equalResult(o *call[T], shared [2]int) error {
	for i, op := range l.k.operands {
		if i == shared[1] || l.narrow[i] == nil || op.role&out == 0 {
			continue
		}
		if err := l.narrow[i].gaps(); err != nil {
			return fmt.Errorf("%s: %w", op.name, err)
		}
		if err := l.narrow[i].same(o.narrow[i]); err != nil {
			return fmt.Errorf("%s: %w", op.name, err)
		}
	}
	return nil
}
