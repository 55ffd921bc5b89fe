package dataset

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// npy encodes numbers as a .npy array of that version.
func npy(version byte, shape string, data any) []byte {
	descr := map[string]string{"[]uint8": "|u1", "[]int8": "|i1", "[]int16": "<i2", "[]uint32": "<u4", "[]int64": "<i8", "[]float32": "<f4", "[]float64": "<f8"}[fmt.Sprintf("%T", data)]
	return npyOf(version, fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, shape), data)
}

func npyOf(version byte, header string, data any) []byte {
	header += strings.Repeat(" ", 63-(len(header)+10)%64) + "\n"
	out := append([]byte(npyMagic), version, 0)
	if version == 1 {
		out = binary.LittleEndian.AppendUint16(out, uint16(len(header)))
	} else {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(header)))
	}
	out = append(out, header...)
	out, err := binary.Append(out, binary.LittleEndian, data)
	if err != nil {
		panic(err)
	}
	return out
}

// npz archives x_train, y_train, x_test, y_test, those that are not nil.
func npz(method uint16, arrays ...[]byte) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i, a := range arrays {
		if a == nil {
			continue
		}
		f, err := w.CreateHeader(&zip.FileHeader{Name: npzArrays[i] + ".npy", Method: method})
		if err != nil {
			panic(err)
		}
		f.Write(a)
	}
	w.Close()
	return b.Bytes()
}

const (
	stored   = zip.Store
	deflated = zip.Deflate
)

var (
	labels3 = npy(1, "(3,)", []int64{0, 3, 1})
	labels2 = npy(1, "(2, 1)", []uint8{2, 0})
	images3 = npy(1, "(3, 12, 9, 3)", noise(3*12*9*3))
	images2 = npy(3, "(2, 12, 9, 3)", noise(2*12*9*3))
	floats3 = npy(2, "(3, 2)", []float64{1.5, -2, 0, 4, 1e-3, 7})
	floats2 = npy(1, "(2, 2)", []float64{1, 2, 3, 4})
)

// wantImages is the set of images that every kind of file holds.
func wantImages(channels int) *Set {
	split := func(labels ...int) Split {
		return Split{Images: noise(len(labels) * 12 * 9 * channels), Labels: labels, N: len(labels), Rows: 12, Cols: 9, Channels: channels}
	}
	return &Set{Train: split(0, 3, 1), Test: split(2, 0), Classes: 4}
}

func wantFeatures() *Set {
	return &Set{Train: Split{Features: []float32{1.5, -2, 0, 4, 1e-3, 7}, Labels: []int{0, 3, 1}, N: 3, Rows: 1, Cols: 2, Channels: 1},
		Test: Split{Features: []float32{1, 2, 3, 4}, Labels: []int{2, 0}, N: 2, Rows: 1, Cols: 2, Channels: 1}, Classes: 4}
}

// What files of each kind hold is what comes back.
func TestOpen(t *testing.T) {
	for _, c := range []struct {
		name  string
		open  string // --data, below the folder
		files map[string][]byte
		want  *Set
	}{
		{"folder", "set", map[string][]byte{
			"set/train-images-idx3-ubyte": idx(noise(3*12*9), 3, 12, 9), "set/train-labels-idx1-ubyte": idx([]byte{0, 3, 1}, 3),
			"set/t10k-images-idx3-ubyte.gz": gzipped(idx(noise(2*12*9), 2, 12, 9)), "set/t10k-labels-idx1-ubyte": idx([]byte{2, 0}, 2)}, wantImages(1)},
		{"folder with channels", "set", map[string][]byte{
			"set/train-images-idx4-ubyte": idx(noise(3*12*9*3), 3, 12, 9, 3), "set/train-labels-idx1-ubyte": idx([]byte{0, 3, 1}, 3),
			"set/t10k-images-idx3-ubyte": idx(noise(2*12*9*3), 2, 12, 9, 3), "set/t10k-labels-idx1-ubyte": idx([]byte{2, 0}, 2)}, wantImages(3)},
		{"npz", "a.npz", map[string][]byte{"a.npz": npz(stored, images3, labels3, images2, labels2)}, wantImages(3)},
		{"npz, deflated", "a.NPZ", map[string][]byte{"a.NPZ": npz(deflated, images3, npy(2, "(3,)", []int16{0, 3, 1}), images2, npy(1, "(2,)", []uint32{2, 0}))}, wantImages(3)},
		{"npz of floats", "a.npz", map[string][]byte{"a.npz": npz(deflated, floats3, labels3, npy(1, "(2, 2)", []float32{1, 2, 3, 4}), labels2)}, wantFeatures()},
		{"csv", "a.csv,b.csv", map[string][]byte{"a.csv": []byte("1.5,-2,0\n0,4,3\n1e-3,7,1\n"), "b.csv": []byte("1, 2, 2.0\r\n\r\n3,4,0")}, wantFeatures()},
		{"csv with header", "a.csv,b.csv", map[string][]byte{
			"a.csv": []byte("\ufeffx,Label,y\n1.5,0,-2\n\"0\",3,4\n1e-3,1,7\n"), "b.csv": []byte("x,Label,y\n1,2,2\n3,0,4\n")}, wantFeatures()},
		{"csv, label last", "a.csv,b.csv", map[string][]byte{"a.csv": []byte("x,y,z\n1.5,-2,0\n0,4,3\n1e-3,7,1\n"), "b.csv": []byte("x,y,z\n1,2,2\n3,4,0\n")}, wantFeatures()},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			for name, data := range c.files {
				write(t, filepath.Dir(name), map[string][]byte{filepath.Base(name): data})
			}
			path := c.open
			if path == "set" {
				path = "./set"
			}
			got, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			if c.want.Name = path; !reflect.DeepEqual(got, c.want) {
				t.Errorf("read %+v, want %+v", got, c.want)
			}
		})
	}
}

// Every fault of a file is one sentence that names the place.
func TestOpenRefuses(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	nan, inf := float32(math.NaN()), math.Inf(1)
	badSum := npz(stored, images3, labels3, images2, labels2)
	badSum[200] ^= 1
	huge := npy(1, "(100000, 50000)", []float32{1})
	for _, c := range []struct {
		data string // CSV of training, or the .npz
		want string
	}{
		{"", "a.csv: it has no rows"},
		{"a,b\n", "a.csv: it has no rows"},
		{"1\n", "a.csv: line 1 has one column"},
		{"1;2\n3;4\n", "a.csv: line 1 has one column"},
		{"1,2,0\n1,2\n", "a.csv: line 2 has 2 columns, and the first line 3"},
		{"x,y,c\n1,red,0\n", `a.csv: line 2, column 2 (y): "red" is not a number: encode it as one`},
		{"x,y,c\n1,,0\n", "a.csv: line 2, column 2 (y): the cell is empty"},
		{"1,2,0\n1,NaN,0\n", "a.csv: line 2, column 2: NaN is not finite in float32"},
		{"1,2,0\n1,1e39,0\n", "a.csv: line 2, column 2: 1e39 is not finite in float32"},
		{"x,y,c\n1,2,red\n", `a.csv: line 2, column 3 (c): the label "red" is not a whole number: number the classes from 0`},
		{"label,y,c\n-1,2,3\n", "a.csv: line 2, column 1 (label): the label -1 is negative: number the classes from 0"},
		{"1,2,0.5\n", "a.csv: line 1, column 3: the label 0.5 is not a whole number"},
		{"1,2,NaN\n", "a.csv: line 1, column 3: the label NaN is not a whole number"},
		{"1,2,65536\n", "the label 65536 is beyond 65535"},
		{",x,y\n0,1,0\n", "line 1: column 1 has no name: leave it out if it is an index"},
		{"label,x,LABEL\n0,1,0\n", "line 1 names 2 columns label: leave one"},
		{"1,2,0\n1,\"2\"x,0\n", "a.csv: line 2, character 5: "},
		{"1,2,0\n", "all labels of a.csv and b.csv are 0"},
		{"1,0\n", "a.csv has examples of 1 features and b.csv of 2 features: make them alike"},
		{"x,y,c\n1,2,0\n", "a.csv begins with the names x,y,c and b.csv with numbers"},

		{"PK", "a.npz: it is not a .npz file ("},
		{string(npz(stored, images3, labels3, images2)), "a.npz: it holds no array y_test: it needs x_train, y_train, x_test, y_test"},
		{string(badSum), "x_train: "},
		{string(npz(stored, []byte("no array"), labels3, images2, labels2)), "x_train: it is not a .npy array"},
		{string(npz(stored, images3[:20], labels3, images2, labels2)), "x_train: it is truncated"},
		{string(npz(stored, images3[:len(images3)-1], labels3, images2, labels2)), "x_train: its shape (3, 12, 9, 3) of |u1 takes 972 bytes, and 971 follow its header"},
		{string(npz(stored, npy(9, "(3,)", []uint8{1}), labels3, images2, labels2)), "x_train: its .npy version is 9"},
		{string(npz(stored, npyOf(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 2), }", []float32{1}), labels3, images2, labels2)), "x_train: it is in Fortran order"},
		{string(npz(stored, npyOf(1, "{'descr': '|O', 'fortran_order': False, 'shape': (3, 2), }", []float32{1}), labels3, images2, labels2)), "x_train: it holds Python objects"},
		{string(npz(stored, npyOf(1, "{'descr': '>f4', 'fortran_order': False, 'shape': (3, 2), }", []float32{1}), labels3, images2, labels2)), "save it with .astype('<f4')"},
		{string(npz(stored, npyOf(1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3, 2), }", []float32{1}), labels3, images2, labels2)), "does not give one element type"},
		{string(npz(stored, npy(1, "(3,)", []uint8{1, 2, 3}), labels3, images2, labels2)), "x_train: its shape is (3,), want (n, features), "},
		{string(npz(stored, npy(1, "(3, 1)", []int64{1, 2, 3}), labels3, images2, labels2)), "x_train: its elements are <i8: save pixels with"},
		{string(npz(stored, npy(1, "(0, 4)", []uint8{}), labels3, images2, labels2)), "x_train: its shape (0, 4) has no elements"},
		{string(npz(stored, huge, labels3, images2, labels2)), "has more elements than the limit"},
		{string(npz(stored, npy(1, "(3, 2)", []float32{1, 2, 3, nan, 5, 6}), labels3, images2, labels2)), "x_train: [1, 1] is NaN: features are finite"},
		{string(npz(stored, npy(1, "(3, 2)", []float64{1, 2, 3, 4, inf, 6}), labels3, images2, labels2)), "x_train: [2, 0] is +Inf"},
		{string(npz(stored, images3, npy(1, "(3, 4)", make([]int64, 12)), images2, labels2)), "y_train: its shape is (3, 4), want (n,): of one-hot rows save .argmax(axis=1)"},
		{string(npz(stored, images3, npy(1, "(3,)", []float32{1, 2, 3}), images2, labels2)), "y_train: its elements are <f4"},
		{string(npz(stored, images3, npy(1, "(3,)", []int8{1, -2, 3}), images2, labels2)), "y_train: [1]: the label -2 is negative"},
		{string(npz(stored, images3, npy(1, "(2,)", []int8{1, 3}), images2, labels2)), "x_train has 3 examples and y_train 2 labels"},
		{string(npz(stored, images3, labels3, floats2, labels2)), "x_train has examples of 12×9×3 pixels and x_test of 2 features"},
		{string(npz(stored, images3, npy(1, "(3,)", make([]int8, 3)), images2, npy(1, "(2,)", make([]int8, 2)))), "all labels of x_train and x_test are 0"},
		{string(npz(deflated, npy(1, "(1, 30000000)", make([]uint8, 30000000)), labels3, images2, labels2)), "its arrays claim more than 100 times its"},
	} {
		t.Run(c.want, func(t *testing.T) {
			t.Chdir(t.TempDir())
			path := "a.csv,b.csv"
			write(t, ".", map[string][]byte{"a.csv": []byte(c.data), "b.csv": []byte("1,2,0\n")})
			if strings.HasPrefix(c.data, "PK") {
				path = "a.npz"
				write(t, ".", map[string][]byte{path: []byte(c.data)})
			}
			_, err := Open(path)
			refused(t, err, c.want)
		})
	}
}

func refused(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v, want one sentence with %q", err, want)
	}
}

func TestOpenPaths(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "empty", nil)
	write(t, ".", map[string][]byte{"x.txt": nil})
	for data, want := range map[string]string{
		"mine":          `unknown data set "mine": choose one of mnist, fashion, synthetic, or files of your own`,
		"a.csv":         `"a.csv" is not two CSV files`,
		"a.csv,b.csv,":  `unknown data set "a.csv,b.csv,"`,
		"a.csv,b.npz":   "a.csv,b.npz: file does not exist: check the path",
		"a.csv,b.csv":   "a.csv: file does not exist: check the path",
		"a.npz":         "a.npz: file does not exist: check the path",
		"./none":        "./none: file does not exist: give a folder of IDX files, FILE.npz or train.csv,test.csv",
		"./x.txt":       "./x.txt is neither a folder of IDX files nor called .npz or .csv",
		"./empty":       "empty/train-images-idx3-ubyte: file does not exist, neither plain nor as .gz: put the files",
		"x.txt,b.csv":   "is not two CSV files",
		"./empty/a.npz": "./empty/a.npz: file does not exist",
	} {
		_, err := Open(data)
		refused(t, err, want)
	}
	if err := os.Mkdir("dir.npz", 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := Open("dir.npz")
	refused(t, err, "dir.npz is a directory, not a file")
}

// A program's own set is checked before it is trained on.
func TestValidate(t *testing.T) {
	for want, spoil := range map[string]func(*Set){
		"":                                 func(*Set) {},
		"has no Name":                      func(s *Set) { s.Name = "" },
		"has 1 classes":                    func(s *Set) { s.Classes = 1 },
		"the training set of a has 0 exam": func(s *Set) { s.Train = Split{} },
		"Rows, Cols and Channels are 1":    func(s *Set) { s.Test.Channels = 0 },
		"has 1 labels for 2 examples":      func(s *Set) { s.Test.Labels = s.Test.Labels[:1] },
		"both Images and Features":         func(s *Set) { s.Train.Images = make([]uint8, 6) },
		"has 5 numbers for 3 examples of 2 features: ":                      func(s *Set) { s.Train.Features = s.Train.Features[:5] },
		"has 4 numbers for 2 examples of ":                                  func(s *Set) { s.Test.Rows, s.Test.Cols, s.Test.Channels = 1<<31, 1<<31, 1<<2 },
		"the test set of a has the label 3 in row 1":                        func(s *Set) { s.Test.Labels[1], s.Classes = 3, 3; s.Train.Labels = []int{0, 1, 2} },
		"has the label -1 in row 0":                                         func(s *Set) { s.Train.Labels[0] = -1 },
		"has the feature NaN in row 1, column 1":                            func(s *Set) { s.Train.Features[3] = float32(math.NaN()) },
		"training examples of 2 features and test examples of 2×1 features": func(s *Set) { s.Train = s.Train.Slice(0, 2); s.Test.Rows, s.Test.Cols = 2, 1 },
	} {
		s := wantFeatures()
		s.Name = "a"
		spoil(s)
		err := s.Validate()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
