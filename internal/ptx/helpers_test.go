package ptx

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readFile returns a file of testdata.
func readFile(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func mustLoad(t testing.TB, file, src string) *Module {
	t.Helper()
	m, err := Load(file, []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// kernel returns a kernel of a file of testdata.
func kernel(t testing.TB, file, name string) *Kernel {
	t.Helper()
	k := mustLoad(t, file, readFile(t, file)).Kernel(name)
	if k == nil {
		t.Fatalf("%s has no kernel %s", file, name)
	}
	return k
}

// put allocates memory that holds v, a slice of numbers.
func put(t testing.TB, m *Memory, v any) uint64 {
	t.Helper()
	b, err := binary.Append(nil, binary.LittleEndian, v)
	if err != nil {
		t.Fatal(err)
	}
	p := alloc(t, m, len(b))
	if err := m.Write(p, b); err != nil {
		t.Fatal(err)
	}
	return p
}

func alloc(t testing.TB, m *Memory, n int) uint64 {
	t.Helper()
	p, err := m.Alloc(int64(n), t.Name())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// get reads n numbers.
func get[T any](t testing.TB, m *Memory, p uint64, n int) []T {
	t.Helper()
	v := make([]T, n)
	b := make([]byte, binary.Size(v))
	if err := m.Read(p, b); err != nil {
		t.Fatal(err)
	}
	if _, err := binary.Decode(b, binary.LittleEndian, v); err != nil {
		t.Fatal(err)
	}
	return v
}

// params lays out arguments of the sizes of their types.
func params(t testing.TB, k *Kernel, args ...any) []byte {
	t.Helper()
	b := make([]byte, k.ParamBytes())
	if len(args) != len(k.Params()) {
		t.Fatalf("%s has %d parameters, not %d", k.Name(), len(k.Params()), len(args))
	}
	for i, p := range k.Params() {
		if n, ok := args[i].(int); ok {
			args[i] = int32(n)
		}
		v, err := binary.Append(nil, binary.LittleEndian, args[i])
		if err != nil || len(v) != p.Size {
			t.Fatalf("%s, parameter %d: %d bytes instead of %d (%v)", k.Name(), i, len(v), p.Size, err)
		}
		copy(b[p.Offset:], v)
	}
	return b
}

func launch(t testing.TB, k *Kernel, m *Memory, grid, block Dim, shared int, args ...any) {
	t.Helper()
	if err := k.Launch(m, grid, block, shared, params(t, k, args...)); err != nil {
		t.Fatal(err)
	}
}

// wantFault checks a launch's error. Line is text of the PTX line that it must
// name.
func wantFault(t *testing.T, src string, err error, kind Kind, line string) *Fault {
	t.Helper()
	var f *Fault
	if !errors.As(err, &f) {
		t.Fatalf("no fault: %v", err)
	}
	if f.Kind != kind {
		t.Fatalf("%v instead of %v: %v", f.Kind, kind, f)
	}
	lines := strings.Split(src, "\n")
	if f.Line < 1 || f.Line > len(lines) || !strings.Contains(lines[f.Line-1], line) {
		t.Fatalf("the line is not that of %q: %v", line, f)
	}
	if f.Kernel == "" || f.File == "" || !strings.Contains(f.Error(), f.Kernel) || !strings.Contains(f.Error(), f.File) {
		t.Fatalf("kernel or file is missing: %v", f)
	}
	t.Log(f)
	return f
}

func normals(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

func wantBits(t testing.TB, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("element %d is %v instead of %v", i, got[i], want[i])
		}
	}
}

func replaceOnce(t testing.TB, s, old, new string) string {
	t.Helper()
	if strings.Count(s, old) != 1 {
		t.Fatalf("%q occurs %d times in %q", old, strings.Count(s, old), s)
	}
	return strings.Replace(s, old, new, 1)
}
