package dataset

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// The bytes of a seed are part of the promise that results can be reproduced:
// a change of this sum invalidates every number published for the set.
func TestSyntheticGolden(t *testing.T) {
	for _, test := range []struct {
		seed uint64
		sum  string
	}{
		{0, "9dc9256ec21d9668ee886f58832c19f3915fbf6ac6695a4647f1c41b2bf11587"},
		{1, "3ee195c7f2e005330e00bb71ecd067559cd0cb0216b7d0bd8dd07fee3fd6fab2"},
	} {
		s := Synthetic(test.seed)
		h := sha256.New()
		for _, part := range [][]uint8{s.Train.Images, s.Train.LabelBytes(), s.Test.Images, s.Test.LabelBytes()} {
			h.Write(part)
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != test.sum {
			t.Errorf("seed %d: SHA-256 %s, want %s", test.seed, got, test.sum)
		}
	}
}

func TestSynthetic(t *testing.T) {
	s := Synthetic(42)
	if s.Name != "synthetic" || !s.Synthetic {
		t.Errorf("Name %q, Synthetic %v", s.Name, s.Synthetic)
	}
	for _, test := range []struct {
		name  string
		split Split
		n     int
	}{{"train", s.Train, 6000}, {"test", s.Test, 1000}} {
		p := test.split
		if p.N != test.n || p.Rows != 28 || p.Cols != 28 || len(p.Images) != p.N*28*28 || len(p.Labels) != p.N {
			t.Fatalf("%s: N %d, %d×%d, %d bytes, %d labels", test.name, p.N, p.Rows, p.Cols, len(p.Images), len(p.Labels))
		}
		var count, firstHundred [digits]int
		for i, c := range p.Labels {
			count[c]++
			if i < 100 {
				firstHundred[c]++
			}
		}
		for c := range count {
			if count[c] != p.N/digits {
				t.Errorf("%s: %d images of class %d, want %d", test.name, count[c], c, p.N/digits)
			}
			if firstHundred[c] == 0 || firstHundred[c] > 30 {
				t.Errorf("%s: %d of the first hundred are of class %d, the order is not random", test.name, firstHundred[c], c)
			}
		}
		on := 0
		for _, v := range p.Images {
			if v > 127 {
				on++
			}
		}
		// MNIST binarized at 127 has 13 % on.
		if share := float64(on) / float64(len(p.Images)); share < 0.10 || share > 0.25 {
			t.Errorf("%s: %.3f of the pixels are on, want 0.10 to 0.25", test.name, share)
		}
		for i := range p.N {
			on := 0
			for _, v := range p.Images[i*784:][:784] {
				if v > 127 {
					on++
				}
			}
			if on < 20 || on > 350 {
				t.Errorf("%s: image %d, a %d, has %d pixels on", test.name, i, p.Labels[i], on)
			}
		}
	}
	if bytes.Equal(s.Train.Images[:len(s.Test.Images)], s.Test.Images) {
		t.Error("the test images are the first training images")
	}
	if other := Synthetic(43); bytes.Equal(s.Train.Images, other.Train.Images) {
		t.Error("two seeds give the same images")
	}
}

// The classes can be told apart, but not all by the nearest class mean: a set
// that a linear rule solves would show nothing about a network.
func TestSyntheticDifficulty(t *testing.T) {
	s := Synthetic(7)
	var mean [digits][784]float64
	for i, c := range s.Train.Labels {
		for j, v := range s.Train.Images[i*784:][:784] {
			mean[c][j] += float64(v) / float64(s.Train.N/digits)
		}
	}
	right := 0
	for i, c := range s.Test.Labels {
		best, bestDist := -1, 0.0
		for k := range mean {
			dist := 0.0
			for j, v := range s.Test.Images[i*784:][:784] {
				d := float64(v) - mean[k][j]
				dist += d * d
			}
			if best < 0 || dist < bestDist {
				best, bestDist = k, dist
			}
		}
		if best == int(c) {
			right++
		}
	}
	if accuracy := float64(right) / float64(s.Test.N); accuracy < 0.5 || accuracy > 0.9 {
		t.Errorf("the nearest class mean is right for %.3f of the test images, want 0.5 to 0.9", accuracy)
	}
}

func BenchmarkSynthetic(b *testing.B) {
	for b.Loop() {
		Synthetic(1)
	}
}
