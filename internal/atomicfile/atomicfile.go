package atomicfile

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Write gives the file at path the content that the function content writes. The
// file is complete or as it was, also when content fails. Its mode is 0644 less the
// umask, whatever the mode of the file that it replaces; a symbolic link at path is
// replaced, not followed. content need not buffer what it writes.
//
// The error is one sentence that names path, never the temporary file, and wraps the
// cause. Only one that is ErrNotSynced means that the file is new.
func Write(path string, content func(w io.Writer) error) error {
	return write(*files.Load(), path, content)
}

// ErrNotSynced is what Write returns, wrapped, where the file is new and complete but the
// folder could not be flushed to the disk.
var ErrNotSynced = errors.New("may not survive a power failure")

// filesystem is the part of the operating system that writing a file needs, so
// that tests can make each call fail.
type filesystem interface {
	tempName() string
	// create makes a file that is not there yet in any form.
	create(path string) (file, error)
	rename(from, to string) error
	remove(path string) error
	syncDir(path string) error
}

type file interface {
	io.WriteCloser
	Sync() error
}

func write(fsys filesystem, path string, content func(w io.Writer) error) error {
	folder := filepath.Dir(path)
	temp, f, err := createTemp(fsys, folder)
	if err != nil {
		return failure(path, temp, err)
	}
	renamed := false
	defer func() { // also when content panics
		if !renamed {
			_ = fsys.remove(temp) // the error at hand says more
		}
	}()
	if err = fill(f, content); err == nil {
		err = fsys.rename(temp, path)
	}
	if err != nil {
		return failure(path, temp, err)
	}
	renamed = true
	if err := fsys.syncDir(folder); err != nil {
		return fmt.Errorf("%s is written but %w: %w", path, ErrNotSynced, Cause(err))
	}
	return nil
}

// createTemp creates a temporary file in folder.
func createTemp(fsys filesystem, folder string) (path string, f file, err error) {
	for range 10 { // one is enough, unless someone knows the names to come
		path = filepath.Join(folder, fsys.tempName())
		if f, err = fsys.create(path); !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return path, f, err
}

// fill writes a file's content, flushes it to the disk and closes it.
func fill(f file, content func(w io.Writer) error) (err error) {
	defer func() {
		// Some file systems report a full disk only on closing.
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	w := bufio.NewWriterSize(f, 64<<10)
	if err := content(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Sync()
}

// failure puts into words that the file at path is as it was.
func failure(path, temp string, err error) error {
	kept := ""
	if _, statErr := os.Lstat(path); statErr == nil {
		kept = ", what is there is kept"
	}
	cause := err // of the function content, which may name another file
	if strings.Contains(err.Error(), filepath.Base(temp)) {
		cause = Cause(err)
	}
	if folder := filepath.Dir(path); errors.Is(err, fs.ErrNotExist) {
		if _, statErr := os.Stat(folder); errors.Is(statErr, fs.ErrNotExist) {
			cause = fmt.Errorf("the folder %s is not there: %w", folder, cause)
		}
	}
	return fmt.Errorf("cannot write %s%s: %w", path, kept, cause)
}

// Cause returns an error of package os without the path that it carries, for a
// message that names the file in its own words. Of a full disk it says what to do.
func Cause(err error) error {
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	switch {
	case errors.As(err, &pathErr):
		err = pathErr.Err
	case errors.As(err, &linkErr):
		err = linkErr.Err
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w; free some space and try again", err)
	}
	return err
}

// temporary matches the names of temporary files: 26 random letters and digits, as
// rand.Text draws them.
var temporary = regexp.MustCompile(`^\.driftless-[A-Z2-7]{26}\.tmp$`)

// IsTemp reports whether name, without a folder, is one that Write gives to
// temporary files.
func IsTemp(name string) bool { return temporary.MatchString(name) }

// Sweep removes from folder the temporary files that killed writers left: regular
// files that IsTemp knows and that were not written to for the time idle, which is to
// be long where a writer may be at work, and 0 where none can be. What cannot be removed stays.
func Sweep(folder string, idle time.Duration) {
	entries, _ := os.ReadDir(folder) // what it could read is swept
	for _, e := range entries {
		if !IsTemp(e.Name()) || !e.Type().IsRegular() {
			continue
		}
		if info, err := e.Info(); err == nil && (idle == 0 || time.Since(info.ModTime()) >= idle) {
			_ = os.Remove(filepath.Join(folder, e.Name()))
		}
	}
}

// osFiles is the operating system's own file system.
type osFiles struct{}

func (osFiles) tempName() string { return ".driftless-" + rand.Text() + ".tmp" }

func (osFiles) create(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err // not f: a nil *os.File would be a non-nil file
	}
	return f, nil
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
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		return nil // file systems that cannot do it
	}
	return err
}
