// Package conv is what a convolution needs beside a matrix product, and pooling.
//
// Images are matrices with a row for each position and a column for each channel, row by row
// and image after image: [n·height·width, channels], channels last. A [Window] moves over
// them; what it sees makes a row of another matrix, the patches (im2col),
//
//	P [n·outHeight·outWidth, kernelHeight·kernelWidth·channels]
//
// and a convolution is a linear layer of these:
//
//	forward           Z  = P·W + bias        [Product]
//	weight gradient   dW = Pᵀ·dZ             [Gradient]
//	input gradient    dX = PatchesGrad(dZ·Wᵀ)
//
// # Bits
//
// Patches are copies. A convolution has the bits of package gemm's products with them, in
// which numbers of the padding take part as +0; [Product] and [Gradient] lay out as many
// patches at a time as a cache holds, and multiply those. The gradient of an element of an image
// is a sum over the windows that cover its position, row by row of windows:
//
//	s = +0; for each window: s = s + g
//
// [MaxPool] takes the largest number of a window, with NaN above all and +0 above -0; its gradient
// goes to the first position of a number equal to that. [AveragePool] adds up from the first number, row by
// row of the window, and divides by the window's size. Every operation is rounded once to T.
//
// # Implementations
//
// The plain Go is the specification and what runs under every instruction set: what takes long
// is in the products. Rows of the image are copied in runs, since the channels lie together.
// A position's sums run over few channels, for which the loops are over windows first.
package conv
