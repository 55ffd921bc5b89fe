package main

import (
	"sync"

	"driftless/kernels/internal/vec"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// vector and general are registers, yet to be allocated; a mask selects lanes.
type (
	vector  = vec.Reg
	general = vec.GP
	mask    = vec.Mask
)

// width is a vector width, with what these kernels do beyond package vec: registers are
// written where they are, and no mask, nil, selects all lanes.
type width struct{ vec.V }

var (
	avx2   = width{vec.AVX2}
	avx512 = width{vec.AVX512}
)

// double returns the width with lanes of float64.
func double(w width) width { return width{w.Float64()} }

func (w width) vectors(n int) []vector {
	v := make([]vector, n)
	for i := range v {
		v[i] = w.New()
	}
	return v
}

// firstLanes returns the mask of the first n lanes; n is lost.
func (w width) firstLanes(n general) *mask {
	m := w.Tail(n)
	return &m
}

// load loads the lanes of the mask; the others are 0.
func (w width) load(from Mem, m *mask, to vector) {
	if m == nil {
		w.Move(from, to)
	} else {
		w.MoveMasked(*m, from, to)
	}
}

// store stores the lanes of the mask.
func (w width) store(v vector, m *mask, to Mem) {
	if m == nil {
		w.Store(v, to)
	} else {
		w.StoreMasked(v, *m, to)
	}
}

// column is where vector j of a row stands.
func (w width) column(row general, j int) Mem { return Mem{Base: row, Disp: w.Bytes * j} }

// table returns a function that returns n constants, which it writes once.
func table(name string, n int, value func(i int) Constant) func() Mem {
	return sync.OnceValue(func() Mem {
		m := GLOBL(name, RODATA|NOPTR)
		for i := range n {
			v := value(i)
			DATA(i*v.Bytes(), v)
		}
		return m
	})
}
