package dataset

import "testing"

// Whatever differs changes the checksum.
func TestChecksum(t *testing.T) {
	images := func() *Set { return Synthetic(1) }
	rows := func() *Set {
		return &Set{Train: Split{Features: []float32{1, 2, 3, 4}, Labels: []int{0, 1}, N: 2, Rows: 1, Cols: 2, Channels: 1},
			Test: Split{Features: []float32{5, 6}, Labels: []int{1}, N: 1, Rows: 1, Cols: 2, Channels: 1}, Classes: 2}
	}
	for _, set := range []func() *Set{images, rows} {
		if a, b := set().Checksum(), set().Checksum(); a != b {
			t.Errorf("the same data have checksums %s and %s", a, b)
		}
	}
	seen := map[string]string{images().Checksum(): "the images", rows().Checksum(): "the rows"}
	for what, s := range map[string]*Set{
		"a pixel":    changed(images(), func(s *Set) { s.Test.Images[5]++ }),
		"a label":    changed(images(), func(s *Set) { s.Train.Labels[7]++ }),
		"a feature":  changed(rows(), func(s *Set) { s.Train.Features[3]++ }),
		"an order":   changed(rows(), func(s *Set) { s.Train.Labels = []int{1, 0} }),
		"a size":     changed(rows(), func(s *Set) { s.Train.Rows, s.Train.Cols = 2, 1 }),
		"an example": changed(rows(), func(s *Set) { s.Train = s.Train.Slice(0, 1) }),
	} {
		sum := s.Checksum()
		if other := seen[sum]; other != "" {
			t.Errorf("%s changed: the checksum is that of %s", what, other)
		}
		seen[sum] = what
	}
}

func changed(s *Set, change func(*Set)) *Set {
	change(s)
	return s
}
