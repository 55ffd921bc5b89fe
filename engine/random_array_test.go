package engine_test

import (
	"math"
	"slices"
)

// array is a value of the reference by which random graphs are judged: float64, row major.
type array struct {
	shape shape
	v     []float64
}

func newArray(s ...int) array {
	return array{slices.Clone(shape(s)), make([]float64, shape(s).TotalSize())}
}

// kinks notes how close a reference came to where a function has no derivative, or jumps, and
// whether it met such a place.
type kinks struct {
	nearest float64
	tied    bool
}

func (k *kinks) at(distance float64) {
	if distance == 0 {
		k.tied = true
	} else {
		k.nearest = min(k.nearest, math.Abs(distance))
	}
}

func (a array) all(f func(x float64) bool) bool {
	return !slices.ContainsFunc(a.v, func(x float64) bool { return !f(x) })
}

func (a array) most() float64 {
	m := 0.0
	for _, x := range a.v {
		m = max(m, math.Abs(x))
	}
	return m
}

func (a array) finite() bool {
	return a.all(func(x float64) bool { return x-x == 0 })
}

// each calls f with every index of a shape, in row-major order.
func each(s shape, f func(at int, index []int)) {
	index := make([]int, len(s))
	for at := range s.TotalSize() {
		f(at, index)
		for k := len(index) - 1; k >= 0; k-- {
			if index[k]++; index[k] < s[k] {
				break
			}
			index[k] = 0
		}
	}
}

// offset is the place of an index in row-major order. A size of 1 stands for its repetition.
func (a array) offset(index []int) int {
	o := 0
	for k, n := range a.shape {
		o *= n
		if n > 1 {
			o += index[k]
		}
	}
	return o
}

func (a array) get(index ...int) float64 { return a.v[a.offset(index)] }

func (a array) reshaped(s ...int) array { return array{slices.Clone(shape(s)), a.v} }

func (a array) apply(f func(x float64) float64) array {
	out := newArray(a.shape...)
	for i, x := range a.v {
		out.v[i] = f(x)
	}
	return out
}

// zip applies f element by element, where an operand of one element, or of size 1 along an
// axis, is repeated.
func zip(a, b array, f func(x, y float64) float64) array {
	s := a.shape
	switch {
	case len(a.shape) == 0:
		s = b.shape
	case len(a.shape) == len(b.shape):
		s = slices.Clone(a.shape)
		for k := range s {
			s[k] = max(s[k], b.shape[k])
		}
	}
	out := newArray(s...)
	each(s, func(at int, index []int) {
		x, y := a.v[0], b.v[0]
		if len(a.shape) > 0 {
			x = a.get(index...)
		}
		if len(b.shape) > 0 {
			y = b.get(index...)
		}
		out.v[at] = f(x, y)
	})
	return out
}

// spread gives an operand of fewer axes those of rank axes that it is to be repeated along.
func (a array) spread(rank int, along []byte) array {
	if len(a.shape) == rank {
		return a
	}
	s, rest := make(shape, rank), a.shape
	for k := range s {
		if s[k] = 1; !slices.Contains(along, byte(k)) && len(rest) > 0 {
			s[k], rest = rest[0], rest[1:]
		}
	}
	return a.reshaped(s...)
}

// reduce folds f over axes, which it takes out.
func (a array) reduce(axes []int, start float64, f func(sum, x float64) float64) array {
	kept := slices.Clone(a.shape)
	for _, k := range axes {
		kept[k] = 1
	}
	out := newArray(kept...)
	for i := range out.v {
		out.v[i] = start
	}
	each(a.shape, func(at int, index []int) {
		o := out.offset(index)
		out.v[o] = f(out.v[o], a.v[at])
	})
	var s shape
	for k, n := range a.shape {
		if !slices.Contains(axes, k) {
			s = append(s, n)
		}
	}
	return out.reshaped(s...)
}

func (a array) sum(axes ...int) array {
	return a.reduce(axes, 0, func(s, x float64) float64 { return s + x })
}

// max is the maximum along axes; ties are kinks.
func (a array) max(k *kinks, axes ...int) array {
	first := a.reduce(axes, math.Inf(-1), math.Max)
	kept := slices.Clone(a.shape)
	for _, k := range axes {
		kept[k] = 1
	}
	top, times := first.reshaped(kept...), newArray(kept...)
	each(a.shape, func(at int, index []int) {
		o := top.offset(index)
		if d := top.v[o] - a.v[at]; d > 0 {
			k.at(d)
		} else if times.v[o]++; times.v[o] > 1 {
			k.at(0)
		}
	})
	return first
}

func (a array) transposed(axes ...int) array {
	s := make(shape, len(axes))
	for i, k := range axes {
		s[i] = a.shape[k]
	}
	out, from := newArray(s...), make([]int, len(axes))
	each(s, func(at int, index []int) {
		for i, k := range axes {
			from[k] = index[i]
		}
		out.v[at] = a.get(from...)
	})
	return out
}

// taken is the part of an axis from a place on, in steps.
func (a array) taken(axis, from, to, by int) array {
	s := slices.Clone(a.shape)
	s[axis] = (to - from + by - 1) / by
	out, place := newArray(s...), make([]int, len(s))
	each(s, func(at int, index []int) {
		copy(place, index)
		place[axis] = from + index[axis]*by
		out.v[at] = a.get(place...)
	})
	return out
}

func concat(axis int, as ...array) array {
	s := slices.Clone(as[0].shape)
	for _, a := range as[1:] {
		s[axis] += a.shape[axis]
	}
	out, from, place := newArray(s...), 0, make([]int, len(s))
	for _, a := range as {
		each(a.shape, func(at int, index []int) {
			copy(place, index)
			place[axis] += from
			out.v[out.offset(place)] = a.v[at]
		})
		from += a.shape[axis]
	}
	return out
}

// contracted sums products over pairs of axes; the axes that are left are a's, then b's.
func contracted(a, b array, aAxes, bAxes []int) array {
	rest := func(s shape, out []int) (axes []int) {
		for k := range s {
			if !slices.Contains(out, k) {
				axes = append(axes, k)
			}
		}
		return axes
	}
	aRest, bRest := rest(a.shape, aAxes), rest(b.shape, bAxes)
	x := a.transposed(append(slices.Clone(aRest), aAxes...)...)
	y := b.transposed(append(slices.Clone(bRest), bAxes...)...)
	s := append(slices.Clone(x.shape[:len(aRest)]), y.shape[:len(bRest)]...)
	k := x.shape[len(aRest):].TotalSize()
	out := newArray(s...)
	cols := len(y.v) / k
	for i := range len(x.v) / k {
		for j := range cols {
			for l := range k {
				out.v[i*cols+j] += x.v[i*k+l] * y.v[j*k+l]
			}
		}
	}
	return out
}

// softmax along an axis.
func (a array) softmax(axis int, log bool) array {
	kept := slices.Clone(a.shape)
	kept[axis] = 1
	top := a.reduce([]int{axis}, math.Inf(-1), math.Max).reshaped(kept...)
	shifted := zip(a, top, func(x, m float64) float64 { return x - m })
	sum := shifted.apply(math.Exp).sum(axis).reshaped(kept...)
	return zip(shifted, sum, func(x, s float64) float64 {
		if log {
			return x - math.Log(s)
		}
		return math.Exp(x) / s
	})
}

// sparsemax projects each row onto the simplex (Martins and Astudillo 2016).
func (a array) sparsemax(k *kinks) array {
	out := newArray(a.shape...)
	n := a.shape[len(a.shape)-1]
	for lo := 0; lo < len(a.v); lo += n {
		row := slices.Sorted(slices.Values(a.v[lo : lo+n]))
		slices.Reverse(row)
		sum, threshold := 0.0, 0.0
		for i, x := range row {
			k.at(1 + float64(i)*x - sum) // x joins where this is positive
			if sum += x; 1+float64(i+1)*x > sum {
				threshold = (sum - 1) / float64(i+1)
			}
		}
		for i := lo; i < lo+n; i++ {
			out.v[i] = max(a.v[i]-threshold, 0)
		}
	}
	return out
}

// patches are what a window of the images sees, [image, row, column, channel·window].
func (a array) patches(kernel, pad, stride, dilation []int) array {
	n, c, h, w := a.shape[0], a.shape[1], a.shape[2], a.shape[3]
	rows := (h+2*pad[0]-dilation[0]*(kernel[0]-1)-1)/stride[0] + 1
	cols := (w+2*pad[1]-dilation[1]*(kernel[1]-1)-1)/stride[1] + 1
	out := newArray(n, rows, cols, c*kernel[0]*kernel[1])
	at := 0
	for b := range n {
		for i := range rows {
			for j := range cols {
				for k := range c {
					for y := range kernel[0] {
						for x := range kernel[1] {
							r, s := i*stride[0]-pad[0]+y*dilation[0], j*stride[1]-pad[1]+x*dilation[1]
							if r >= 0 && r < h && s >= 0 && s < w {
								out.v[at] = a.get(b, k, r, s)
							}
							at++
						}
					}
				}
			}
		}
	}
	return out
}

// pooled is the maximum of each window, where what lies beyond the image does not count.
func (a array) pooled(k *kinks, kernel, pad, stride []int) array {
	h, w := a.shape[2], a.shape[3]
	rows, cols := (h+2*pad[0]-kernel[0])/stride[0]+1, (w+2*pad[1]-kernel[1])/stride[1]+1
	out := newArray(a.shape[0], a.shape[1], rows, cols)
	each(out.shape, func(at int, index []int) {
		var seen []float64
		for y := range kernel[0] {
			for x := range kernel[1] {
				r, s := index[2]*stride[0]-pad[0]+y, index[3]*stride[1]-pad[1]+x
				if r >= 0 && r < h && s >= 0 && s < w {
					seen = append(seen, a.get(index[0], index[1], r, s))
				}
			}
		}
		out.v[at] = array{shape{len(seen)}, seen}.max(k, 0).v[0]
	})
	return out
}

// standardized takes the mean out of groups of elements, and divides by the root of their
// variance; group tells the group of an index.
func (a array) standardized(eps float64, groups int, group func(index []int) int) array {
	mean, variance, n := make([]float64, groups), make([]float64, groups), make([]float64, groups)
	each(a.shape, func(at int, index []int) {
		g := group(index)
		mean[g], n[g] = mean[g]+a.v[at], n[g]+1
	})
	for g := range mean {
		mean[g] /= n[g]
	}
	each(a.shape, func(at int, index []int) {
		g := group(index)
		variance[g] += (a.v[at] - mean[g]) * (a.v[at] - mean[g]) / n[g]
	})
	out := newArray(a.shape...)
	each(a.shape, func(at int, index []int) {
		g := group(index)
		out.v[at] = (a.v[at] - mean[g]) / math.Sqrt(variance[g]+eps)
	})
	return out
}

// ctc is the connectionist temporal classification loss of each sequence (Graves et al. 2006), with
// blank 0, from logarithms of probabilities [time, sequence, class].
func (a array) ctc(targets, times, lengths []int) []float64 {
	batch := a.shape[1]
	out := make([]float64, batch)
	width := len(targets) / batch
	for b := range batch {
		labels := []int{0}
		for _, l := range targets[b*width:][:lengths[b]] {
			labels = append(labels, l, 0)
		}
		alpha := make([]float64, len(labels)) // probabilities
		alpha[0] = 1
		for t := range times[b] {
			next := make([]float64, len(labels))
			for s, l := range labels {
				p := alpha[s]
				if s > 0 && (t > 0 || s == 1) {
					p += alpha[s-1]
				}
				if t > 0 && s > 1 && l != 0 && l != labels[s-2] {
					p += alpha[s-2]
				}
				next[s] = p * math.Exp(a.get(t, b, l))
			}
			alpha = next
		}
		out[b] = -math.Log(alpha[len(alpha)-1] + alpha[max(0, len(alpha)-2)])
	}
	return out
}
