package cuda

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// Module is a file of kernels.
type Module struct {
	File    string // for messages
	PTX     string
	Kernels []Kernel
	// Capability is the compute capability, times ten, from which on devices take it; 0 is
	// that of all.
	Capability int
	// Forms are what later devices take in place of PTX: the same source, compiled for them.
	// They rise by capability.
	Forms []Form
}

// Form is PTX for devices of a compute capability, times ten, and later ones.
type Form struct {
	Capability int
	PTX        string
	// Dependent says that all threads of the kernels wait for the launch before, so that one
	// may begin before that has ended.
	Dependent bool
}

// For returns what a device of a compute capability, times ten, takes of a module, and the
// name of its file.
func (m *Module) For(capability int) (file string, f Form) {
	file, f = m.File, Form{Capability: m.Capability, PTX: m.PTX}
	for _, later := range m.Forms {
		if later.Capability <= capability {
			file, f = fmt.Sprintf("%s.sm_%d.ptx", strings.TrimSuffix(m.File, ".ptx"), later.Capability), later
		}
	}
	return file, f
}

// Later is the form for devices on which a launch may begin early, of kernels that wait for
// the one before.
func Later(ptx string) Form { return Form{Capability: 90, PTX: ptx, Dependent: true} }

// Kernel describes a kernel. The lists of its arguments are names with a space
// between them, in order; the package comment says what they are.
type Kernel struct {
	Name                            string
	In, Out, State                  string
	Ints, Floats, Doubles           string
	Over                            Share
	NoControl                       bool // it has no control argument
	TileRows, TileCols, TileThreads int  // of Tiles
}

// Untiled returns a kernel's name without the size of its tiles.
func Untiled(name string) string {
	for _, size := range []string{"_32", "_64", "_128"} {
		name = strings.TrimSuffix(name, size)
	}
	return name
}

// Share says how the elements of a matrix are shared among threads, and so how many
// blocks a launch has.
type Share uint8

// The shares of an m×d matrix: the result of an elementwise kernel, the input of a
// reduction, the batch (1×m for an index).
const (
	Quads   Share = iota // four columns a thread
	Columns              // 16 columns a block, all rows
	Narrow               // 4 columns a block, all rows
	Tall                 // 8 columns a block, all rows, 512 threads
	Column               // a column a thread
	Row                  // a row a thread
	Rows                 // a row a warp
	Element              // an element a thread
	Whole                // one block of 256 threads
	Block                // one block of 512 threads
	Single               // one warp
	Tiles                // tiles of TileRows × TileCols
)

// Threads of the blocks, as the sources have them.
const (
	quadThreads   = 256
	columnsWide   = 16
	narrowColumns = 4
	tallColumns   = 8
	ownerThreads  = 128 // of blocks that own columns
	columnThreads = 64
	indexThreads  = 128
	rowsOfBlock   = 4
	warpThreads   = 32
	blockThreads  = 512
)

// Dim is the size of a grid or a block.
type Dim [3]int

// Grid returns the launch that serves so many replicas of an m×d matrix.
func (k *Kernel) Grid(m, d, replicas int) (grid, block Dim) {
	x, y, threads := 1, 1, 0
	switch k.Over {
	case Quads:
		x, threads = divUp(m*divUp(d, 4), quadThreads), quadThreads
	case Columns:
		x, threads = divUp(d, columnsWide), ownerThreads
	case Narrow:
		x, threads = divUp(d, narrowColumns), ownerThreads
	case Tall:
		x, threads = divUp(d, tallColumns), blockThreads
	case Column:
		x, threads = divUp(d, columnThreads), columnThreads
	case Row:
		x, threads = divUp(m, quadThreads), quadThreads
	case Rows:
		x, threads = divUp(m, rowsOfBlock), rowsOfBlock*warpThreads
	case Element:
		x, threads = divUp(m*d, indexThreads), indexThreads
	case Whole:
		threads = quadThreads
	case Block:
		threads = blockThreads
	case Single:
		threads = warpThreads
	case Tiles:
		x, y, threads = divUp(d, k.TileCols), divUp(m, k.TileRows), k.TileThreads
	}
	return Dim{max(x, 1), max(y, 1), replicas}, Dim{threads, 1, 1}
}

func divUp(x, y int) int { return (x + y - 1) / y }

// Tensor is where a tensor lies on the device: the address of the first replica's
// first element, and the bytes from one replica to the next.
type Tensor struct {
	Ptr      uint64
	Distance int64
}

// Tensors returns the names of the tensors, control first.
func (k *Kernel) Tensors() []string {
	names := strings.Fields(k.In + " " + k.Out + " " + k.State)
	if k.NoControl {
		return names
	}
	return append([]string{"nonfinite"}, names...)
}

// Params packs the arguments of a launch as the driver takes them in one buffer:
// tensors in the order of [Kernel.Tensors], ints in that of Ints, floats in that of
// Floats and then Doubles. It panics if there are too many or too few.
func (k *Kernel) Params(tensors []Tensor, ints []int, floats []float64) []byte {
	singles, doubles := len(strings.Fields(k.Floats)), len(strings.Fields(k.Doubles))
	if n := len(k.Tensors()); len(tensors) != n || len(ints) != len(strings.Fields(k.Ints)) || len(floats) != singles+doubles {
		panic(fmt.Sprintf("cuda: kernel %s takes %d tensors, ints %q and floats %q, and got %d, %d and %d",
			k.Name, n, k.Ints, k.Floats+" "+k.Doubles, len(tensors), len(ints), len(floats)))
	}
	le := binary.LittleEndian
	var b []byte
	for _, t := range tensors {
		b = le.AppendUint64(b, t.Ptr)
		b = le.AppendUint64(b, uint64(t.Distance))
	}
	for _, v := range ints {
		b = le.AppendUint32(b, uint32(int32(v)))
	}
	for _, v := range floats[:singles] {
		b = le.AppendUint32(b, math.Float32bits(float32(v)))
	}
	if doubles > 0 && len(b)%8 != 0 {
		b = le.AppendUint32(b, 0)
	}
	for _, v := range floats[singles:] {
		b = le.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// Offsets returns where each argument begins in what Params returns, for a driver
// that takes a pointer to each.
func (k *Kernel) Offsets() []int {
	var at []int
	n := 0
	add := func(count, size int) {
		if count > 0 {
			n = divUp(n, size) * size
		}
		for range count {
			at = append(at, n)
			n += size
		}
	}
	add(2*len(k.Tensors()), 8)
	add(len(strings.Fields(k.Ints))+len(strings.Fields(k.Floats)), 4)
	add(len(strings.Fields(k.Doubles)), 8)
	return at
}
