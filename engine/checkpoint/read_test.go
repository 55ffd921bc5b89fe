package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// sparse makes a file that is size bytes long and begins with data.
func sparse(t *testing.T, data []byte, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "w")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Skip(err)
	}
	return path
}

// A file is judged by its header alone: 2 GiB that are not wanted cost nothing, nor
// does a header that no network has.
func TestJudgedBeforeRead(t *testing.T) {
	header := `{"__metadata__":{"driftless":"of another network"},
		"big":{"dtype":"F32","shape":[16384,32768],"data_offsets":[0,2147483648]},
		"small":{"dtype":"F32","shape":[3],"data_offsets":[2147483648,2147483660]}}`
	path := sparse(t, file(header, ""), 8+int64(len(header))+2147483660)
	got := allocated(func() {
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if f.Metadata()["driftless"] != "of another network" {
			t.Errorf("metadata %v", f.Metadata())
		}
		is := f.Tensors()
		if len(is) != 2 || is[0].Name != "big" || is[0].DType != "F32" || is[0].Len() != 1<<29 || !slices.Equal(is[0].Shape, []int{16384, 32768}) {
			t.Errorf("tensors %+v", is)
		}
		small, err := f.Tensor("small")
		if err != nil || fmt.Sprint(small) != "{small [3] [0 0 0]}" {
			t.Errorf("read %v, %v", small, err)
		}
		if _, err := f.Tensor("none"); err == nil || !strings.Contains(err.Error(), path+` holds no tensor "none"`) {
			t.Errorf("a tensor that is not there gives %v", err)
		}
	})
	if got > 1<<20 {
		t.Errorf("a file of 2 GiB took %d bytes", got)
	}

	path = sparse(t, binary.LittleEndian.AppendUint64(nil, 20e6), 8+20e6)
	got = allocated(func() {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "its header claims 20000000 bytes, the limit is") {
			t.Errorf("a header of 20 MB gives %v", err)
		}
	})
	if got > 1<<20 {
		t.Errorf("a header of 20 MB took %d bytes", got)
	}
}

// The worst that a header of the largest size holds stays within tens of megabytes.
func TestHeaderMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	fill := func(begin, part, end string) []byte {
		var b strings.Builder
		b.WriteString(begin)
		for i := 0; b.Len() < maxHeader-100; i++ {
			fmt.Fprintf(&b, part, i)
		}
		b.WriteString(end)
		return []byte(b.String())
	}
	for name, header := range map[string][]byte{
		"tensors":  fill(`{`, `"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},`, `"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`),
		"metadata": fill(`{"__metadata__":{`, `"%d":"",`, `"x":""}}`),
		"axes":     []byte(`{"x":{"dtype":"U8","shape":[0` + strings.Repeat(",0", maxHeader/2-50) + `],"data_offsets":[0,0]}}`),
		"nesting":  []byte(`{"x":` + strings.Repeat("[", maxHeader-5)),
		"members":  fill(`{`, `"%d":{`, ``),
	} {
		got := allocated(func() {
			_, _, err := parseHeader(header, 0)
			if ok := name == "tensors" || name == "metadata"; ok != (err == nil) {
				t.Errorf("%s: %v", name, err)
			}
		})
		t.Logf("%s: %d bytes for %d", name, got, len(header))
		if got > 48<<20 {
			t.Errorf("%s: a header of %d bytes took %d", name, len(header), got)
		}
	}
}

// Writing and reading a tensor take no second copy of it.
func TestStreams(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	x := make([]float32, 8<<20)
	for i := range x {
		x[i] = float32(i)
	}
	path := filepath.Join(t.TempDir(), "w")
	if got := allocated(func() {
		if err := Write(path, []Tensor{{Name: "x", Shape: []int{len(x)}, Data: x}}, nil); err != nil {
			t.Fatal(err)
		}
	}); got > 1<<20 {
		t.Errorf("writing %d bytes took %d", 4*len(x), got)
	}
	var read Tensor
	if got := allocated(func() {
		ts, _, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		read = ts[0]
	}); got > uint64(4*len(x)+1<<20) {
		t.Errorf("reading %d bytes took %d", 4*len(x), got)
	}
	if !slices.Equal(read.Data.([]float32), x) {
		t.Error("what is read differs from what was written")
	}
}

// A file that shrinks after it was opened gives an error.
func TestShrinks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w")
	if err := Write(path, []Tensor{{Name: "x", Shape: []int{100000}, Data: make([]float32, 100000)}}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Truncate(path, 1000); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Tensor("x"); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("error %v, want one that says that the file was cut short", err)
	}
}

// Every number of the two half types is read exactly. What a number is comes from the
// definition of its format: sign, exponent, fraction.
func TestHalfTypes(t *testing.T) {
	for _, c := range []struct {
		dtype          string
		exponent, bias int // bits of it
	}{{"F16", 5, 15}, {"BF16", 8, 127}} {
		var data []byte
		for b := range 1 << 16 {
			data = binary.LittleEndian.AppendUint16(data, uint16(b))
		}
		header := fmt.Sprintf(`{"h":{"dtype":"%s","shape":[65536],"data_offsets":[0,131072]}}`, c.dtype)
		f, err := open("halves", bytes.NewReader(file(header, string(data))), int64(8+len(header)+len(data)))
		if err != nil {
			t.Fatal(err)
		}
		h, err := f.Tensor("h")
		if err != nil {
			t.Fatal(err)
		}
		fraction := 15 - c.exponent
		for b, got := range h.Data.([]float32) {
			e, m := b>>fraction&(1<<c.exponent-1), float64(b&(1<<fraction-1))/float64(int(1)<<fraction)
			var want float64
			switch e {
			case 1<<c.exponent - 1:
				if want = math.Inf(1); m != 0 {
					want = math.NaN()
				}
			case 0:
				want = math.Ldexp(m, 1-c.bias)
			default:
				want = math.Ldexp(1+m, e-c.bias)
			}
			if b>>15 == 1 {
				want = math.Copysign(want, -1)
			}
			if math.IsNaN(want) != math.IsNaN(float64(got)) || !math.IsNaN(want) && (float64(got) != want || math.Signbit(want) != math.Signbit(float64(got))) {
				t.Fatalf("%s 0x%04x is %v, want %v", c.dtype, b, got, want)
			}
		}
	}
}

func TestFloat32s(t *testing.T) {
	x := []float32{1, 2}
	if got, err := (Tensor{Data: x}).Float32s(); err != nil || &got[0] != &x[0] {
		t.Errorf("float32: %v, %v, want the slice itself", got, err)
	}
	wide := Tensor{Data: []float64{1.0 / 3, 1e300, -1e300, 1e-300, math.NaN()}}
	got, err := wide.Float32s()
	if want := fmt.Sprint([]float32{1.0 / 3, float32(math.Inf(1)), float32(math.Inf(-1)), 0, float32(math.NaN())}); err != nil || fmt.Sprint(got) != want {
		t.Errorf("float64: %v, %v, want %v", got, err, want)
	}
	if _, err := (Tensor{Name: "steps", Data: []int64{1}}).Float32s(); err == nil || !strings.Contains(err.Error(), `"steps" holds I64 elements`) {
		t.Errorf("int64: %v", err)
	}
}

func TestNonFinite(t *testing.T) {
	for _, c := range []struct {
		data any
		want int
	}{
		{[]float32{}, -1},
		{[]float32{math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32}, -1},
		{[]float32{0, float32(math.NaN()), float32(math.Inf(1))}, 1},
		{[]float32{0, 1, float32(math.Inf(-1))}, 2},
		{[]float64{math.MaxFloat64, math.Inf(1)}, 1},
		{[]float64{math.NaN()}, 0},
		{[]float64{math.MaxFloat64}, -1},
		{[]int64{math.MinInt64}, -1},
	} {
		if got := (Tensor{Data: c.data}).NonFinite(); got != c.want {
			t.Errorf("%v: %d, want %d", c.data, got, c.want)
		}
	}
}

func BenchmarkTensor(b *testing.B) {
	x := make([]float32, 4<<20)
	path := filepath.Join(b.TempDir(), "w")
	if err := Write(path, []Tensor{{Name: "x", Shape: []int{len(x)}, Data: x}}, nil); err != nil {
		b.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	b.SetBytes(int64(4 * len(x)))
	for b.Loop() {
		if _, err := f.Tensor("x"); err != nil {
			b.Fatal(err)
		}
	}
}
