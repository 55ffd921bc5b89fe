package probe

import (
	"math"
	"slices"

	"driftless/internal/report"
	"driftless/kernels/eigen"
)

// each returns a number of each layer of a view.
func each(layers []Layer, f func(l Layer) float64) []float64 {
	out := make([]float64, len(layers))
	for i, l := range layers {
		out[i] = f(l)
	}
	return out
}

// bands returns the columns of a band of each layer.
func bands(into Values, key string, layers []Layer, f func(l Layer) (lo, mid, hi float64)) {
	for _, l := range layers {
		lo, mid, hi := f(l)
		into.addBand(key, lo, mid, hi)
	}
}

func (v Values) addBand(key string, lo, mid, hi float64) {
	v[key] = append(v[key], mid)
	v[key+report.BandLow] = append(v[key+report.BandLow], lo)
	v[key+report.BandHigh] = append(v[key+report.BandHigh], hi)
}

// quantile is report.Quantile of values in any order.
func quantile(values []float64, q float64) float64 {
	return report.Quantile(slices.Sorted(slices.Values(values)), q)
}

func dot(x, y []float64) (s float64) {
	for i, v := range x {
		s += v * y[i]
	}
	return s
}

// length is the Euclidean norm.
func length(x []float64) float64 { return math.Sqrt(dot(x, x)) }

func minus(x, y []float64) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		out[i] = x[i] - y[i]
	}
	return out
}

func mean(x []float64) (m float64) {
	for _, v := range x {
		m += v
	}
	return m / float64(len(x))
}

// moments returns the mean and the standard deviation, which divides by the number.
func moments(x []float64) (m, sd float64) {
	m = mean(x)
	for _, v := range x {
		sd += (v - m) * (v - m)
	}
	return m, math.Sqrt(sd / float64(len(x)))
}

// unitNorms are the lengths of a matrix's columns, the weights of a unit each.
func unitNorms(w Matrix) []float64 {
	out := make([]float64, w.Cols)
	for j := range out {
		out[j] = length(w.Column(j))
	}
	return out
}

// widest bounds the layers whose covariance is taken: its eigenvalues take time with the third
// power.
const widest = 512

// secondMoment is XᵀX/rows, [cols,cols], of what is left of X without its columns' means, or
// with centred false of X itself. It has no rows for a matrix that is too wide or empty.
func secondMoment(x Matrix, centred bool) Matrix {
	if x.Rows == 0 || x.Cols > widest {
		return Matrix{}
	}
	at := make([]float64, x.Cols)
	if centred {
		for j := range at {
			at[j] = mean(x.Column(j))
		}
	}
	c := Matrix{x.Cols, x.Cols, make([]float64, x.Cols*x.Cols)}
	row := make([]float64, x.Cols)
	for i := range x.Rows {
		for j := range row {
			row[j] = x.At(i, j) - at[j]
		}
		for j, v := range row {
			line := c.Data[j*x.Cols : j*x.Cols+j+1]
			for k := range line {
				line[k] += v * row[k]
			}
		}
	}
	for j := range x.Cols {
		for k := range j + 1 {
			v := c.Data[j*x.Cols+k] / float64(x.Rows)
			c.Data[j*x.Cols+k], c.Data[k*x.Cols+j] = v, v
		}
	}
	return c
}

// spectrum returns the eigenvalues of a symmetric matrix, ascending: none of an empty one, and
// NaNs where an element is not finite.
func spectrum(c Matrix) []float64 {
	values := make([]float64, c.Rows)
	if c.Rows > 0 {
		eigen.Symmetric(c.Rows, c.Data, values, make([]float64, len(c.Data)), make([]float64, eigen.Work(c.Rows)))
	}
	return values
}
