package virtual

// Machine is what kernels run on.
type Machine interface {
	// Load translates a module's source. The name stands for it in messages. An
	// error's text has the line.
	Load(name, source string) (Module, error)
	// NewMemory returns the empty memory of a new context.
	NewMemory(limit int64) Memory
}

// Module is a loaded source.
type Module interface {
	// Kernel finds an entry point.
	Kernel(name string) (Kernel, bool)
	// Target is the compute capability that it is for, times ten.
	Target() int
}

// Param is where an argument lies in a launch's block of arguments.
type Param struct{ Offset, Size int }

// Dim is the extent of a grid or a block.
type Dim struct{ X, Y, Z int }

func (d Dim) size() int { return d.X * d.Y * d.Z }

// Kernel is an entry point of a module.
type Kernel interface {
	Params() []Param
	ParamBytes() int  // of a launch's block of arguments
	SharedBytes() int // static
	LocalBytes() int  // of a thread
	MaxThreads() int  // of a block
	// SetMaxDynamic allows launches with that many bytes of dynamic shared memory.
	SetMaxDynamic(n int) error
	// AllowLargeClusters allows clusters of more blocks than every device takes.
	AllowLargeClusters(allow bool)
	// Launch runs the kernel to its end, the blocks of the grid in clusters; a dependent one,
	// which has none, as if the launch before had not ended until it waits for that. A defect
	// that it finds is a *Fault.
	Launch(m Memory, grid, block, cluster Dim, dependent bool, dynamicShared int, args []byte) error
}

// Memory is a device's memory. Errors are about addresses outside of it.
type Memory interface {
	Alloc(n int64, label string) (uint64, error)
	Free(addr uint64) error
	Write(addr uint64, p []byte) error
	Read(addr uint64, p []byte) error
	Copy(to, from uint64, n int64) error
	// Set fills n bytes with repetitions of the pattern.
	Set(addr uint64, pattern []byte, n int64) error
}

// Fault is a defect that a kernel's run has shown.
type Fault struct {
	Result Result // what a device would report, or LaunchFailed
	Text   string // all there is to say
	Cause  error  // the machine's own error, may be nil
}

// Error returns the text.
func (f *Fault) Error() string { return f.Text }

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Cause }
