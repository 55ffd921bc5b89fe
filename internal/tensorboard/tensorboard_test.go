package tensorboard

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// TestMasked: the checksums of RFC 3720's examples, masked as TFRecords have them.
func TestMasked(t *testing.T) {
	for _, c := range []struct {
		data []byte
		crc  uint32
	}{
		{[]byte("123456789"), 0xe3069283},
		{make([]byte, 32), 0x8a9136aa},
		{bytes.Repeat([]byte{0xff}, 32), 0x62a8ab43},
	} {
		back := masked(c.data) - 0xa282ead8 // turned back
		if got := back<<15 | back>>17; got != c.crc {
			t.Errorf("the checksum of %x is %x, want %x", c.data, got, c.crc)
		}
	}
}

// fields decodes a message: of each field the last value, as uint64 or []byte.
func fields(t *testing.T, m []byte) map[protowire.Number]any {
	t.Helper()
	out := map[protowire.Number]any{}
	for len(m) > 0 {
		number, typ, n := protowire.ConsumeTag(m)
		if n < 0 {
			t.Fatal("this is no message")
		}
		m = m[n:]
		switch typ {
		case protowire.BytesType:
			out[number], n = protowire.ConsumeBytes(m)
		case protowire.Fixed64Type:
			out[number], n = protowire.ConsumeFixed64(m)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(m)
			out[number] = uint64(v)
		default:
			out[number], n = protowire.ConsumeVarint(m)
		}
		if n < 0 {
			t.Fatal("this is no message")
		}
		m = m[n:]
	}
	return out
}

// TestFile: a version, then a record for each Add, with checksums.
func TestFile(t *testing.T) {
	folder, now := filepath.Join(t.TempDir(), "a", "b"), time.Unix(1_700_000_000, 5e8)
	w, err := Create(folder, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add(70000, now, Scalar("loss", 0.5), Histogram("fc1/weight", []float32{1})); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(folder, now); err == nil {
		t.Error("a second file of the same time takes the place of the first")
	}
	data, err := fs.ReadFile(os.DirFS(folder), "events.out.tfevents.1700000000.driftless")
	if err != nil {
		t.Fatal(err)
	}
	var events []map[protowire.Number]any
	for len(data) > 0 {
		n := binary.LittleEndian.Uint64(data)
		event := data[12:][:n]
		if binary.LittleEndian.Uint32(data[8:]) != masked(data[:8]) || binary.LittleEndian.Uint32(data[12+n:]) != masked(event) {
			t.Fatal("a checksum is wrong")
		}
		events = append(events, fields(t, event))
		data = data[16+n:]
	}
	if len(events) != 2 || string(events[0][3].([]byte)) != "brain.Event:2" || events[1][2] != uint64(70000) ||
		math.Float64frombits(events[1][1].(uint64)) != 1_700_000_000.5 {
		t.Errorf("the events are %v", events)
	}
	h := fields(t, fields(t, events[1][5].([]byte))[1].([]byte)) // the last value
	if string(h[1].([]byte)) != "fc1/weight" || h[5] == nil {
		t.Errorf("the last value is %v", h)
	}
}

// TestHistogram: every finite number is counted once, in the bucket that holds it.
func TestHistogram(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		xs             []float32
		least, largest float64
		n, sum, square float64
		first, last    float64
	}{
		{[]float32{-1, 0, 2, 2}, -1, 2, 4, 3, 9, 1, 2},
		{[]float32{nan, 1, inf, -inf, 3}, 1, 3, 2, 4, 10, 1, 1},
		{[]float32{5, 5, 5}, 5, 5, 3, 15, 75, 0, 3},
		{nil, 0, 0, 0, 0, 0, 0, 0},
		{[]float32{nan}, 0, 0, 0, 0, 0, 0, 0},
	} {
		f := fields(t, histogram(c.xs))
		for i, want := range []float64{c.least, c.largest, c.n, c.sum, c.square} {
			if got := math.Float64frombits(f[protowire.Number(i+1)].(uint64)); got != want {
				t.Errorf("%v: number %d is %v, want %v", c.xs, i+1, got, want)
			}
		}
		doubles := func(b []byte) (out []float64) {
			for ; len(b) > 0; b = b[8:] {
				out = append(out, math.Float64frombits(binary.LittleEndian.Uint64(b)))
			}
			return out
		}
		limits, counts := doubles(f[6].([]byte)), doubles(f[7].([]byte))
		total := 0.0
		for i, k := range counts {
			total += k
			if i > 0 && limits[i] < limits[i-1] {
				t.Errorf("%v: the limits are %v", c.xs, limits)
			}
		}
		if len(limits) != Buckets || len(counts) != Buckets || total != c.n || counts[0] != c.first || counts[Buckets-1] != c.last || limits[Buckets-1] != c.largest {
			t.Errorf("%v: limits %v, counts %v", c.xs, limits, counts)
		}
	}
}

// TestErrors: one sentence names the file.
func TestErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(filepath.Join(file, "x"), time.Now()); err == nil {
		t.Error("a folder below a file can be made")
	}
	if err := (&Writer{filepath.Join(file, "x")}).Add(1, time.Now()); err == nil {
		t.Error("a file below a file can be written")
	}
}
