package kernels

// The instruction sets that kernels are written for.
const (
	Go   = "go"   // plain Go, the specification
	AVX2 = "avx2" // x86-64 with AVX2
)

// isa is the instruction set in use. Kernels read it at every call.
var isa = best()

// ISA names the instruction set in use: the best that this machine and build
// have.
func ISA() string { return isa }

// ISAs lists those that this machine and build have, the specification first.
func ISAs() []string {
	if best() == Go {
		return []string{Go}
	}
	return []string{Go, best()}
}

// UseISA makes the kernels use an instruction set, one of ISAs, and returns a
// function that undoes it. It is for tests and benchmarks: nothing may run
// meanwhile.
func UseISA(name string) (restore func()) {
	for _, have := range ISAs() {
		if name == have {
			old := isa
			isa = name
			return func() { isa = old }
		}
	}
	panic("kernels: this machine or build lacks the instruction set")
}
