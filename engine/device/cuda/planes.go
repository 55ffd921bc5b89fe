//go:build gpu

package cuda

import (
	"driftless/engine/program"
	"driftless/kernels/gemm"
)

// planes binds the kernel of that name, of images whose channels lie one after another.
func planes(name string) binding {
	return func(b *binder, in *program.Instr) (action, error) {
		return b.one(in, shape{kernel: name, over: in.Out[0], in: in.In, out: in.Out, ints: in.Planes.PTXInts()})
	}
}

// channelStats binds the statistics of channels, each of which is a block's.
func (b *binder) channelStats(in *program.Instr) (action, error) {
	return b.one(in, shape{kernel: "channel_stats", over: in.Out[0], in: in.In, out: in.Out, ints: channelInts(in.In[0], in.Out[0])})
}

func (b *binder) channelsBy(in *program.Instr) (action, error) {
	return b.one(in, shape{kernel: "channels_by", over: in.Out[0], in: in.In, out: in.Out, ints: map[string]int{"c": in.In[1].Len()}})
}

func (b *binder) channelsGrad(in *program.Instr) (action, error) {
	return b.one(in, shape{kernel: "channels_grad", over: in.In[2], in: in.In, out: in.Out, ints: channelInts(in.In[0], in.In[2])})
}

// channelInts are the sizes of images x, of which each of so many channels is a row.
func channelInts(x, channels *program.Tensor) map[string]int {
	return map[string]int{"n": x.Rows / channels.Len(), "c": channels.Len(), "s": x.Cols}
}

// batched binds products of pairs of matrices.
func (b *binder) batched(in *program.Instr) (action, error) {
	x, y, c, k := in.In[0], in.In[1], in.Out[0], in.Sum
	m, n := x.Cols/k, y.Cols/k
	kernel, cols := gemm.PTXBatchedKernel(in.TransA, in.TransB, c.Rows, m, n, b.s.replicas)
	return b.one(in, shape{kernel: kernel, over: &program.Tensor{Rows: m, Cols: cols}, in: in.In, out: in.Out, ints: map[string]int{"n": n, "k": k}})
}
