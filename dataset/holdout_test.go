package dataset

import "testing"

// What is held out is the last of the training images, none of the test set's, and nothing is
// trained on that is evaluated.
func TestHoldOut(t *testing.T) {
	s := Synthetic(1)
	h, err := s.HoldOut(1000)
	if err != nil {
		t.Fatal(err)
	}
	size := s.Train.Rows * s.Train.Cols
	if h.Train.N != 5000 || h.Test.N != 1000 || len(h.Train.Images) != 5000*size || len(h.Test.Labels) != 1000 || !h.Synthetic || h.Name != s.Name {
		t.Errorf("%d and %d images, %d bytes", h.Train.N, h.Test.N, len(h.Train.Images))
	}
	if &h.Test.Images[0] != &s.Train.Images[5000*size] || &h.Test.Labels[0] != &s.Train.Labels[5000] || &h.Train.Images[0] != &s.Train.Images[0] {
		t.Error("not the images of the training set")
	}
	for _, n := range []int{0, -1, 6000, 7000} {
		if _, err := s.HoldOut(n); err == nil {
			t.Errorf("%d images were held out of 6000", n)
		}
	}
}
