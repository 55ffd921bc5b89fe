package cpu

import "golang.org/x/sys/unix"

// useHugePages asks for huge pages. Without them everything works too.
func useHugePages(b []byte) { _ = unix.Madvise(b, unix.MADV_HUGEPAGE) }
