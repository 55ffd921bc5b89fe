package dataset

import "fmt"

// HoldOut returns the set whose training examples are all but the last n of s and whose test
// examples are those n, so that settings can be chosen without a look at the test set. The
// images are shared with s.
func (s *Set) HoldOut(n int) (*Set, error) {
	if n < 1 || n >= s.Train.N {
		return nil, fmt.Errorf("cannot hold out %d of the %d training images of %s: some must be held out and some left", n, s.Train.N, s.Name)
	}
	out := *s
	out.Train, out.Test = s.Train.cut(0, s.Train.N-n), s.Train.cut(s.Train.N-n, s.Train.N)
	return &out, nil
}

// cut returns the examples [from, to).
func (s Split) cut(from, to int) Split {
	size := s.Rows * s.Cols
	return Split{Images: s.Images[from*size : to*size : to*size], Labels: s.Labels[from:to:to], N: to - from, Rows: s.Rows, Cols: s.Cols}
}
