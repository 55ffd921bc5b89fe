// Package optim holds the update rules of the optimizers, elementwise over a
// parameter p and its gradient g, following PyTorch's forms. State (v of
// Momentum, m and v of Adam) is updated in place and starts at zero.
//
//	SGD        p −= lr·g
//	Momentum   v  = mu·v + g;  p −= lr·v                  no dampening
//	Nesterov   v  = mu·v + g;  p −= lr·(g + mu·v)
//	Adam       m  = beta1·m + (1−beta1)·g
//	           v  = beta2·v + (1−beta2)·g²
//	           p −= (lr/c1)·m / (√v/√c2 + eps)            c_i = 1 − beta_i^t
//	AdamW      p −= lr·weightDecay·p;  then as Adam
//	Decayed    g + weightDecay·p: the gradient that the others take where weights decay
//	ClipScale  min(1, bound/(‖g‖ + 1e-6)): what all gradients are multiplied by where their norm is bounded
//	Factor     what a schedule multiplies the learning rate by in a step
//
// All arithmetic is in T with one rounding an operation, in the order that each
// function states; the step of SGD and Decayed alone are a fused multiply and add,
// rounded once. All slices of a call have one length. ClipScale and
// Factor are in float64.
//
// The plain Go is the specification; on amd64 internal/gen writes the same sequences for
// AVX2 and AVX-512, in either type. There √v/√c2 is a product with 1/√c2 and two
// corrections, which give the quotient correctly rounded.
package optim
