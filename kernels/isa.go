package kernels

import (
	"cmp"
	"fmt"
	"os"
	"strings"
)

// ISA is an instruction set that kernels are written for. A higher one includes
// those below it, and a kernel that has no implementation for the one in use
// takes its best of those below.
type ISA uint8

// The instruction sets.
const (
	Go     ISA = iota // plain Go, the specification
	AVX2              // x86-64 with AVX2, FMA3 and BMI1/2
	AVX512            // and with AVX-512 F, BW, DQ and VL
)

var isaNames = [...]string{Go: "go", AVX2: "avx2", AVX512: "avx512"}

// String returns the lower-case name.
func (s ISA) String() string {
	if int(s) < len(isaNames) {
		return isaNames[s]
	}
	return fmt.Sprintf("isa(%d)", uint8(s))
}

// EnvISA names the environment variable that forces an instruction set.
const EnvISA = "DRIFTLESS_ISA"

// isa is the instruction set in use. Kernels read it at every call.
var isa, isaErr = choose(os.Getenv(EnvISA))

// choose returns the best instruction set, or the one that is asked for.
func choose(name string) (ISA, error) {
	if name == "" {
		return best, nil
	}
	for s, n := range isaNames {
		switch {
		case n != name:
		case ISA(s) > best:
			return best, fmt.Errorf("%s=%s: this machine or build has no %s: the best it has is %v", EnvISA, name, name, best)
		default:
			return ISA(s), nil
		}
	}
	return best, fmt.Errorf("%s=%s is no instruction set: choose one of %s", EnvISA, name, strings.Join(isaNames[:], ", "))
}

// CurrentISA returns the instruction set in use: the best that this machine and
// build have, unless EnvISA names a lower one.
func CurrentISA() ISA { return isa }

// CheckEnv returns what is wrong with the values of EnvISA and EnvCache; then the best
// instruction set is in use, and the caches are the processor's.
func CheckEnv() error { return cmp.Or(isaErr, cacheErr) }

// ISAs lists those that this machine and build have, the specification first.
func ISAs() []ISA {
	var out []ISA
	for s := Go; s <= best; s++ {
		out = append(out, s)
	}
	return out
}

// UseISA makes the kernels use an instruction set, one of ISAs, and returns a
// function that undoes it. It is for tests and benchmarks: nothing may run
// meanwhile.
func UseISA(s ISA) (restore func()) {
	if s > best {
		panic("kernels: this machine or build lacks the instruction set")
	}
	old := isa
	isa = s
	return func() { isa = old }
}
