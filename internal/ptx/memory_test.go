package ptx

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestMemory(t *testing.T) {
	m := NewMemory(10_000)
	a, err := m.Alloc(1000, "weights")
	if err != nil || a%256 != 0 {
		t.Fatal(a, err)
	}
	b := alloc(t, m, 100)
	if b < a+1000+zone {
		t.Errorf("%#x is too near to %#x", b, a)
	}
	buf := make([]byte, 10)
	for _, c := range []struct {
		name string
		err  error
		is   error
		text string
	}{
		{"read of fresh memory", m.Read(a, buf), ErrUninitialised, `byte 0 of "weights" (1000 bytes)`},
		{"write past the end", m.Write(a+991, buf), ErrInvalidAddress, `10 bytes from byte 991 of "weights"`},
		{"read past the end", m.Read(a+991, buf), ErrInvalidAddress, `10 bytes from byte 991`},
		{"write before the start", m.Write(a-1, buf), ErrInvalidAddress, `1 bytes before the start of "weights"`},
		{"write to a red zone", m.Write(a+1000, buf), ErrInvalidAddress, `0 bytes past the end of "weights"`},
		{"write to nowhere", m.Write(8, buf), ErrInvalidAddress, "in no allocation"},
		{"memset past the end", m.Memset(a+500, 0, 501), ErrInvalidAddress, "501 bytes"},
		{"memset of negative size", m.Memset(a, 0, -1), ErrInvalidAddress, "-1 bytes"},
		{"copy past the source", m.Copy(b, a+950, 60), ErrInvalidAddress, "source"},
		{"copy past the destination", m.Copy(b+50, a, 60), ErrInvalidAddress, "destination"},
		{"free within", m.Free(a + 8), ErrInvalidAddress, `byte 8 of "weights"`},
		{"free of a foreign address", m.Free(12345), ErrInvalidAddress, "in no allocation"},
	} {
		if !errors.Is(c.err, c.is) || !strings.Contains(c.err.Error(), c.text) {
			t.Errorf("%s: %v", c.name, c.err)
		}
	}
	if _, err := m.Alloc(8901, "much"); !errors.Is(err, ErrOutOfMemory) {
		t.Errorf("alloc beyond the limit: %v", err)
	}
	if _, err := m.Alloc(0, "nothing"); err == nil {
		t.Error("0 bytes were allocated")
	}
	if used, limit := m.Used(); used != 1100 || limit != 10_000 {
		t.Errorf("%d of %d in use", used, limit)
	}
	if live := m.Live(); len(live) != 2 || live[0] != (Allocation{a, 1000, "weights"}) {
		t.Errorf("live: %v", live)
	}
	if err := m.Free(a); err != nil {
		t.Fatal(err)
	}
	if err := m.Free(a); !errors.Is(err, ErrInvalidAddress) || !strings.Contains(err.Error(), "double free") {
		t.Errorf("double free: %v", err)
	}
	if err := m.Write(a, buf); !errors.Is(err, ErrInvalidAddress) || !strings.Contains(err.Error(), `"weights" (1000 bytes), which was freed`) {
		t.Errorf("write after free: %v", err)
	}
	if c := alloc(t, m, 9000); c <= b {
		t.Errorf("address %#x was used again", c)
	}
}

func TestInitialisedness(t *testing.T) {
	m := NewMemory(1 << 20)
	a, b := alloc(t, m, 1000), alloc(t, m, 1000)
	data := bytes.Repeat([]byte{7}, 100)
	if err := m.Write(a+37, data); err != nil {
		t.Fatal(err)
	}
	readable := func(p uint64, lo, hi int) {
		t.Helper()
		for i := range 1000 {
			if err := m.Read(p+uint64(i), make([]byte, 1)); (err == nil) != (i >= lo && i < hi) {
				t.Fatalf("byte %d: %v", i, err)
			}
		}
		if hi > lo {
			if err := m.Read(p+uint64(lo), make([]byte, hi-lo)); err != nil {
				t.Fatal(err)
			}
		}
	}
	readable(a, 37, 137)
	if err := m.Read(a+36, data); !errors.Is(err, ErrUninitialised) {
		t.Fatal(err)
	}
	if err := m.Copy(b, a, 200); err != nil { // what was never written goes along
		t.Fatal(err)
	}
	readable(b, 37, 137)
	if err := m.Memset(b, 1, 1000); err != nil {
		t.Fatal(err)
	}
	readable(b, 0, 1000)
	if err := m.Copy(b+500, a, 500); err != nil {
		t.Fatal(err)
	}
	for i, want := range map[uint64]bool{499: true, 500: false, 536: false, 537: true, 636: true, 637: false, 999: false} {
		if err := m.Read(b+i, make([]byte, 1)); (err == nil) != want {
			t.Errorf("byte %d: %v", i, err)
		}
	}
	if err := m.Copy(b, b+537, 100); err != nil { // within one allocation
		t.Fatal(err)
	}
	m.ReadUninitialised = true
	got := make([]byte, 102)
	if err := m.Read(a+36, got); err != nil || got[0] != fresh || got[1] != 7 || got[101] != fresh {
		t.Errorf("%v, %v", got, err)
	}
}

// Shadow memory begins anew when the stamps of launches run out.
func TestStampsRunOut(t *testing.T) {
	mod := mustLoad(t, "defects.ptx", readFile(t, "defects.ptx"))
	src := readFile(t, "defects.ptx")
	m := NewMemory(1 << 20)
	m.Workers = 2
	x, y := named(t, m, "x", 256, true), named(t, m, "y", 256, false)
	for range 3 {
		launch(t, mod.Kernel("copy"), m, Dim{2, 1, 1}, Dim{128, 1, 1}, 0, x, y, 256)
		launch(t, mod.Kernel("copy"), m, Dim{2, 1, 1}, Dim{128, 1, 1}, 0, y, x, 256)
		k := mod.Kernel("sameElementByBlock")
		wantFault(t, src, k.Launch(m, Dim{8, 1, 1}, one, 0, params(t, k, x)), GlobalRace, "st.global")
		m.launch = maxStamp - 1
	}
}

// A store in a block that fails is undone when the launch is repeated; what the
// repetition writes stays.
func TestRollBack(t *testing.T) {
	m := NewMemory(1 << 20)
	a := &allocation{data: make([]byte, 10_000), init: make([]uint64, 157)}
	a.missing.Store(10_000)
	a.shadow.pages = newPages(10_000)
	a.markRange(0, 100)
	a.data[99] = 5
	u := &m.saved
	for round := range uint32(3) {
		u.save(a, 0, round+1)
		u.save(a, 2, round+1)
		a.data[99], a.data[9999] = 6, 7
		u.save(a, 0, round+1)
		a.markRange(50, 100)
		a.markRange(9990, 10)
		u.rollBack()
		if a.data[99] != 5 || a.data[9999] != 0 || a.missing.Load() != 9900 || a.uninitialised(0, 101) != 100 || a.uninitialised(9995, 1) != 9995 {
			t.Fatalf("round %d: %d %d, %d missing", round, a.data[99], a.data[9999], a.missing.Load())
		}
		u.clear()
	}
}
