//go:build gpu

package cuda

import (
	"driftless/engine/program"
)

// windows binds the kernel of that name, of images and windows.
func windows(name string) binding {
	return func(b *binder, in *program.Instr) (action, error) {
		return b.one(in, shape{kernel: name, over: in.Out[0], in: in.In, out: in.Out, ints: in.Window.PTXInts()})
	}
}

// conv binds a product of patches, which are laid out for it.
func (b *binder) conv(in *program.Instr) (action, error) {
	patches := in.Out[1]
	first, err := b.launch(shape{kernel: "patches", over: patches, in: in.In[:1], out: in.Out[1:], ints: in.Window.PTXInts()})
	if err != nil {
		return action{}, err
	}
	product := *in
	product.In, product.Out = append([]*program.Tensor{patches}, in.In[1:]...), in.Out[:1]
	then, err := b.gemm(&product)
	return action{in: in, launches: []*launch{first, then}}, err
}

// convGrad binds a product whose results, laid out, are then added up.
func (b *binder) convGrad(in *program.Instr) (action, error) {
	patches, product := in.Out[1:], *in
	product.TransB, product.Out = true, patches
	first, err := b.gemm(&product)
	if err != nil {
		return action{}, err
	}
	then, err := b.launch(shape{kernel: "patches_grad", over: in.Out[0], in: patches, out: in.Out[:1], ints: in.Window.PTXInts()})
	return action{in: in, launches: []*launch{first, then}}, err
}

// transpose binds a transpose of blocks below one another.
func (b *binder) transpose(in *program.Instr) (action, error) {
	return b.one(in, shape{kernel: "transpose", over: in.Out[0], in: in.In, out: in.Out, ints: map[string]int{"block": in.In[0].Cols}})
}
