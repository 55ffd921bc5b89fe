package fused

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"driftless/kernels/cuda"
)

// codes are the kernels that strip and updates do as operations, numbered as Code in
// ops.h, the steps of optimizers last.
var codes = []string{
	"gemm_nn", "gemm_nt", "gemm_tn",
	"activation", "activation_grad", "add_row", "copy",
	"column_sum", "column_mean", "column_var", "column_dot",
	"center", "center_by", "normalize_by", "scale_by", "affine", "scale_columns", "squared_dev",
	"standardize", "standardize_affine", "standardize_grad", "affine_grad",
	"ema", "sgd", "momentum", "adam",
}

// Op is an operation of a table: the launch of a kernel. The tensors are all but
// control, and the others as those of [cuda.Kernel.Params].
type Op struct {
	Kernel  *cuda.Kernel
	Tensors []cuda.Tensor
	Ints    []int
	Floats  []float64
	First   int // of a product in a table of updates, and of what follows it: its first tile's number
	Act     int // of one that Activates: the activation.Kind that its result y goes through
}

// Activates reports whether a strip's operation can apply an activation to its result y, as
// Op.Act says.
func Activates(kernel string) bool { return kernel == "standardize_affine" }

// code returns the number of a kernel's operation; a product's is the same for every
// size of tiles.
func code(kernel string) int {
	return slices.Index(codes, cuda.Untiled(kernel))
}

// Rows and Cols return the size of what the operation covers.
func (o *Op) Rows() int { return o.named("m", 1) }

// Cols is beside Rows.
func (o *Op) Cols() int { return o.named("n", o.named("d", 1)) }

func (o *Op) named(name string, missing int) int {
	if i := slices.Index(strings.Fields(o.Kernel.Ints), name); i >= 0 {
		return o.Ints[i]
	}
	return missing
}

const (
	maxTensors = 8
	maxNumbers = 7
)

// OpBytes is the size of an operation in a table.
const OpBytes = 4*6 + 4*maxTensors + 16*maxTensors + 8*maxNumbers

// Pack returns the table of operations as the kernels read it. It panics if there is
// one that they do not have.
func Pack(ops []Op) []byte {
	b := make([]byte, 0, len(ops)*OpBytes)
	for i := range ops {
		b = ops[i].pack(b)
	}
	return b
}

func (o *Op) pack(b []byte) []byte {
	k := o.Kernel
	c := code(k.Name)
	names := k.Tensors()[1:]
	if c < 0 || len(o.Tensors) != len(names) || len(names) > maxTensors || len(o.Floats) > maxNumbers || o.Act != 0 && !Activates(k.Name) {
		panic(fmt.Sprintf("fused: kernel %s with %d tensors is no operation of a table", k.Name, len(o.Tensors)))
	}
	le := binary.LittleEndian
	word := func(v int) { b = le.AppendUint32(b, uint32(int32(v))) }
	for _, v := range []int{c, o.Rows(), o.Cols(), o.named("k", 0), o.named("act", o.Act), o.First} {
		word(v)
	}
	for i := range maxTensors {
		if i < len(names) {
			word(o.named("ld"+names[i], 0))
		} else {
			word(0)
		}
	}
	for i := range maxTensors {
		var t cuda.Tensor
		if i < len(names) {
			t = o.Tensors[i]
		}
		b = le.AppendUint64(b, t.Ptr)
		b = le.AppendUint64(b, uint64(t.Distance))
	}
	singles := len(strings.Fields(k.Floats))
	for i := range maxNumbers {
		v := 0.0
		if i < len(o.Floats) {
			if v = o.Floats[i]; i < singles {
				v = float64(float32(v))
			}
		}
		b = le.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// Operations returns the kernels that are operations of tables, products without the
// size of their tiles.
func Operations() []string { return slices.Clone(codes) }

// Operation reports whether a kernel is an operation of a table. Strips have all but the
// product gemm_tn, which is that of updates; a product can only be a strip's first, and
// tall_strip has none.
func Operation(kernel string) bool { return code(kernel) >= 0 }

// Strip returns the name of the kernel for a strip over so many columns. Of those that begin
// with a product it is the one whose blocks have 4 columns while a device of so many
// multiprocessors has one for each block, since all blocks read all of a product's first operand;
// else the one whose blocks have 16. The bits are the same.
func Strip(product bool, cols, replicas, multiprocessors int) string {
	switch {
	case !product:
		return "tall_strip"
	case divUp(cols, 4)*replicas <= multiprocessors:
		return "narrow_strip"
	}
	return "strip"
}

// UpdateTiles returns the number of tiles of a product in a table of updates.
func UpdateTiles(m, n int) int { return divUp(m, updateTile) * divUp(n, updateTile) }

const (
	updateTile    = 32
	updateThreads = 64
)

func divUp(x, y int) int { return (x + y - 1) / y }
