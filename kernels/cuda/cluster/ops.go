package cluster

import (
	"encoding/binary"
	"math"
	"slices"

	"driftless/kernels/cuda"
	"driftless/kernels/cuda/fused"
)

// codes are the operations that only clusters have, numbered in table.h from firstCode.
var codes = []string{"batch", "cross_entropy_both", "mean", "tick", "beta_power", "learning_rate", "clip_scale",
	"binary", "rescale", "rescale_grad", "renorm_scale", "renorm_shift", "ema_rows", "transpose"}

const firstCode = 64

// code returns the number of a kernel's operation, or -1.
func code(kernel string) int {
	name := cuda.Untiled(kernel)
	if i := slices.Index(codes, name); i >= 0 {
		return firstCode + i
	}
	if name == "pack" { // of operands of products that clusters do not have
		return -1
	}
	return slices.Index(fused.Operations(), name)
}

// Operation reports whether a kernel is an operation of a table.
func Operation(kernel string) bool { return code(kernel) >= 0 }

// Missing is the place of a tensor that an operation does not have in the arena.
const Missing = -1

// Step is an operation of a table: the launch of a kernel, whose name is without the size of
// tiles.
type Step struct {
	Kernel  string
	M, N, K int
	Act     int
	Wait    bool // for the cluster, not for the block alone
	Whole   bool // every block does all of it for itself
	Bytes   bool // the left operand of a product is the inputs of the batch: Global[1], by the rows in At[0]
	At, LD  [8]int
	Numbers []float64
	Singles int // how many of the numbers come first and are float32
	Global  [3]cuda.Tensor
	Ints    [6]int
}

// FirstPart and LastPart say in Ints[0] of clip_scale which part of the squares a step adds.
const (
	FirstPart = 1 << iota
	LastPart
)

// StepBytes is the size of a Step in a table.
const StepBytes = 4*8 + 4*16 + 8*7 + 16*3 + 4*6

// Pack returns the table as the kernel reads it.
func Pack(steps []Step) []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, len(steps)*StepBytes)
	word := func(v int) { b = le.AppendUint32(b, uint32(int32(v))) }
	for i := range steps {
		s := &steps[i]
		for _, v := range []int{code(s.Kernel), s.M, s.N, s.K, s.Act, flag(s.Wait), flag(s.Whole)} {
			word(v)
		}
		for _, v := range append(s.At[:], s.LD[:]...) {
			word(v)
		}
		word(0) // doubles are aligned
		for i := range 7 {
			v := 0.0
			if i < len(s.Numbers) {
				if v = s.Numbers[i]; i < s.Singles {
					v = float64(float32(v))
				}
			}
			b = le.AppendUint64(b, math.Float64bits(v))
		}
		for _, t := range s.Global {
			b = le.AppendUint64(b, t.Ptr)
			b = le.AppendUint64(b, uint64(t.Distance))
		}
		for _, v := range s.Ints {
			word(v)
		}
	}
	return b
}

// Move is a tensor of the device's memory that the arena holds, by words of 4 bytes.
type Move struct {
	From        cuda.Tensor
	At, LD      int // in the arena
	Rows, Cols  int
	FromLD      int
	Split       bool // by columns
	Load, Store bool
}

// MoveBytes is the size of a Move in a table.
const MoveBytes = 16 + 4*8

func flag(v bool) int {
	if v {
		return 1
	}
	return 0
}

// PackMoves is Pack for moves.
func PackMoves(moves []Move) []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, len(moves)*MoveBytes)
	for _, m := range moves {
		b = le.AppendUint64(b, m.From.Ptr)
		b = le.AppendUint64(b, uint64(m.From.Distance))
		for _, v := range []int{m.At, m.LD, m.Rows, m.Cols, m.FromLD, flag(m.Split), flag(m.Load), flag(m.Store)} {
			b = le.AppendUint32(b, uint32(int32(v)))
		}
	}
	return b
}

// Share is how many of n columns a block of a cluster owns, a multiple of 4: groups of four
// are never of two blocks.
func Share(n, blocks int) int { return roundUp((n+blocks-1)/blocks, 4) }

func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }

// Stride is how far the rows of a tensor of n columns lie apart in the arena, where that is
// split by columns: blocks bring each other's rows by 16 bytes.
func Stride(n, blocks int) int { return Share(n, blocks) }

// apart is how far rows of n columns lie apart in staging: an odd number of 16 bytes, so that
// threads which read rows 4 apart meet different banks.
func apart(n int) int { return ((n+3)/4 | 1) * 4 }

// Staging is how many floats of staging a step needs, and how many it makes use of.
func (s *Step) Staging(blocks int) (least, most int) {
	rows, cols := 0, s.K
	switch s.Kernel {
	case "gemm_nn":
		rows = s.M
	case "gemm_nt":
		rows = s.M + Share(s.N, blocks)
	case "gemm_tn":
		rows, cols = s.K, s.M
	case "clip_scale":
		return s.N, s.N
	case "cross_entropy_both":
		all := roundUp(s.M, 8) * s.N // a warp has 8 rows, or 1
		return all, all
	default:
		return 0, 0
	}
	unit := Share(cols, blocks)
	if s.Bytes {
		unit = 4
	}
	return rows * apart(unit), rows * apart(roundUp(cols, unit))
}
