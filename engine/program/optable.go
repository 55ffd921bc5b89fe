package program

import (
	"fmt"
	"iter"
	"math"

	"driftless/kernels/activation"
	"driftless/kernels/ngsgd"
)

// Op is the kind of an instruction: a row of the table below.
type Op uint8

// The instructions.
const (
	OpHost Op = iota
	OpIndex
	OpGather
	OpGatherMask
	OpTransposeMask
	OpFill
	OpCopy
	OpGEMM
	OpMasked
	OpBatchedGEMM
	OpConv
	OpConvGrad
	OpPatches
	OpPatchesGrad
	OpMaxPool
	OpMaxPoolGrad
	OpAveragePool
	OpAveragePoolGrad
	OpMove
	OpApply
	OpEmbed
	OpPick
	OpPickGrad
	OpConcat
	OpReduce
	OpSoftmax
	OpSoftmaxGrad
	OpPlanePatches
	OpPlanePatchesGrad
	OpPlaneProduct
	OpPlaneInputGrad
	OpPlaneFilterGrad
	OpPlaneMaxPool
	OpPlaneMaxPoolGrad
	OpChannelNorm
	OpChannelsBy
	OpChannelsGrad
	OpAddRow
	OpSubOuter
	OpRepeatRows
	OpRepeatCols
	OpTranspose
	OpBinary
	OpUnary
	OpDropout
	OpActivate
	OpActivateGrad
	OpSum
	OpMean
	OpRowSum
	OpColumnSum
	OpColumnDot
	OpColumnMean
	OpColumnVar
	OpCenter
	OpCenterBy
	OpStandardize
	OpStandardizeAffine
	OpStandardizeGrad
	OpAffineGrad
	OpRescale
	OpRescaleGrad
	OpNormalizeBy
	OpScaleBy
	OpAffine
	OpScaleColumns
	OpSquaredDev
	OpEMA
	OpEMARows
	OpRenormScale
	OpRenormShift
	OpGroupProduct
	OpGroupOuter
	OpInverseRoot
	OpInverseRootGrad
	OpCrossEntropy
	OpCrossEntropyGrad
	OpCrossEntropyBoth
	OpCorrect
	OpCTC
	OpFactorStart
	OpFactorNext
	OpFactorShrink
	OpFactorNorm
	OpLeaveOneOut
	OpAccumulate
	OpAccumulateOuter
	OpFromAccumulator
	OpLearningRate
	OpClipScale
	OpUpdate
	OpBetaPower
	OpTick
	opEnd // their number
)

// row is all that is known of an instruction.
type row struct {
	name    string
	sig     string                  // operands → results, in the language of parseSignature
	share   sharing                 // along which axis workers share it
	product bool                    // it is a matrix product
	flops   func(in *Instr) float64 // floating-point operations of one execution, nil: none
	state   []string                // control state that it reads
	ends    bool                    // it ends a step, which all workers have to have begun
	strips  bool                    // by rows: it costs about as much strip by strip as all at once, as elementwise ones do
	moves   bool                    // its first result can take the place of its operands
	detail  func(in *Instr) string  // what its title says beside the name
	check   func(in *Instr) error   // what it demands beside so many operands
}

// table is the one place that knows the instructions. What a device adds is the kernel.
var table = [opEnd]row{
	// A Host's operation, such as one of Gorgonia's by its own Do.
	OpHost: {name: "host", sig: "x… → y y…", share: alone, detail: hostDetail},

	// The numbers of the rows of this step's batch; those rows of a data set; where they
	// are not 0, with the values x where those are not all 1 (Instr.Values).
	OpIndex:         {name: "index", sig: "→ rows[m]", share: byRows, state: []string{StateSeed, StateStep}},
	OpGather:        {name: "gather", sig: "data rows[m] → x[m]", share: byRows, check: checkGather},
	OpGatherMask:    {name: "gather mask", sig: "data rows[m] → mask[,m] x?[m]", share: byRows, check: checkGather},
	OpTransposeMask: {name: "transpose mask", sig: "mask[m,d] → maskT", share: byRows},

	OpFill: {name: "fill", sig: "from? → x[m,d]", share: elementwise}, // from an operand, or the constant Scale
	OpCopy: {name: "copy", sig: "x[m,d] → y[m,d]", share: elementwise, check: checkCopy},

	// c = act(op(a)·op(b) + bias), with Update c −= lr·op(a)·op(b). The a of a masked product is
	// mostly zeros; a mask describes it.
	OpGEMM: {name: "gemm", sig: "a[m,k] b[k,d] bias?[d] → c[m,d]", share: asGEMM, product: true, flops: gemmFlops, detail: productDetail},
	OpMasked: {name: "masked gemm", sig: "mask[,m] b[k,d] x?[m,k] bias?[d] → c[m,d]", share: byRows, product: true, flops: maskedFlops,
		detail: productDetail, check: checkMasked},

	// Products of so many pairs of matrices, each of which is a row; Sum is the length of their sums.
	OpBatchedGEMM: {name: "batched gemm", sig: "a[m] b[m] → c[m,d]", share: byRows, flops: batchedFlops, detail: productDetail, check: checkBatched},

	// Of images, which have a row a position, and of windows, which have a row each. Conv is a product
	// of patches, which no one else needs: those of x by b, or with TransA their transpose by b.
	OpConv: {name: "conv", sig: "x b[k,d] bias?[d] → c[m,d] ~patches", share: byRows, product: true, flops: convFlops,
		detail: productDetail, check: checkConv},
	// The gradient of images: the sums, position by position, of what a product with the transpose of b says of windows.
	OpConvGrad: {name: "conv grad", sig: "g b → dx[m,d] ~patches", share: byRows, product: true, flops: convGradFlops, detail: windowDetail,
		check: checkConvGrad},
	OpPatches:         {name: "patches", sig: "x → y[m,d]", share: byRows, detail: windowDetail, check: checkWindow},
	OpPatchesGrad:     {name: "patches grad", sig: "g → dx[m,d]", share: byRows, flops: windowFlops, detail: windowDetail, check: checkWindow},
	OpMaxPool:         {name: "max pool", sig: "x → y[m,d]", share: byRows, flops: windowFlops, detail: windowDetail, check: checkWindow},
	OpMaxPoolGrad:     {name: "max pool grad", sig: "x[m,d] y g → dx[m,d]", share: byRows, flops: windowFlops, detail: windowDetail, check: checkWindow},
	OpAveragePool:     {name: "average pool", sig: "x → y[m,d]", share: byRows, flops: windowFlops, detail: windowDetail, check: checkWindow},
	OpAveragePoolGrad: {name: "average pool grad", sig: "g → dx[m,d]", share: byRows, flops: windowFlops, detail: windowDetail, check: checkWindow},

	// Of any number of axes: the elements that a view picks; an operation on those of two; zeros with
	// x as a part; operands side by side; the middle of three axes taken out.
	OpMove:        {name: "move", sig: "x → y[m,d]", share: byRows, strips: true, check: checkViews},
	OpApply:       {name: "apply", sig: "a b → y[m,d]", share: elementwise, flops: each(1), detail: binaryDetail, check: checkViews},
	OpEmbed:       {name: "embed", sig: "x[m] → y[m,d]", share: byRows, check: checkEmbed},
	OpPick:        {name: "pick", sig: "x rows → y[m,d]", share: byRows, check: checkPick}, // of every Total rows of x; sorted are numbers of rows
	OpPickGrad:    {name: "pick grad", sig: "g rows sorted → dx[m,d]", share: byRows, flops: each(1), check: checkPick},
	OpConcat:      {name: "concat", sig: "x…[m] → y[m,d]", share: byRows, check: checkConcat},
	OpReduce:      {name: "reduce", sig: "x → y[m,d]", share: elementwise, flops: each(1), detail: func(in *Instr) string { return in.Reduce.String() }, check: checkReduce},
	OpSoftmax:     {name: "softmax", sig: "x[m,d] → y[m,d]", share: byRows, strips: true, flops: each(25), detail: logDetail},
	OpSoftmaxGrad: {name: "softmax grad", sig: "y[m,d] g[m,d] → dx[m,d]", share: byRows, strips: true, flops: each(4), detail: logDetail},

	// Of images whose channels lie one after another, as Gorgonia's do; convolutions have a row for each image, pooling
	// one for each channel of each image, and so have channels that are standardized.
	OpPlanePatches:     {name: "plane patches", sig: "x → y[m,d]", share: byRows, check: checkPlanes},
	OpPlanePatchesGrad: {name: "plane patches grad", sig: "g → dx[m,d]", share: byRows, flops: each(1), check: checkPlanes},
	OpPlaneProduct:     {name: "plane conv", sig: "x[m] w → y[m,d]", share: byRows, flops: planeFlops, check: checkPlaneConv},
	OpPlaneInputGrad:   {name: "plane conv grad", sig: "g[m] w → dx[m,d]", share: byRows, flops: planeFlops, check: checkPlaneConv},
	OpPlaneFilterGrad:  {name: "plane filter grad", sig: "x g → dw[m,d]", share: byRows, flops: planeFlops, check: checkPlaneConv},
	OpPlaneMaxPool:     {name: "plane max pool", sig: "x[m] → y[m,d]", share: byRows, flops: each(1), check: checkPlanes},
	OpPlaneMaxPoolGrad: {name: "plane max pool grad", sig: "x[m] g[m] → dx[m,d]", share: byRows, flops: each(1), check: checkPlanes},
	OpChannelNorm:      {name: "channel norm", sig: "x → center[m] invStd[m] &running…[m]", share: byRows, flops: each(4), check: checkChannels}, // mean, variance
	OpChannelsBy:       {name: "channels by", sig: "x[m] center invStd → y[m,d]", share: byRows, flops: each(2), check: checkChannels},
	OpChannelsGrad:     {name: "channels grad", sig: "x g center[m] invStd[m] → dx", share: byRows, flops: each(8), check: checkChannels},

	OpAddRow:       {name: "add row", sig: "x[m,d] row[d] → y[m,d]", share: elementwise, flops: each(1)},
	OpSubOuter:     {name: "sub outer", sig: "x[m,d] rows[m] cols[d] → y[m,d]", share: elementwise, flops: each(2)},
	OpRepeatRows:   {name: "repeat rows", sig: "row[d] → y[m,d]", share: elementwise},
	OpRepeatCols:   {name: "repeat columns", sig: "col[m] → y[m,d]", share: elementwise},
	OpTranspose:    {name: "transpose", sig: "x → y[m,d]", share: elementwise, check: checkTranspose},                         // of blocks below one another, as many as make x,
	OpBinary:       {name: "binary", sig: "a[m,d] b[m,d] → y[m,d]", share: elementwise, flops: each(1), detail: binaryDetail}, // a or b may be a scalar
	OpUnary:        {name: "unary", sig: "x[m,d] → y[m,d]", share: elementwise, flops: each(1), detail: unaryDetail},
	OpDropout:      {name: "dropout", sig: "x[m,d] → y[m,d] mask[m,d]", share: elementwise, flops: each(8), state: []string{StateSeed, StateStep}, check: checkDropout},
	OpActivate:     {name: "activate", sig: "x[m,d] → y[m,d]", share: elementwise, flops: activateFlops, detail: actDetail},
	OpActivateGrad: {name: "activate grad", sig: "y[m,d] g[m,d] → dx[m,d]", share: elementwise, flops: each(3), detail: actDetail},

	OpSum:    {name: "sum", sig: "x[m,d] → y", share: alone, flops: each(1), check: checkWhole},
	OpMean:   {name: "mean", sig: "x[m,d] → y", share: alone, flops: each(1), check: checkWhole},
	OpRowSum: {name: "row sum", sig: "x[m,d] → y[m]", share: byRows, strips: true, flops: each(1)},

	OpColumnSum:  {name: "column sum", sig: "x[m,d] → y[d]", share: byColumns, flops: each(1)},
	OpColumnDot:  {name: "column dot", sig: "a[m,d] b[m,d] → y[d]", share: byColumns, flops: each(2)},
	OpColumnMean: {name: "column mean", sig: "x[m,d] → mean[d]", share: byColumns, flops: each(1)},
	OpColumnVar:  {name: "column var", sig: "x[m,d] mean[d] → variance[d]", share: byColumns, flops: each(6)},

	OpCenter:      {name: "center", sig: "x[m,d] → y[m,d] mean[d]", share: byColumns, flops: each(1)},
	OpCenterBy:    {name: "center by", sig: "x[m,d] mean[d] → y[m,d]", share: elementwise, flops: each(1)},
	OpStandardize: {name: "standardize", sig: "x[m,d] → xhat[m,d] mean[d] variance[d] invStd[d]", share: byColumns, flops: each(6)},
	OpStandardizeAffine: {name: "standardize, affine", sig: "x[m,d] gamma[d] beta[d] → xhat[m,d] mean[d] variance[d] invStd[d] y[m,d]",
		share: byColumns, flops: each(8)},
	OpStandardizeGrad: {name: "standardize grad", sig: "xhat[m,d] g[m,d] invStd[d] → dx[m,d] ~sums", share: byColumns, flops: each(7)},
	OpAffineGrad: {name: "affine, standardize grad", sig: "xhat[m,d] g[m,d] gamma[d] invStd[d] → dx[m,d] dgamma[d] dbeta[d] ~sums",
		share: byColumns, flops: each(11)},
	OpRescale:      {name: "rescale", sig: "x[m,d] → y[m,d] inv[d]", share: byColumns, flops: each(3)},
	OpRescaleGrad:  {name: "rescale grad", sig: "y[m,d] g[m,d] inv[d] → dx[m,d]", share: byColumns, flops: each(5)},
	OpNormalizeBy:  {name: "normalize by", sig: "x[m,d] mean[d] variance[d] → y[m,d]", share: elementwise, flops: each(2)},
	OpScaleBy:      {name: "scale by", sig: "g[m,d] variance[d] → dx[m,d]", share: elementwise, flops: each(1)},
	OpAffine:       {name: "affine", sig: "xhat[m,d] gamma[d] beta[d] → y[m,d]", share: elementwise, flops: each(2)},
	OpScaleColumns: {name: "scale columns", sig: "g[m,d] gamma[d] → dx[m,d]", share: elementwise, flops: each(1)},
	OpSquaredDev:   {name: "squared deviation", sig: "x[m,d] mean[d] → y[m,d]", share: elementwise, flops: each(2)},
	OpEMA:          {name: "ema", sig: "old[m,d] new[m,d] → y[m,d]", share: elementwise, moves: true, flops: each(2)},
	OpEMARows:      {name: "ema of rows", sig: "old[d] new[m,d] → y[d]", share: byColumns, moves: true, flops: each(3)}, // towards each row in turn
	OpRenormScale:  {name: "renorm scale", sig: "variance[m,d] running[m,d] steps → r[m,d]", share: elementwise, flops: each(10)},
	OpRenormShift:  {name: "renorm shift", sig: "mean[m,d] running[m,d] variance[m,d] steps → y[m,d]", share: elementwise, flops: each(6)},

	// Of groups of columns, which have blocks [n,n] below one another; kept has a row a group.
	OpGroupProduct: {name: "group product", sig: "x[m,d] blocks → y[m,d]", share: byRows, flops: groupFlops, detail: factorDetail, check: checkGroups},
	OpGroupOuter:   {name: "group outer", sig: "x y → blocks[m,d]", share: byRows, flops: groupFlops, check: checkGroups},
	OpInverseRoot:  {name: "inverse root", sig: "cov → root kept[m,d]", share: byRows, flops: rootFlops, detail: rootDetail, check: checkRoot},
	OpInverseRootGrad: {name: "inverse root grad", sig: "cov kept[m,d] droot → dcov", share: byRows, flops: rootFlops, detail: rootDetail,
		check: checkRoot},

	// scale has one element, or one a row.
	OpCrossEntropy:     {name: "cross entropy", sig: "logits[m,d] labels[m] → rows[m]", share: byRows, flops: each(25)},
	OpCrossEntropyGrad: {name: "cross entropy grad", sig: "logits[m,d] labels[m] scale[m] → dlogits[m,d]", share: byRows, flops: each(25)},
	OpCrossEntropyBoth: {name: "cross entropy, grad", sig: "logits[m,d] labels[m] scale[m] → rows[m] dlogits[m,d]", share: byRows, flops: each(25)},
	OpCorrect:          {name: "correct", sig: "logits[m,d] labels[m] → y[m]", share: byRows, flops: each(1)},
	OpCTC:              {name: "ctc", sig: "logp targets → nll[m] dlogp?", share: byRows, flops: ctcFlops, check: checkCTC}, // of m sequences

	// The natural gradient (package kernels/ngsgd): a factor's start and its next, what its basis
	// takes from rows, and by what the rest is rescaled; the matrix K of a single batch.
	OpFactorStart:  {name: "factor start", sig: "x factor → start ~work ~sums", share: alone, check: checkFactor},
	OpFactorNext:   {name: "factor next", sig: "x factor → next ~work ~sums", share: alone, moves: true, flops: factorFlops, check: checkFactor},
	OpFactorShrink: {name: "factor shrink", sig: "h[m,d] factor → y[m,d]", share: byRows, flops: each(1), check: checkShrink},
	OpFactorNorm:   {name: "factor norm", sig: "x h y → s ~work", share: alone, flops: each(2)},
	OpLeaveOneOut:  {name: "leave one out", sig: "gram → k ~sums", share: alone, flops: func(in *Instr) float64 { return math.Pow(float64(in.In[0].Rows), 3) }},

	// acc is float64: += the sum of the rows that count, += xᵀx of them; y = Scale·acc.
	OpAccumulate:      {name: "accumulate", sig: "x[m,d] → &acc[d]", share: byColumns, flops: each(1)},
	OpAccumulateOuter: {name: "accumulate outer", sig: "x[m,d] → &acc ~product", share: alone, flops: each(1)},
	OpFromAccumulator: {name: "from accumulator", sig: "acc[m,d] → y[m,d]", share: elementwise, flops: each(1)},

	// The optimizer's step, and before it the rate of this step where that follows a schedule,
	// what gradients are scaled by where their norm is bounded, and the powers of beta; the end
	// of a step: it records the loss, notices one that is not finite, counts the step.
	OpLearningRate: {name: "learning rate", sig: "base → lr", share: alone, state: []string{StateStep}, detail: rateDetail, check: checkRate},
	OpClipScale:    {name: "clip scale", sig: "squares → scale", share: alone, flops: each(1), check: checkWhole},
	OpUpdate: {name: "update", sig: "g[m,d] powers? → &param[m,d] &slot…[m,d]", share: elementwise, flops: updateFlops,
		state: []string{StateLR}, detail: updateDetail, check: checkUpdate},
	OpBetaPower: {name: "beta power", sig: "→ &powers", share: alone},
	OpTick:      {name: "tick", sig: "loss →", share: alone, ends: true},
}

// Ops lists the instructions.
func Ops() iter.Seq[Op] {
	return func(yield func(Op) bool) {
		for op := range opEnd {
			if !yield(op) {
				return
			}
		}
	}
}

func (o Op) String() string {
	if o < opEnd {
		return table[o].name
	}
	return fmt.Sprintf("instruction %d", uint8(o))
}

// Signature says what the instruction reads and writes: "x[m,d] mean[d] → y[m,d]" is of a
// matrix, and of one number for each column, another matrix (signature.go).
func (o Op) Signature() string {
	if o < opEnd {
		return table[o].sig
	}
	return ""
}

// Product reports whether the instruction is a matrix product.
func (o Op) Product() bool { return o < opEnd && table[o].product }

// Columnwise reports whether workers can share the instruction by columns, matrix
// products apart.
func (o Op) Columnwise() bool {
	return o < opEnd && !table[o].product && (table[o].share == byColumns || table[o].share == elementwise)
}

// Check returns an error that says which of its operands an instruction lacks, or has too many of.
func (in *Instr) Check() error {
	if in.Op >= opEnd {
		return fmt.Errorf("%v is not known", in.Op)
	}
	s := &signatures[in.Op]
	if !s.in.takes(in.In) || !s.out.takes(in.Out) {
		return fmt.Errorf("instruction %v has %d operands and %d results, all of which must be there, it needs %v and %v: %s",
			in.Op, len(in.In), len(in.Out), s.in, s.out, in.Op.Signature())
	}
	if check := table[in.Op].check; check != nil {
		if err := check(in); err != nil {
			return fmt.Errorf("instruction %v: %w", in.Op, err)
		}
	}
	return nil
}

// Control lists the control state that an instruction reads.
func (in *Instr) Control() []string {
	if in.Update {
		return []string{StateLR}
	}
	return table[in.Op].state
}

// Main is the operand or result whose rows or columns are what workers share: the first
// result that is a matrix of so many, else the first such operand. It is nil for an
// instruction that has none.
func (in *Instr) Main() *Tensor {
	s := &signatures[in.Op]
	if k := s.out.matrix(); k >= 0 {
		return in.Out[k]
	}
	if k := s.in.matrix(); k >= 0 {
		return in.In[k]
	}
	return nil
}

// Reads reports whether the instruction reads what result k held before.
func (in *Instr) Reads(k int) bool { return signatures[in.Op].out.at(k).read || in.Update && k == 0 }

// Lost reports whether nobody needs result k, which is room to work in.
func (in *Instr) Lost(k int) bool { return signatures[in.Op].out.at(k).lost }

// ---- the cost ----

// each is the cost of so many operations on every element of the largest operand or
// result on the device. Such numbers are nominal: a sigmoid counts as 20.
func each(n float64) func(*Instr) float64 {
	return func(in *Instr) float64 {
		if most := in.largest(); most != nil {
			return n * float64(most.Len())
		}
		return 0
	}
}

func activateFlops(in *Instr) float64 {
	if in.Act == activation.ReLU {
		return each(1)(in)
	}
	return each(20)(in)
}

func updateFlops(in *Instr) float64 { return each(in.Rule.Flops())(in) }

// gemmFlops counts two operations for each product of a matrix product, maskedFlops for
// each whose factors are not known to be zero.
func gemmFlops(in *Instr) float64 {
	return 2 * float64(in.Out[0].Len()) * float64(sumLength(in))
}

func batchedFlops(in *Instr) float64 { return 2 * float64(in.Out[0].Len()) * float64(in.Sum) }

func maskedFlops(in *Instr) float64 {
	return 2 * in.Density * float64(in.In[0].Cols) * float64(in.In[1].Rows) * float64(in.In[1].Cols)
}

// factorFlops is the mean over steps: an update takes three products with the batch or the
// basis, two with a square matrix, and eigenvalues.
func factorFlops(in *Instr) float64 {
	m, dim, k := float64(in.In[0].Rows), float64(in.In[1].Rows-ngsgd.Tail), float64(in.In[1].Cols)
	return (4*m*dim*k + 4*dim*k*k + 9*k*k*k) / float64(in.Factor.Period)
}

// groupFlops counts two operations for each product of a product with blocks.
func groupFlops(in *Instr) float64 {
	x, b := in.In[0], in.In[1]
	if in.Op == OpGroupOuter {
		b = in.Out[0]
	}
	return 2 * float64(x.Len()) * float64(b.Cols)
}

func rootFlops(in *Instr) float64 {
	each := in.Root.Flops()
	if in.Op == OpInverseRootGrad {
		each = in.Root.GradFlops()
	}
	return each * float64(keptOf(in).Rows)
}

// keptOf is what a root keeps for its gradient.
func keptOf(in *Instr) *Tensor {
	if in.Op == OpInverseRootGrad {
		return in.In[1]
	}
	return in.Out[1]
}

// ---- the title ----

func productDetail(in *Instr) string {
	s := map[[2]bool]string{{false, false}: "AB", {true, false}: "AᵀB", {false, true}: "ABᵀ", {true, true}: "AᵀBᵀ"}[[2]bool{in.TransA, in.TransB}]
	if in.bias() {
		s += " + bias"
	}
	if in.Act != activation.Identity {
		s += ", " + in.Act.String()
	}
	if in.Update {
		s += ", update sgd"
	}
	return s
}

// hostDetail tells what Gorgonia computes from loops of this engine.
func hostDetail(in *Instr) string {
	if in.ByDo() {
		return "by op.Do"
	}
	return ""
}

func logDetail(in *Instr) string {
	if in.Log {
		return "log"
	}
	return ""
}
func binaryDetail(in *Instr) string { return in.Bin.String() }
func unaryDetail(in *Instr) string  { return in.Un.String() }
func actDetail(in *Instr) string    { return in.Act.String() }
func factorDetail(in *Instr) string { return "x·(" + in.Take.String() + ")" }
func rootDetail(in *Instr) string   { return in.Root.Form.String() }
func updateDetail(in *Instr) string { return string(in.Rule.Kind) }
func rateDetail(in *Instr) string   { return string(in.Rule.Schedule.Kind) }
