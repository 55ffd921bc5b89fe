package axes

import (
	"fmt"

	"driftless/kernels"
	"driftless/kernels/elem"
)

// MaxAxes is the most axes that a View has.
const MaxAxes = 8

// View is a tensor as another's elements make it: element (i, j, …) is number
// Offset + i·Strides[0] + j·Strides[1] + … of those. A stride of 0 repeats.
type View struct {
	Shape, Strides []int
	Offset         int
}

// Dense is the view of a tensor of that shape as it lies in memory.
func Dense(shape []int) View {
	v := View{Shape: shape, Strides: make([]int, len(shape))}
	for k, stride := len(shape)-1, 1; k >= 0; k-- {
		v.Strides[k] = stride
		stride *= shape[k]
	}
	return v
}

// Join returns views of one shape with as few axes as they need, at least one: axes of one element are left out,
// and neighbours that all views go through as through one become one.
func Join(views ...View) []View {
	out := make([]View, len(views))
	for i := range views {
		out[i].Offset = views[i].Offset
	}
	shape := views[0].Shape
	for k := len(shape) - 1; k >= 0; k-- {
		if shape[k] == 1 {
			continue
		}
		last, joins := len(out[0].Shape)-1, len(out[0].Shape) > 0
		for i, v := range views {
			joins = joins && v.Strides[k] == out[i].Strides[last]*out[i].Shape[last]
		}
		for i, v := range views {
			if joins {
				out[i].Shape[last] *= shape[k]
				continue
			}
			out[i].Shape, out[i].Strides = append(out[i].Shape, shape[k]), append(out[i].Strides, v.Strides[k])
		}
	}
	for i := range out {
		v := &out[i]
		if len(v.Shape) == 0 {
			v.Shape, v.Strides = []int{1}, []int{1}
		}
		for a, b := 0, len(v.Shape)-1; a < b; a, b = a+1, b-1 {
			v.Shape[a], v.Shape[b] = v.Shape[b], v.Shape[a]
			v.Strides[a], v.Strides[b] = v.Strides[b], v.Strides[a]
		}
	}
	return out
}

// Check returns an error unless all that the view sees are among n elements.
func (v View) Check(n int) error {
	if len(v.Shape) < 1 || len(v.Shape) > MaxAxes || len(v.Strides) != len(v.Shape) {
		return fmt.Errorf("a view has one to %d axes, each with a stride, not %v and %v", MaxAxes, v.Shape, v.Strides)
	}
	lo, hi := v.Offset, v.Offset
	for k, size := range v.Shape {
		if size < 1 {
			return fmt.Errorf("a view of shape %v sees nothing", v.Shape)
		}
		if d := (size - 1) * v.Strides[k]; d < 0 {
			lo += d
		} else {
			hi += d
		}
	}
	if lo < 0 || hi >= n {
		return fmt.Errorf("a view sees elements %d to %d of %d", lo, hi, n)
	}
	return nil
}

// Rows is the number of rows, runs along the last axis.
func (v View) Rows() int {
	rows := 1
	for _, size := range v.Shape[:len(v.Shape)-1] {
		rows *= size
	}
	return rows
}

// Cols is the length of a row.
func (v View) Cols() int { return v.Shape[len(v.Shape)-1] }

// cursor is a row of a view.
type cursor struct {
	at    int // of its first element
	index [MaxAxes]int
}

// row returns the cursor of a row.
func (v *View) row(i int) (c cursor) {
	c.at = v.Offset
	for k := len(v.Shape) - 2; k >= 0; k-- {
		c.index[k] = i % v.Shape[k]
		i /= v.Shape[k]
		c.at += c.index[k] * v.Strides[k]
	}
	return c
}

// next moves the cursor to the next row.
func (v *View) next(c *cursor) {
	for k := len(v.Shape) - 2; k >= 0; k-- {
		c.at += v.Strides[k]
		if c.index[k]++; c.index[k] < v.Shape[k] {
			return
		}
		c.at -= v.Shape[k] * v.Strides[k]
		c.index[k] = 0
	}
}

// Move sets m rows of y, with leading dimension ldy, to those of a view of x from row first on. v must have
// passed its Check for x.
func Move[T kernels.Float](v View, first, m int, x, y []T, ldy int) {
	n := v.Cols()
	kernels.CheckMatrix(m, n, len(y), ldy, "axes: y is too short for its shape")
	stride := v.Strides[len(v.Strides)-1]
	c := v.row(first)
	for i := range m {
		to := y[i*ldy:][:n]
		switch stride {
		case 1:
			copy(to, x[c.at:])
		case 0:
			f := x[c.at]
			for j := range to {
				to[j] = f
			}
		default:
			at := c.at
			for j := range to {
				to[j] = x[at]
				at += stride
			}
		}
		v.next(&c)
	}
}

// Apply sets y to elements of a op b from number first on, where a and b are views of x and z, of one shape,
// whose elements are numbered row by row. Each is one IEEE operation in T, but for elem.Pow. The views must
// have passed their Checks.
func Apply[T kernels.Float](op elem.Binary, a, b View, first int, x, z, y []T) {
	n := a.Cols()
	sa, sb := a.Strides[len(a.Strides)-1], b.Strides[len(b.Strides)-1]
	ca, cb := a.row(first/n), b.row(first/n)
	for j := first % n; len(y) > 0; j = 0 {
		to := y[:min(n-j, len(y))]
		i, k := ca.at+j*sa, cb.at+j*sb
		if last := len(to) - 1; uint(sa) <= 1 && uint(sb) <= 1 {
			elem.Apply(op, x[i:][:1+last*sa], z[k:][:1+last*sb], to)
		} else {
			for e := range to {
				elem.Apply(op, x[i+e*sa:][:1], z[k+e*sb:][:1], to[e:][:1])
			}
		}
		y = y[len(to):]
		a.next(&ca)
		b.next(&cb)
	}
}
