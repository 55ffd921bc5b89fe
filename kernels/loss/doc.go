// Package loss holds softmax cross-entropy, its gradient, accuracy, and the loss of sequences (CTC).
//
// Logits are a matrix [m,n], one row a sample, one column a class, n ≥ 1. Labels
// are class indices 0…n-1, stored as T in a vector [m]. A label that is no class
// (out of range, fractional, NaN) makes its row's loss and gradient NaN, so that
// a training run stops at it, and counts as wrong; no kernel panics on data.
//
// With top the largest logit z_j of the row and s = Σ_j e**(z_j - top),
//
//	loss = log s + top - z_label        in nats
//	dz_j = scale·(e**(z_j - top)/s - [j = label])
//
// so that large logits do not overflow. [SoftmaxCrossEntropy] has the reduction
// of PyTorch's CrossEntropyLoss(reduction="none"); [Mean] of it is PyTorch's
// default, and the gradient of that mean has scale 1/m.
//
// The exponentials are package scalar's Exp in T, the sum s is float64 and takes
// the columns in order. A NaN among the logits makes the row's loss and gradient
// NaN; so does +Inf, and a row that is -Inf throughout.
//
// [SoftmaxCrossEntropyBoth] gives the losses and their gradient together, in little
// more than the time of the gradient.
//
// [CTC] is the loss of sequences whose alignment with their labels is not known; ctc.go is plain Go, but for its
// exponentials and logarithms, which are vectors' where there are kernels.
//
// # Implementations
//
// loss.go is the specification. On amd64, and up to 1024 classes, there are kernels
// for AVX2 and AVX-512 in either type (vector_amd64.go, written by internal/gen; the
// build tag noasm leaves them out). A lane is a row, so that sums take the columns
// in order: as many rows as a vector has lanes are turned over 64 columns at a time.
// Quotients of float32 by a row's sum come from its reciprocal and two remainders,
// which gives the bits of a division. More classes use the vectors of scalar's ExpRows.
// Microseconds for 60 rows of 10 classes of float32, on a Xeon of 2023:
//
//	         plain Go  AVX2  AVX-512
//	loss     7.2       1.0   0.6
//	grad     7.3       1.4   0.95
//	both     8.3       1.5   1.05
//	Correct  1.2       0.28  0.15
package loss
