package main

import (
	"sync"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vector and general are registers, yet to be allocated.
type (
	vector  = reg.VecVirtual
	general = reg.GPVirtual
)

// width is an instruction set by its vectors.
type width struct {
	name  string // ends the names of kernels
	bytes int
}

var (
	avx2   = width{"AVX2", 32}
	avx512 = width{"AVX512", 64}
)

func (w width) wide() bool { return w.bytes == 64 }

// lanes is the number of float32 in a vector.
func (w width) lanes() int { return w.bytes / 4 }

func (w width) vector() vector {
	if w.wide() {
		return ZMM()
	}
	return YMM()
}

func (w width) vectors(n int) []vector {
	v := make([]vector, n)
	for i := range v {
		v[i] = w.vector()
	}
	return v
}

func (w width) zero(v vector) {
	if w.wide() {
		VPXORD(v, v, v)
	} else {
		VXORPS(v, v, v)
	}
}

// mask selects the first lanes of a vector. No mask selects all.
type mask struct {
	k reg.OpmaskVirtual // AVX-512
	v vector            // AVX2
}

// firstLanes returns the mask of the first n lanes; n, at least 1, is lost.
func (w width) firstLanes(n general) *mask {
	if w.wide() {
		m, ones := &mask{k: K()}, GP64()
		MOVQ(I32(-1), ones)
		BZHIQ(n, ones, ones)
		KMOVW(ones.As32(), m.k)
		return m
	}
	m, at := &mask{v: YMM()}, GP64()
	LEAQ(lanesTable(), at)
	NEGQ(n)
	VMOVUPS(Mem{Base: at, Index: n, Scale: 4, Disp: w.bytes}, m.v)
	return m
}

// lanesTable holds eight lanes on and eight off.
var lanesTable = data("lanes", 16, func(i int) Constant {
	if i < 8 {
		return U32(0xffffffff)
	}
	return U32(0)
})

// data returns a function that returns n constants, which it writes once.
func data(name string, n int, value func(i int) Constant) func() Mem {
	return sync.OnceValue(func() Mem {
		m := GLOBL(name, RODATA|NOPTR)
		for i := range n {
			v := value(i)
			DATA(i*v.Bytes(), v)
		}
		return m
	})
}

// load loads the lanes of the mask; the others are 0.
func (w width) load(from Mem, m *mask, to vector) {
	switch {
	case m == nil:
		VMOVUPS(from, to)
	case w.wide():
		VMOVUPS_Z(from, m.k, to)
	default:
		VMASKMOVPS(from, m.v, to)
	}
}

// store stores the lanes of the mask.
func (w width) store(v vector, m *mask, to Mem) {
	switch {
	case m == nil:
		VMOVUPS(v, to)
	case w.wide():
		VMOVUPS(v, m.k, to)
	default:
		VMASKMOVPS(v, m.v, to)
	}
}

// arg loads an argument.
func arg(name string) general { return Load(Param(name), GP64()).(general) }

// broadcast loads an argument of type float32 into all lanes.
func (w width) broadcast(name string) vector {
	at, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	v := w.vector()
	VBROADCASTSS(at.Addr, v)
	return v
}

// column is where vector j of a row stands.
func (w width) column(row general, j int) Mem { return Mem{Base: row, Disp: w.bytes * j} }
