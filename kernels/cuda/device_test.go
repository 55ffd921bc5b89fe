package cuda_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"driftless/internal/ptx"
	"driftless/kernels/cuda"
	"driftless/kernels/cuda/all"
	"driftless/kernels/cuda/fused"
)

// loaded is a kernel ready to run on the virtual device.
type loaded struct {
	cuda.Kernel
	code      *ptx.Kernel
	dependent bool
	form      string // sm_80 of one that is not for all devices
}

// capability is that of the device whose forms of the kernels the tests take. The oldest
// takes the kernels of clusters as well: it only lists them.
var capability = 75

// capabilities are those from which on devices take another form of a kernel.
var capabilities = func() []int {
	list := []int{75}
	for _, m := range all.Modules {
		for _, f := range m.Forms {
			list = append(list, f.Capability)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}()

// eachForm runs a test of kernels with each form that the file of one of them has, or with
// each that any has where it is "".
func eachForm(t *testing.T, kernel string, f func(t *testing.T)) {
	defer func(was int) { capability = was }(capability)
	for _, capability = range capabilities {
		has := func(m cuda.Module) bool {
			_, form := m.For(capability)
			return slices.ContainsFunc(m.Kernels, func(k cuda.Kernel) bool { return k.Name == kernel }) && form.Capability == capability
		}
		if kernel == "" || capability == capabilities[0] || slices.ContainsFunc(all.Modules, has) {
			t.Run(fmt.Sprintf("sm_%d", capability), f)
		}
	}
}

var byCapability = map[int]func() (map[string]loaded, error){}

// kernelsByName returns the kernels in the form for the capability.
func kernelsByName() (map[string]loaded, error) {
	load := byCapability[capability]
	if load == nil {
		capability := capability
		load = sync.OnceValues(func() (map[string]loaded, error) { return loadKernels(capability) })
		byCapability[capability] = load
	}
	return load()
}

func loadKernels(capability int) (map[string]loaded, error) {
	byName, files := map[string]loaded{}, map[string]bool{}
	for _, m := range all.Modules {
		file, form := m.For(capability)
		code, err := ptx.Load(file, []byte(form.PTX))
		if err != nil {
			return nil, err
		}
		if n := len(code.Kernels()); n != len(m.Kernels) || files[file] {
			return nil, fmt.Errorf("%s holds %d kernels and the table %d, or there are two", file, n, len(m.Kernels))
		}
		if target := code.Target(); target != max(75, form.Capability) {
			return nil, fmt.Errorf("%s is for sm_%d, and the table says %d", file, target, form.Capability)
		}
		files[file] = true
		for _, k := range m.Kernels {
			l := loaded{k, code.Kernel(k.Name), form.Dependent, ""}
			if file != m.File {
				l.form = fmt.Sprintf("sm_%d", form.Capability)
			}
			if l.code == nil {
				return nil, fmt.Errorf("%s holds no kernel %s", file, k.Name)
			}
			if _, twice := byName[k.Name]; twice {
				return nil, fmt.Errorf("there are two kernels %s", k.Name)
			}
			byName[k.Name] = l
		}
	}
	return byName, nil
}

func kernel(t testing.TB, name string) loaded {
	t.Helper()
	all, err := kernelsByName()
	if err != nil {
		t.Fatal(err)
	}
	k, ok := all[name]
	if !ok {
		t.Fatalf("no kernel %s", name)
	}
	return k
}

// number is an element of a tensor.
type number interface {
	float32 | float64 | int32 | int64 | uint8
}

// Replicas of every launch. The one in the middle has diverged: nothing of its may
// change.
const (
	replicas = 3
	diverged = 1
)

// launch collects the tensors of a launch, in the order of its arguments.
type launch struct {
	t       testing.TB
	k       loaded
	rand    *rand.Rand
	mem     *ptx.Memory
	tensors []cuda.Tensor
	after   []func() // reads a tensor back
}

func newLaunch(t testing.TB, name string) *launch {
	t.Helper()
	mem := ptx.NewMemory(1 << 30)
	mem.ReadUninitialised = true
	l := &launch{t: t, k: kernel(t, name), rand: rand.New(rand.NewPCG(1, 2)), mem: mem}
	if !l.k.NoControl {
		words := place[int64](l, 1, 1, 1)
		for r := range words.x {
			words.x[r][0] = -1
		}
		words.x[diverged][0] = 7
		words.upload()
	}
	return l
}

// asOperation has run do what strips can do as a strip of one operation, of this kernel.
var asOperation string

// didAsOperation counts the kernels that were.
var didAsOperation = map[string]int{}

// run launches the kernel over an m×d matrix.
func (l *launch) run(m, d int, ints []int, floats ...float64) {
	l.t.Helper()
	if asOperation != "" && fused.Operation(l.k.Name) && !strings.HasPrefix(l.k.Name, "gemm_tn") {
		op := fused.Op{Kernel: entry(l.t, l.k.Name), Tensors: l.tensors[1:], Ints: ints, Floats: floats}
		didAsOperation[cuda.Untiled(l.k.Name)]++
		l.k = kernel(l.t, asOperation)
		l.table(op.Cols(), op)
		return
	}
	l.launch(m, d, l.k.Params(l.tensors, ints, floats))
}

// table launches the kernel with a table of operations, over so many columns.
func (l *launch) table(cols int, ops ...fused.Op) {
	l.t.Helper()
	content := fused.Pack(ops)
	addr, err := l.mem.Alloc(int64(len(content)), "table")
	if err == nil {
		err = l.mem.Write(addr, content)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	l.launch(1, cols, l.k.Params([]cuda.Tensor{l.tensors[0], {Ptr: addr}}, []int{len(ops)}, nil))
}

func (l *launch) launch(m, d int, params []byte) {
	l.t.Helper()
	grid, block := l.k.Grid(m, d, replicas)
	launch := l.k.code.Launch
	if l.k.dependent {
		launch = l.k.code.LaunchDependent
	}
	if err := launch(l.mem, ptx.Dim(grid), ptx.Dim(block), 0, params); err != nil {
		l.t.Fatalf("%s %d×%d: %v", l.k.Name, m, d, err)
	}
	for _, f := range l.after {
		f()
	}
}

// null is an operand that is missing.
func (l *launch) null() { l.tensors = append(l.tensors, cuda.Tensor{}) }

// again passes a tensor a second time, as a result in place of an operand.
func again[T number](l *launch, b *tensor[T]) { l.tensors = append(l.tensors, b.at) }

// tensor is a matrix of each replica, with gaps between the rows.
type tensor[T number] struct {
	l              *launch
	rows, cols, ld int
	x              [][]T // before the launch, one a replica
	got            [][]T // after it
	at             cuda.Tensor
	written        bool // uploaded
}

// place makes a tensor whose bytes are all 0xff, which is what the device shows for
// memory that nothing has written.
func place[T number](l *launch, rows, cols, ld int) *tensor[T] {
	l.t.Helper()
	b := &tensor[T]{l: l, rows: rows, cols: cols, ld: ld}
	n := max(0, (rows-1)*ld+cols)
	size := binary.Size(T(0))
	// Replicas lie apart, at distances that keep 16 bytes aligned, or else do not.
	distance := (n*size/64 + 1) * 64
	if ld%4 != 0 {
		distance += size
		distance += (8 - distance%8) % 8
	}
	addr, err := l.mem.Alloc(int64(distance*replicas), fmt.Sprintf("tensor %d of %s", len(l.tensors), l.k.Name))
	if err != nil {
		l.t.Fatal(err)
	}
	b.at = cuda.Tensor{Ptr: addr, Distance: int64(distance)}
	for range replicas {
		b.x = append(b.x, decode[T](bytes.Repeat([]byte{0xff}, n*size)))
	}
	l.tensors = append(l.tensors, b.at)
	l.after = append(l.after, b.download)
	return b
}

// out is a result.
func out[T number](l *launch, rows, cols, ld int) *tensor[T] {
	l.t.Helper()
	return place[T](l, rows, cols, ld)
}

// in is an operand, or a result that has content, with elements from draw.
func in[T number](l *launch, rows, cols, ld int, draw func(*rand.Rand) T) *tensor[T] {
	l.t.Helper()
	b := place[T](l, rows, cols, ld)
	for r := range b.x {
		for i := range rows {
			for j := range cols {
				b.x[r][i*ld+j] = draw(l.rand)
			}
		}
	}
	b.upload()
	return b
}

// share makes the replicas of an operand one.
func (b *tensor[T]) share() *tensor[T] {
	b.at.Distance = 0
	b.l.tensors[len(b.l.tensors)-1] = b.at
	for r := range b.x {
		b.x[r] = b.x[0]
	}
	return b
}

func (b *tensor[T]) upload() {
	b.written = true
	size := uint64(binary.Size(T(0)))
	for r, x := range b.x {
		for i := range b.rows {
			at := b.at.Ptr + uint64(r)*uint64(b.at.Distance) + uint64(i*b.ld)*size
			if err := b.l.mem.Write(at, encode(x[i*b.ld:][:b.cols])); err != nil {
				b.l.t.Fatal(err)
			}
		}
	}
}

func (b *tensor[T]) download() {
	for r, x := range b.x {
		raw := make([]byte, len(x)*binary.Size(T(0)))
		if len(raw) > 0 {
			if err := b.l.mem.Read(b.at.Ptr+uint64(r)*uint64(b.at.Distance), raw); err != nil {
				b.l.t.Fatal(err)
			}
		}
		b.got = append(b.got, decode[T](raw))
	}
}

// check compares what the kernel left of a tensor with what want makes of its
// content before; without want it must be as it was. Bits are the same, but those of
// a NaN that the kernel computed.
func (b *tensor[T]) check(name string, want func(r int, x []T)) {
	b.l.t.Helper()
	for r := range b.x {
		expect := append([]T(nil), b.x[r]...)
		computed := want != nil && r != diverged
		if computed {
			want(r, expect)
		}
		for i, v := range expect {
			g := b.got[r][i]
			if bits(v) == bits(g) || computed && v != v && g != g && i%b.ld < b.cols {
				continue
			}
			b.l.t.Fatalf("%s: %s of replica %d at (%d,%d) is %v (%#x), want %v (%#x)", b.l.k.Name, name, r, i/b.ld, i%b.ld, g, bits(g), v, bits(v))
		}
	}
}

func bits[T number](x T) uint64 {
	switch v := any(x).(type) {
	case float32:
		return uint64(math.Float32bits(v))
	case float64:
		return math.Float64bits(v)
	}
	return uint64(x)
}

func encode[T number](x []T) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, x)
	if err != nil {
		panic(err)
	}
	return b
}

func decode[T number](b []byte) []T {
	x := make([]T, len(b)/binary.Size(T(0)))
	if _, err := binary.Decode(b, binary.LittleEndian, x); err != nil {
		panic(err)
	}
	return x
}

// ---- what tensors hold ----

// mode draws an element.
type mode struct {
	name string
	draw func(*rand.Rand) float32
}

var specials = []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0, float32(math.Copysign(0, -1)),
	1e-45, -1e-45, 1.1754944e-38, math.MaxFloat32, -math.MaxFloat32, 1, -1, 0.625, 88.5, -88, -103.9, 1e-30}

var (
	ordinary = mode{"ordinary", func(r *rand.Rand) float32 { return float32(r.NormFloat64()) }}
	// wide spreads over all magnitudes that functions tell apart.
	wide = mode{"wide", func(r *rand.Rand) float32 {
		return float32(r.NormFloat64() * math.Exp(r.NormFloat64()*4))
	}}
	// tiny makes products of two round to 0 and -0, or to subnormal numbers.
	tiny = mode{"tiny", func(r *rand.Rand) float32 {
		return float32(r.NormFloat64() * math.Pow(10, -25+4*r.Float64()))
	}}
	// faint makes every product of two round to 0 or -0.
	faint = mode{"faint", func(r *rand.Rand) float32 { return float32(r.NormFloat64() * 1e-30) }}

	special = mode{"special", func(r *rand.Rand) float32 {
		if r.IntN(8) == 0 {
			return specials[r.IntN(len(specials))]
		}
		return float32(r.NormFloat64())
	}}
	// positive is what can be a variance.
	positive = mode{"positive", func(r *rand.Rand) float32 { return float32(math.Abs(r.NormFloat64())) + 1e-6 }}

	modes = []mode{ordinary, wide, special}
)

func constant[T number](v T) func(*rand.Rand) T { return func(*rand.Rand) T { return v } }

// shape is the size of a matrix, and how much longer than a row its rows lie apart.
type shape struct{ m, d, gap int }

var shapes = []shape{{1, 1, 0}, {3, 5, 0}, {7, 33, 3}, {12, 64, 0}, {60, 100, 12}, {65, 10, 6}, {2, 131, 1}}

// tall are those that take several rounds of a tall strip's threads, and two of its memory.
var tall = []shape{{520, 9, 3}}

// sweep runs f for every shape and mode.
func sweep(t *testing.T, f func(t *testing.T, s shape, v mode)) {
	all := shapes
	if asOperation == "tall_strip" {
		all = append(tall, shapes...)
	}
	for _, s := range all {
		for _, v := range modes {
			t.Run(fmt.Sprintf("%d×%d+%d/%s", s.m, s.d, s.gap, v.name), func(t *testing.T) { f(t, s, v) })
		}
	}
}
