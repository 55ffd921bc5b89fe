//go:build gpu

package cuda

import (
	kernels "driftless/kernels/cuda"
	"driftless/kernels/cuda/all"
)

// entry is a kernel and the module with its code.
type entry struct {
	kernels.Kernel
	module *kernels.Module
}

// catalogue holds every kernel by its name, which is unique.
var catalogue = func() map[string]*entry {
	byName := map[string]*entry{}
	for i := range all.Modules {
		m := &all.Modules[i]
		for _, k := range m.Kernels {
			byName[k.Name] = &entry{k, m}
		}
	}
	return byName
}()
