package dataset

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// idx encodes data as an IDX file of bytes.
func idx(data []byte, dims ...uint32) []byte {
	out := binary.BigEndian.AppendUint32(nil, idxUbyte|uint32(len(dims)))
	for _, d := range dims {
		out = binary.BigEndian.AppendUint32(out, d)
	}
	return append(out, data...)
}

// gzipped gzips data.
func gzipped(data []byte) []byte {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	w.Write(data)
	w.Close()
	return buf.Bytes()
}

// flip returns data with the byte at i (from the end where negative) changed.
func flip(data []byte, i int) []byte {
	data = slices.Clone(data)
	if i < 0 {
		i += len(data)
	}
	data[i] ^= 0x55
	return data
}

func TestReadIDX(t *testing.T) {
	pixels := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	good := idx(pixels, 3, 2, 2)
	for _, test := range []struct {
		name  string
		input []byte
		err   string // a part of the error; "" where reading works
	}{
		{"plain", good, ""},
		{"gzipped", gzipped(good), ""},
		{"gzipped in two members", append(gzipped(good[:20]), gzipped(good[20:])...), ""},
		{"empty", nil, "truncated"},
		{"half a magic number", good[:2], "truncated"},
		{"no dimensions", good[:4], "truncated"},
		{"half a dimension", good[:14], "truncated"},
		{"no data", good[:16], "declares 12 bytes and 0 follow"},
		{"one byte short", good[:len(good)-1], "declares 12 bytes and 11 follow"},
		{"trailing garbage", append(slices.Clone(good), 0), "12 bytes declared, 13 there"},
		{"corrupt magic", flip(good, 2), "magic number is 0x00005d03, want 0x00000803"},
		{"labels for images", idx(pixels, 12), "magic number is 0x00000801, want 0x00000803"},
		{"other rows", idx(pixels, 2, 3, 2), "dimension 1 is 3, want 2"},
		{"no examples", idx(nil, 0, 2, 2), "dimension 0 is 0, want 1 or more"},
		{"4 billion examples", idx(pixels, 1<<32-1, 2, 2), "the limit is"},
		{"too large for memory, gzipped", gzipped(idx(pixels, 1<<32-1, 2, 2)), "the limit is"},
		{"declared size beyond what images reach", gzipped(idx(pixels, 1<<24, 2, 2)), "declares 67108864 bytes, more than 100 times its"},
		{"gzipped, one byte short", gzipped(good[:len(good)-1]), "truncated"},
		{"gzipped, half a header", gzipped(good[:7]), "truncated"},
		{"gzipped, trailing garbage inside", gzipped(append(slices.Clone(good), 0)), "goes on after the data"},
		{"gzipped, trailing garbage outside", append(gzipped(good), "garbage that is no gzip"...), "gzip"},
		{"gzip cut in its header", gzipped(good)[:5], "truncated"},
		{"gzip cut in its data", gzipped(good)[:20], "truncated"},
		{"gzip cut in its trailer", gzipped(good)[:len(gzipped(good))-1], "truncated"},
		{"gzip with a wrong checksum", flip(gzipped(good), -6), "checksum"},
		{"gzip of another method", flip(gzipped(good), 2), "gzip"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dims, data, err := readIDX(bytes.NewReader(test.input), int64(len(test.input)), []int{-1, 2, 2})
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want one with %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(dims, []int{3, 2, 2}) || !bytes.Equal(data, pixels) {
				t.Errorf("read %v %v, want [3 2 2] %v", dims, data, pixels)
			}
		})
	}
}

// Data larger than the first read arrives in growing pieces.
func TestReadIDXGrows(t *testing.T) {
	want := make([]byte, 5*firstRead+1)
	for i := range want {
		want[i] = byte(uint32(i) * 2654435761 >> 12)
	}
	for _, input := range [][]byte{idx(want, uint32(len(want))), gzipped(idx(want, uint32(len(want))))} {
		_, got, err := readIDX(bytes.NewReader(input), int64(len(input)), []int{-1})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Error("the data read differs from the data written")
		}
	}
}

// A gzip bomb is neither unpacked beyond the declared size nor given memory
// that its data does not fill.
func TestReadIDXBomb(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	zeros := make([]byte, 1<<20)
	for _, test := range []struct {
		name     string
		bomb     []byte
		readable int // bytes
	}{
		{"more data than declared", append(gzipped(append(idx(make([]byte, 10), 10), zeros...)), bytes.Repeat(gzipped(zeros), 64)...), 8 << 10},
		// This much that does not compress could also be what holds 64 MiB, so
		// only reading tells.
		{"more declared than data", gzipped(idx(noise(1<<20), 64<<20)), 2 << 20},
		// 64 MB of zeros, whole and well formed, in 65 KB.
		{"all that gzip can", gzipped(idx(make([]byte, 64<<20), 64<<20)), 8 << 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			input := bytes.NewReader(test.bomb)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := readIDX(input, input.Size(), []int{-1})
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Fatal("a bomb was read without error")
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20+6*uint64(input.Size()) {
				t.Errorf("allocated %d bytes for a file of %d", got, input.Size())
			}
			if read := len(test.bomb) - input.Len(); read > test.readable {
				t.Errorf("read %d of %d bytes, want at most %d", read, len(test.bomb), test.readable)
			}
		})
	}
}

// noise returns n bytes that do not compress.
func noise(n int) []byte {
	data := make([]byte, n)
	state := uint32(1)
	for i := range data {
		state = state*1664525 + 1013904223
		data[i] = byte(state >> 24)
	}
	return data
}
