package ptx

import "fmt"

// Dim is a size or position in x, y and z, of a grid or a block.
type Dim [3]int

// count returns x·y·z, or -1 where a part is below 1 or the product is beyond
// what any grid may be.
func (d Dim) count() int64 {
	n := int64(1)
	for _, v := range d {
		if v < 1 || int64(v) > 1<<31-1 {
			return -1
		}
		if n *= int64(v); n > 1<<40 {
			return -1
		}
	}
	return n
}

func (d Dim) String() string { return fmt.Sprintf("(%d,%d,%d)", d[0], d[1], d[2]) }

// at returns the position of the i-th element of d, x fastest.
func (d Dim) at(i int) Dim {
	return Dim{i % d[0], i / d[0] % d[1], i / d[0] / d[1]}
}

// Kind classifies a fault.
type Kind uint8

// The kinds of faults.
const (
	BadLaunch       Kind = iota + 1 // sizes of the launch that the kernel or the device does not allow
	OutOfBounds                     // access outside every allocation, or outside shared memory
	UseAfterFree                    // access to memory that was freed
	Uninitialised                   // read of bytes that nothing has written
	Misaligned                      // address that is no multiple of the access's size
	ReadOnly                        // write to constant memory
	SharedRace                      // unordered accesses to shared memory by two threads, one a write
	GlobalRace                      // unordered accesses to global memory by two threads, one a write
	BarrierDiverged                 // a barrier that some threads of the block, or of the warp, never reach
	BadShuffle                      // shuffle, vote or warp barrier with lanes that do not take part
	DivideByZero                    // integer division or remainder by zero
	Budget                          // more instructions than allowed: an endless loop
	Trapped                         // the kernel executed trap
	BlockAbsent                     // access to shared memory of a block that may not have begun, or may have returned
	CopyPending                     // access to shared memory that cp.async may still write
	NotRounded                      // an operand of a tensor core that has more bits than its type
	NotWaited                       // in a dependent launch: access to global memory, or return, before griddepcontrol.wait
)

var kindNames = [...]string{
	BadLaunch: "bad launch", OutOfBounds: "out of bounds", UseAfterFree: "use after free",
	Uninitialised: "uninitialised read", Misaligned: "misaligned access", ReadOnly: "write to read-only memory",
	SharedRace: "shared-memory race", GlobalRace: "global-memory race", BarrierDiverged: "divergent barrier",
	BadShuffle: "bad shuffle", DivideByZero: "division by zero", Budget: "instruction budget exceeded", Trapped: "trap", BlockAbsent: "absent block",
	CopyPending: "pending copy", NotRounded: "operand not rounded", NotWaited: "no wait for the launch before",
}

func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// A Fault is the first error of a launch: what a kernel did wrong, and where.
type Fault struct {
	Kernel string
	File   string // as given to Load
	Line   int    // of the PTX instruction; of the .entry for a BadLaunch
	Kind   Kind
	Block  Dim
	Thread Dim
	Detail string
}

func (f *Fault) Error() string {
	if f.Kind == BadLaunch {
		return fmt.Sprintf("kernel %s (%s:%d): %s: %s", f.Kernel, f.File, f.Line, f.Kind, f.Detail)
	}
	return fmt.Sprintf("kernel %s (%s:%d): %s in block %s, thread %s: %s", f.Kernel, f.File, f.Line, f.Kind, f.Block, f.Thread, f.Detail)
}
