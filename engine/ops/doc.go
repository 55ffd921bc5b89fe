// Package ops holds Driftless's own Gorgonia operations: centring,
// standardization, the affine transform, column statistics, ReLU, softmax
// cross-entropy, moving averages, whitening, and the reading and assignment of state.
//
// Gorgonia can express most of these with its stock operations, as chains of
// ten nodes with broadcasts and reshapes in between. Here each is one node, so
// that a graph reads like the paper it comes from, its gradient is the
// closed form instead of a chain rule over intermediates, and a compiler
// can give it one fused kernel. Every operation
//
//   - is an exported struct type whose exported fields are all its parameters,
//     so that a compiler recognises it by a type switch on n.Op();
//   - checks its shapes before a node is made, and reports a mismatch in one
//     sentence that names the operation, the nodes and their shapes;
//   - has a reference Do: plain loops over float64, rounded once to the dtype of
//     its inputs (float32 or float64). Fast kernels are tested against it, so
//     it shares no code with them. Do never writes to its inputs and never
//     returns their memory;
//   - has an exact symbolic gradient, so gorgonia.Grad differentiates through
//     it, or says in one sentence why it has none;
//   - runs on Gorgonia's TapeMachine and LispMachine as it is.
//
// # Conventions
//
// A batch is a matrix of m rows (samples) by d columns (features). Statistics
// are vectors of d, labels and losses per sample are vectors of m. Variances
// are biased (divided by m), as batch normalization uses them (Ioffe & Szegedy,
// 2015, algorithm 1) and as PyTorch normalizes with them; PyTorch's running
// variance is the unbiased one, m/(m-1) times larger, which the scale of [EMA]
// provides.
//
// # The operations
//
//	Center(x)                     x - mean over rows
//	Standardize(x, eps)           (x - mean)/sqrt(variance + eps)
//	Rescale(x, eps)               x/sqrt(mean square + eps)
//	ColumnMean(x), ColumnVar(x, mean), ColumnSum(x), ColumnDot(a, b)
//	CenterBy(x, mean)             x - mean, the mean an argument
//	NormalizeBy(x, mean, variance, eps)
//	Affine(xhat, gamma, beta)     gamma*xhat + beta
//	ScaleBy(x, variance, eps)     x/sqrt(variance + eps)
//	ScaleColumns(x, gamma)        gamma*x
//	Scale(x, factor)              factor*x, the factor a parameter
//	BroadcastRows(v, rows)        v repeated as every row
//	SquaredDeviation(x, mean)     (x - mean)²
//	Covariance(x, mean)           (x - mean)ᵀ(x - mean)/m
//	ZCA(cov, relEps)              (cov + εI)^(-1/2)
//	EMA(old, new, alpha, scale)   (1-alpha)*old + alpha*scale*new
//	EMARows(old, new, alpha, scale) the same towards each row of new in turn
//	RenormScale(variance, running, steps, …), RenormShift(mean, running, variance, steps, …)
//	State(n)                      n, as a constant that training does not change
//	Assign(state, value, every, late)
//	ReLU(x)                       max(x, 0)
//	CrossEntropy(logits, labels), CrossEntropyRows(logits, labels)
//	Correct(logits, labels)
//	Patches(x, window)            what the windows of a convolution see, a row each
//	MaxPool(x, window), AveragePool(x, window)
//	ChannelsLast(x), ChannelsFirst(x, height, width)
//
// and the gradients StandardizeGrad, RescaleGrad, ReLUGrad, ZCAGrad, CrossEntropyGrad,
// CrossEntropyRowsGrad, PatchesGrad, MaxPoolGrad and AveragePoolGrad. The gradients of the others are built from the operations
// of this list.
//
// Images are matrices too, with a row for each position of each image and a column for each
// channel, [batch·height·width, channels]: what works by columns works by channels over the
// batch and the positions (Ioffe & Szegedy, 2015, section 3.2). ChannelsLast makes them of
// Gorgonia's and PyTorch's [batch, channels, height, width].
//
// # Statistics inside the graph, and outside
//
// The same NormalizeBy node trains in two very different ways:
//
//	mean, _ := ops.ColumnMean(x)
//	variance, _ := ops.ColumnVar(x, mean)
//	xhat, _ := ops.NormalizeBy(x, mean, variance, 1e-5)
//
// differentiates through the statistics and equals Standardize in value and
// gradient, but for the rounding of the mean to the dtype (at most 2^-24 of it in
// float32), which Standardize and Center do without: the gradient of a bias in x is
// zero, since the mean takes it out. If mean and variance are input nodes that
// somebody else updates between the steps, the gradient takes them for constants:
// the bias then receives sum(g)/s, its step is undone when the statistics are
// refreshed, and it drifts without bound (Ioffe & Szegedy, 2015, section 2).
//
// # Adding an operation
//
// One file holds the struct, the constructor and the methods.
//
//  1. Declare the struct with its parameters as exported fields, embed [pure]
//     (it says that Do is a pure function that keeps off its inputs), and
//     assert that it is a gorgonia.SDOp.
//  2. InferShape is the shape rule. State it with the helpers of shape.go, whose
//     errors name the role of the argument at fault; the constructor and Do
//     both apply it, so Do need not check again.
//  3. Type is the same rule for the ranks, in Gorgonia's type language.
//  4. Do reads its inputs with load, loops, and returns in.value(out). Write the
//     formula of the paper, not a fast version of it.
//  5. SymDiff returns one node per child, nil for a child that DiffWRT excludes.
//     Where no gradient exists but somebody might expect one, let DiffWRT say
//     true and SymDiff return an error: with false, Grad would silently take the
//     operation for a constant.
//  6. String prints every parameter: it is hashed, and Gorgonia merges two nodes
//     of equal hash without a word.
//  7. The constructor is one call of apply.
//
// Then add a row to the table in table_test.go. The gradient check, both
// dtypes, both machines, shape errors, hashes and aliasing follow from that row.
package ops

// Gorgonia refuses to start on a Go release that this module does not vouch
// for; the import asks for a version that accepts today's.
import _ "go4.org/unsafe/assume-no-moving-gc"
