package dataset

import "fmt"

// HoldOut returns the set whose training examples are all but the last n of s and whose test
// examples are those n, so that settings can be chosen without a look at the test set. The
// examples are shared with s.
func (s *Set) HoldOut(n int) (*Set, error) {
	if n < 1 || n >= s.Train.N {
		return nil, fmt.Errorf("cannot hold out %d of the %d training examples of %s: some must be held out and some left", n, s.Train.N, s.Name)
	}
	out := *s
	out.Train, out.Test = s.Train.Slice(0, s.Train.N-n), s.Train.Slice(s.Train.N-n, s.Train.N)
	return &out, nil
}
