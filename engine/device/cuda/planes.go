//go:build gpu

package cuda

import (
	"math"

	"driftless/engine/program"
	"driftless/kernels/gemm"
)

// planes binds the kernel of that name, of images whose channels lie one after another.
func planes(name string) binding {
	return func(b *binder, in *program.Instr) (action, error) {
		return b.one(in, shape{kernel: name, over: in.Out[0], in: in.In, out: in.Out, ints: in.Planes.PTXInts()})
	}
}

// channelNorm binds what channels are standardized by, each of which is a block's.
func (b *binder) channelNorm(in *program.Instr) (action, error) {
	out := append(in.Out[:2:2], nil, nil)
	copy(out[2:], in.Out[2:])
	a, err := b.one(in, shape{kernel: "channel_norm", over: in.Out[0], in: in.In, out: out, ints: channelInts(in.In[0], in.Out[0]),
		floats: map[string]float64{"momentum": in.Alpha, "training": 1, "eps": in.Eps}})
	return a.inMode(in, 1), err
}

func (b *binder) channelsBy(in *program.Instr) (action, error) {
	return b.one(in, shape{kernel: "channels_by", over: in.Out[0], in: in.In, out: in.Out, ints: map[string]int{"c": in.In[1].Len()}})
}

func (b *binder) channelsGrad(in *program.Instr) (action, error) {
	a, err := b.one(in, shape{kernel: "channels_grad", over: in.In[2], in: in.In, out: in.Out, ints: channelInts(in.In[0], in.In[2]), floats: map[string]float64{"weight": 1}})
	return a.inMode(in, 0), err
}

// inMode sets float k of a launch to what the statistics of channels count for when it is launched: a machine may change
// the mode from run to run.
func (a action) inMode(in *program.Instr, k int) action {
	if in.Training != nil && len(a.launches) > 0 {
		a.launches[0].varies = &varying{in.StatsWeight, func(r *ready, v float64) { r.setFloat(k, v) }}
	}
	return a
}

// channelInts are the sizes of images x, of which each of so many channels is a row.
func channelInts(x, channels *program.Tensor) map[string]int {
	return map[string]int{"n": x.Rows / channels.Len(), "c": channels.Len(), "s": x.Cols}
}

// batched binds products of pairs of matrices.
func (b *binder) batched(in *program.Instr) (action, error) {
	x, y, c, k := in.In[0], in.In[1], in.Out[0], in.Sum
	l, err := b.pairs(pairs{in.TransA, in.TransB, x.Cols / k, y.Cols / k, k}, x, y, c, map[string]int{})
	return action{in: in, launches: []*launch{l}}, err
}

// pairs are products of m rows and n columns, by sums of k.
type pairs struct {
	transA, transB bool
	m, n, k        int
}

// pairs binds the products that make the rows of c. ints may say how far one matrix lies from the next.
func (b *binder) pairs(p pairs, x, y, c *program.Tensor, ints map[string]int) (*launch, error) {
	kernel, cols := gemm.PTXBatchedKernel(p.transA, p.transB, c.Rows, p.m, p.n, b.s.replicas)
	ints["n"], ints["k"] = p.n, p.k
	return b.launch(shape{kernel: kernel, over: &program.Tensor{Rows: p.m, Cols: cols}, in: []*program.Tensor{x, y}, out: []*program.Tensor{c}, ints: ints})
}

// A convolution of planes is a product for each image: of the filters, which all images share, and the image's columns. The
// columns of all images lie in scratch memory; the host takes what would have too many.

// planeProduct binds a convolution.
func (b *binder) planeProduct(in *program.Instr) (action, error) {
	x, w, p := in.In[0], in.In[1], in.Planes
	return b.byColumns(in, w, columns{kernel: "plane_columns", of: x, rows: p.Patch(), size: p.Windows()})
}

// planeInputGrad binds the gradient of a convolution's images, from filters that are turned.
func (b *binder) planeInputGrad(in *program.Instr) (action, error) {
	g, w, p := in.In[0], in.In[1], in.Planes
	kernel := p.Kernel[0] * p.Kernel[1]
	turned := b.bare(p.Channels, w.Rows*kernel)
	first, err := b.launch(shape{kernel: "plane_turn", over: turned, in: []*program.Tensor{w}, out: []*program.Tensor{turned}, ints: map[string]int{"size": kernel}})
	if err != nil {
		return action{}, err
	}
	a, err := b.byColumns(in, turned, columns{kernel: "plane_grad_columns", of: g, rows: turned.Cols, size: p.Height * p.Width})
	if a.host == nil {
		a.launches = append([]*launch{first}, a.launches...)
	}
	return a, err
}

// planeFilterGrad binds the gradient of a convolution's filters.
func (b *binder) planeFilterGrad(in *program.Instr) (action, error) {
	ints := in.Planes.PTXInts()
	ints["n"] = in.In[0].Rows
	return b.one(in, shape{kernel: "plane_filter_grad", over: in.Out[0], in: in.In, out: in.Out, ints: ints})
}

// columns says which kernel lays out so many columns of so many rows for each image, and of what.
type columns struct {
	kernel     string
	of         *program.Tensor
	rows, size int
}

// byColumns binds a product of filters with columns.
func (b *binder) byColumns(in *program.Instr, w *program.Tensor, c columns) (action, error) {
	images := c.of.Rows
	if images*c.rows*c.size > math.MaxInt32 {
		return onHost(b, in)
	}
	all := b.bare(images*c.rows, c.size)
	lay, err := b.launch(shape{kernel: c.kernel, over: all, in: []*program.Tensor{c.of}, out: []*program.Tensor{all}, ints: in.Planes.PTXInts()})
	if err != nil {
		return action{}, err
	}
	product, err := b.pairs(pairs{m: w.Rows, n: c.size, k: c.rows}, w, all, in.Out[0], map[string]int{"lda": 0, "ldb": c.rows * c.size})
	return action{in: in, launches: []*launch{lay, product}}, err
}

// bare is extra without gaps between rows.
func (b *binder) bare(rows, cols int) *program.Tensor {
	t := b.extra(rows, cols)
	t.LD = cols
	return t
}
