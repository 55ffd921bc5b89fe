//go:build unix && !aix && !solaris

package report

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

// Points that a disk has no room for leave no half of a line behind, which the next ones
// would be glued to.
func TestAppendIsWhole(t *testing.T) {
	dir, err := Create(filepath.Join(t.TempDir(), "run"))
	if err != nil {
		t.Fatal(err)
	}
	run := fakeRun()
	if err := errors.Join(dir.WriteConfig(run.Config), dir.WriteRecord(run)); err != nil {
		t.Fatal(err)
	}
	points := run.Points[:3]
	if err := dir.AppendMetrics(points); err != nil {
		t.Fatal(err)
	}
	data, err := dir.readFile(MetricsFile)
	if err != nil {
		t.Fatal(err)
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	full := old
	full.Cur = uint64(len(data) * 4 / 3) // ends in the middle of a line
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	err = dir.AppendMetrics(points)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, syscall.EFBIG) {
		t.Fatalf("error %v of a file that may not grow", err)
	}
	if err := dir.AppendMetrics(points); err != nil {
		t.Fatal(err)
	}
	read, err := dir.Read()
	if err != nil || len(read.Points) != 2*len(points) {
		t.Errorf("%d points are read, want %d; %v", len(read.Points), 2*len(points), err)
	}
}
