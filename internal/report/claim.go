package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"driftless/internal/atomicfile"
)

// claimFile marks a directory as taken by a run that has not written to it yet. The
// run holds a lock on the file, which the system lets go when the process ends,
// however it ends: an unlocked claim is a killed run's. Where files cannot be locked
// the file's being there is the claim.
const claimFile = ".driftless-claim"

// claim takes an empty directory for one run: of many that ask at the same time one
// gets it. It returns the locked claim file. A directory that holds only what killed
// runs left, an unlocked claim and temporary files, is empty, and is cleared.
func claim(dir string) (*os.File, error) {
	if err := empty(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, claimFile)
	for {
		f, err := openClaim(path)
		if errors.Is(err, fs.ErrNotExist) {
			if _, err := os.Stat(dir); err == nil {
				continue // another run let go of it in between
			}
		}
		if errors.Is(err, errHeld) {
			return nil, fmt.Errorf("%w: %s is taken by another run, as its %s says; name another directory, nothing was overwritten",
				ErrNotEmpty, dir, claimFile)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot use output directory %s: %w", dir, atomicfile.Cause(err))
		}
		if !is(f, path) { // another run let go of it and removed it
			f.Close()
			continue
		}
		// That run may have written in between.
		if err := empty(dir); err != nil {
			release(f)
			return nil, err
		}
		atomicfile.Sweep(dir, 0)
		return f, nil
	}
}

// release lets go of a claim.
func release(f *os.File) {
	_ = os.Remove(f.Name()) // at worst an unlocked claim stays
	f.Close()
}

// is reports whether f is the file at path.
func is(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Lstat(path)
	return err == nil && os.SameFile(a, b)
}

// empty returns an error where dir holds anything but claims and temporary files.
func empty(dir string) error {
	names, err := held(dir)
	if err != nil {
		return fmt.Errorf("cannot read output directory %s: %w", dir, atomicfile.Cause(err))
	}
	if len(names) > 0 {
		return fmt.Errorf("%w: %s already holds %q; name another directory, nothing was overwritten", ErrNotEmpty, dir, names[0])
	}
	return nil
}

// held returns the names in dir, less those of claims and temporary files.
func held(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		if ours := e.Name() == claimFile || atomicfile.IsTemp(e.Name()); !ours || !e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// errHeld says that another run holds a claim.
var errHeld = errors.New("claimed by another run")

// ErrLocked is what Lock returns for a file that another process, or another caller in this one,
// holds.
var ErrLocked = errors.New("locked")

// Lock takes a file, which it makes, until unlock is called, which removes it, or the process
// ends, however it ends. Where files cannot be locked the file's being there is the lock.
func Lock(path string) (unlock func(), err error) {
	for {
		f, err := openClaim(path)
		switch {
		case errors.Is(err, errHeld):
			return nil, ErrLocked
		case err != nil:
			return nil, fmt.Errorf("cannot lock %s: %w", path, atomicfile.Cause(err))
		case is(f, path):
			return func() { release(f) }, nil
		}
		f.Close() // its holder let go of it and removed it
	}
}

// StaleLock says, after a text that a file is locked, what to do where the lock may outlive its
// process, "" where it cannot.
func StaleLock(path string) string {
	if locksEnd {
		return ""
	}
	return fmt.Sprintf("; if none does, remove %s", path)
}
