package kerneltest

import (
	"math"
	"math/rand/v2"

	"driftless/kernels"
	"driftless/kernels/gather"
)

// A data set of dataRows rows, and the rows of a batch. Rows are as wide as a
// case says; the longest is of 129.
const dataRows = 5

var (
	pixels  [dataRows * 129]uint8
	values  [dataRows * 129]float64
	singles [dataRows * 129]float32
	indices [64]int32
)

func init() {
	r := rand.New(rand.NewPCG(3, 4))
	for i := range pixels {
		pixels[i] = uint8(i * 37) // takes every value
		values[i] = special.draw(r, 0)
		singles[i] = float32(values[i])
	}
	for i := range indices {
		indices[i] = int32(r.IntN(dataRows))
	}
}

// gathers are the kernels of package gather.
func gathers[T kernels.Float]() []kernel[T] {
	rows := []kernel[T]{{
		name:     "gather.Rows/float32",
		operands: []operand{written("dst", matrix)},
		run: func(s size, a []arg[T]) {
			gather.Rows(indices[:s.m], singles[:dataRows*s.d], s.d, a[0].x, a[0].ld)
		},
		ref: func(s size, a []*dense) {
			a[0].each(func(i, j int) (v, mag float64) { return float64(singles[int(indices[i])*s.d+j]), 0 })
		},
	}, {
		name:     "gather.Rows/float64",
		operands: []operand{written("dst", matrix)},
		run: func(s size, a []arg[T]) {
			gather.Rows(indices[:s.m], values[:dataRows*s.d], s.d, a[0].x, a[0].ld)
		},
		ref: func(s size, a []*dense) {
			a[0].each(func(i, j int) (v, mag float64) { return values[int(indices[i])*s.d+j], 0 })
		},
		tol: 1,
	}}
	for _, m := range []struct {
		name  string
		to    gather.Map
		value func(b uint8) float64
		tol   float64
	}{
		{"raw", gather.Raw, func(b uint8) float64 { return float64(b) }, 0},
		{"unit", gather.Unit, func(b uint8) float64 { return float64(b) / 255 }, 1},
		{"binary", gather.Binary, func(b uint8) float64 { return math.Floor(float64(b) / 128) }, 0},
	} {
		rows = append(rows, kernel[T]{
			name:     "gather.BytesRows/" + m.name,
			operands: []operand{written("dst", matrix)},
			run: func(s size, a []arg[T]) {
				gather.BytesRows(indices[:s.m], pixels[:dataRows*s.d], s.d, m.to, a[0].x, a[0].ld)
			},
			ref: func(s size, a []*dense) {
				a[0].each(func(i, j int) (v, mag float64) { return m.value(pixels[int(indices[i])*s.d+j]), 0 })
			},
			tol: m.tol,
		})
	}
	return rows
}
