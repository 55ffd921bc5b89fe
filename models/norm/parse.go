package norm

import (
	"fmt"
	"slices"
	"strings"
)

// Arm is what an arm's name says: a method with its settings, and what else is varied.
type Arm struct {
	Method Method
	Given  []string          // keys of the method's settings that the name gives
	Rest   map[string]string // keys that are not the method's, such as lr
}

// Parse reads an arm's name, name[:treatment][:affine|noaffine][:key=value…], such as
// "center:naive", "batchnorm" or "standardize:graph:affine:eps=1e-3": a method, then in
// any order how the gradient treats its statistics (naive or graph, for a method with
// both; the argument where unset), affine or noaffine, and settings of the method. Keys
// among others are left to the caller, who knows what they are; it fails where the method has
// a setting of that name.
func Parse(arm string, treatment Treatment, others ...string) (Arm, error) {
	parts := strings.Split(strings.TrimSpace(arm), ":")
	info, ok := registry[parts[0]]
	if !ok {
		return Arm{}, Unknown("norm", parts[0], Names())
	}
	m := info.New()
	a := Arm{Method: m, Rest: map[string]string{}}
	fail := func(format string, args ...any) (Arm, error) {
		return Arm{}, fmt.Errorf("arm %q: %w", arm, fmt.Errorf(format, args...))
	}
	for _, key := range others {
		if Has(m, key) { // of a method from elsewhere
			return fail("%s has a setting %q, which every arm has for itself: call it otherwise", m.Name(), key)
		}
	}
	explicit := Treatment("")
	for _, p := range parts[1:] {
		key, value, pair := strings.Cut(p, "=")
		switch {
		case p == string(Naive) || p == string(Graph):
			if explicit != "" && explicit != Treatment(p) {
				return fail("it is either naive or graph")
			}
			explicit = Treatment(p)
		case p == "affine" || p == "noaffine":
			if !Has(m, keyAffine) {
				return fail("%s has no gamma and beta", m.Name())
			}
			setBool(m, keyAffine, p == "affine")
			a.Given = append(a.Given, keyAffine)
		case pair && slices.Contains(others, key):
			if _, twice := a.Rest[key]; twice {
				return fail("%s is given twice", key)
			}
			a.Rest[key] = value
		case pair && key != keyAffine && key != keyTreatment:
			if slices.Contains(a.Given, key) {
				return fail("%s is given twice", key)
			}
			if err := Set(m, key, value); err != nil {
				if len(others) > 0 && !Has(m, key) {
					err = fmt.Errorf("%w; every arm takes %s besides", err, strings.Join(others, ", "))
				}
				return fail("%w", err)
			}
			a.Given = append(a.Given, key)
		default:
			return fail("%q is none of naive, graph, affine, noaffine and key=value", p)
		}
	}
	if explicit != "" {
		a.Given = append(a.Given, keyTreatment)
	}
	switch {
	case info.Treatments != nil:
		if explicit == "" {
			explicit = treatment
		}
		if !slices.Contains(info.Treatments, explicit) {
			return fail("say how the gradient treats the statistics, %s:naive or %s:graph", m.Name(), m.Name())
		}
		setTreatment(m, explicit)
	case explicit == "" || explicit == treatmentOf(m) || explicit == Graph && ClassOf(m) == InGraph:
	case info.Instead != "":
		return fail("%s", info.Instead)
	case ClassOf(m) == InGraph:
		return fail("%s is always differentiated: leave %s out", m.Name(), explicit)
	default:
		return fail("%s has no statistics to differentiate", m.Name())
	}
	return a, nil
}

func setBool(m Method, key string, on bool) {
	for _, s := range settings(m) {
		if s.Key == key {
			s.value.SetBool(on)
		}
	}
}
