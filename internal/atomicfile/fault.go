package atomicfile

// files is where Write writes.
var files filesystem = osFiles{}

// FailAt has the n-th call of the file system that Write makes from now on, counted from 0, fail
// with err, for tests of what a caller then has. restore ends that and returns the number of
// calls that came.
func FailAt(n int, err error) (restore func() (calls int)) {
	f := &faulty{filesystem: files, at: n, err: err}
	files = f
	return func() int {
		files = f.filesystem
		return f.calls
	}
}

// faulty is a file system whose call number at fails.
type faulty struct {
	filesystem
	at, calls int
	err       error
}

func (f *faulty) fails() bool {
	f.calls++
	return f.calls-1 == f.at
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
