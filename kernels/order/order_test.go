package order

import (
	"math"
	"slices"
	"testing"
)

func TestBijective(t *testing.T) {
	sizes := []uint32{4095, 4096, 4097, 60000, 65536}
	for n := uint32(1); n <= 2000; n++ {
		sizes = append(sizes, n)
	}
	for _, n := range sizes {
		out := make([]int32, n)
		Fill(uint64(n)*7919, uint64(n), n, 0, out)
		slices.Sort(out)
		for i, v := range out {
			if int(v) != i {
				t.Fatalf("n = %d: %d is missing", n, i)
			}
		}
	}
}

func TestFillIsIndex(t *testing.T) {
	for _, n := range []uint32{1, 2, 3, 100, 60000} {
		for _, start := range []int{0, 1, int(n) / 2, int(n) - 1, int(n)} {
			for _, size := range []int{0, 1, 2, 60} {
				if start+size > int(n) {
					continue
				}
				out := make([]int32, size)
				Fill(5, 6, n, start, out)
				for j, v := range out {
					if want := Index(5, 6, n, uint32(start+j)); uint32(v) != want {
						t.Fatalf("n = %d: position %d is %d by Fill and %d by Index", n, start+j, v, want)
					}
				}
			}
		}
	}
}

// TestLargest: sums of positions must not wrap around.
func TestLargest(t *testing.T) {
	const n = math.MaxUint32
	seen := map[uint32]bool{}
	for i := uint32(n - 100); i < n; i++ {
		v := Index(1, 2, n, i)
		if v >= n || seen[v] {
			t.Fatalf("position %d is %d", i, v)
		}
		seen[v] = true
	}
	var out [3]int32
	Fill(1, 2, 1<<31, 1<<31-3, out[:])
	if out[0] < 0 || out[1] < 0 || out[2] < 0 {
		t.Errorf("rows %v", out)
	}
}

// TestGolden fixes the order for good: a run resumed by a later version, or on
// another device, must continue with the same batches. The values were computed
// from the package comment in another language.
func TestGolden(t *testing.T) {
	for _, v := range []struct {
		seed, epoch uint64
		n           uint32
		start       int
		want        []int32
	}{
		{0, 0, 1, 0, []int32{0}},
		{0, 0, 2, 0, []int32{1, 0}},
		{0, 0, 10, 0, []int32{1, 7, 6, 9, 0, 5, 8, 2, 3, 4}},
		{1, 0, 10, 0, []int32{9, 4, 8, 7, 6, 1, 0, 5, 2, 3}},
		{0, 1, 10, 0, []int32{4, 6, 5, 2, 1, 0, 9, 3, 7, 8}},
		{42, 3, 60000, 0, []int32{54808, 6770, 23699, 22525, 43461, 52039, 17199, 1913}},
		{42, 3, 60000, 59992, []int32{56233, 50220, 19961, 49783, 58133, 16254, 51435, 477}},
		{math.MaxUint64, math.MaxUint64, 1 << 31, 1<<31 - 8, []int32{1632862669, 944254511, 505541879, 759002090, 175460678, 1338329179, 1527090528, 1350748796}},
	} {
		out := make([]int32, len(v.want))
		Fill(v.seed, v.epoch, v.n, v.start, out)
		if !slices.Equal(out, v.want) {
			t.Errorf("seed %d, epoch %d, n %d, from %d: %v, want %v", v.seed, v.epoch, v.n, v.start, out, v.want)
		}
	}
}

// TestKeysMatter: orders of neighbouring seeds and epochs share about one
// position, as random ones do.
func TestKeysMatter(t *testing.T) {
	const n = 10000
	order := func(seed, epoch uint64) []int32 {
		out := make([]int32, n)
		Fill(seed, epoch, n, 0, out)
		return out
	}
	base := order(7, 8)
	for _, key := range [][2]uint64{{7, 9}, {8, 8}, {8, 7}, {7, 7}, {6, 8}, {7, 8 + 1<<40}, {7 + 1<<63, 8}, {0, 0}} {
		same := 0
		for i, v := range order(key[0], key[1]) {
			if v == base[i] {
				same++
			}
		}
		if same > 10 { // Poisson with mean 1: beyond 10 in 1 of 10^8
			t.Errorf("seed %d, epoch %d shares %d positions with seed 7, epoch 8", key[0], key[1], same)
		}
	}
}

// chi2 fails the test where counts are further from equal than by chance, six
// standard deviations of the statistic.
func chi2(t *testing.T, name string, counts []int) {
	t.Helper()
	total := 0
	for _, c := range counts {
		total += c
	}
	want, sum := float64(total)/float64(len(counts)), 0.0
	for _, c := range counts {
		d := float64(c) - want
		sum += d * d / want
	}
	free := float64(len(counts) - 1)
	if math.Abs(sum-free) > 6*math.Sqrt(2*free) {
		t.Errorf("%s: chi-square is %.1f with %v degrees of freedom", name, sum, free)
	}
}

func TestPositionsUniform(t *testing.T) {
	for _, n := range []uint32{2, 3, 4, 5, 7, 8, 9, 16, 17, 33, 100} {
		for _, i := range []uint32{0, 1, n / 2, n - 1} {
			seeds, epochs := make([]int, n), make([]int, n)
			for k := range uint64(200 * n) {
				seeds[Index(k, 0, n, i)]++
				epochs[Index(12345, k, n, i)]++
			}
			chi2(t, "over seeds", seeds)
			chi2(t, "over epochs", epochs)
		}
	}
}

// TestOrdersUniform: every one of the n! orders of a few rows is as likely.
func TestOrdersUniform(t *testing.T) {
	for n, orders := range map[uint32]int{2: 2, 3: 6, 4: 24, 5: 120, 6: 720} {
		counts := make([]int, orders)
		for seed := range uint64(100 * orders) {
			// The number of the order in the factorial system.
			out := make([]int32, n)
			Fill(seed, 1, n, 0, out)
			number := 0
			for i, v := range out {
				smaller := 0
				for _, w := range out[i+1:] {
					if w < v {
						smaller++
					}
				}
				number = number*(int(n)-i) + smaller
			}
			counts[number]++
		}
		chi2(t, "orders", counts)
	}
}

// TestNeighboursUnrelated: over an epoch of MNIST, the correlation of rows at a
// small distance is within four standard deviations of zero, and differences of
// neighbours are spread evenly.
func TestNeighboursUnrelated(t *testing.T) {
	const n = 60000
	for epoch := range uint64(3) {
		out := make([]int32, n)
		Fill(3, epoch, n, 0, out)
		for _, lag := range []int{1, 2, 3, 60, 256, 4096} {
			sum := 0.0
			for i, v := range out {
				sum += (float64(v) - (n-1)/2.0) * (float64(out[(i+lag)%n]) - (n-1)/2.0)
			}
			if r := sum / n / ((float64(n)*n - 1) / 12); math.Abs(r) > 4/math.Sqrt(n) {
				t.Errorf("epoch %d: correlation at distance %d is %.4f", epoch, lag, r)
			}
		}
		steps := make([]int, 100)
		for i, v := range out[1:] {
			steps[((int(v)-int(out[i])+n)%n)*len(steps)/n]++
		}
		chi2(t, "differences", steps)
	}
}

func TestPanics(t *testing.T) {
	out := make([]int32, 3)
	for name, f := range map[string]func(){
		"index of n":     func() { Index(0, 0, 5, 5) },
		"no rows":        func() { Index(0, 0, 0, 0) },
		"negative start": func() { Fill(0, 0, 5, -1, out) },
		"beyond the end": func() { Fill(0, 0, 5, 3, out) },
		"beyond int32":   func() { Fill(0, 0, 1<<31+1, 0, out) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

func TestAllocations(t *testing.T) {
	out := make([]int32, 60)
	if n := testing.AllocsPerRun(10, func() { Fill(1, 2, 60000, 0, out) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
