package report

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// filesystem is the part of the operating system that writing a file needs, so
// that tests can make each call fail.
type filesystem interface {
	create(path string) (file, error)
	rename(from, to string) error
	remove(path string) error
	syncDir(path string) error
}

type file interface {
	io.WriteCloser
	Sync() error
}

// writeAtomic gives path the content data: the file is complete or as it was. The
// error is a sentence that names path.
func writeAtomic(fsys filesystem, path string, data []byte) error {
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp")
	err := writeSynced(fsys, temp, data)
	if err == nil {
		err = fsys.rename(temp, path)
	}
	if err != nil {
		// What removing could report says less than the error at hand.
		_ = fsys.remove(temp)
		return fmt.Errorf("cannot write %s, any previous version is kept: %w", path, plainCause(err))
	}
	if err := fsys.syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("%s is written but may not survive a power failure: %w", path, plainCause(err))
	}
	return nil
}

func writeSynced(fsys filesystem, path string, data []byte) error {
	f, err := fsys.create(path)
	if err != nil {
		return err
	}
	n, err := f.Write(data)
	if err == nil && n < len(data) {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = f.Sync()
	}
	// Some file systems report a full disk only on closing.
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// plainCause strips the temporary name from an error of package os and says what
// to do about a full disk.
func plainCause(err error) error {
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	switch {
	case errors.As(err, &pathErr):
		err = pathErr.Err
	case errors.As(err, &linkErr):
		err = linkErr.Err
	}
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w; free some space and try again", err)
	}
	return err
}

// osFiles is the operating system's own file system.
type osFiles struct{}

func (osFiles) create(path string) (file, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
}

func (osFiles) rename(from, to string) error { return os.Rename(from, to) }

func (osFiles) remove(path string) error { return os.Remove(path) }

func (osFiles) syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be opened for syncing there
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	return err
}
