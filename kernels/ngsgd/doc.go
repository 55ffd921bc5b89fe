// Package ngsgd has the numbers of the natural gradient of Povey, Zhang & Khudanpur (2014,
// "Parallel training of DNNs with natural gradient and parameter averaging") that are no
// products of matrices of a graph. The comments of Kaldi's
// nnet3/natural-gradient-online.h derive them.
//
// # The factor
//
// The rows of X [m, d], and with Rule.Ones a 1 behind each, so that D is d or d+1, are taken
// to have the covariance
//
//	F = B·diag(q)·Bᵀ + rho·I     BᵀB = I
//
// of B [D, k], q [k] and the number rho. Its tensor is [D+Tail, k]: the rows of B, q, rho and
// the number of updates so far, in the first columns of rows of their own. All zeros is a
// factor that has seen nothing.
//
// # Calls
//
// Each step calls, for each factor,
//
//	Start   gives a factor that has seen nothing its start: three updates on this X
//	Shrink  the coordinates H·diag(e) of what is taken from X, H = X·B
//	Norm    by what to multiply the rest, so that it has X's norm
//	Next    the factor for the next step
//
// and the preconditioned X is Norm·(X − Shrink·Bᵀ). LeaveOneOut is the form without state.
//
// Sums that are no matrix product are float64, in the order of rows. All of it is plain Go, and
// products are package gemm's, so bits do not depend on the instruction set.
package ngsgd
