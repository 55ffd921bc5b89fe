package checkpoint

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func tensors() []Tensor {
	return []Tensor{
		{Name: "fc1.weight", Shape: []int{2, 3}, Data: []float32{1, -2.5, float32(math.Inf(1)), math.SmallestNonzeroFloat32, float32(math.Copysign(0, -1)), 6}},
		{Name: "norm1.num_batches_tracked", Data: []int64{-9e18}},
		{Name: "w64", Shape: []int{2}, Data: []float64{math.Pi, math.MaxFloat64}},
		{Name: "none", Shape: []int{0}, Data: []float32{}},
	}
}

// What is read is what was written, bit by bit.
func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	metadata := map[string]string{"driftless": `{"hidden":[2]}`, "ü": "\n"}
	for range 2 { // the second replaces the first
		if err := Write(path, tensors(), metadata); err != nil {
			t.Fatal(err)
		}
	}
	got, md, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(md, metadata) {
		t.Errorf("metadata %v, want %v", md, metadata)
	}
	byName := map[string]Tensor{}
	for _, x := range got {
		byName[x.Name] = x
	}
	for _, want := range tensors() {
		x := byName[want.Name]
		if !reflect.DeepEqual(x.Data, want.Data) || len(x.Shape) != len(want.Shape) {
			t.Errorf("%+v, want %+v", x, want)
		}
		for i := range want.Shape {
			if x.Shape[i] != want.Shape[i] {
				t.Errorf("%s: shape %v, want %v", want.Name, x.Shape, want.Shape)
			}
		}
		if v, ok := x.Data.([]float32); ok && len(v) > 4 && !math.Signbit(float64(v[4])) {
			t.Error("-0 became 0")
		}
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 || len(got) != len(tensors()) {
		t.Errorf("%d files, %d tensors", len(entries), len(got))
	}
}

// What cannot be written leaves the file as it was, and nothing beside it.
func TestWriteRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "w.safetensors")
	if err := os.WriteFile(path, []byte("before"), 0o644); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "folder")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path string
		ts         []Tensor
		want       string
	}{
		{"two of a name", path, []Tensor{{Name: "a", Data: []float32{1}}, {Name: "a", Data: []float32{1}}}, `two tensors are called "a"`},
		{"shape", path, []Tensor{{Name: "a", Shape: []int{3}, Data: []float32{1}}}, "1 elements do not fill the shape [3]"},
		{"type", path, []Tensor{{Name: "a", Data: []int8{1}}}, "elements of type []int8 are not supported"},
		{"a folder is there", folder, tensors(), "cannot write " + folder},
		{"no such folder", filepath.Join(dir, "no", "w"), tensors(), "cannot write " + filepath.Join(dir, "no", "w")},
	} {
		err := Write(c.path, c.ts, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) || strings.Contains(err.Error(), ".tmp") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if data, _ := os.ReadFile(path); string(data) != "before" {
		t.Errorf("the file holds %q", data)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("files were left behind: %v", entries)
	}
}

// sound is a file with one tensor of each type.
func sound(t testing.TB) []byte {
	path := filepath.Join(t.TempDir(), "w")
	if err := Write(path, tensors(), map[string]string{"k": "v"}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// file is a header with data after it.
func file(header, data string) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header+data...)
}

func TestReadRefuses(t *testing.T) {
	whole := sound(t)
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "0 bytes are too few"},
		{"no header", whole[:8], "its header claims"},
		{"half a header", whole[:20], "its header claims"},
		{"half the data", whole[:len(whole)-3], ""},
		{"more data", append(append([]byte{}, whole...), 0), ""},
		{"huge header", binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "its header claims"},
		{"no JSON", file("{", ""), ""},
		{"half type", file(`{"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}`, "12"), "only F32, F64 and I64 are read"},
		{"shape and data differ", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, "1234"), ""},
		{"overflow", file(`{"a":{"dtype":"F32","shape":[4611686018427387905,4],"data_offsets":[0,16]}}`, "1234567812345678"), ""},
		{"backwards", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, "1234"), ""},
		{"a huge axis", file(`{"a":{"dtype":"F32","shape":[0,4294967296],"data_offsets":[0,0]}}`, ""), "axis of 4294967296"},
	} {
		path := filepath.Join(t.TempDir(), "w")
		if err := os.WriteFile(path, c.data, 0o644); err != nil {
			t.Fatal(err)
		}
		_, _, err := Read(path)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if _, _, err := Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file gives %v", err)
	}
	if _, _, err := Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("a folder gives %v", err)
	}
}

// Whatever the bytes, decode returns: tensors whose data fill their shapes and
// are no larger than the input, or an error.
func FuzzDecode(f *testing.F) {
	f.Add(sound(f))
	f.Add(file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"__metadata__":{"k":"v"}}`, "12345678"))
	f.Add(file(`{"a":{"dtype":"F32","shape":[4611686018427387905,4],"data_offsets":[0,16]}}`, "1234567812345678"))
	f.Add(file(`{"a":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"b":{"dtype":"F64","shape":[0],"data_offsets":[8,8]}}`, "12345678"))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ts, _, err := decode(data)
		if err != nil {
			return
		}
		total := 0
		for _, x := range ts {
			n := 1
			for _, d := range x.Shape {
				n *= d
			}
			v := reflect.ValueOf(x.Data)
			if v.Len() != n {
				t.Errorf("%d elements for the shape %v", v.Len(), x.Shape)
			}
			total += v.Len() * int(v.Type().Elem().Size())
		}
		if total > len(data) {
			t.Errorf("%d bytes from a file of %d", total, len(data))
		}
	})
}
