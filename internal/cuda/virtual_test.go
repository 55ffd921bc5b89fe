//go:build gpu

package cuda

import (
	_ "embed"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"driftless/internal/cuda/virtual"
	"driftless/internal/ptx"

	"gorgonia.org/cu"
)

//go:embed testdata/add.ptx
var addPTX string

//go:embed testdata/ranks.ptx
var ranksPTX string

// device is the virtual device with a context that is current, and add.ptx.
type device struct {
	t   *testing.T
	mod cu.Module
	add cu.Function
}

func (d *device) ok(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err, "\n", LastFault())
	}
}

// try is ok for a call of cu.
func (d *device) try(what string, err error) {
	d.t.Helper()
	d.ok(Explain(what, err))
}

func open(t *testing.T) *device {
	t.Helper()
	d := &device{t: t}
	runtime.LockOSThread()
	ctx, err := cu.Device(0).RetainPrimaryCtx()
	d.try("context", err)
	d.try("context", cu.SetCurrentContext(ctx))
	d.mod, err = LoadPTX("add.ptx", addPTX)
	d.ok(err)
	d.add, err = d.mod.Function("add")
	d.try("function", err)
	return d
}

// close ends the context, which must have nothing left but what leaks names.
func (d *device) close(leaks ...string) {
	d.t.Helper()
	_ = d.mod.Unload()
	d.try("release", cu.Device(0).ReleasePrimaryCtx())
	d.try("context", cu.SetCurrentContext(cu.CUContext{}))
	runtime.UnlockOSThread()
	got := Virtual().Leaks()
	for i, leak := range got {
		if i >= len(leaks) || !strings.Contains(leak, leaks[i]) {
			d.t.Errorf("leak: %s", leak)
		}
	}
	if len(got) < len(leaks) {
		d.t.Errorf("%d leaks, want %q", len(got), leaks)
	}
}

func (d *device) upload(v []float32) cu.DevicePtr {
	d.t.Helper()
	p, err := cu.MemAlloc(int64(4 * len(v)))
	d.try("allocation", err)
	d.try("upload", cu.MemcpyHtoD(p, unsafe.Pointer(&v[0]), int64(4*len(v))))
	d.try("upload", cu.Synchronize())
	return p
}

func (d *device) download(p cu.DevicePtr, n int) []float32 {
	d.t.Helper()
	v := make([]float32, n)
	d.try("download", cu.MemcpyDtoH(unsafe.Pointer(&v[0]), p, int64(4*n)))
	return v
}

func (d *device) free(p ...cu.DevicePtr) {
	d.t.Helper()
	for _, p := range p {
		d.try("free", cu.MemFree(p))
	}
}

func (d *device) stream() cu.Stream {
	d.t.Helper()
	s, err := cu.MakeStream(cu.NonBlocking)
	d.try("stream", err)
	return s
}

// launch queues x += y.
func (d *device) launch(s cu.Stream, x, y cu.DevicePtr, n int) {
	d.t.Helper()
	n8 := uint64(n)
	d.try("launch", d.add.Launch((n+31)/32, 1, 1, 32, 1, 1, 0, s, []unsafe.Pointer{unsafe.Pointer(&x), unsafe.Pointer(&y), unsafe.Pointer(&n8)}))
}

func TestVirtualStatus(t *testing.T) {
	info, err := Status()
	if err != nil || Require() != nil {
		t.Fatal(err, Require())
	}
	d := info.Devices[0]
	if !info.Virtual || len(info.Devices) != 1 || d.Name != virtual.Name || !d.Usable() || d.Memory != 1<<30 || d.Multiprocessors == 0 || d.SharedPerBlock < 48<<10 {
		t.Errorf("%+v", info)
	}
}

func TestVirtualCopies(t *testing.T) {
	d := open(t)
	in := []float32{1, float32(math.Inf(1)), -3, 4, 5}
	p, q := d.upload(in), d.upload(make([]float32, 5))
	d.try("copy", cu.MemcpyDtoD(q, p, 20))
	if got := d.download(q, 5); !slices.Equal(got, in) {
		t.Error(got)
	}
	d.try("set", cu.MemsetD32(q, math.Float32bits(7), 2))
	d.try("set", cu.MemsetD8(q+16, 0, 4))
	if got := d.download(q, 5); !slices.Equal(got, []float32{7, 7, -3, 4, 0}) {
		t.Error(got)
	}
	s := d.stream()
	b, err := AllocPinned(20)
	d.ok(err)
	host := unsafe.Slice((*float32)(b.Pointer()), 5)
	copy(host, []float32{5, 4, 3, 2, 1})
	d.try("copy", cu.MemcpyHtoDAsync(p, b.Pointer(), 20, s))
	d.try("copy", cu.MemcpyDtoDAsync(q, p, 20, s))
	d.try("set", cu.MemsetD32Async(p, uint(math.Float32bits(2)), 5, s))
	d.try("set", cu.MemsetD8Async(p, 0, 4, s))
	d.try("copy", cu.MemcpyDtoHAsync(b.Pointer(), p, 12, s))
	if host[0] != 5 {
		t.Error("the asynchronous copy is done at once")
	}
	d.try("synchronise", s.Synchronize())
	if !slices.Equal(host, []float32{0, 2, 2, 2, 1}) || !slices.Equal(d.download(q, 5), []float32{5, 4, 3, 2, 1}) {
		t.Error(host, d.download(q, 5))
	}
	free, total, err := cu.MemInfo()
	d.try("memory", err)
	if total != 1<<30 || total-free != 40 {
		t.Errorf("%d of %d bytes free", free, total)
	}
	d.ok(b.Free())
	d.ok(b.Free())
	d.free(p, q)
	d.try("stream", s.Destroy())
	d.close()
}

func TestVirtualLaunch(t *testing.T) {
	d := open(t)
	const n = 1000
	x, y := make([]float32, n), make([]float32, n)
	for i := range x {
		x[i], y[i] = float32(i)*1.1, 1/float32(i+1)
	}
	p, q := d.upload(x), d.upload(y)
	d.launch(cu.NoStream, p, q, n)
	for i, got := range d.download(p, n) {
		if got != x[i]+y[i] {
			t.Fatalf("element %d is %v, want %v", i, got, x[i]+y[i])
		}
	}
	if n, err := Attribute(d.add, MaxThreads); n != 1024 || err != nil {
		t.Error(n, err)
	}
	if err := SetAttribute(d.add, MaxDynamicShared, 60<<10); err != nil {
		t.Error(err)
	}
	if err := SetAttribute(d.add, MaxDynamicShared, 1<<20); err == nil || !strings.Contains(err.Error(), "CUDA_ERROR_INVALID_VALUE: invalid argument: add: 1048576 bytes") {
		t.Error(err)
	}
	d.free(p, q)
	d.close()
}

// Clusters by way of cuLaunchKernelEx, launched and captured, on a device that has them.
func TestVirtualClusters(t *testing.T) {
	old := open(t)
	if _, err := LoadPTX("ranks.ptx", ranksPTX); err == nil || !strings.Contains(err.Error(), "is for sm_90") {
		t.Error(err)
	}
	one := [3]int{1, 1, 1}
	err := LaunchClusters(old.add, [3]int{2, 1, 1}, one, [3]int{2, 1, 1}, 0, cu.NoStream, boxes(0, 0, 0))
	if err == nil || !strings.Contains(err.Error(), "compute capability 7.5") {
		t.Error(err)
	}
	old.close()

	if err := Virtual().SetCapability(90); err != nil {
		t.Fatal(err)
	}
	d := open(t)
	defer func() {
		d.close()
		if err := Virtual().SetCapability(75); err != nil {
			t.Error(err)
		}
	}()
	mod, err := LoadPTX("ranks.ptx", ranksPTX)
	d.ok(err)
	ranks, err := mod.Function("ranks")
	d.try("function", err)
	d.ok(SetAttribute(ranks, LargeClusters, 1))
	if n, err := MaxActiveClusters(ranks, one, [3]int{16, 1, 1}, 16); err != nil || n < 7 {
		t.Errorf("%d clusters at a time: %v", n, err)
	}
	if _, err := MaxActiveClusters(ranks, one, [3]int{17, 1, 1}, 16); err == nil || !strings.Contains(err.Error(), "CUDA_ERROR_INVALID_CLUSTER_SIZE") {
		t.Error(err)
	}
	s := d.stream()
	x := d.upload(make([]float32, 32))
	check := func(size int) {
		t.Helper()
		d.try("synchronise", s.Synchronize())
		for i, v := range d.download(x, 32) {
			if got, want := math.Float32bits(v), uint32(i/size*size+(i%size+1)%size); got != want {
				t.Fatalf("clusters of %d: block %d has %d instead of %d", size, i, got, want)
			}
		}
	}
	launch := func(size int) error {
		return LaunchClusters(ranks, [3]int{32, 1, 1}, one, [3]int{size, 1, 1}, 16, s, boxes(uint64(x)))
	}
	for _, size := range []int{1, 4, 8, 16} {
		d.ok(launch(size))
		check(size)
	}
	if err := launch(3); err == nil || !strings.Contains(err.Error(), "CUDA_ERROR_INVALID_CLUSTER_SIZE") || !strings.Contains(err.Error(), "no multiple of cluster") {
		t.Error(err)
	}
	d.ok(BeginCapture(s, CaptureThreadLocal))
	d.ok(launch(2))
	captured, err := EndCapture(s)
	d.ok(err)
	exec, err := Instantiate(captured)
	d.ok(err)
	d.ok(LaunchGraph(exec, s))
	check(2)
	d.try("destroy", exec.Destroy())
	d.try("destroy", captured.Destroy())
	d.free(x)
	d.try("destroy", s.Destroy())
	d.try("unload", mod.Unload())
}

// boxes are arguments of a launch.
func boxes(values ...uint64) (args []unsafe.Pointer) {
	for i := range values {
		args = append(args, unsafe.Pointer(&values[i]))
	}
	return args
}

// TestVirtualOrder has a consumer on another stream than its producer.
func TestVirtualOrder(t *testing.T) {
	run := func(seed uint64, wait bool) float32 {
		d := open(t)
		Virtual().SetSeed(seed)
		defer Virtual().SetSeed(0)
		a, b := d.stream(), d.stream()
		e, err := cu.MakeEvent(cu.DisableTiming)
		d.try("event", err)
		x, y, z := d.upload([]float32{1}), d.upload([]float32{10}), d.upload([]float32{100})
		d.launch(a, y, x, 1)
		d.try("record", e.Record(a))
		if wait {
			d.try("wait", b.Wait(e, 0))
		}
		d.launch(b, z, y, 1)
		d.try("synchronise", e.Synchronize())
		d.try("synchronise", cu.Synchronize())
		got := d.download(z, 1)[0]
		d.free(x, y, z)
		d.try("destroy", a.Destroy())
		d.try("destroy", b.Destroy())
		d.try("destroy", cu.DestroyEvent(&e))
		d.close()
		return got
	}
	wrong := 0
	for seed := range uint64(20) {
		if got := run(seed, true); got != 111 {
			t.Errorf("seed %d: %v with the event", seed, got)
		}
		if run(seed, false) != 111 {
			wrong++
		}
	}
	if wrong == 0 {
		t.Error("the missing event never showed")
	}
}

func TestVirtualReplay(t *testing.T) {
	const n, steps = 100, 7
	run := func(d *device, s cu.Stream, x, y cu.DevicePtr, do func(step func())) []float32 {
		do(func() {
			d.launch(s, x, y, n)
			d.launch(s, y, x, n)
		})
		d.try("synchronise", s.Synchronize())
		return d.download(y, n)
	}
	data := func() []float32 { return slices.Repeat([]float32{0.1, 0.2, 0.3, 0.7}, n/4) }
	d := open(t)
	s := d.stream()
	x, y := d.upload(data()), d.upload(data())
	want := run(d, s, x, y, func(step func()) {
		for range steps {
			step()
		}
	})
	v, w := d.upload(data()), d.upload(data())
	before := Virtual().Counters()
	got := run(d, s, v, w, func(step func()) {
		d.ok(BeginCapture(s, CaptureThreadLocal))
		step()
		if active, spoilt, err := Capturing(s); !active || spoilt || err != nil {
			t.Error(active, spoilt, err)
		}
		g, err := EndCapture(s)
		d.ok(err)
		if n, err := NodeCount(g); n != 2 || err != nil {
			t.Error(n, err)
		}
		x, err := Instantiate(g)
		d.ok(err)
		d.try("destroy", g.Destroy())
		for range steps {
			d.ok(LaunchGraph(x, s))
		}
		d.try("destroy", x.Destroy())
	})
	if !slices.Equal(got, want) {
		t.Errorf("replay %v, launches %v", got, want)
	}
	after := Virtual().Counters()
	if after.Launches != before.Launches || after.GraphLaunches != before.GraphLaunches+steps || after.GraphKernels != before.GraphKernels+2*steps {
		t.Errorf("before %+v, after %+v", before, after)
	}

	d.ok(BeginCapture(s, CaptureRelaxed))
	err := Explain("wait", s.Synchronize())
	if !errors.Is(err, cu.StreamCaptureUnsupported) || !strings.Contains(err.Error(), "which is capturing") {
		t.Error(err)
	}
	if _, err := EndCapture(s); !errors.Is(err, cu.StreamCaptureInvalidated) {
		t.Error(err)
	}
	d.free(x, y, v, w)
	d.try("destroy", s.Destroy())
	d.close()
}

func TestVirtualLeaks(t *testing.T) {
	d := open(t)
	d.upload([]float32{1, 2})
	d.stream()
	if _, err := AllocPinned(100); err != nil {
		t.Error(err)
	}
	d.close("100 bytes of pinned memory, allocated at virtual_test.go:", "8 bytes of device memory, allocated at virtual_test.go:", "a stream, made at virtual_test.go:")
}

func TestVirtualFault(t *testing.T) {
	d := open(t)
	x, y := d.upload([]float32{1, 2, 3}), d.upload([]float32{1, 2})
	d.launch(cu.NoStream, x, y, 3) // y has 2
	err := Explain("add", cu.Synchronize())
	for _, part := range []string{"add: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered (the process must be restarted): kernel add, grid 1,1,1, block 32,1,1, on the legacy stream, launched at virtual_test.go:",
		"(add.ptx:30): out of bounds", "thread (2,0,0)", "allocated at virtual_test.go:"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("no %q in\n%v", part, err)
		}
	}
	if !errors.Is(err, cu.IllegalAddress) {
		t.Error("not the error of cu")
	}
	var f *ptx.Fault
	if !errors.As(LastFault(), &f) || f.Line != 30 || f.Kernel != "add" || !strings.Contains(LastFault().Error(), f.Error()) {
		t.Errorf("LastFault: %v", LastFault())
	}
	if _, err := cu.MemAlloc(4); err != cu.IllegalAddress {
		t.Errorf("the context is not lost: %v", err)
	}
	d.close()

	d = open(t)
	if LastFault() != nil {
		t.Error("the new context has the old one's fault")
	}
	p, err := cu.MemAlloc(4)
	d.try("allocation", err)
	x = d.upload([]float32{1})
	d.launch(cu.NoStream, x, p, 1)
	if err := Explain("add", cu.Synchronize()); !errors.Is(err, cu.LaunchFailed) || !strings.Contains(err.Error(), "uninitialised read") {
		t.Error(err)
	}
	d.close()
}

func TestVirtualRefusals(t *testing.T) {
	d := open(t)
	_, err := LoadPTX("broken.ptx", strings.Replace(addPTX, "mad.lo.s32", "mad.low.s32", 1))
	if !errors.Is(err, cu.InvalidPtx) || !strings.Contains(err.Error(), "loading broken.ptx: CUDA_ERROR_INVALID_PTX: a PTX JIT compilation failed: broken.ptx:21: ") {
		t.Error(err)
	}
	if _, err := d.mod.Function("sub"); err != cu.NotFound {
		t.Error(err)
	}
	_, err = cu.MemAllocManaged(4, cu.AttachGlobal)
	if err = Explain("managed", err); !errors.Is(err, cu.NotSupported) || !strings.Contains(err.Error(), "has no cuMemAllocManaged") {
		t.Error(err)
	}
	if err := Explain("outer", Explain("inner", cu.NotReady)); err.Error() != "outer: inner: CUDA_ERROR_NOT_READY: device not ready" {
		t.Error(err)
	}
	if err := Explain("other", errors.New("cause")); err.Error() != "other: cause" || Explain("none", nil) != nil {
		t.Error(err)
	}
	if _, err := AllocPinned(0); err == nil {
		t.Error("0 bytes of pinned memory")
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		_, err := cu.MemAlloc(4)
		done <- Explain("allocation", err)
	}()
	if err := <-done; !errors.Is(err, cu.InvalidContext) || !strings.Contains(err.Error(), "lock the goroutine") {
		t.Error(err)
	}
	if _, err := cu.GetDevice(1); err != cu.InvalidDevice {
		t.Error(err)
	}
	d.close()
}

// TestVirtualThreads has threads with a stream each share the context.
func TestVirtualThreads(t *testing.T) {
	d := open(t)
	ctx, err := cu.CurrentContext()
	d.try("context", err)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if err := cu.SetCurrentContext(ctx); err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = cu.SetCurrentContext(cu.CUContext{}) }()
			d := &device{t: t, add: d.add}
			s := d.stream()
			x, y := d.upload([]float32{0}), d.upload([]float32{1})
			for range 50 {
				d.launch(s, x, y, 1)
			}
			d.try("synchronise", s.Synchronize())
			if got := d.download(x, 1)[0]; got != 50 {
				t.Errorf("sum %v", got)
			}
			d.free(x, y)
			d.try("destroy", s.Destroy())
		})
	}
	wg.Wait()
	d.close()
}

func BenchmarkVirtualLaunch(b *testing.B) {
	t := &testing.T{}
	d := open(t)
	x, y := d.upload([]float32{0}), d.upload([]float32{1})
	for b.Loop() {
		d.launch(cu.NoStream, x, y, 1)
	}
	d.free(x, y)
	d.close()
}
