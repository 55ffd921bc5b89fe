package dataset

import (
	"fmt"
	"math"
)

// Validate reports the first thing for which the set cannot be trained on: what is missing,
// lengths that do not go with the sizes, labels that are no classes, features that are not
// finite, or splits that are not alike.
func (s *Set) Validate() error {
	if s.Name == "" {
		return fmt.Errorf("the data set has no Name: give it one, which reports show")
	}
	if s.Classes < 2 || s.Classes > MaxClasses {
		return fmt.Errorf("%s has %d classes: there are 2 to %d, numbered from 0", s.Name, s.Classes, MaxClasses)
	}
	for _, p := range []struct {
		name string
		Split
	}{{"training", s.Train}, {"test", s.Test}} {
		if err := p.validate(s.Classes); err != nil {
			return fmt.Errorf("the %s set of %s %w", p.name, s.Name, err)
		}
	}
	if a, b := s.Train.form(), s.Test.form(); a != b {
		return fmt.Errorf("%s has training examples of %s and test examples of %s: make them alike", s.Name, a, b)
	}
	return nil
}

func (s Split) validate(classes int) error {
	have := len(s.Images) + len(s.Features)
	switch {
	case s.N < 1:
		return fmt.Errorf("has %d examples: give one or more", s.N)
	case s.Rows < 1 || s.Cols < 1 || s.Channels < 1:
		return fmt.Errorf("has examples of %d×%d×%d numbers: Rows, Cols and Channels are 1 or more", s.Rows, s.Cols, s.Channels)
	case len(s.Labels) != s.N:
		return fmt.Errorf("has %d labels for %d examples: give one each", len(s.Labels), s.N)
	case s.Images != nil && s.Features != nil:
		return fmt.Errorf("has both Images and Features: give one of them")
	case !product(have, s.N, s.Rows, s.Cols, s.Channels):
		return fmt.Errorf("has %d numbers for %d examples of %s: their product is not that", have, s.N, s.form())
	}
	for i, c := range s.Labels {
		if c < 0 || c >= classes {
			return fmt.Errorf("has the label %d in row %d: labels are 0 to %d", c, i, classes-1)
		}
	}
	if i := unbounded(s.Features); i >= 0 {
		return fmt.Errorf("has the feature %v in row %d, column %d: features are finite", s.Features[i], i/s.Size(), i%s.Size())
	}
	return nil
}

// product reports whether n is the product of positive factors, whatever their size.
func product(n int, factors ...int) bool {
	for _, f := range factors {
		if n%f != 0 {
			return false
		}
		n /= f
	}
	return n == 1
}

// unbounded is the index of the first number that is not finite, or -1.
func unbounded(x []float32) int {
	for i, v := range x {
		if v-v != 0 {
			return i
		}
	}
	return -1
}

// form says what an example is.
func (s Split) form() string {
	what := "pixels"
	if s.Features != nil {
		what = "features"
	}
	switch {
	case s.Rows == 1 && s.Channels == 1:
		return fmt.Sprintf("%d %s", s.Cols, what)
	case s.Channels == 1:
		return fmt.Sprintf("%d×%d %s", s.Rows, s.Cols, what)
	}
	return fmt.Sprintf("%d×%d×%d %s", s.Rows, s.Cols, s.Channels, what)
}

// labelFault says what is wrong with a number as a label, "" if nothing is.
func labelFault(v float64) string {
	switch {
	case v != math.Trunc(v) || v-v != 0: // NaN is not itself, and no infinity less itself is 0
		return fmt.Sprintf("the label %v is not a whole number: number the classes from 0", v)
	case v < 0:
		return fmt.Sprintf("the label %v is negative: number the classes from 0", v)
	case v >= MaxClasses:
		return fmt.Sprintf("the label %v is beyond %d: there are at most %d classes, numbered from 0", v, MaxClasses-1, MaxClasses)
	}
	return ""
}
