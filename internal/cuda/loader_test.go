//go:build gpu

package cuda

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/cu"
)

// A process loads one driver, so each test of the loader runs this binary again,
// with its own libcuda.so.1 on the path of the system's loader.

// children are what such a process does, by name.
var children = map[string]func(){
	"init": func() {}, // cu's package init has run
	"status": func() {
		info, err := Status()
		fmt.Printf("info: %+v\nerror: %v\n", info, err)
		for _, reason := range []error{ErrNotBuilt, ErrNoLibrary, ErrBadLibrary, ErrTooOld, ErrInit, ErrNoDevice} {
			if errors.Is(err, reason) {
				fmt.Println("reason:", reason)
			}
		}
		n, countErr := cu.NumDevices()
		fmt.Println("cu:", n, countErr, cu.Version())
		_, memErr := cu.MemAlloc(4)
		fmt.Println("alloc:", memErr)
		fmt.Println("require:", Require())
		for i := range 3 {
			d, err := info.Device(i)
			fmt.Println("device:", i, err)
			if err == nil {
				fmt.Printf("place: %s, mode %d\n", d.PCI, d.Mode)
			}
		}
	},
	"calls": func() {
		must := func(err error) {
			if err != nil {
				fmt.Println("unexpected:", err)
			}
		}
		_, err := cu.MemAlloc(4)
		must(err)
		must(cu.MemcpyHtoD(0, nil, 0))
		s, err := cu.MakeStream(cu.NonBlocking)
		must(err)
		must(BeginCapture(s, CaptureThreadLocal))
		g, err := EndCapture(s)
		must(err)
		x, err := Instantiate(g)
		must(err)
		must(LaunchGraph(x, s))
		must(cu.Function{}.Launch(1, 1, 1, 1, 1, 1, 0, s, nil))
		must(cu.Device(0).ReleasePrimaryCtx())
		fmt.Println("query:", Explain("query", s.Query()))
		_, err = cu.CUContext{}.APIVersion()
		err = Explain("version of context", err)
		fmt.Println("missing:", err, errors.Is(err, cu.NotSupported))
		fmt.Println("late:", UseVirtual(), Virtual() == nil, LastFault())
	},
}

func TestMain(m *testing.M) {
	if list, ok := os.LookupEnv("CUDA_TEST_FOLDERS"); ok {
		search(filepath.SplitList(list))
	}
	if child := children[os.Getenv("CUDA_TEST_CHILD")]; child != nil {
		child()
		os.Exit(0)
	}
	if err := UseVirtual(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// runChild runs a child with the library folder dir, and returns what it prints
// and which of the fake driver's functions it has called.
func runChild(t *testing.T, name, dir string) (out string, calls []string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "calls")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append([]string{"CUDA_TEST_FOLDERS="}, os.Environ()...) // none, where a test says nothing else
	cmd.Env = append(cmd.Env, "CUDA_TEST_CHILD="+name, "LD_LIBRARY_PATH="+dir, "FAKE_LOG="+log, "GORACE=atexit_sleep_ms=0")
	b, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	text, err := os.ReadFile(log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b), strings.Fields(string(text))
}

// fakeDriver compiles testdata/fake.c and returns its folder. Functions in
// hidden are left out.
func fakeDriver(t *testing.T, full bool, hidden []string, flags ...string) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"-shared", "-fPIC", "-w", "-I.", "-o", filepath.Join(dir, "libcuda.so.1"), filepath.Join("testdata", "fake.c")}
	if full {
		args = append(args, "-DALL", filepath.Join("testdata", "fake_device.c"))
	}
	if hidden != nil {
		script := filepath.Join(dir, "hidden.map")
		if err := os.WriteFile(script, []byte("{ local: "+strings.Join(hidden, "; ")+"; };\n"), 0o666); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-Wl,--version-script="+script)
	}
	compile(t, append(args, flags...)...)
	return dir
}

func compile(t *testing.T, args ...string) {
	t.Helper()
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	cmd := exec.Command(cc, append(append(strings.Fields(os.Getenv("CGO_CFLAGS")), "-g0", "-O0"), args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
}

func TestBinaryDoesNotNeedTheDriver(t *testing.T) {
	f, err := elf.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	libs, err := f.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(libs, func(l string) bool { return strings.Contains(l, "cuda") }) {
		t.Errorf("the binary needs %q", libs)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if strings.HasPrefix(s.Name, "cu") && len(s.Name) > 2 && s.Name[2] >= 'A' && s.Name[2] <= 'Z' {
			t.Errorf("%s is visible from outside", s.Name)
		}
	}
}

func TestNoDriver(t *testing.T) {
	out, _ := runChild(t, "status", t.TempDir())
	if strings.Contains(out, "Library:/") {
		t.Skip("this machine has a driver")
	}
	contains(t, out, "error: no CUDA driver: libcuda.so.1: cannot open shared object file: No such file or directory (install NVIDIA's driver",
		"reason: no CUDA driver\n", "cu: 0 <nil> 0", "alloc: NoDevice", "require: no CUDA driver", "--device cpu", "device: 0 no CUDA device 0: the driver has none")
}

func TestBrokenLibraries(t *testing.T) {
	write := func(content string) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "libcuda.so.1"), []byte(content), 0o777); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	empty := t.TempDir()
	compile(t, "-shared", "-o", filepath.Join(empty, "libcuda.so.1"), "-x", "c", os.DevNull)
	for _, c := range []struct {
		name, dir string
		want      []string
	}{
		{"not an ELF file", write("this is no library, but long enough to be looked at as if it were one"),
			[]string{"error: no CUDA driver: it is there and cannot be loaded: ", "libcuda.so.1: invalid ELF header", "reinstall", "reason: no CUDA driver"}},
		{"no symbols", empty, []string{"error: libcuda.so.1 is not a CUDA driver: " + empty, "has no symbol cuInit", "LD_LIBRARY_PATH", "reason: libcuda.so.1 is not"}},
		{"cuInit fails", fakeDriver(t, true, nil, "-DINIT=999"),
			[]string{"error: the CUDA driver does not start: /", "cuInit: FAKE_ERROR_UNKNOWN: says the fake driver [999] (see that nvidia-smi works", "reason: the CUDA driver does not start", "alloc: Unknown"}},
		{"no fabric manager", fakeDriver(t, true, nil, "-DINIT=802"), []string{"[802]", "see that nvidia-fabricmanager runs"}},
		{"another library", fakeDriver(t, true, nil, "-DINIT=803"), []string{"[803]", "such as /usr/local/cuda/compat, off LD_LIBRARY_PATH"}},
		{"the toolkit's library", fakeDriver(t, true, nil, "-DINIT=34"), []string{"[34]", "CUDA toolkit's library for linking: take its folder off LD_LIBRARY_PATH"}},
		{"cuInit finds no device", fakeDriver(t, true, nil, "-DINIT=100"), []string{"error: the CUDA driver finds no device: ", "[100]", "CUDA_VISIBLE_DEVICES", "reason: the CUDA driver finds no device", "alloc: NoDevice"}},
		{"no device", fakeDriver(t, true, nil, "-DDEVICES=0"), []string{"Version:12.4", "error: the CUDA driver finds no device: it counts 0 devices", "require: the CUDA driver finds no device"}},
		{"old version", fakeDriver(t, true, nil, "-DVERSION=10020"),
			[]string{"error: the CUDA driver is too old: ", "supports CUDA 10.2, and 11.0 is needed (install NVIDIA's driver 450 or later", "reason: the CUDA driver is too old"}},
		{"missing symbol", fakeDriver(t, true, []string{"cuGraphLaunch", "cuMemHostAlloc"}),
			[]string{"error: the CUDA driver is too old: ", "has no symbol cuMemHostAlloc, cuGraphLaunch (install", "reason: the CUDA driver is too old"}},
		{"few symbols", fakeDriver(t, false, nil), []string{"error: the CUDA driver is too old: ", "has no symbol cuGetErrorName, cuGetErrorString, cuDeviceGet, "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, _ := runChild(t, "status", c.dir)
			contains(t, out, append(c.want, "cu: 0 <nil>", "Devices:[]")...)
			if strings.Count(out, "reason:") != 1 {
				t.Errorf("not one reason in\n%s", out)
			}
		})
	}
}

// TestDriverInAVendorsFolder: a driver that the system's loader does not find is taken
// from the folders that vendors use, in their order; of a library there that does not
// load, the reason is said.
func TestDriverInAVendorsFolder(t *testing.T) {
	if !slices.Contains(folders, "/usr/local/nvidia/lib64") || !slices.Contains(folders, "/usr/lib/wsl/lib") {
		t.Errorf("the folders are %q", folders)
	}
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "libcuda.so.1"), []byte("this is no library, but long enough to be looked at as if it were one"), 0o777); err != nil {
		t.Fatal(err)
	}
	driver := fakeDriver(t, true, nil)
	for _, c := range []struct {
		name    string
		folders []string
		want    string
	}{
		{"the second has it", []string{t.TempDir(), driver, broken}, "Library:" + driver + "/libcuda.so.1"},
		{"the first is broken", []string{broken, driver}, "Library:" + driver + "/libcuda.so.1"},
		{"all are broken", []string{t.TempDir(), broken}, "error: no CUDA driver: it is there and cannot be loaded: " + broken + "/libcuda.so.1: invalid ELF header"},
		{"there is none", []string{t.TempDir(), "/no/such/folder"}, "error: no CUDA driver: libcuda.so.1: cannot open shared object file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("CUDA_TEST_FOLDERS", strings.Join(c.folders, ":"))
			out, _ := runChild(t, "status", t.TempDir())
			if strings.Contains(out, "Library:/") && !strings.Contains(out, driver) {
				t.Skip("this machine has a driver")
			}
			contains(t, out, c.want)
		})
	}
	t.Setenv("CUDA_TEST_FOLDERS", driver)
	loaders := fakeDriver(t, true, nil)
	out, _ := runChild(t, "status", loaders)
	contains(t, out, "Library:"+loaders+"/libcuda.so.1")
}

// TestStickyErrors: after what leaves the process in an inconsistent state, as NVIDIA's
// documentation has it, the message says what to do.
func TestStickyErrors(t *testing.T) {
	for _, code := range []int{226, 700, 702, 710, 714, 715, 716, 717, 718, 719, 721, 810, 911} {
		if err := newError("launch", code); !err.Sticky() || !strings.Contains(err.Error(), "the process must be restarted") {
			t.Errorf("%d: %v", code, err)
		}
	}
	for _, code := range []int{2, 46, 100, 200, 218, 400, 600, 701, 801, 900} {
		if err := newError("launch", code); err.Sticky() || strings.Contains(err.Error(), "restarted") {
			t.Errorf("%d: %v", code, err)
		}
	}
}

func TestDriverIsOpenedAtFirstUse(t *testing.T) {
	dir := fakeDriver(t, true, nil)
	if _, calls := runChild(t, "init", dir); len(calls) > 0 {
		t.Errorf("the start of the process calls %q", calls)
	}
	out, calls := runChild(t, "status", dir)
	contains(t, out, "Virtual:false Version:12.4 Library:"+dir+"/libcuda.so.1", "error: <nil>",
		"fake device 0, compute capability 6.1, 1.0 GiB", "fake device 1, compute capability 9.0, 2.0 GiB", "place: 00000032:21:22.0, mode 20",
		"cu: 2 <nil> 12040", "require: <nil>", "device: 0 CUDA device 0 (fake device 0, compute capability 6.1, 1.0 GiB) is too old: compute capability 7.5",
		"device: 1 <nil>", "device: 2 no CUDA device 2: the driver has 0: fake device 0")
	if n := len(slices.DeleteFunc(calls, func(s string) bool { return s != "cuInit" })); n != 1 {
		t.Errorf("cuInit is called %d times", n)
	}
}

func TestTrampolinesReachTheirSymbols(t *testing.T) {
	for _, c := range []struct {
		instantiate string
		hidden      []string
	}{
		{"cuGraphInstantiateWithFlags", []string{"cuCtxGetApiVersion"}},
		{"cuGraphInstantiate_v2", []string{"cuCtxGetApiVersion", "cuGraphInstantiateWithFlags"}},
		{"cuGraphInstantiate", []string{"cuCtxGetApiVersion", "cuGraphInstantiateWithFlags", "cuGraphInstantiate_v2"}},
	} {
		out, calls := runChild(t, "calls", fakeDriver(t, true, c.hidden))
		want := []string{"cuDriverGetVersion", "cuInit", "cuMemAlloc_v2", "cuMemcpyHtoD_v2", "cuStreamCreate", "cuStreamBeginCapture_v2", "cuStreamEndCapture",
			c.instantiate, "cuGraphLaunch", "cuLaunchKernel", "cuDevicePrimaryCtxRelease_v2"}
		if !slices.Equal(calls, want) {
			t.Errorf("calls %q, want %q", calls, want)
		}
		contains(t, out, "query: query: CUDA error 600\n", "missing: version of context: FAKE_ERROR: says the fake driver: the driver has no cuCtxGetApiVersion true",
			"late: cuda: the virtual device must be chosen before anything uses the driver true <nil>")
		if strings.Contains(out, "unexpected") {
			t.Error(out)
		}
	}
}
