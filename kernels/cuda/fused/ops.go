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
	"activation", "activation_grad", "add_row", "copy", "pack",
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

	// What standardize_affine and affine_grad can do beside:
	Act       int    // the activation.Kind that y of standardize_affine goes through, and g of affine_grad back
	Activated Matrix // what Act gave, of affine_grad
	Packed    Matrix // a copy in BF16 of the result
}

// Matrix is a tensor with its leading dimension.
type Matrix struct {
	cuda.Tensor
	LD int
}

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
	ownTensors = 8
	maxTensors = ownTensors + 2 // Activated and Packed
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
	more := []Matrix{o.Activated, o.Packed}
	back := k.Name == "affine_grad"
	extends := back || k.Name == "standardize_affine"
	if c < 0 || len(o.Tensors) != len(names) || len(names) > ownTensors || len(o.Floats) > maxNumbers ||
		(o.Act != 0 || o.Packed.Ptr != 0) && !extends || (o.Activated.Ptr != 0) != (back && o.Act != 0) {
		panic(fmt.Sprintf("fused: kernel %s with %d tensors is no operation of a table", k.Name, len(o.Tensors)))
	}
	le := binary.LittleEndian
	word := func(v int) { b = le.AppendUint32(b, uint32(int32(v))) }
	for _, v := range []int{c, o.Rows(), o.Cols(), o.named("k", 0), o.named("act", o.Act), o.First} {
		word(v)
	}
	all := make([]Matrix, ownTensors, maxTensors)
	for i, name := range names {
		all[i] = Matrix{o.Tensors[i], o.named("ld"+name, 0)}
	}
	all = append(all, more...)
	for _, t := range all {
		word(t.LD)
	}
	for _, t := range all {
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
