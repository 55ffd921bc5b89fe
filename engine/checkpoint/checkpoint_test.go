package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nlpodyssey/safetensors"
)

func tensors() []Tensor {
	return []Tensor{
		{Name: "fc1.weight", Shape: []int{2, 3}, Data: []float32{1, -2.5, float32(math.Inf(1)), math.SmallestNonzeroFloat32, float32(math.Copysign(0, -1)), 6}},
		{Name: "norm1.num_batches_tracked", Data: []int64{-9e18}},
		{Name: "w64", Shape: []int{2}, Data: []float64{math.Pi, math.MaxFloat64}},
		{Name: "none", Shape: []int{0}, Data: []float32{}},
		{Name: "text", Shape: []int{3}, Data: []uint8("\x00\xff!")},
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
		{"negative shape", path, []Tensor{{Name: "a", Shape: []int{-1, -1}, Data: []float32{1}}}, "1 elements do not fill the shape [-1 -1]"},
		{"overflow", path, []Tensor{{Name: "a", Shape: []int{1 << 32, 1 << 32}, Data: []float32{}}}, "0 elements do not fill the shape"},
		{"many axes", path, []Tensor{{Name: "a", Shape: slices.Repeat([]int{1}, 65), Data: []float32{1}}}, "1 elements do not fill the shape"},
		{"control characters", path, []Tensor{{Name: "a\n", Data: []float32{1}}}, `the name of tensor "a\n" has control characters`},
		{"no UTF-8", path, []Tensor{{Name: "a\xff", Data: []float32{1}}}, "has control characters"},
		{"the metadata's name", path, []Tensor{{Name: "__metadata__", Data: []float32{1}}}, `cannot be called "__metadata__"`},
		{"what Open would refuse", path, []Tensor{{Name: strings.Repeat("a", 2<<20), Data: []float32{1}}}, "take 2097208 bytes, the limit is 1048576"},
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
		{"header over the limit", file("{"+strings.Repeat(" ", 20e6)+"}", ""), "its header claims 20000002 bytes, the limit is 1048576"},
		{"a list", file(`[]`, ""), "does not begin with {"},
		{"space first", file(` {}`, ""), "does not begin with {"},
		{"no end", file(`{"a":{"dtype":"F32"`, ""), "its header ends too early"},
		{"something after it", file(`{} {}`, ""), "goes on after its end"},
		{"no commas", file(`{"a" 1}`, ""), "its header is not JSON"},
		{"flags", file(`{"a":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}}`, "12"), `tensor "a" has element type BOOL, only F16, BF16, F32, F64, I64 and U8 are read`},
		{"unknown type", file(`{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}`, "1"), `tensor "a": its element type "F4" is not known`},
		{"shape and data differ", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, "1234"), "its 2 elements of type F32 take 8 bytes, and its data_offsets are 4 apart"},
		{"overflow", file(`{"a":{"dtype":"F32","shape":[4611686018427387905,4],"data_offsets":[0,16]}}`, "1234567812345678"), "it has an axis of 4611686018427387905"},
		{"overflow of a product", file(`{"a":{"dtype":"F32","shape":[65536,65536,65536,65536],"data_offsets":[0,0]}}`, ""), "too many elements"},
		{"backwards", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, "1234"), "are not a beginning and an end"},
		{"beyond the end", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, "1234"), "its tensors take 8 bytes, and 4 follow the header"},
		{"data that nobody has", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, "12345678"), "its tensors take 4 bytes, and 8 follow the header"},
		{"overlap", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, "12345678"), `tensor "b" begins at byte 4 of the data, where the tensors before it end at 8`},
		{"gap", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}`, "123456781234"), `tensor "b" begins at byte 8`},
		{"a name twice", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, "12345678"), `has "a" twice`},
		{"a shape twice", file(`{"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}`, "1234"), `has "shape" twice`},
		{"metadata twice", file(`{"__metadata__":{},"__metadata__":{"a":"b"}}`, ""), `has "__metadata__" twice`},
		{"a key of the metadata twice", file(`{"__metadata__":{"a":"b","a":"c"}}`, ""), `has "a" twice`},
		{"metadata that are no text", file(`{"__metadata__":{"a":1}}`, ""), "its header has 1 where a text is to be"},
		{"other case", file(`{"a":{"DType":"F32","shape":[1],"data_offsets":[0,4]}}`, "1234"), `"DType" is none of dtype`},
		{"no shape", file(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, "1234"), "is missing"},
		{"a broken number", file(`{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}`, "1234"), "its header has 1.0 where a whole number is to be"},
		{"many axes", file(`{"a":{"dtype":"F32","shape":[1`+strings.Repeat(",1", 64)+`],"data_offsets":[0,4]}}`, "1234"), "lists more than 64 numbers"},
		{"one offset", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4]}}`, "1234"), "are not a beginning and an end"},
		{"control characters", file(`{"a\u001b[2J":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, "1234"), `the name of tensor "a\x1b[2J" has control characters`},
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

// view is a tensor for the library, whose own view refuses scalars.
type view struct {
	dtype safetensors.DType
	shape []uint64
	data  []byte
}

func (v view) DType() safetensors.DType { return v.dtype }
func (v view) Shape() []uint64          { return v.shape }
func (v view) Data() []byte             { return v.data }
func (v view) DataLen() uint64          { return uint64(len(v.data)) }

// The bytes are those of the library that wrote the files before, in whatever order
// the tensors are given.
func TestBytesAreTheLibrarys(t *testing.T) {
	metadata := map[string]string{"driftless": `{"hidden":[2]}`, "<ü>": "\n", "a": ""}
	views := map[string]view{}
	for _, x := range tensors() {
		v := view{dtype: map[string]safetensors.DType{"F32": safetensors.F32, "F64": safetensors.F64, "I64": safetensors.I64, "U8": safetensors.U8}[dtypeOf(x.Data)], shape: []uint64{}}
		for _, d := range x.Shape {
			v.shape = append(v.shape, uint64(d))
		}
		var err error
		if v.data, err = binary.Append(nil, binary.LittleEndian, x.Data); err != nil {
			t.Fatal(err)
		}
		views[x.Name] = v
	}
	want, err := safetensors.Serialize(views, metadata)
	if err != nil {
		t.Fatal(err)
	}
	ts := tensors()
	for range len(ts) {
		ts = append(ts[1:], ts[0])
		path := filepath.Join(t.TempDir(), "w")
		if err := Write(path, ts, metadata); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("the file is\n%q\nthe library's is\n%q (%v)", got, want, err)
		}
	}
}

// Whatever the bytes, a file is read or refused: what is read fills its shape, is no
// larger than the input makes it, and is what the library reads.
func FuzzDecode(f *testing.F) {
	f.Add(sound(f))
	f.Add(file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"__metadata__":{"k":"v"}}`, "12345678"))
	f.Add(file(`{"a":{"dtype":"F32","shape":[4611686018427387905,4],"data_offsets":[0,16]}}`, "1234567812345678"))
	f.Add(file(`{"a":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"b":{"dtype":"F64","shape":[0],"data_offsets":[8,8]}}`, "12345678"))
	f.Add(file(`{"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},"b":{"dtype":"BF16","shape":[3],"data_offsets":[2,8]}}`, "12345678"))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := open("the file", bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		theirs, err := safetensors.Deserialize(data)
		newer := strings.Contains(fmt.Sprint(in.Tensors()), "F8_") // types that it does not know
		if err != nil && !newer {
			t.Fatalf("the library refuses it: %v", err)
		}
		total := 0
		for _, i := range in.Tensors() {
			x, err := in.Tensor(i.Name)
			if err != nil {
				continue // another type
			}
			v := reflect.ValueOf(x.Data)
			n := 1
			for _, d := range x.Shape {
				n *= d
			}
			if v.Len() != n || i.Len() != n {
				t.Errorf("%d elements for the shape %v", v.Len(), x.Shape)
			}
			total += v.Len() * int(v.Type().Elem().Size())
			if newer {
				continue
			}
			their, ok := theirs.Tensor(i.Name)
			if !ok || their.DType().String() != i.DType || len(their.Shape()) != len(x.Shape) {
				t.Fatalf("the library has %v %v for %+v", their.DType(), their.Shape(), i)
			}
			if i.DType == dtypeOf(x.Data) {
				if got, err := binary.Append(nil, binary.LittleEndian, x.Data); err != nil || !bytes.Equal(got, their.Data()) {
					t.Errorf("%q holds %x, for the library %x (%v)", i.Name, got, their.Data(), err)
				}
			}
		}
		if total > 2*len(data) { // F16 becomes float32
			t.Errorf("%d bytes from a file of %d", total, len(data))
		}
	})
}
