package hugepage

import "golang.org/x/sys/unix"

// advise asks for huge pages. Without them everything works too.
func advise(b []byte) { _ = unix.Madvise(b, unix.MADV_HUGEPAGE) }
