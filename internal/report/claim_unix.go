//go:build unix && !aix && !solaris

package report

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// locksEnd says that a lock ends with its process.
const locksEnd = true

// openClaim makes the claim file or opens the one that is there, and locks it. The
// error is errHeld where another run has the lock.
func openClaim(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o644)
	made := err == nil
	if errors.Is(err, fs.ErrExist) {
		f, err = os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW, 0)
	}
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = errHeld
	case errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOLCK): // files cannot be locked here
		if made {
			return f, nil
		}
		err = errHeld
	}
	f.Close()
	return nil, err
}
