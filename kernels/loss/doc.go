// Package loss holds softmax cross-entropy, its gradient, and accuracy.
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
package loss
