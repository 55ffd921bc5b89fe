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
//	input gradient    dX = PatchesGrad(dZ·Wᵀ)  [InputGrad]
//
// Gorgonia's images have their channels one after another, [n, channels, height, width]; kernels for
// these begin with Plane, and a [Planes] says how a window moves over them, where a padding, a stride and
// a dilation may differ down and across:
//
//	forward           [PlaneProduct]
//	input gradient    [PlaneInputGrad]
//	weight gradient   [PlaneGradient]
//	patches           [PlanePatches], [PlanePatchesGrad], for what those do not compute well
//	pooling           [PlaneMaxPool], [PlaneMaxPoolGrad]
//
// # Bits
//
// Patches are copies. A convolution has the bits of package gemm's products with them, in
// which numbers of the padding take part as +0. The gradient of an element of an image
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
// The plain Go is the specification; it lays out as many patches at a time as a cache holds, and
// multiplies those. Rows of the image are copied in runs, since the channels lie together.
//
// On amd64 internal/gen writes for AVX2 and for AVX-512, in either type:
//
//   - products that read the images themselves (direct_amd64.go): a patch is a run of numbers for
//     each row of the window, so that a tile's row is a pointer, and its sum goes from run to run.
//     Images with a padding are laid out with it first. Patches of more than a chunk of package gemm,
//     and gradients of few windows side by side, take patches;
//   - PatchesGrad, vector by vector of a row of positions, whose sum over the windows stays in a
//     register. InputGrad calls it as soon as some rows of windows are there;
//   - pooling in windows of 2×2, and its gradient where they are beside one another; PlaneMaxPool and its
//     gradient (AVX2) likewise;
//   - PlaneProduct and its gradients (planeconv_amd64.go), of images laid out with their padding, so that
//     what windows side by side see at one place of theirs is a vector.
//
// Rows of few channels end in part of a vector, which AVX2 stores a power of two of numbers at a
// time.
package conv
