//go:build gpu

package cuda

import (
	"driftless/kernels/activation"
	kernels "driftless/kernels/cuda"
	"driftless/kernels/cuda/control"
	"driftless/kernels/cuda/fused"
	"driftless/kernels/elem"
	"driftless/kernels/gather"
	"driftless/kernels/gemm"
	"driftless/kernels/loss"
	"driftless/kernels/norm"
	"driftless/kernels/optim"
	"driftless/kernels/order"
)

// entry is a kernel and where its code is.
type entry struct {
	kernels.Kernel
	file, ptx string
}

// catalogue holds every kernel by its name, which is unique.
var catalogue = func() map[string]*entry {
	all := map[string]*entry{}
	for _, family := range [][]kernels.Module{activation.PTX, control.PTX, fused.PTX, elem.PTX, gather.PTX, gemm.PTX, loss.PTX, norm.PTX, optim.PTX, order.PTX} {
		for _, m := range family {
			for _, k := range m.Kernels {
				all[k.Name] = &entry{k, m.File, m.PTX}
			}
		}
	}
	return all
}()
