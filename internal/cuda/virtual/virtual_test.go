package virtual

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

func TestStreamOrderAndEvents(t *testing.T) {
	// a: word 1 += word 0, twice. c, which waits for a's first: word 2 += word 1.
	run := func(seed uint64, wait bool) []uint32 {
		b := newBench(t, 3)
		b.SetSeed(seed)
		a, c, e := b.stream(StreamNonBlocking), b.stream(StreamNonBlocking), b.event()
		b.ok(b.launch(a, "add", 1, 0))
		b.ok(b.launch(a, "add", 1, 0))
		b.ok(b.EventRecord(1, e, a))
		if wait {
			b.ok(b.StreamWaitEvent(1, c, e))
		}
		b.ok(b.launch(c, "add", 2, 1))
		return b.words(3)
	}
	if got := run(0, false); !slices.Equal(got, []uint32{1, 4, 5}) {
		t.Errorf("without the wait: %v, want the newest work first", got)
	}
	seen := map[uint32]bool{}
	for seed := range uint64(40) {
		if got := run(seed, true); !slices.Equal(got, []uint32{1, 4, 7}) {
			t.Errorf("seed %d: %v", seed, got)
		}
		seen[run(seed, false)[2]] = true
	}
	if !seen[5] || !seen[6] || !seen[7] {
		t.Errorf("40 seeds have not drawn all three orders: %v", seen)
	}
}

func TestOnlyWhatIsWaitedForIsDone(t *testing.T) {
	b := newBench(t, 2)
	a, c := b.stream(StreamNonBlocking), b.stream(StreamNonBlocking)
	b.ok(b.launch(a, "double", 0, 0))
	b.ok(b.launch(c, "double", 1, 0))
	b.ok(b.StreamSynchronize(1, c))
	if got := b.peek(2); !slices.Equal(got, []uint32{1, 4}) {
		t.Errorf("%v: the copy does not wait for stream a", got)
	}
	b.want(b.StreamQuery(1, a), NotReady, "work to do")
	b.ok(b.StreamQuery(1, a)) // the first query had the work done
	if got := b.peek(2); !slices.Equal(got, []uint32{2, 4}) {
		t.Errorf("%v", got)
	}
}

func TestLegacyStreamOrders(t *testing.T) {
	for seed := range uint64(20) {
		b := newBench(t, 3)
		b.SetSeed(seed)
		blocking := b.stream(0)
		b.ok(b.launch(blocking, "add", 1, 0))
		b.ok(b.launch(0, "add", 2, 1)) // waits for blocking
		b.ok(b.launch(blocking, "add", 0, 2))
		b.ok(b.StreamDestroy(1, blocking)) // its work stays, and the legacy stream's order
		b.ok(b.launch(0, "double", 0, 0))
		if got := b.words(3); !slices.Equal(got, []uint32{14, 3, 6}) {
			t.Fatalf("seed %d: %v", seed, got)
		}
		b.want(b.StreamSynchronize(1, blocking), InvalidHandle, "destroyed?")
	}
}

// TestUploadIsWorkOfTheLegacyStream: what cuMemcpyHtoD's documentation allows.
func TestUploadIsWorkOfTheLegacyStream(t *testing.T) {
	b := newBench(t, 1)
	s := b.stream(StreamNonBlocking)
	b.ok(b.ToDevice(1, b.mem, []byte{9, 0, 0, 0}, false, 0, "here"))
	b.ok(b.launch(s, "double", 0, 0))
	b.ok(b.StreamSynchronize(1, s))
	if got := b.peek(1)[0]; got != 9 {
		t.Errorf("%d: the launch should have come before the upload", got)
	}
	b.ok(b.Set(1, b.mem, []byte{7, 0, 0, 0}, 1, false, 0, "here"))
	b.ok(b.launch(s, "double", 0, 0))
	b.ok(b.StreamSynchronize(1, s))
	if got := b.peek(1)[0]; got != 7 {
		t.Errorf("%d: the launch should have come before the set", got)
	}
}

// TestMemoryOfTheHostIsTouchedLate: asynchronous copies use it when they are done.
func TestMemoryOfTheHostIsTouchedLate(t *testing.T) {
	b := newBench(t, 2)
	s := b.stream(StreamNonBlocking)
	p, r := b.HostAlloc(1, 8, "here")
	b.ok(r)
	p[0] = 5
	b.ok(b.ToDevice(1, b.mem, p[:4], true, s, "here"))
	p[0] = 6 // too early: the copy is not done
	b.ok(b.FromDevice(1, p[4:], b.mem+4, true, s, "here"))
	if p[4] != 0 {
		t.Error("the copy to the host was not asynchronous")
	}
	pageable := []byte{0, 0, 0, 0}
	b.ok(b.ToDevice(1, b.mem+4, pageable, true, s, "here"))
	pageable[0] = 8 // too early as well
	b.ok(b.StreamSynchronize(1, s))
	if got := b.words(2); p[4] != 2 || !slices.Equal(got, []uint32{6, 8}) {
		t.Errorf("%v, pinned %v", got, p)
	}
	b.ok(b.ToDevice(1, b.mem, p[:4], true, s, "at b.go:2"))
	b.ok(b.HostFree(1, uintptr(unsafe.Pointer(&p[0]))))
	b.want(b.StreamSynchronize(1, s), IllegalAddress, "b.go:2: pinned memory was released before")
}

func TestCaptureReplaysWhatLaunchesDo(t *testing.T) {
	// A fork and a join: 1 += 0; on the other stream 2 += 1; meanwhile 3 += 1;
	// joined: 0 += 2, 0 += 3.
	body := func(b *bench, s, side, forked, joined Handle) {
		b.ok(b.launch(s, "add", 1, 0))
		b.ok(b.EventRecord(1, forked, s))
		b.ok(b.StreamWaitEvent(1, side, forked))
		b.ok(b.launch(side, "add", 2, 1))
		b.ok(b.EventRecord(1, joined, side))
		b.ok(b.launch(s, "add", 3, 1))
		b.ok(b.StreamWaitEvent(1, s, joined))
		b.ok(b.launch(s, "add", 0, 2))
		b.ok(b.launch(s, "add", 0, 3))
	}
	for seed := range uint64(20) {
		plain := newBench(t, 4)
		s, side, e, f := plain.stream(StreamNonBlocking), plain.stream(StreamNonBlocking), plain.event(), plain.event()
		for range 5 {
			body(plain, s, side, e, f)
		}
		want := plain.words(4)

		b := newBench(t, 4)
		b.SetSeed(seed)
		s, side, e, f = b.stream(StreamNonBlocking), b.stream(StreamNonBlocking), b.event(), b.event()
		b.ok(b.BeginCapture(1, s, CaptureThreadLocal))
		body(b, s, side, e, f)
		if status, r := b.CaptureStatus(1, side); status != CaptureActive {
			t.Errorf("the other stream has status %d, %v", status, r)
		}
		g, r := b.EndCapture(1, s, "here")
		b.ok(r)
		if n, _ := b.GraphNodes(1, g); n != 5 {
			t.Errorf("%d nodes", n)
		}
		if got := b.words(4); !slices.Equal(got, []uint32{1, 2, 3, 4}) {
			t.Fatalf("the capture has done something: %v", got)
		}
		x, r := b.Instantiate(1, g, "here")
		b.ok(r)
		b.ok(b.GraphDestroy(1, g))
		b.ok(b.GraphLaunch(1, x, s))
		b.ok(b.GraphLaunch(1, x, side)) // follows the first, though on another stream
		// Three more as one graph of graphs.
		b.ok(b.BeginCapture(1, side, CaptureGlobal))
		for range 3 {
			b.ok(b.GraphLaunch(1, x, side))
		}
		g, r = b.EndCapture(1, side, "here")
		b.ok(r)
		y, r := b.Instantiate(1, g, "here")
		b.ok(r)
		b.ok(b.GraphLaunch(1, y, side))
		if got := b.words(4); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %v, want %v", seed, got, want)
		}
		if c := b.Counters(); c.Launches != 0 || c.GraphLaunches != 3 || c.GraphKernels != 25 {
			t.Errorf("counters: %+v", c)
		}
	}
}

func TestCaptureRules(t *testing.T) {
	type args struct {
		*bench
		s, other, blocking, e Handle
	}
	for _, c := range []struct {
		name   string
		mode   int
		do     func(args) Result
		want   Result
		spoils bool
	}{
		{"synchronise the stream", CaptureRelaxed, func(a args) Result { return a.StreamSynchronize(1, a.s) }, StreamCaptureUnsupported, true},
		{"query the stream", CaptureRelaxed, func(a args) Result { return a.StreamQuery(1, a.s) }, StreamCaptureUnsupported, true},
		{"synchronise the context", CaptureRelaxed, func(a args) Result { return a.Synchronize(1) }, StreamCaptureUnsupported, true},
		{"synchronise another stream", CaptureGlobal, func(a args) Result { return a.StreamSynchronize(1, a.other) }, Success, false},
		{"begin again", CaptureRelaxed, func(a args) Result { return a.BeginCapture(1, a.s, 0) }, IllegalState, false},
		{"end elsewhere", CaptureRelaxed, func(a args) Result { _, r := a.EndCapture(1, a.other, ""); return r }, IllegalState, false},
		{"end on another thread", CaptureGlobal, func(a args) Result {
			a.ok(a.SetCurrent(2, a.ctx))
			_, r := a.EndCapture(2, a.s, "")
			return r
		}, StreamCaptureWrongThread, false},
		{"legacy stream beside a NonBlocking capture", CaptureRelaxed, func(a args) Result { return a.launch(0, "double", 0, 0) }, Success, false},
		{"legacy stream beside a blocking capture", CaptureRelaxed, func(a args) Result {
			a.ok(a.BeginCapture(1, a.blocking, CaptureRelaxed))
			r := a.launch(0, "double", 0, 0)
			_, end := a.EndCapture(1, a.blocking, "")
			a.want(end, StreamCaptureInvalidated, "")
			return r
		}, StreamCaptureImplicit, false},
		{"copy beside a blocking capture", CaptureRelaxed, func(a args) Result {
			a.ok(a.BeginCapture(1, a.blocking, CaptureRelaxed))
			return a.ToDevice(1, a.mem, []byte{0}, false, 0, "")
		}, StreamCaptureImplicit, false},
		{"capture the legacy stream", CaptureRelaxed, func(a args) Result { return a.BeginCapture(1, 0, 0) }, StreamCaptureUnsupported, false},
		{"wait for work from before", CaptureRelaxed, func(a args) Result { return a.StreamWaitEvent(1, a.s, a.e) }, StreamCaptureIsolation, true},
		{"wait for an event never recorded", CaptureRelaxed, func(a args) Result { return a.StreamWaitEvent(1, a.s, a.event()) }, Success, false},
		{"merge", CaptureRelaxed, func(a args) Result {
			a.ok(a.BeginCapture(1, a.other, CaptureRelaxed))
			a.ok(a.launch(a.other, "double", 0, 0))
			a.ok(a.EventRecord(1, a.e, a.other))
			return a.StreamWaitEvent(1, a.s, a.e)
		}, StreamCaptureMerge, true},
		{"ask for a captured event", CaptureRelaxed, func(a args) Result {
			a.ok(a.EventRecord(1, a.e, a.s))
			return a.EventQuery(1, a.e)
		}, CapturedEvent, true},
		{"wait for a captured event", CaptureRelaxed, func(a args) Result {
			a.ok(a.EventRecord(1, a.e, a.s))
			return a.EventSynchronize(1, a.e)
		}, CapturedEvent, true},
		{"join on the legacy stream", CaptureRelaxed, func(a args) Result {
			a.ok(a.EventRecord(1, a.e, a.s))
			return a.StreamWaitEvent(1, 0, a.e)
		}, StreamCaptureUnsupported, true},
		{"allocate, global", CaptureGlobal, func(a args) Result {
			a.ok(a.SetCurrent(2, a.ctx))
			_, r := a.MemAlloc(2, 4, "")
			return r
		}, StreamCaptureUnsupported, true},
		{"allocate on the thread", CaptureThreadLocal, func(a args) Result { _, r := a.HostAlloc(1, 4, ""); return r }, StreamCaptureUnsupported, true},
		{"allocate on another thread", CaptureThreadLocal, func(a args) Result {
			a.ok(a.SetCurrent(2, a.ctx))
			_, r := a.MemAlloc(2, 4, "")
			return r
		}, Success, false},
		{"allocate, relaxed", CaptureRelaxed, func(a args) Result { _, r := a.MemAlloc(1, 4, ""); return r }, Success, false},
		{"release, global", CaptureGlobal, func(a args) Result { return a.MemFree(1, a.mem) }, StreamCaptureUnsupported, true},
		{"query of an event, global", CaptureGlobal, func(a args) Result { return a.EventQuery(1, a.e) }, StreamCaptureUnsupported, true},
		{"copy from pageable memory", CaptureRelaxed, func(a args) Result { return a.ToDevice(1, a.mem, []byte{0}, true, a.s, "") }, StreamCaptureUnsupported, true},
		{"destroy the stream", CaptureRelaxed, func(a args) Result { return a.StreamDestroy(1, a.s) }, StreamCaptureUnsupported, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, 2)
			a := args{b, b.stream(StreamNonBlocking), b.stream(StreamNonBlocking), b.stream(0), b.event()}
			b.ok(b.launch(a.other, "double", 0, 0))
			b.ok(b.EventRecord(1, a.e, a.other))
			b.ok(b.BeginCapture(1, a.s, c.mode))
			b.ok(b.launch(a.s, "double", 1, 1))
			b.t = t
			if r := c.do(a); r != c.want {
				t.Errorf("%s: %s, want %s", r.Name(), b.Detail(r), c.want.Name())
			}
			wantEnd := Success
			if c.spoils {
				b.want(b.launch(a.s, "double", 1, 1), StreamCaptureInvalidated, "only its end is left")
				wantEnd = StreamCaptureInvalidated
			}
			g, r := b.EndCapture(1, a.s, "")
			b.want(r, wantEnd, "")
			if (g == 0) != c.spoils {
				t.Errorf("graph %#x", g)
			}
			b.ok(b.launch(a.s, "double", 1, 1)) // and the stream is as before
		})
	}
}

func TestForkMustBeJoined(t *testing.T) {
	b := newBench(t, 2)
	s, side, e := b.stream(StreamNonBlocking), b.stream(StreamNonBlocking), b.event()
	b.ok(b.BeginCapture(1, s, CaptureRelaxed))
	b.ok(b.EventRecord(1, e, s))
	b.ok(b.StreamWaitEvent(1, side, e))
	b.ok(b.launch(side, "double", 0, 0))
	_, r := b.EndCapture(1, side, "")
	b.want(r, StreamCaptureUnmatched, "began on")
	_, r = b.EndCapture(1, s, "")
	b.want(r, StreamCaptureInvalidated, "")

	b.ok(b.BeginCapture(1, s, CaptureRelaxed))
	b.ok(b.EventRecord(1, e, s))
	b.ok(b.StreamWaitEvent(1, side, e))
	b.ok(b.launch(side, "double", 0, 0))
	_, r = b.EndCapture(1, s, "")
	b.want(r, StreamCaptureUnjoined, "kernel double")
	b.ok(b.launch(side, "double", 0, 0))
	b.want(b.StreamWaitEvent(1, s, e), CapturedEvent, "over")
}

func TestFaultSticks(t *testing.T) {
	b := newBench(t, 2)
	b.ok(b.launch(0, "bad", 0, 0))
	b.ok(b.launch(0, "double", 0, 0))
	b.want(b.Synchronize(1), IllegalAddress, "line 42: out of bounds")
	b.want(b.MemFree(1, b.mem), IllegalAddress, "kernel bad")
	_, r := b.StreamCreate(1, 0, "")
	b.want(r, IllegalAddress, "line 42")
	err := b.LastFault()
	var f *Fault
	if err == nil || !strings.Contains(err.Error(), "kernel bad, grid 1,1,1, block 32,1,1, on the legacy stream, launched at a.go:1:\nline 42") || !errors.As(err, &f) {
		t.Errorf("LastFault: %v", err)
	}
	b.ok(b.PrimaryRelease(0))
	if b.LastFault() == nil {
		t.Error("the fault is forgotten with its context")
	}
	if _, r := b.PrimaryRetain(0); r != Success || b.LastFault() != nil {
		t.Error("the fault survives into a new context", r)
	}
	_, r = b.MemAlloc(1, 4, "")
	b.want(r, ContextIsDestroyed, "released")
}

func TestContextEndReports(t *testing.T) {
	b := newBench(t, 2)
	s := b.stream(0)
	b.event()
	p, _ := b.HostAlloc(1, 16, "at c.go:3")
	_ = p
	b.ok(b.launch(s, "double", 0, 0))
	b.ok(b.PrimaryRelease(0))
	got := strings.Join(b.Leaks(), "\n")
	for _, part := range []string{"8 bytes of device memory, allocated here", "16 bytes of pinned memory, allocated at c.go:3", "a stream, made here", "an event", "a module"} {
		if !strings.Contains(got, part) {
			t.Errorf("no %q in\n%s", part, got)
		}
	}
	if len(b.Leaks()) != 5 || b.LastFault() != nil {
		t.Errorf("%q, fault %v", b.Leaks(), b.LastFault())
	}

	b = newBench(t, 1)
	b.ok(b.MemFree(1, b.mem))
	b.ok(b.ModuleUnload(1, b.mod))
	b.ok(b.PrimaryRelease(0))
	if b.Leaks() != nil {
		t.Errorf("leaks of a clean end: %q", b.Leaks())
	}
	b.want(b.PrimaryRelease(0), InvalidContext, "not retained")

	b = newBench(t, 1) // work that is pending when its memory goes
	b.ok(b.launch(0, "double", 0, 0))
	b.ok(b.MemFree(1, b.mem))
	b.ok(b.PrimaryRelease(0))
	if err := b.LastFault(); err == nil || !strings.Contains(err.Error(), "free") {
		t.Errorf("use after free: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	b := newBench(t, 2)
	f, r := b.ModuleFunction(1, b.mod, "add")
	b.ok(r)
	launch := func(grid, block Dim, shared int) Result {
		return b.Launch(1, f, grid, block, Dim{1, 1, 1}, false, shared, 0, make([]byte, 16), "")
	}
	one := Dim{1, 1, 1}
	b.want(launch(Dim{0, 1, 1}, one, 0), InvalidValue, "empty")
	b.want(launch(Dim{1, 1 << 16, 1}, one, 0), InvalidValue, "beyond")
	b.want(launch(one, Dim{1024, 2, 1}, 0), InvalidValue, "beyond")
	b.want(launch(one, Dim{512, 1, 1}, 0), InvalidValue, "256 threads")
	b.want(launch(one, one, 48<<10), InvalidValue, "dynamic shared")
	b.ok(b.FuncSetAttribute(1, f, FuncMaxDynamicShared, 63<<10))
	b.ok(launch(one, one, 0x100))
	b.want(b.FuncSetAttribute(1, f, FuncMaxDynamicShared, 64<<10), InvalidValue, "a block may have")
	_, r = b.ModuleFunction(1, b.mod, "none")
	b.want(r, NotFound, `"none"`)
	b.NameSource("gemm.ptx", "nonsense")
	_, r = b.ModuleLoad(1, "nonsense", "")
	b.want(r, InvalidPTX, "gemm.ptx:1: not PTX")
	_, r = b.ModuleLoad(1, "\x7fELF", "")
	b.want(r, InvalidImage, "machine code")
	b.want(b.ToDevice(1, b.mem+4, make([]byte, 8), false, 0, ""), InvalidValue, "beyond the end of an allocation of 8 bytes")
	b.want(b.ToDevice(1, b.mem+8, make([]byte, 1), false, 0, ""), InvalidValue, "no allocation")
	b.want(b.Copy(1, b.mem, 1, 4, false, 0, ""), InvalidValue, "no allocation")
	b.want(b.Set(1, b.mem+1, make([]byte, 4), 1, false, 0, ""), InvalidValue, "multiple of 4")
	b.want(b.MemFree(1, b.mem+4), InvalidValue, "no allocation begins")
	b.want(b.HostFree(1, 64), InvalidValue, "none begins")
	_, r = b.MemAlloc(1, 2<<20, "")
	b.want(r, OutOfMemory, "are free")
	_, r = b.MemAlloc(3, 4, "")
	b.want(r, InvalidContext, "no current context")
	b.want(b.DeviceGet(1), InvalidDevice, "device 0 only")
	_, r = b.DeviceAttribute(0, 0)
	b.want(r, InvalidValue, "attribute 0")
	b.want(b.StreamSynchronize(1, b.mod), InvalidHandle, "no stream")
	b.want(b.GraphLaunch(1, b.mod, 0), InvalidHandle, "no executable graph")
	b.Refuse("cuGraphLaunch", NotSupported, 1)
	b.want(b.GraphLaunch(1, b.mod, 0), NotSupported, "cuGraphLaunch is to be refused")
	b.want(b.GraphLaunch(1, b.mod, 0), InvalidHandle, "no executable graph")
	if free, total, _ := b.MemInfo(1); free != 1<<20-8 || total != 1<<20 {
		t.Errorf("%d of %d bytes free", free, total)
	}
	b.Refuse("cuGraphInstantiate", LaunchFailed, 1)
	_, r = b.Instantiate(1, b.mod, "")
	b.want(r, LaunchFailed, "planted")
	b.want(b.Synchronize(1), LaunchFailed, "planted")
}

func TestEvents(t *testing.T) {
	b := newBench(t, 1)
	s, from, to := b.stream(0), b.event(), b.event()
	_, r := b.EventElapsed(1, from, to)
	b.want(r, InvalidHandle, "never recorded")
	b.ok(b.EventQuery(1, from))
	b.ok(b.EventRecord(1, from, s))
	b.ok(b.launch(s, "double", 0, 0))
	b.ok(b.EventRecord(1, to, s))
	_, r = b.EventElapsed(1, from, to)
	b.want(r, NotReady, "not reached")
	queries := 0
	for b.EventQuery(1, to) == NotReady {
		queries++
	}
	if queries != 3 {
		t.Errorf("%d queries, want one a piece of work", queries)
	}
	if ms, r := b.EventElapsed(1, from, to); r != Success || ms < 0 {
		t.Errorf("%v ms, %v", ms, r)
	}
	b.ok(b.EventSynchronize(1, to))
	b.ok(b.EventDestroy(1, to))
	b.want(b.EventDestroy(1, to), InvalidHandle, "destroyed?")
}

func TestQueueIsBounded(t *testing.T) {
	b := newBench(t, 1)
	for range 3 * maxPending {
		b.ok(b.launch(0, "double", 0, 0))
	}
	if n := b.Driver.ctx.queue.pending; n > maxPending {
		t.Errorf("%d pieces of work wait", n)
	}
}

func TestCurrentContextIsOfAThread(t *testing.T) {
	b := newBench(t, 1)
	if h, _ := b.GetCurrent(2); h != 0 {
		t.Errorf("thread 2 has context %#x", h)
	}
	b.ok(b.PushCurrent(2, b.ctx))
	if _, r := b.CurrentDevice(2); r != Success {
		t.Error(r)
	}
	if h, r := b.PopCurrent(2); h != b.ctx || r != Success {
		t.Errorf("%#x, %v", h, r)
	}
	_, r := b.PopCurrent(2)
	b.want(r, InvalidContext, "no current context")
	b.want(b.SetCurrent(2, 0x123), InvalidContext, "no context")
	b.ok(b.SetCurrent(1, 0))
	_, r = b.CurrentDevice(1)
	b.want(r, InvalidContext, "lock the goroutine")
	for r, text := range results {
		if text[0] == "" || text[1] == "" {
			t.Errorf("result %d has no name or text", r)
		}
	}
}

// What needs clusters is refused on a device without, and where they do not fit.
func TestClusters(t *testing.T) {
	launch := func(b *bench, grid, cluster int) Result {
		f, r := b.ModuleFunction(1, b.mod, "add")
		b.ok(r)
		return b.Launch(1, f, Dim{grid, 1, 1}, Dim{1, 1, 1}, Dim{cluster, 1, 1}, false, 0, 0, make([]byte, 16), "")
	}
	old := newBench(t, 2)
	old.want(launch(old, 4, 2), NotSupported, "compute capability 7.5")
	add, r := old.ModuleFunction(1, old.mod, "add")
	old.ok(r)
	old.want(old.Launch(1, add, Dim{1, 1, 1}, Dim{1, 1, 1}, Dim{1, 1, 1}, true, 0, 0, make([]byte, 16), ""), NotSupported, "compute capability 7.5")
	_, r = old.ModuleLoad(1, "ptx for sm_90", "")
	old.want(r, InvalidPTX, "is for sm_90, and the virtual device is of compute capability 7.5")
	if old.SetCapability(90) == nil {
		t.Error("the capability was changed under a context")
	}

	d := New(Config{Machine: fake{}, Memory: 1 << 20})
	if d.SetCapability(80) == nil {
		t.Error("compute capability 8.0")
	}
	if err := d.SetCapability(90); err != nil {
		t.Fatal(err)
	}
	b := newBenchOf(t, d, 2)
	_, r = b.ModuleLoad(1, "ptx for sm_90", "")
	b.ok(r)
	for attribute, want := range map[int]int{75: 9, 76: 0, 97: 227 << 10, 120: 1, 10: 32} {
		if v, r := b.DeviceAttribute(0, attribute); v != want || r != Success {
			t.Errorf("attribute %d is %d", attribute, v)
		}
	}
	f, r := b.ModuleFunction(1, b.mod, "add")
	b.ok(r)
	b.ok(b.FuncSetAttribute(1, f, FuncMaxDynamicShared, 226<<10))
	b.want(b.FuncSetAttribute(1, f, FuncMaxDynamicShared, 227<<10), InvalidValue, "a block may have")
	b.ok(launch(b, 8, 8))
	b.ok(b.Launch(1, f, Dim{8, 1, 1}, Dim{1, 1, 1}, Dim{1, 1, 1}, true, 0, 0, make([]byte, 16), ""))
	b.want(b.Launch(1, f, Dim{8, 1, 1}, Dim{1, 1, 1}, Dim{8, 1, 1}, true, 0, 0, make([]byte, 16), ""), NotSupported, "dependent launch of add in clusters")
	active := func(cluster, shared, want int) {
		t.Helper()
		if n, r := b.MaxActiveClusters(1, f, Dim{cluster, 1, 1}, Dim{1, 1, 1}, Dim{cluster, 1, 1}, shared); n != want || r != Success {
			t.Errorf("%d clusters of %d blocks with %d bytes at a time, %v", n, cluster, shared, r)
		}
	}
	active(8, 226<<10, 15)
	active(8, 100<<10, 31)
	_, r = b.MaxActiveClusters(1, f, Dim{16, 1, 1}, Dim{1, 1, 1}, Dim{16, 1, 1}, 0)
	b.want(r, InvalidClusterSize, "from 1 to 8 blocks")
	b.want(launch(b, 8, 3), InvalidClusterSize, "no multiple")
	b.want(launch(b, 16, 16), InvalidClusterSize, "from 1 to 8 blocks")
	b.want(launch(b, 16, 0), InvalidClusterSize, "from 1 to 8 blocks")
	b.ok(b.FuncSetAttribute(1, f, FuncLargeClusters, 1))
	b.ok(launch(b, 16, 16))
	active(16, 226<<10, 7)
	if v, r := b.FuncAttribute(1, f, FuncLargeClusters); v != 1 || r != Success {
		t.Errorf("large clusters: %d", v)
	}
	b.ok(b.FuncSetAttribute(1, f, FuncLargeClusters, 0))
	b.want(launch(b, 16, 16), InvalidClusterSize, "from 1 to 8 blocks")
}
