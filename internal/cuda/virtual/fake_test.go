package virtual

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// fake is a machine whose kernels are Go: add(to, from) adds word from to word
// to, double(to, _) doubles it, and bad reads outside. It is for sm_90 if late.
type fake struct{ late bool }

type fakeMemory struct {
	next   uint64
	blocks map[uint64][]byte
}

type fakeKernel string

func (fake) NewMemory(int64) Memory {
	return &fakeMemory{next: 0x7000, blocks: map[uint64][]byte{}}
}

func (fake) Load(name, src string) (Module, error) {
	if !strings.HasPrefix(src, "ptx") {
		return nil, errors.New(name + ":1: not PTX")
	}
	return fake{strings.HasPrefix(src, "ptx for sm_90")}, nil
}

func (f fake) Target() int {
	if f.late {
		return 90
	}
	return 75
}

func (fake) Kernel(name string) (Kernel, bool) {
	return fakeKernel(name), name == "add" || name == "double" || name == "bad"
}

func (fakeKernel) Params() []Param         { return []Param{{0, 8}, {8, 8}} }
func (fakeKernel) ParamBytes() int         { return 16 }
func (fakeKernel) SharedBytes() int        { return 1024 }
func (fakeKernel) LocalBytes() int         { return 0 }
func (fakeKernel) MaxThreads() int         { return 256 }
func (fakeKernel) SetMaxDynamic(int) error { return nil }

func (fakeKernel) AllowLargeClusters(bool) {}

func (k fakeKernel) Launch(m Memory, _, _, _ Dim, _ bool, _ int, args []byte) error {
	a, b := binary.LittleEndian.Uint64(args), binary.LittleEndian.Uint64(args[8:])
	var x, y [4]byte
	if k == "bad" {
		return &Fault{Result: IllegalAddress, Text: "line 42: out of bounds"}
	}
	if err := m.Read(a, x[:]); err != nil {
		return &Fault{Result: IllegalAddress, Text: err.Error()}
	}
	y = x
	if k == "add" {
		if err := m.Read(b, y[:]); err != nil {
			return &Fault{Result: IllegalAddress, Text: err.Error()}
		}
	}
	binary.LittleEndian.PutUint32(x[:], binary.LittleEndian.Uint32(x[:])+binary.LittleEndian.Uint32(y[:]))
	return m.Write(a, x[:])
}

func (m *fakeMemory) Alloc(n int64, _ string) (uint64, error) {
	a := m.next
	m.blocks[a] = make([]byte, n)
	m.next += uint64(n+255) &^ 255 * 2
	return a, nil
}

func (m *fakeMemory) Free(a uint64) error { delete(m.blocks, a); return nil }

func (m *fakeMemory) at(a uint64, n int) ([]byte, error) {
	for start, b := range m.blocks {
		if a >= start && a+uint64(n) <= start+uint64(len(b)) {
			return b[a-start:][:n], nil
		}
	}
	return nil, fmt.Errorf("use of %#x, which is free", a)
}

func (m *fakeMemory) Write(a uint64, p []byte) error {
	b, err := m.at(a, len(p))
	copy(b, p)
	return err
}

func (m *fakeMemory) Read(a uint64, p []byte) error {
	b, err := m.at(a, len(p))
	copy(p, b)
	return err
}

func (m *fakeMemory) Copy(to, from uint64, n int64) error {
	b, err := m.at(from, int(n))
	if err != nil {
		return err
	}
	return m.Write(to, b)
}

func (m *fakeMemory) Set(a uint64, pattern []byte, n int64) error {
	return m.Write(a, []byte(strings.Repeat(string(pattern), int(n)/len(pattern))))
}

// bench is a driver with a context on thread 1, and n words of memory set to 1,
// 2, 3 …
type bench struct {
	*Driver
	t   *testing.T
	ctx Handle
	mod Handle
	mem uint64
}

func newBench(t *testing.T, words int) *bench {
	t.Helper()
	return newBenchOf(t, New(Config{Machine: fake{}, Memory: 1 << 20}), words)
}

func newBenchOf(t *testing.T, d *Driver, words int) *bench {
	t.Helper()
	b := &bench{Driver: d, t: t}
	var r Result
	b.ctx, r = b.PrimaryRetain(0)
	b.ok(r)
	b.ok(b.SetCurrent(1, b.ctx))
	b.mod, r = b.ModuleLoad(1, "ptx", "here")
	b.ok(r)
	b.mem, r = b.MemAlloc(1, int64(4*words), "here")
	b.ok(r)
	data := make([]byte, 4*words)
	for i := range words {
		binary.LittleEndian.PutUint32(data[4*i:], uint32(i+1))
	}
	b.ok(b.ToDevice(1, b.mem, data, false, 0, "here"))
	b.ok(b.Synchronize(1))
	return b
}

func (b *bench) ok(r Result) {
	b.t.Helper()
	if r != Success {
		b.t.Fatalf("%s: %s", r.Name(), b.Detail(r))
	}
}

func (b *bench) want(r, want Result, part string) {
	b.t.Helper()
	if r != want || !strings.Contains(b.Detail(r), part) {
		b.t.Errorf("%s (%d): %q, want %s with %q", r.Name(), r, b.Detail(r), want.Name(), part)
	}
}

func (b *bench) stream(flags int) Handle {
	b.t.Helper()
	s, r := b.StreamCreate(1, flags, "here")
	b.ok(r)
	return s
}

func (b *bench) event() Handle {
	b.t.Helper()
	e, r := b.EventCreate(1, 0, "here")
	b.ok(r)
	return e
}

// launch queues kernel(word to, word from).
func (b *bench) launch(s Handle, kernel string, to, from int) Result {
	b.t.Helper()
	f, r := b.ModuleFunction(1, b.mod, kernel)
	b.ok(r)
	args := binary.LittleEndian.AppendUint64(nil, b.mem+uint64(4*to))
	args = binary.LittleEndian.AppendUint64(args, b.mem+uint64(4*from))
	return b.Launch(1, f, Dim{1, 1, 1}, Dim{32, 1, 1}, Dim{1, 1, 1}, false, 0, s, args, "at a.go:1")
}

// words waits for all work and reads the memory.
func (b *bench) words(n int) []uint32 {
	b.t.Helper()
	b.ok(b.Synchronize(1))
	return b.peek(n)
}

func (b *bench) peek(n int) []uint32 {
	b.t.Helper()
	data := make([]byte, 4*n)
	b.ok(b.FromDevice(1, data, b.mem, false, 0, "here"))
	out := make([]uint32, n)
	for i := range out {
		out[i] = binary.LittleEndian.Uint32(data[4*i:])
	}
	return out
}
