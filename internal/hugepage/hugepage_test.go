package hugepage

import (
	"testing"
	"unsafe"
)

func TestMake(t *testing.T) {
	for _, n := range []int{0, 1, Size - 1, Size, Size + 1} {
		b := Make(n)
		if len(b) != n || cap(b) != n {
			t.Errorf("%d bytes asked for: length %d, capacity %d", n, len(b), cap(b))
		}
		if at := uintptr(unsafe.Pointer(unsafe.SliceData(b))); n > 0 && at%Size != 0 {
			t.Errorf("%d bytes start at %#x, which is no multiple of a page", n, at)
		}
	}
}
