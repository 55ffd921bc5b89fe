//go:build gpu

package cuda

import (
	kernels "driftless/kernels/cuda"
	"driftless/kernels/cuda/all"
)

// entry is a kernel and where its code is.
type entry struct {
	kernels.Kernel
	file, ptx  string
	capability int // that it takes, times ten, 0 if any
}

// catalogue holds every kernel by its name, which is unique.
var catalogue = func() map[string]*entry {
	byName := map[string]*entry{}
	for _, m := range all.Modules {
		for _, k := range m.Kernels {
			byName[k.Name] = &entry{k, m.File, m.PTX, m.Capability}
		}
	}
	return byName
}()
