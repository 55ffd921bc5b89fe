//go:build gpu

package cuda

/*
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// Pinned is memory of the host that the device copies from and to by itself:
// with it cu.MemcpyHtoDAsync and cu.MemcpyDtoHAsync are asynchronous, with other
// memory they may be or not, and only it may take part in a capture. Go's collector
// does not know of it.
type Pinned struct {
	p unsafe.Pointer
	n int
}

// AllocPinned returns n bytes of pinned memory; what they contain is undefined.
func AllocPinned(n int) (*Pinned, error) {
	if n <= 0 {
		return nil, fmt.Errorf("cuda: %d bytes of pinned memory asked for", n)
	}
	b := &Pinned{n: n}
	op := fmt.Sprintf("allocation of %d bytes of pinned memory", n)
	if err := check(op, C.cuMemHostAlloc(&b.p, C.size_t(n), 0)); err != nil {
		return nil, err
	}
	return b, nil
}

// Pointer is what cu's copies take.
func (b *Pinned) Pointer() unsafe.Pointer { return b.p }

// Bytes is the memory as a slice. It must not be used after Free.
func (b *Pinned) Bytes() []byte { return unsafe.Slice((*byte)(b.p), b.n) }

// Free gives the memory back; work that uses it must be done. A second Free
// does nothing.
func (b *Pinned) Free() error {
	if b.p == nil {
		return nil
	}
	err := check("release of pinned memory", C.cuMemFreeHost(b.p))
	b.p, b.n = nil, 0
	return err
}
