// Package hugepage makes memory on huge pages: a large matrix then needs fewer translations of
// addresses than a processor has at hand.
package hugepage

import "unsafe"

// Size is the size of a huge page in bytes.
const Size = 2 << 20

// Make returns n bytes of zeros that start at a multiple of Size, on huge pages where the system has them.
func Make(n int) []byte {
	whole := (n + Size - 1) / Size * Size
	b := make([]byte, whole+Size)
	o := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (Size - 1))
	advise(b[o : o+whole])
	return b[o : o+n : o+n]
}
