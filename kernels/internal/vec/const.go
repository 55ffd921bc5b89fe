package vec

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// Const is a constant in memory: an operand with the same value in every lane.
// AVX-512 broadcasts one copy, AVX2 reads a whole vector of them.
type Const struct {
	Mem
	bytes int // of the value
	bits  uint64
}

// constants holds those of the file, by name.
var constants = map[string]Const{}

// Float32 returns a constant of the file for float32 lanes. A name stands for one
// value in a file and is written once.
func Float32(name string, x float32) Const { return Uint32(name, math.Float32bits(x)) }

// Uint32 is Float32 for lanes of 32 bits of any type.
func Uint32(name string, x uint32) Const { return constant(name, 4, uint64(x)<<32|uint64(x)) }

// Float64 is Float32 for float64 lanes.
func Float64(name string, x float64) Const { return constant(name, 8, math.Float64bits(x)) }

// Uint64 is Float32 for lanes of 64 bits of any type.
func Uint64(name string, x uint64) Const { return constant(name, 8, x) }

func constant(name string, bytes int, bits uint64) Const {
	c, ok := constants[name]
	if ok && (c.bits != bits || c.bytes != bytes) {
		panic(fmt.Sprintf("vec: constant %s has two values", name))
	}
	if !ok {
		c = Const{GLOBL(name, RODATA|NOPTR), bytes, bits}
		for i := range 4 {
			DATA(8*i, U64(bits))
		}
		constants[name] = c
	}
	return c
}

// Const returns a constant for lanes of either type; names of those for float64
// end in 64.
func (v V) Const(name string, x float64) Const {
	if v.Double() {
		return Float64(name+"64", x)
	}
	return Float32(name, float32(x))
}

// One is the constant 1, Sign has only the sign's bit, and Magnitude all others.
func (v V) One() Const { return v.Const("one", 1) }

func (v V) Sign() Const {
	if v.Double() {
		return Uint64("sign64", 1<<63)
	}
	return Uint32("sign", 1<<31)
}

func (v V) Magnitude() Const {
	if v.Double() {
		return Uint64("magnitude64", 1<<63-1)
	}
	return Uint32("magnitude", 1<<31-1)
}

// load emits a load into every lane.
func (c Const) load(v V, to Reg) {
	switch {
	case !v.Wide():
		VMOVUPS(c.Mem, to)
	case c.bytes == 4:
		VBROADCASTSS(c.Mem, to)
	default:
		VBROADCASTSD(c.Mem, to)
	}
}

// plain returns the memory of a constant, and any other operand as it is.
func plain(a Op) Op {
	if c, ok := a.(Const); ok {
		return c.Mem
	}
	return a
}

// tailTable holds eight lanes on and eight off.
func tailTable() Mem {
	const name = "tailMasks"
	c, ok := constants[name]
	if !ok {
		c.Mem = GLOBL(name, RODATA|NOPTR)
		for i := range 8 {
			DATA(8*i, U64(uint64(i/4)-1))
		}
		constants[name] = c
	}
	return c.Mem
}
