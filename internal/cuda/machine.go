//go:build gpu

package cuda

import (
	"bytes"
	"errors"
	"sync"

	"driftless/internal/cuda/virtual"
	"driftless/internal/ptx"
)

// machine runs the virtual driver's kernels by interpreting PTX.
type machine struct {
	loaded sync.Map // from file to *ptx.Module: a context after another loads the same
}

type file struct{ name, source string }

func (v *machine) Load(name, source string) (virtual.Module, error) {
	f := file{name, source}
	if m, ok := v.loaded.Load(f); ok {
		return module{m.(*ptx.Module).Again()}, nil
	}
	m, err := ptx.Load(name, []byte(source))
	if err != nil {
		return nil, err
	}
	v.loaded.Store(f, m)
	return module{m.Again()}, nil
}

func (*machine) NewMemory(limit int64) virtual.Memory { return memory{ptx.NewMemory(limit)} }

type module struct{ *ptx.Module }

func (m module) Kernel(name string) (virtual.Kernel, bool) {
	k := m.Module.Kernel(name)
	return kernel{k}, k != nil
}

type kernel struct{ *ptx.Kernel }

func (k kernel) Params() (params []virtual.Param) {
	for _, p := range k.Kernel.Params() {
		params = append(params, virtual.Param{Offset: p.Offset, Size: p.Size})
	}
	return params
}

func (k kernel) SetMaxDynamic(n int) error { return k.SetMaxDynamicShared(n) }

func dimOf(d virtual.Dim) ptx.Dim { return ptx.Dim{d.X, d.Y, d.Z} }

func (k kernel) Launch(m virtual.Memory, grid, block, cluster virtual.Dim, dependent bool, dynamicShared int, args []byte) error {
	var err error
	if dependent {
		err = k.LaunchDependent(m.(memory).Memory, dimOf(grid), dimOf(block), dynamicShared, args)
	} else {
		err = k.LaunchClusters(m.(memory).Memory, dimOf(grid), dimOf(block), dimOf(cluster), dynamicShared, args)
	}
	if err == nil {
		return nil
	}
	r := virtual.LaunchFailed
	var f *ptx.Fault
	if errors.As(err, &f) {
		switch f.Kind {
		case ptx.OutOfBounds, ptx.UseAfterFree, ptx.ReadOnly, ptx.BlockAbsent:
			r = virtual.IllegalAddress
		case ptx.Misaligned:
			r = virtual.MisalignedAddress
		}
	}
	return &virtual.Fault{Result: r, Text: err.Error(), Cause: err}
}

type memory struct{ *ptx.Memory }

// Read has a device that returns garbage fail, as a kernel that reads it does.
func (m memory) Read(addr uint64, p []byte) error {
	err := m.Memory.Read(addr, p)
	if errors.Is(err, ptx.ErrUninitialised) {
		return &virtual.Fault{Result: virtual.LaunchFailed, Text: err.Error(), Cause: err}
	}
	return err
}

func (m memory) Set(addr uint64, pattern []byte, n int64) error {
	if bytes.Count(pattern, pattern[:1]) == len(pattern) {
		return m.Memset(addr, pattern[0], n)
	}
	return m.Write(addr, bytes.Repeat(pattern, int(n)/len(pattern)))
}
