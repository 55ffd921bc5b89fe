package program

import (
	"fmt"

	"driftless/engine/optim"
	"driftless/kernels/activation"
	"driftless/kernels/elem"
	"driftless/kernels/gather"
)

// Op is the kind of an instruction.
type Op uint8

// The instructions. In and Out are listed as In → Out; m is the batch.
const (
	OpHost              Op = iota // any Gorgonia operation, by its own Do, on the host
	OpIndex                       // → rows: the row numbers of this step's batch
	OpGather                      // data, rows → x: one row of the data set for each row number
	OpGatherMask                  // data, rows → mask [, x]: where x is not 0 (see Instr.Values)
	OpTransposeMask               // mask → maskT
	OpFill                        // → x: the constant Scale
	OpCopy                        // x → y
	OpGEMM                        // a, b [, bias] → c: act(op(a) op(b) + bias); with Update c −= lr·op(a) op(b)
	OpMasked                      // mask, b [, x] [, bias] → c: OpGEMM whose a, mostly zeros, a mask describes
	OpAddRow                      // x, row → y
	OpRepeatRows                  // row → y
	OpRepeatCols                  // col → y
	OpBinary                      // a, b → y: elementwise; either may be a scalar
	OpUnary                       // x → y
	OpActivate                    // x → y
	OpActivateGrad                // y, g → dx
	OpSum                         // x → scalar
	OpMean                        // x [m] → scalar
	OpRowSum                      // x → [m]
	OpColumnSum                   // x → [d]
	OpColumnDot                   // a, b → [d]
	OpColumnMean                  // x → [d]
	OpColumnVar                   // x, mean → [d]
	OpCenter                      // x → y, mean
	OpCenterBy                    // x, mean → y
	OpStandardize                 // x → xhat, mean, variance, invStd
	OpStandardizeAffine           // x, gamma, beta → xhat, mean, variance, invStd, y
	OpStandardizeGrad             // xhat, g, invStd → dx, scratch
	OpAffineGrad                  // xhat, g, gamma, invStd → dx, dgamma, dbeta, scratch
	OpNormalizeBy                 // x, mean, variance → y
	OpScaleBy                     // g, variance → dx
	OpAffine                      // xhat, gamma, beta → y
	OpScaleColumns                // g, gamma → dx
	OpSquaredDev                  // x, mean → y
	OpEMA                         // old, new → y
	OpCrossEntropy                // logits, labels → rows [m]
	OpCrossEntropyGrad            // logits, labels, scale → dlogits
	OpCrossEntropyBoth            // logits, labels, scale → rows [m], dlogits
	OpCorrect                     // logits, labels → [m]
	OpAccumulate                  // x → acc (float64): acc += Σ over the valid rows of x
	OpAccumulateOuter             // x → acc (float64) [d, d], scratch: acc += xᵀx over the valid rows
	OpFromAccumulator             // acc → y: Scale·acc
	OpUpdate                      // g [, beta powers] → param, slots…: the optimizer's step
	OpBetaPower                   // → Adam's powers of beta, once a step
	OpTick                        // loss → : record the loss, notice a non-finite one, count the step
)

var opNames = [...]string{
	OpHost: "host", OpIndex: "index", OpGather: "gather", OpGatherMask: "gather mask", OpTransposeMask: "transpose mask",
	OpFill: "fill", OpCopy: "copy", OpGEMM: "gemm", OpMasked: "masked gemm", OpAddRow: "add row",
	OpRepeatRows: "repeat rows", OpRepeatCols: "repeat columns", OpBinary: "binary", OpUnary: "unary",
	OpActivate: "activate", OpActivateGrad: "activate grad", OpSum: "sum", OpMean: "mean", OpRowSum: "row sum",
	OpColumnSum: "column sum", OpColumnDot: "column dot", OpColumnMean: "column mean", OpColumnVar: "column var",
	OpCenter: "center", OpCenterBy: "center by", OpStandardize: "standardize", OpStandardizeAffine: "standardize, affine",
	OpStandardizeGrad: "standardize grad", OpAffineGrad: "affine, standardize grad", OpNormalizeBy: "normalize by",
	OpScaleBy: "scale by", OpAffine: "affine", OpScaleColumns: "scale columns", OpSquaredDev: "squared deviation", OpEMA: "ema",
	OpCrossEntropy: "cross entropy", OpCrossEntropyGrad: "cross entropy grad", OpCrossEntropyBoth: "cross entropy, grad",
	OpCorrect: "correct", OpAccumulate: "accumulate", OpAccumulateOuter: "accumulate outer", OpFromAccumulator: "from accumulator",
	OpUpdate: "update", OpBetaPower: "beta power", OpTick: "tick",
}

func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return fmt.Sprintf("instruction %d", uint8(o))
}

// Space says which memory a tensor lives in.
type Space uint8

// The memories: scratch is planned by the compiler and lives within a step.
const (
	SpaceScratch Space = iota
	SpaceReplica       // a State of the replica
	SpaceShared        // a State shared by all replicas
	SpaceConst         // constants of the block
)

// Tensor is a buffer as an instruction sees it.
type Tensor struct {
	Space      Space
	DType      DType
	Off        int // bytes from the start of its memory; in SpaceShared the number among shared states
	Rows, Cols int
	LD         int // elements from one row to the next
	Shape      []int
	Name       string // the state's name, or the node that it holds

	root *Tensor // the buffer that this one is a view of, nil if its own
}

// Len returns the number of elements.
func (t *Tensor) Len() int { return t.Rows * t.Cols }

// Base returns the buffer that the tensor is a view of, which may be itself.
func (t *Tensor) Base() *Tensor {
	for t.root != nil {
		t = t.root
	}
	return t
}

// Order says which rows of a data set a batch holds.
type Order uint8

// The orders. An epoch is a permutation of the rows keyed by (seed, epoch); its
// last partial batch is dropped, as with PyTorch's drop_last.
const (
	Shuffled   Order = iota // the batch of this step
	Previous                // the batch of the step just done
	Sequential              // rows i·B … of round i; the last round's missing rows repeat row 0 and do not count
	Sample                  // as Sequential, over a fixed seeded sample of the rows
)

// Host is an operation that runs on the host: it reads and writes the buffers
// in place. Buffers are slices of the element type; shapes are fixed at compile
// time.
type Host interface {
	Call(in []any, out any) error
}

// Instr is one instruction. Which attributes matter depends on Op.
type Instr struct {
	Op             Op
	In, Out        []*Tensor
	TransA, TransB bool
	Act            activation.Kind
	Bin            elem.Binary
	Un             elem.Unary
	Eps            float64
	Alpha, Scale   float64
	Order          Order
	Total          int // rows of the data set, or of the sample
	Map            gather.Map
	Rule           optim.Optimizer
	Host           Host
	Serial         bool     // Host may keep state between calls: replicas take turns
	Update         bool     // of a matrix product: Out[0] is a parameter and takes the step of SGD
	Values         bool     // of a mask: what is not 0 is not all 1, and x holds it
	Density        float64  // of a mask: the share that is not 0
	Every          int      // run only on steps divisible by it; 0 or 1: always
	Nodes          []string // the Gorgonia nodes that it computes
	Schedule
}

// Block is a straight run of instructions.
type Block struct {
	Name   string
	Every  int // run after steps whose count is divisible by it; 0 or 1: always
	Rounds int // times that it runs in a row, with round number 0, 1, …
	Batch  int // rows of a batch, 0 without feeds
	Total  int // rows that the rounds cover, the last one perhaps not whole; 0: every batch is
	Instrs []*Instr

	Consts  []float64 // values of the constant memory, in the Layout's DType, one cache line each
	Scratch int       // bytes
}

// Program is what a device runs: blocks over the state of one Layout. One step
// of the Program runs every block that is due, in order.
type Program struct {
	Layout *Layout
	Blocks []*Block
}

// Counts reports whether the Program counts steps: whether it has a loss.
func (p *Program) Counts() bool {
	for _, b := range p.Blocks {
		for _, in := range b.Instrs {
			if in.Op == OpTick {
				return true
			}
		}
	}
	return false
}

// Scratch returns the bytes of scratch memory that a replica in progress needs.
func (p *Program) Scratch() int {
	n := 0
	for _, b := range p.Blocks {
		n = max(n, b.Scratch)
	}
	return n
}

// Join puts the blocks of several Programs over the same Layout in a row.
func Join(ps ...*Program) *Program {
	j := &Program{Layout: ps[0].Layout}
	for _, p := range ps {
		if p.Layout != j.Layout {
			panic("program: Join of Programs over different Layouts")
		}
		j.Blocks = append(j.Blocks, p.Blocks...)
	}
	return j
}

// After returns the Program with every block due only after steps whose count
// is a multiple of every.
func (p *Program) After(every int) *Program {
	q := &Program{Layout: p.Layout}
	for _, b := range p.Blocks {
		c := *b
		c.Every = every
		q.Blocks = append(q.Blocks, &c)
	}
	return q
}
