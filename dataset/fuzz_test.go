package dataset

import (
	"bytes"
	"io"
	"runtime"
	"slices"
	"testing"
)

// within runs a reader and requires that all it allocates, what it lets go included, is within
// a bound for its input and what readers take in any case.
func within(t *testing.T, bound int, read func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	read()
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > uint64(1<<20+bound) {
		t.Errorf("%d bytes were allocated, the bound is %d", got, 1<<20+bound)
	}
}

// unpacked is the most that growing slices take for the content of a compressed file.
func unpacked(input []byte) int { return 6 * max(maxInflation*len(input), smallEnough) }

func FuzzReadIDX(f *testing.F) {
	images, labels := idx(make([]byte, 2*side*side), 2, side, side), idx([]byte{3, 9}, 2)
	for _, seed := range [][]byte{
		images, labels, gzipped(images), gzipped(labels), images[:20], flip(images, 3), flip(gzipped(labels), 12),
		gzipped(labels)[:15], idx(make([]byte, 2*3*2*3), 2, 3, 2, 3), idx(nil, 1<<31, side, side), append(gzipped(labels), gzipped(nil)...), nil,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		for _, want := range [][][]int{{{-1}}, {{-1, side, side}}, {{-1, -1, -1}, {-1, -1, -1, -1}}} {
			var dims []int
			var data []uint8
			var err error
			within(t, unpacked(input), func() { dims, data, err = readIDX(bytes.NewReader(input), int64(len(input)), want...) })
			if err != nil {
				continue
			}
			n := 1
			for _, d := range dims {
				n *= d
			}
			if n != len(data) || n == 0 || !slices.ContainsFunc(want, func(w []int) bool { return len(w) == len(dims) }) {
				t.Fatalf("dimensions %v with %d bytes of data", dims, len(data))
			}
			// What was read must be all that the file holds.
			r, _, err := decompress(bytes.NewReader(input))
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(r)
			if err != nil || !bytes.HasSuffix(content, data) || len(content) != n+4*(1+len(dims)) {
				t.Fatalf("%d bytes of content for dimensions %v (%v)", len(content), dims, err)
			}
		}
	})
}

// What an archive holds is a sound set or an error, in memory for what it really holds: a label
// of a byte becomes an int of eight, in a slice that grows.
func FuzzReadNPZ(f *testing.F) {
	for _, seed := range [][]byte{
		npz(stored, images3, labels3, images2, labels2), npz(deflated, floats3, labels3, floats2, labels2),
		npz(stored, npy(1, "(30000, 100000)", []float32{1}), labels3, images2, labels2), npz(stored, images3, labels3), []byte("PK"), nil,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		var set *Set
		var err error
		within(t, 8*unpacked(input), func() { set, err = readNPZ(bytes.NewReader(input), int64(len(input))) })
		sound(t, set, err)
	})
}

// FuzzReadNPZArrays puts arrays into a whole archive, so that checksums do not hide them.
func FuzzReadNPZArrays(f *testing.F) {
	f.Add(images3, labels3, false)
	f.Add(floats3, labels3, true)
	f.Add(npy(2, "(4294967296, 4294967296)", []float32{1}), npy(1, "(2, 1)", []int8{1, -1}), true)
	f.Add(npy(3, "(1, 2)", []float32{1, 2}), npy(2, "(1,)", []int16{1}), false)
	f.Fuzz(func(t *testing.T, x, y []byte, deflate bool) {
		method := uint16(stored)
		if deflate {
			method = deflated
		}
		input := npz(method, x, y, x, y)
		var set *Set
		var err error
		within(t, 8*unpacked(input), func() { set, err = readNPZ(bytes.NewReader(input), int64(len(input))) })
		sound(t, set, err)
		h, err := readNPYHeader(bytes.NewReader(x))
		if set != nil && (err != nil || len(x) < int(h.bytes)+set.Train.N*set.Train.Size()) {
			t.Errorf("%+v of an array of %d bytes, %v", h, len(x), err)
		}
	})
}

// What two tables hold is a sound set or an error.
func FuzzReadCSV(f *testing.F) {
	for _, seed := range []string{
		"1.5,-2,0\n0,4,3\n", "\ufeffx,Label,y\n1.5,0,-2\n\"0\",3,4\n", "x,y,c\n1,,0\n", "1,NaN,0\n", "1,2,1e9\n", "1;2\n", "a,a\r\n\r\n0x1p-3,1\r\n", ",,\n", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		var a *table
		var err error
		within(t, 256*len(input), func() { a, err = readCSV(bytes.NewReader(input)) })
		if err != nil {
			return
		}
		set, err := together("a", a.Split, "b", a.Split)
		sound(t, set, err)
	})
}

// sound requires that a set that was read is one.
func sound(t *testing.T, set *Set, err error) {
	t.Helper()
	if err != nil {
		return
	}
	set.Name = "fuzz"
	if err := set.Validate(); err != nil {
		t.Error(err)
	}
}

// FuzzReadVerified feeds hostile downloads: none but the right content passes.
func FuzzReadVerified(f *testing.F) {
	content := idx([]byte{3, 9}, 2)
	want := describe("labels", content)
	f.Add(content)
	f.Add(gzipped(content))
	f.Add(gzipped(append(slices.Clone(content), 1)))
	f.Add(flip(gzipped(content), 11))
	f.Fuzz(func(t *testing.T, input []byte) {
		got, err := readVerified(bytes.NewReader(input), want)
		if err == nil && !bytes.Equal(got, content) {
			t.Fatalf("%x passed for %x", got, content)
		}
	})
}
