package cpu

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// processor is the number of the one that the calling goroutine runs on, -1 if that is
// not known.
func processor() int32 {
	var n uint32
	if _, _, err := syscall.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&n)), 0, 0); err != 0 {
		return -1
	}
	return int32(n)
}
