package models

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	affine := func(n Norm, on bool) Norm { n.Affine = on; return n }
	for _, c := range []struct {
		arm  string
		grad Grad
		want Norm
		name string
	}{
		{"none", Graph, None, "none"},
		{"none", Naive, None, "none"},
		{" batchnorm ", Naive, BatchNorm, "batchnorm"},
		{"batchnorm:graph", Naive, BatchNorm, "batchnorm"},
		{"batchnorm:noaffine", Graph, affine(BatchNorm, false), "batchnorm:noaffine"},
		{"batchnorm:affine", Graph, BatchNorm, "batchnorm"},
		{"center", Naive, CenterNaive, "center:naive"},
		{"center", Graph, CenterGraph, "center:graph"},
		{"center:graph", Naive, CenterGraph, "center:graph"},
		{"standardize:naive:affine", Graph, affine(StandardizeNaive, true), "standardize:naive:affine"},
		{"standardize:affine:naive", Graph, affine(StandardizeNaive, true), "standardize:naive:affine"},
		{"standardize:noaffine", Graph, StandardizeGraph, "standardize:graph"},
		{"whiten", Graph, WhitenNaive, "whiten:naive"},
		{"whiten:naive", Graph, WhitenNaive, "whiten:naive"},
	} {
		got, err := Parse(c.arm, c.grad)
		if err != nil || got != c.want || got.String() != c.name {
			t.Errorf("Parse(%q, %s) = %v %+v, %v", c.arm, c.grad, got, got, err)
		}
	}
}

// What String writes, Parse reads, for every form with and without gamma and
// beta, whatever the default treatment.
func TestStringParses(t *testing.T) {
	for _, n := range Forms() {
		for _, affine := range []bool{false, true} {
			if n.Affine = affine; affine && n.Method == None.Method {
				continue
			}
			for _, grad := range []Grad{Naive, Graph} {
				if got, err := Parse(n.String(), grad); err != nil || got != n {
					t.Errorf("Parse(%q, %s) = %+v, %v; want %+v", n, grad, got, err, n)
				}
			}
			if SetsAffine(n.String()) != (strings.Count(n.String(), "affine") > 0) {
				t.Errorf("SetsAffine(%q) is wrong", n)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const list = ": choose one of none, center, standardize, whiten, batchnorm"
	for _, c := range []struct {
		arm  string
		grad Grad
		want string
	}{
		{"", Graph, `unknown norm ""` + list},
		{"batchnrom", Graph, `unknown norm "batchnrom" (did you mean "batchnorm"?)` + list},
		{"BatchNorm", Graph, `unknown norm "BatchNorm" (did you mean "batchnorm"?)` + list},
		{"centre", Graph, `unknown norm "centre" (did you mean "center"?)` + list},
		{"layernorm", Graph, `unknown norm "layernorm"` + list},
		{"center:grph", Graph, `"grph" is none of naive, graph, affine, noaffine`},
		{"center:", Graph, `"" is none of`},
		{"center", NoGrad, "center:naive or center:graph"},
		{"batchnorm:naive", Graph, "use standardize:naive:affine"},
		{"whiten:graph", Graph, "use whiten:naive"},
		{"none:naive", Graph, "none has no statistics to differentiate"},
		{"none:affine", Graph, "without a normalization there is no gamma and beta"},
	} {
		_, err := Parse(c.arm, c.grad)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Parse(%q, %s): %v, want %q", c.arm, c.grad, err, c.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"none", "none", 0}, {"nome", "none", 1}, {"batchnrom", "batchnorm", 2}, {"kitten", "sitting", 3}} {
		if got := distance(c.a, c.b); got != c.want || distance(c.b, c.a) != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
