//go:build gpu

package cuda

import (
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"driftless/engine/device/cpu"
	driver "driftless/internal/cuda"
	"driftless/models/norm"
)

// TestChoose: a device takes the newest code of its major number that is not newer than
// itself, and else none.
func TestChoose(t *testing.T) {
	all := []int{80, 86, 89, 90, 100, 120}
	for _, c := range []struct{ major, minor, want int }{
		{7, 5, 0}, {8, 0, 80}, {8, 6, 86}, {8, 7, 86}, {8, 9, 89}, {9, 0, 90}, {10, 0, 100}, {10, 3, 100}, {11, 0, 0}, {12, 0, 120}, {12, 1, 120}, {13, 0, 0},
	} {
		if got := choose(all, c.major, c.minor); got != c.want {
			t.Errorf("%d.%d takes %d, want %d", c.major, c.minor, got, c.want)
		}
	}
	if got := choose([]int{90}, 8, 9); got != 0 {
		t.Errorf("8.9 takes %d of 9.0 alone", got)
	}
	dir := t.TempDir()
	for _, name := range []string{"sm_120", "sm_90", "sm_9x", "sm_", "sm_090", "other"} {
		must(t, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	if got := archs(dir); !slices.Equal(got, []int{90, 120}) {
		t.Errorf("architectures %v", got)
	}
	if got := archs(filepath.Join(dir, "missing")); got != nil {
		t.Errorf("architectures of no folder: %v", got)
	}
}

// codeFor writes what stands for the machine code of a file, for the virtual device.
func codeFor(t *testing.T, folder string, of ptxFile, code string) {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(code))
	must(t, err)
	must(t, z.Close())
	dir := filepath.Join(folder, "sm_75")
	must(t, os.MkdirAll(dir, 0o755))
	must(t, os.WriteFile(filepath.Join(dir, codeName(of.name, of.ptx)), b.Bytes(), 0o644))
}

// TestMachineCode: machine code is taken before PTX where there is some of that PTX; what
// the driver refuses, or cannot be read, is said, and PTX stands in.
func TestMachineCode(t *testing.T) {
	onlyVirtual(t, "is of compute capability 7.5, and takes PTX for machine code")
	n := small(norm.Must("none")).compile(t)
	ref := n.open(t, cpu.New(), 3)
	must(t, ref.Run(context.Background(), n.train, 3))
	run := func() (warned []string, marked bool) {
		t.Helper()
		s := n.open(t, open(t, Warn(func(m string) { warned = append(warned, m) })), 3).(*session)
		must(t, s.Run(context.Background(), n.train, 3))
		n.same(t, "with machine code", ref, 0, s, 0)
		must(t, s.do(func() error {
			_, err := s.dev.context.modules["step.ptx"].Function("marker")
			marked = err == nil
			return nil
		}))
		must(t, s.Close())
		return warned, marked
	}
	folder := t.TempDir()
	t.Setenv(codeVar, folder)
	step := ptxFile{"step.ptx", catalogue["batch"].module.PTX}
	code := step.ptx + "\n.visible .entry marker()\n{\n\tret;\n}\n"
	if warned, marked := run(); len(warned) > 0 || marked {
		t.Errorf("without machine code: %q, marked %v", warned, marked)
	}
	codeFor(t, folder, step, code)
	if warned, marked := run(); len(warned) > 0 || !marked {
		t.Errorf("the machine code was not taken: %q, marked %v", warned, marked)
	}
	codeFor(t, folder, step, "\x7fELF of another device")
	if warned, marked := run(); len(warned) != 1 || marked || !strings.Contains(warned[0], "the driver compiles the PTX of step.ptx, since its machine code cannot be used: loading "+folder) {
		t.Errorf("refused machine code: %q, marked %v", warned, marked)
	}
	must(t, os.WriteFile(filepath.Join(folder, "sm_75", codeName(step.name, step.ptx)), []byte("no gzip"), 0o644))
	if warned, marked := run(); len(warned) != 1 || marked || !strings.Contains(warned[0], "unexpected EOF") {
		t.Errorf("broken machine code: %q, marked %v", warned, marked)
	}
	other := step
	other.ptx += " "
	must(t, os.RemoveAll(filepath.Join(folder, "sm_75")))
	codeFor(t, folder, other, code)
	if warned, marked := run(); len(warned) > 0 || marked {
		t.Errorf("the machine code of other PTX was taken: %q, marked %v", warned, marked)
	}

	c := MachineCode(7, 5)
	if len(c.Archs) != 1 || c.Chosen != "sm_75" || len(c.Missing) != len(files(75)) || c.Folder != folder {
		t.Errorf("%+v", c)
	}
	codeFor(t, folder, step, code)
	if c := MachineCode(9, 0); c.Chosen != "" || len(c.Missing) != len(files(75))-1 {
		t.Errorf("%+v", c)
	}
	t.Setenv(codeVar, "")
	if c := MachineCode(9, 0); filepath.Base(c.Folder) != "cubins" || len(c.Archs) > 0 {
		t.Errorf("beside the program: %+v", c)
	}
}

// TestKeptContext: what Keep keeps serves all Devices of the device, whatever their other
// options: one context, and each file of kernels is loaded once.
func TestKeptContext(t *testing.T) {
	onlyVirtual(t, "counts contexts and modules")
	n := small(norm.Must("batchnorm")).compile(t)
	before := driver.Virtual().Counters()
	for _, opts := range [][]Option{{Keep()}, {}, {Keep(), PlainLaunches()}, {Warn(func(string) {})}} {
		for range 2 {
			s := n.open(t, open(t, opts...), 3)
			must(t, s.Run(context.Background(), n.train, 2))
			must(t, s.Close())
		}
	}
	c := open(t).(*Device).context
	after, loaded := driver.Virtual().Counters(), len(c.modules)
	if after.Contexts-before.Contexts != 1 || after.Modules-before.Modules != loaded || loaded == 0 {
		t.Errorf("%d contexts and %d modules for %d files", after.Contexts-before.Contexts, after.Modules-before.Modules, loaded)
	}

	// As if nothing had been kept, for the tests that come after.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	must(t, c.attach(false))
	must(t, c.handle.ReleasePrimaryCtx())
	c.sessions, c.kept = c.sessions-1, false
	must(t, c.detach())
	if len(c.modules) > 0 || c.sessions != 0 {
		t.Errorf("%d modules and %d sessions are left", len(c.modules), c.sessions)
	}
}
