// Package activation holds the pointwise nonlinearities of hidden layers and
// their gradients.
//
// Matrices are m rows by d columns, row major; either may be 0. The gradient is
// expressed through the output y alone, so that the input need not be kept:
//
//	kind      y = f(x)          dx
//	identity  x                 g
//	sigmoid   1/(1 + e**-x)     g·(y·(1-y))
//	tanh      tanh x            g·(1 - y·y)
//	relu      max(x, 0)         g where y > 0 or y is NaN, else 0
//
// ReLU's derivative at 0 is 0, as in PyTorch, and NaN stays NaN; -0 becomes 0.
// Sigmoid and tanh are those of package scalar: fixed sequences of IEEE
// operations, in T, without overflow for large |x|.
//
// # Implementations
//
// activation.go is the specification. On amd64 there are kernels for AVX2 and AVX-512, in
// either type (vector_amd64.go, written by internal/gen; the build tag noasm leaves them
// out), one call a block of rows. Beside package scalar's, on a Xeon of 2023, nanoseconds a
// float32 in the second-level cache; a float64 takes twice as long with vectors:
//
//	               plain Go  AVX2  AVX-512
//	ReLU           1.0       0.08  0.07
//	gradients      0.8-1.4   0.15  0.14
package activation
