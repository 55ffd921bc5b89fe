package atomicfile

import "sync/atomic"

// files is where Write writes.
var files = func() *atomic.Pointer[filesystem] {
	var f filesystem = osFiles{}
	p := new(atomic.Pointer[filesystem])
	p.Store(&f)
	return p
}()

// FailAt has the n-th call of the file system that Write makes from now on, counted from 0, fail
// with err, for tests of what a caller then has. restore ends that and returns the number of
// calls that came.
func FailAt(n int, err error) (restore func() (calls int)) {
	before := files.Load()
	f := &faulty{filesystem: *before, at: int64(n), err: err}
	var now filesystem = f
	files.Store(&now)
	return func() int {
		files.Store(before)
		return int(f.calls.Load())
	}
}

// faulty is a file system whose call number at fails.
type faulty struct {
	filesystem
	at    int64
	calls atomic.Int64
	err   error
}

func (f *faulty) fails() bool {
	return f.calls.Add(1)-1 == f.at
}

func (f *faulty) create(path string) (file, error) {
	if f.fails() {
		return nil, f.err
	}
	out, err := f.filesystem.create(path)
	if err != nil {
		return nil, err
	}
	return &faultyFile{out, f}, nil
}

func (f *faulty) rename(from, to string) error {
	if f.fails() {
		return f.err
	}
	return f.filesystem.rename(from, to)
}

func (f *faulty) syncDir(path string) error {
	if f.fails() {
		return f.err
	}
	return f.filesystem.syncDir(path)
}

type faultyFile struct {
	file
	of *faulty
}

// Write writes half of what it is given where it fails.
func (f *faultyFile) Write(p []byte) (int, error) {
	if f.of.fails() {
		n, _ := f.file.Write(p[:len(p)/2])
		return n, f.of.err
	}
	return f.file.Write(p)
}

func (f *faultyFile) Sync() error {
	if f.of.fails() {
		return f.of.err
	}
	return f.file.Sync()
}

// Close closes the file also where it fails.
func (f *faultyFile) Close() error {
	err := f.file.Close()
	if f.of.fails() {
		return f.of.err
	}
	return err
}
