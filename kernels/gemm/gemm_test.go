package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"driftless/kernels"
	"driftless/kernels/activation"
)

func testSmall[T kernels.Float](t *testing.T) {
	sizes := []int{0, 1, 2, 3, 4, 5, 8, 13}
	eachTrans(t, func(t *testing.T, transA, transB bool) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, m := range sizes {
			for _, n := range sizes {
				for _, k := range sizes {
					for pad := range 2 {
						newProblem(transA, transB, m, n, k, pad, normal[T](r), normal[T](r)).check(t)
					}
				}
			}
		}
	})
}

func TestSmall(t *testing.T) {
	t.Run("float32", testSmall[float32])
	t.Run("float64", testSmall[float64])
}

// testTiles takes every number of rows and of columns that ends in another tile.
func testTiles[T kernels.Float](t *testing.T) {
	eachTrans(t, func(t *testing.T, transA, transB bool) {
		r := rand.New(rand.NewPCG(3, 4))
		for m := 1; m <= 26; m += 1 + m/14 {
			for _, n := range []int{1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 24, 31, 32, 33, 40, 47, 48, 49, 63, 64, 65, 79, 80, 83, 100, 127, 128, 129, 146} {
				x := newProblem(transA, transB, m, n, 3+(m+n)%7, m%3, normal[T](r), normal[T](r))
				x.add = (m+n)%2 == 0
				x.check(t)
			}
		}
		for m := 8; m <= 51; m++ { // few columns left over, in tiles of up to 48 rows
			x := newProblem(transA, transB, m, 32+1+m%4, 1+m%9, m%3, normal[T](r), normal[T](r))
			x.add, x.ep.Bias = m%2 == 0, bias[T](r, x.n)
			x.check(t)
		}
	})
}

func TestTiles(t *testing.T) {
	t.Run("float32", testTiles[float32])
	t.Run("float64", testTiles[float64])
}

func testLarge[T kernels.Float](t *testing.T) {
	eachTrans(t, func(t *testing.T, transA, transB bool) {
		r := rand.New(rand.NewPCG(5, 6))
		for _, v := range []struct{ m, n, k, pad int }{
			{61, 100, 113, 3}, {1, 300, 64, 1}, {3, 133, 65, 0}, {30, 100, 784, 4}, {149, 65, 40, 3},
			{5, 7, 1024, 1}, {13, 33, 1025, 1}, {2, 3, 2100, 1}, {9, 17, 3073, 1}, {25, 64, 1100, 0}, // chunks
			{12, 1040, 40, 5}, {150, 1100, 33, 1}, {300, 70, 50, 0}, // blocks
			{24, 256, 48, 0}, {24, 72, 512, 0}, {256, 80, 40, 0}, // bad strides
		} {
			for _, add := range []bool{false, true} {
				x := newProblem(transA, transB, v.m, v.n, v.k, v.pad, normal[T](r), normal[T](r))
				x.add, x.alpha = add, 0.7
				x.check(t)
			}
		}
	})
}

func TestLarge(t *testing.T) {
	t.Run("float32", testLarge[float32])
	if !testing.Short() {
		t.Run("float64", testLarge[float64])
	}
}

// testPacked takes the ways through a product that only large ones take: several
// blocks, packed or not, over several chunks.
func testPacked[T kernels.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, v := range []struct {
		transA, transB bool
		m, n, k, pad   int
	}{
		{false, false, 150, 110, 1030, 1}, {true, false, 160, 70, 1030, 1}, {true, false, 400, 67, 1026, 1}, {false, true, 150, 70, 1040, 0}, {true, true, 146, 67, 1026, 2},
		{true, false, 300, 700, 9, 1}, {false, true, 300, 700, 9, 1}, // shallow
		{true, false, 205, 5, 600, 1}, {true, false, 300, 10, 1030, 1}, {true, false, 1500, 16, 70, 0}, {true, false, 301, 13, 1030, 1}, // narrow
	} {
		x := newProblem(v.transA, v.transB, v.m, v.n, v.k, v.pad, normal[T](r), normal[T](r))
		x.alpha, x.ep = -0.3, Epilogue[T]{Bias: bias[T](r, v.n), Act: activation.ReLU}
		x.check(t)
		x.add, x.ep = true, Epilogue[T]{}
		x.check(t)
	}
}

func TestPacked(t *testing.T) {
	t.Run("float32", testPacked[float32])
	t.Run("float64", testPacked[float64])
}

func bias[T kernels.Float](r *rand.Rand, n int) []T {
	b := make([]T, n)
	for j := range b {
		b[j] = T(r.NormFloat64())
	}
	return b
}

func testEpilogue[T kernels.Float](t *testing.T) {
	eachTrans(t, func(t *testing.T, transA, transB bool) {
		r := rand.New(rand.NewPCG(9, 10))
		for _, n := range []int{11, 37} {
			for _, alpha := range []T{1, -1, 0, 0.1, T(math.Inf(1)), T(math.NaN())} {
				for _, add := range []bool{false, true} {
					for _, b := range [][]T{nil, bias[T](r, n)} {
						for _, act := range []activation.Kind{activation.Identity, activation.Sigmoid, activation.Tanh, activation.ReLU} {
							for _, k := range []int{0, 9, 1030} {
								if k > 1000 && (n > 11 || alpha != 0.1) {
									continue
								}
								x := newProblem(transA, transB, 9, n, k, 1, normal[T](r), normal[T](r))
								x.alpha, x.add, x.ep = alpha, add, Epilogue[T]{b, act}
								x.check(t)
							}
						}
					}
				}
			}
		}
	})
}

func TestEpilogue(t *testing.T) {
	t.Run("float32", testEpilogue[float32])
	t.Run("float64", testEpilogue[float64])
}

// testReLU: NaN stays, and -0 becomes +0.
func testReLU[T kernels.Float](t *testing.T) {
	x := newProblem(false, false, 4, 40, 1, 1, func() T { return 1 }, inTurn(T(math.Copysign(0, -1)), T(math.NaN()), -1, 2))
	x.alpha = 1
	x.ep.Act = activation.ReLU
	x.check(t)
	x.add = true
	x.c.fill(func() T { return T(math.Copysign(0, -1)) })
	x.alpha = -1
	x.check(t)
}

func TestReLU(t *testing.T) {
	t.Run("float32", testReLU[float32])
	t.Run("float64", testReLU[float64])
}

// inTurn returns its values in turn.
func inTurn[T kernels.Float](v ...T) func() T {
	i := -1
	return func() T { i++; return v[i%len(v)] }
}

func testExtremes[T kernels.Float](t *testing.T) {
	numbers, others := extremes[T]()
	eachTrans(t, func(t *testing.T, transA, transB bool) {
		r := rand.New(rand.NewPCG(11, 12))
		for range 100 {
			for _, v := range []struct{ a, b func() T }{
				{pick(r, numbers...), pick(r, numbers...)},
				{normal[T](r), mixed(r, 0.02, pick(r, others...), pick(r, numbers...))},
				{mixed(r, 0.02, pick(r, others...), pick(r, numbers...)), normal[T](r)},
				{thin(r, 0.2, pick(r, numbers...)), pick(r, numbers...)},
			} {
				x := newProblem(transA, transB, 1+r.IntN(9), 1+r.IntN(20), 1+r.IntN(30), 1, v.a, v.b)
				x.add = r.IntN(2) == 0
				x.check(t)
			}
		}
	})
}

func TestExtremes(t *testing.T) {
	t.Run("float32", testExtremes[float32])
	t.Run("float64", testExtremes[float64])
}

// TestTies: a sum and a product that lie so near to halfway between two float32
// that rounding to float64 on the way goes wrong.
func TestTies(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	sign := func() float64 { return float64(1 - 2*r.IntN(2)) }
	near1 := func() float64 { return sign() * (1 + sign()*math.Ldexp(1, -15-r.IntN(3))) }
	for range 300 {
		x := newProblem(false, false, 1+r.IntN(6), 1+r.IntN(20), 2, 0, inTurn[float32](0), inTurn[float32](0))
		ulp, top := math.Ldexp(1, -23), 1<<24
		if r.IntN(2) == 0 { // subnormal
			ulp, top = math.SmallestNonzeroFloat32, 1<<22
		}
		half := math.Sqrt(ulp / 2) // a power of two
		for j := range x.n {
			*x.b.at(0, j), *x.b.at(1, j) = 1, float32(half*near1())
		}
		for i := range x.m {
			*x.a.at(i, 0), *x.a.at(i, 1) = float32(sign()*ulp*float64(top-r.IntN(1<<10))), float32(half*near1())
		}
		x.check(t)
		x.checkMasked(t, false)
	}
}

// testBlocks multiplies in many small blocks. Rows of 256 elements have A and B packed.
func testBlocks[T kernels.Float](t *testing.T) {
	defer func(old blockSizes) { blocks = old }(blocks)
	r := rand.New(rand.NewPCG(25, 26))
	for _, l2 := range []int{0, 80 << 10} {
		blocks = blocksFor(kernels.Caches{L2: l2, L3: 20 * l2})
		eachTrans(t, func(t *testing.T, transA, transB bool) {
			for _, pad := range []int{0, 3, 44, 60, 62} {
				x := newProblem(transA, transB, 256-pad, 256-2*pad, 33+pad, pad, normal[T](r), normal[T](r))
				x.add, x.alpha, x.ep = pad%2 == 0, 0.7, Epilogue[T]{bias[T](r, x.n), activation.Tanh}
				x.check(t)
			}
			x := newProblem(transA, transB, 50, 226, 1030, 15, normal[T](r), normal[T](r))
			x.check(t)
		})
	}
}

// TestBlocksFor: what caches of some sizes hold, in rows and columns of a product that is a chunk deep.
func TestBlocksFor(t *testing.T) {
	for _, v := range []struct {
		l2, l3                 int
		want                   blockSizes
		rows, tall, cols, far  int // of float32
		rows64, tall64, cols64 int
	}{
		{512 << 10, 16 << 20, blockSizes{64 << 10, 256 << 10, 2 << 20}, 12, 60, 64, 512, 12, 24, 32},
		{1 << 20, 32 << 20, blockSizes{128 << 10, 512 << 10, 4 << 20}, 24, 120, 128, 1024, 12, 60, 64},
		{2 << 20, 260 << 20, blockSizes{256 << 10, 768 << 10, 4 << 20}, 60, 192, 192, 1024, 24, 96, 96},
		{1 << 20, 0, blockSizes{128 << 10, 512 << 10, 512 << 10}, 24, 120, 128, 128, 12, 60, 64},
		{64 << 10, 0, blockSizes{8 << 10, 32 << 10, 32 << 10}, 12, 12, 32, 32, 12, 12, 32},
	} {
		const m, n, k = 12 * 16 * 100, 1 << 16, 1024
		b := blocksFor(kernels.Caches{L2: v.l2, L3: v.l3})
		if b != v.want {
			t.Errorf("L2 %d, L3 %d: %+v, want %+v", v.l2, v.l3, b, v.want)
		}
		for what, x := range map[string][2]int{
			"rows": {blockRows[float32](m, k, b.small), v.rows}, "rows of a transposed A": {blockRows[float32](m, k, b.large), v.tall},
			"columns": {blockCols[float32](n, k, b.large), v.cols}, "far columns": {blockCols[float32](n, k, b.far), v.far},
			"rows, float64": {blockRows[float64](m, k, b.small), v.rows64}, "rows of a transposed A, float64": {blockRows[float64](m, k, b.large), v.tall64},
			"columns, float64": {blockCols[float64](n, k, b.large), v.cols64},
		} {
			if x[0] != x[1] {
				t.Errorf("L2 %d, L3 %d: %d %s, want %d", v.l2, v.l3, x[0], what, x[1])
			}
		}
	}
}

// TestBlocks: sizes of blocks do not show in the bits.
func TestBlocks(t *testing.T) {
	t.Run("float32", testBlocks[float32])
	t.Run("float64", testBlocks[float64])
}

// testSplit: blocks of a product, computed each by itself, are blocks of the whole.
func testSplit[T kernels.Float](t *testing.T) {
	eachTrans(t, func(t *testing.T, transA, transB bool) {
		r := rand.New(rand.NewPCG(13, 14))
		for _, v := range []struct{ m, n, k int }{{60, 100, 100}, {61, 131, 1100}, {200, 70, 30}} {
			x := newProblem(transA, transB, v.m, v.n, v.k, 2, normal[T](r), normal[T](r))
			x.add, x.alpha, x.ep = true, -0.1, Epilogue[T]{bias[T](r, v.n), activation.Tanh}
			want := x.c.clone()
			scratch := make([]T, Scratch(transA, transB, v.m, v.n, v.k))
			part := func(c matrix[T], i, j, rows, cols int) {
				a, b := x.a.opBlock(transA, i, 0, rows, v.k), x.b.opBlock(transB, 0, j, v.k, cols)
				ep := Epilogue[T]{x.ep.Bias[j : j+cols], x.ep.Act}
				Gemm(transA, transB, rows, cols, v.k, x.alpha, a, x.a.ld, b, x.b.ld, x.add, c.block(i, j, rows, cols), c.ld, ep, scratch)
			}
			part(want, 0, 0, v.m, v.n)
			eachISA(t, func(kernels.ISA) {
				for _, cut := range []struct{ i, j int }{{2, v.n}, {30, v.n}, {v.m, 16}, {v.m, 48}, {28, 64}, {13, 5}} {
					got := x.c.clone()
					part(got, 0, 0, cut.i, cut.j)
					part(got, cut.i, 0, v.m-cut.i, cut.j)
					part(got, 0, cut.j, cut.i, v.n-cut.j)
					part(got, cut.i, cut.j, v.m-cut.i, v.n-cut.j)
					compare(t, got, want)
				}
			})
		}
	})
}

func TestSplit(t *testing.T) {
	t.Run("float32", testSplit[float32])
	t.Run("float64", testSplit[float64])
}

// testAddIsFused: adding to a weight in the epilogue is the same as an FMA of the
// gradient afterwards.
func testAddIsFused[T kernels.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	const m, n, k, lr = 50, 37, 1000, 0.03
	x := newProblem(true, false, m, n, k, 0, normal[T](r), normal[T](r))
	g := newMatrix(m, n, 0, func() T { return 0 })
	scratch := make([]T, Scratch(true, false, m, n, k))
	Gemm(true, false, m, n, k, 1, x.a.data(), x.a.ld, x.b.data(), x.b.ld, false, g.data(), g.ld, x.ep, scratch)
	one := newMatrix(m, m, 0, func() T { return 0 })
	for i := range m {
		*one.at(i, i) = 1
	}
	want := x.c.clone()
	// fma(-lr, g, w), by way of a product with the identity matrix.
	Gemm(false, false, m, n, m, -lr, one.data(), m, g.data(), n, true, want.data(), want.ld, x.ep, scratch)
	Gemm(true, false, m, n, k, -lr, x.a.data(), x.a.ld, x.b.data(), x.b.ld, true, x.c.data(), x.c.ld, x.ep, scratch)
	compare(t, x.c, want)
}

func TestAddIsFused(t *testing.T) {
	t.Run("float32", testAddIsFused[float32])
	t.Run("float64", testAddIsFused[float64])
}

func TestChunk(t *testing.T) {
	for k, want := range map[int]int{0: 64, 1: 64, 64: 64, 65: 128, 784: 832, 1024: 1024, 1025: 576, 2048: 1024, 2049: 704, 5121: 896, 1 << 20: 1024} {
		if got := chunk(k); got != want {
			t.Errorf("k=%d: chunks of %d, want %d", k, got, want)
		}
	}
	for k := range 10000 {
		if size := chunk(k); size%64 != 0 || size > 1024 || size < 64 {
			t.Fatalf("k=%d: chunks of %d", k, size)
		}
	}
}

func TestScratchGrows(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 18))
	for range 2000 {
		m, n, k := r.IntN(300), r.IntN(1200), r.IntN(2100)
		s := Scratch(false, false, m, n, k)
		for _, v := range []int{Scratch(false, false, m+r.IntN(100), n, k), Scratch(false, false, m, n+r.IntN(100), k), Scratch(false, false, m, n, k+r.IntN(100))} {
			if v < s {
				t.Fatalf("%d×%d×%d: scratch shrinks from %d to %d", m, n, k, s, v)
			}
		}
	}
}

func wantPanic(t *testing.T, want string, f func()) {
	t.Run(want, func(t *testing.T) {
		defer func() {
			if got := recover(); got != want {
				t.Errorf("panic %v, want %q", got, want)
			}
		}()
		f()
	})
}

func TestPanics(t *testing.T) {
	ok := make([]float32, 10000)
	none := Epilogue[float32]{}
	for want, f := range map[string]func(){
		"gemm: negative size":                func() { Gemm(false, false, -1, 2, 3, 1, ok, 3, ok, 2, false, ok, 2, none, ok) },
		"gemm: A is too short for its shape": func() { Gemm(false, false, 4, 2, 3, 1, ok, 2, ok, 2, false, ok, 2, none, ok) },
		"gemm: B is too short for its shape": func() { Gemm(false, false, 4, 2, 3, 1, ok, 3, ok[:5], 2, false, ok, 2, none, ok) },
		"gemm: C is too short for its shape": func() { Gemm(false, false, 4, 2, 3, 1, ok, 3, ok, 2, false, ok[:7], 2, none, ok) },
		"gemm: bias is not of length n": func() {
			Gemm(false, false, 4, 2, 3, 1, ok, 3, ok, 2, false, ok, 2, Epilogue[float32]{Bias: ok[:3]}, ok)
		},
		"gemm: scratch is too short": func() { Gemm(false, false, 4, 2, 3, 1, ok, 3, ok, 2, false, ok, 2, none, nil) },
	} {
		wantPanic(t, want, f)
	}
}

func testAllocations[T kernels.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(19, 20))
	eachTrans(t, func(t *testing.T, transA, transB bool) {
		for _, v := range []struct{ m, n, k int }{{9, 33, 30}, {150, 100, 1100}} {
			x := newProblem(transA, transB, v.m, v.n, v.k, 1, normal[T](r), normal[T](r))
			s, b := make([]T, Scratch(transA, transB, v.m, v.n, v.k)), bias[T](r, v.n)
			eachISA(t, func(isa kernels.ISA) {
				if n := testing.AllocsPerRun(2, func() {
					Gemm(transA, transB, v.m, v.n, v.k, 1, x.a.data(), x.a.ld, x.b.data(), x.b.ld, true, x.c.data(), x.c.ld, Epilogue[T]{Bias: b, Act: activation.Sigmoid}, s)
				}); n != 0 {
					t.Errorf("%v allocations", n)
				}
			})
		}
	})
}

func TestAllocations(t *testing.T) {
	t.Run("float32", testAllocations[float32])
	t.Run("float64", testAllocations[float64])
}

func TestByColumns(t *testing.T) {
	for _, v := range []struct {
		transA, transB bool
		m, n, k        int
		want           bool
	}{
		{false, false, 60, 100, 784, false}, {true, false, 784, 100, 60, false}, {false, true, 60, 100, 100, true}, {false, true, 60, 10, 100, false},
		{false, false, 512, 1024, 1024, true}, {false, true, 512, 1024, 1024, true}, {false, false, 1, 4096, 4096, true}, {false, false, 60, 10, 100, false},
	} {
		if got := ByColumns(v.transA, v.transB, v.m, v.n, v.k); got != v.want {
			t.Error(fmt.Sprint(v), got)
		}
	}
}

func testPeak[T kernels.Float](t *testing.T) {
	eachISA(t, func(isa kernels.ISA) {
		if p := Peak[T](1e6); !(p > 0.01 && p < 1e5) {
			t.Errorf("%v GFLOP/s", p)
		}
	})
}

func TestPeak(t *testing.T) {
	t.Run("float32", testPeak[float32])
	t.Run("float64", testPeak[float64])
}
