package norm

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		arm       string
		treatment Treatment
		want      Method
		name      string
	}{
		{"none", Graph, &None{}, "none"},
		{"none", Naive, &None{}, "none"},
		{" batchnorm ", Naive, registry["batchnorm"].New(), "batchnorm"},
		{"batchnorm:graph", Naive, registry["batchnorm"].New(), "batchnorm"},
		{"batchnorm:noaffine", Graph, &BatchNorm{false, 1e-5, Running{0.1}}, "batchnorm:noaffine"},
		{"batchnorm:affine", Graph, registry["batchnorm"].New(), "batchnorm"},
		{"batchnorm:eps=0.001", Graph, &BatchNorm{true, 1e-3, Running{0.1}}, "batchnorm:eps=0.001"},
		{"batchnorm:eps=1e-5", Graph, registry["batchnorm"].New(), "batchnorm"},
		{"center", Naive, &Center{Naive, false, External{Batch, 0.1, 1}, Running{0.1}}, "center:naive"},
		{"center", Graph, &Center{Graph, false, External{Batch, 0.1, 1}, Running{0.1}}, "center:graph"},
		{"center:graph", Naive, &Center{Graph, false, External{Batch, 0.1, 1}, Running{0.1}}, "center:graph"},
		{"center:naive:stats=ema:alpha=0.5:interval=3", Graph, &Center{Naive, false, External{EMA, 0.5, 3}, Running{0.1}}, "center:naive:stats=ema:alpha=0.5:interval=3"},
		{"center:naive:alpha=0.5", Graph, &Center{Naive, false, External{Batch, 0.5, 1}, Running{0.1}}, "center:naive"}, // alpha has no use
		{"standardize:naive:affine", Graph, &Standardize{Naive, true, External{Batch, 0.1, 1}, 1e-5, Running{0.1}}, "standardize:naive:affine"},
		{"standardize:affine:naive", Graph, &Standardize{Naive, true, External{Batch, 0.1, 1}, 1e-5, Running{0.1}}, "standardize:naive:affine"},
		{"standardize:noaffine", Graph, &Standardize{Graph, false, External{Batch, 0.1, 1}, 1e-5, Running{0.1}}, "standardize:graph"},
		{"whiten", Graph, registry["whiten"].New(), "whiten:naive"},
		{"whiten:naive", Graph, registry["whiten"].New(), "whiten:naive"},
	} {
		got, err := Parse(c.arm, c.treatment)
		if err != nil || !reflect.DeepEqual(got.Method, c.want) || String(got.Method) != c.name || len(got.Rest) > 0 {
			t.Errorf("Parse(%q, %s) = %+v, %v; want %s", c.arm, c.treatment, got, err, c.name)
		}
	}
	a, err := Parse("center:naive:interval=7:lr=0.5:affine", Graph, "lr", "batch")
	if err != nil || !slices.Equal(a.Given, []string{"interval", "affine", "treatment"}) || !reflect.DeepEqual(a.Rest, map[string]string{"lr": "0.5"}) {
		t.Errorf("%+v, %v", a, err)
	}
}

// What String writes, Parse reads, for every method in every form, whatever the default
// treatment, with each of its settings changed.
func TestStringParses(t *testing.T) {
	check := func(m Method) {
		t.Helper()
		for _, treatment := range []Treatment{Naive, Graph} {
			got, err := Parse(String(m), treatment)
			if err != nil || String(got.Method) != String(m) {
				t.Errorf("Parse(%q, %s) = %+v, %v", String(m), treatment, got.Method, err)
			}
			if err == nil {
				for i, s := range Settings(m) {
					if g := Settings(got.Method)[i]; g.Key != s.Key || g.Value() != s.Value() {
						t.Errorf("%q read again has %s=%v, was %v", String(m), g.Key, g.Value(), s.Value())
					}
				}
			}
		}
	}
	for i, m := range Forms() {
		check(m)
		for _, s := range Settings(m) {
			changed := Forms()[i]
			for _, value := range []string{"0.25", "7", "on", "off", "full", "sample"} {
				if s.Key == keyTreatment || Set(changed, s.Key, value) != nil || changed.Validate() != nil {
					continue
				}
				check(changed)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	list := ": choose one of " + strings.Join(Names(), ", ")
	for _, c := range []struct {
		arm       string
		treatment Treatment
		want      string
	}{
		{"", Graph, `unknown norm ""` + list},
		{"batchnrom", Graph, `unknown norm "batchnrom" (did you mean "batchnorm"?)` + list},
		{"BatchNorm", Graph, `unknown norm "BatchNorm" (did you mean "batchnorm"?)` + list},
		{"centre", Graph, `unknown norm "centre" (did you mean "center"?)` + list},
		{"swishnorm", Graph, `unknown norm "swishnorm"` + list},
		{"center:grph", Graph, `"grph" is none of naive, graph, affine, noaffine`},
		{"center:", Graph, `"" is none of`},
		{"center", "", "center:naive or center:graph"},
		{"center:naive:graph", Graph, "either naive or graph"},
		{"batchnorm:naive", Graph, "use standardize:naive:affine"},
		{"whiten:graph", Graph, "use whiten:naive"},
		{"none:naive", Graph, "none has no statistics to differentiate"},
		{"none:affine", Graph, "none has no gamma and beta"},
		{"none:eps=1", Graph, `none has no settings, and so no "eps"`},
		{"batchnorm:epsilon=1", Graph, `unknown setting of batchnorm "epsilon"`},
		{"batchnorm:esp=1", Graph, `(did you mean "eps"?)`},
		{"batchnorm:eps=x", Graph, "batchnorm: eps \"x\" is not a number"},
		{"center:interval=1.5", Graph, "center: interval \"1.5\" is not a whole number"},
		{"batchnorm:eps=1:eps=2", Graph, "eps is given twice"},
		{"batchnorm:affine=on", Graph, `"affine=on" is none of`},
		{"batchnorm:lr=1", Graph, `unknown setting of batchnorm "lr"`},
	} {
		_, err := Parse(c.arm, c.treatment)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Parse(%q, %s): %v, want %q", c.arm, c.treatment, err, c.want)
		}
	}
	if _, err := Parse("batchnorm", Graph, "lr", "eps"); err == nil || !strings.Contains(err.Error(), `a setting "eps", which every arm has`) {
		t.Errorf("a setting with the name of an arm's key: %v", err)
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
