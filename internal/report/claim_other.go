//go:build !unix || aix || solaris

package report

import (
	"errors"
	"io/fs"
	"os"
)

// locksEnd says that a lock ends with its process.
const locksEnd = false

// openClaim makes the claim file. The error is errHeld where one is there.
func openClaim(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		err = errHeld
	}
	return f, err
}
