package kerneltest

import "driftless/kernels"

// table is every kernel, family by family.
func table[T kernels.Float]() []kernel[T] {
	var rows []kernel[T]
	rows = append(rows, statistics[T]()...)
	rows = append(rows, normalization[T]()...)
	rows = append(rows, activations[T]()...)
	rows = append(rows, losses[T]()...)
	rows = append(rows, optimizers[T]()...)
	rows = append(rows, elementwise[T]()...)
	rows = append(rows, products[T]()...)
	rows = append(rows, gathers[T]()...)
	rows = append(rows, convolutions[T]()...)
	rows = append(rows, planeConvolutions[T]()...)
	rows = append(rows, tensors[T]()...)
	rows = append(rows, draws[T]()...)
	rows = append(rows, temporal[T]()...)
	return rows
}
