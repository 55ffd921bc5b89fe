package program

import (
	"slices"
	"strings"
	"testing"
)

// TestPassOrder: passes out of order are noticed, for each thing that one relies on.
func TestPassOrder(t *testing.T) {
	if err := inOrder(passes, order); err != nil {
		t.Error(err)
	}
	at := func(name string) int { return slices.IndexFunc(passes, func(p pass) bool { return p.name == name }) }
	for _, o := range order {
		swapped := slices.Clone(passes)
		i, j := at(o[0]), at(o[1])
		swapped[i], swapped[j] = swapped[j], swapped[i]
		if err := inOrder(swapped, order); err == nil || !strings.Contains(err.Error(), "must come before") {
			t.Errorf("%q and %q change places, and the error is %v", o[0], o[1], err)
		}
	}
	for what, c := range map[string]struct {
		passes []pass
		order  [][2]string
	}{
		"one that is missing": {passes[1:], order},
		"one that is unknown": {passes, [][2]string{{"plan", "print"}}},
		"one twice":           {append(slices.Clone(passes), passes[0]), nil},
	} {
		if inOrder(c.passes, c.order) == nil {
			t.Errorf("%s is not noticed", what)
		}
	}
}
