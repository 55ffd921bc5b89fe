package norm

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
)

var registry = map[string]Info{}

// What names and keys of settings are, such that an arm's name can hold them.
var (
	wellFormed = regexp.MustCompile(`^[a-z][a-z0-9_.+-]*$`)
	keyFormed  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.+-]*$`)
)

// Register adds a method, as each file of this package does for its own and another module
// may do for its, from an init: every command, arm, report and weights file then knows it.
// It panics where the name is ill-formed or taken, and where what New gives cannot be an arm
// of that name; those are faults of the program, and the text says which.
func Register(i Info) {
	if err := i.check(); err != nil {
		panic(fmt.Sprintf("norm: Register of %q: %v", i.Name, err))
	}
	registry[i.Name] = i
}

func (i Info) check() error {
	switch _, taken := registry[i.Name]; {
	case !wellFormed.MatchString(i.Name):
		return fmt.Errorf("a name is lower-case letters, digits and _ . + -, and begins with a letter")
	case taken:
		return fmt.Errorf("the name is taken by %q", registry[i.Name].Title)
	case i.Title == "":
		return fmt.Errorf("it has no Title, which lists show")
	case i.New == nil:
		return fmt.Errorf("it has no New")
	}
	m := i.New()
	if v := reflect.ValueOf(m); v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("New gives a %T, and a method is a pointer to a struct", m)
	}
	if m.Name() != i.Name {
		return fmt.Errorf("the method calls itself %q", m.Name())
	}
	var keys []string
	for _, s := range settings(m) {
		switch {
		case !keyFormed.MatchString(s.Key) || slices.Contains(keys, s.Key):
			return fmt.Errorf("the setting %q is ill-formed or there twice", s.Key)
		case !slices.Contains([]reflect.Kind{reflect.Float64, reflect.Int, reflect.Bool, reflect.String}, s.value.Kind()) || !s.value.CanSet():
			return fmt.Errorf("the setting %q is no exported float64, int, bool or string", s.Key)
		case s.Key == keyAffine && s.value.Kind() != reflect.Bool || s.Key == keyTreatment && s.value.Kind() != reflect.String:
			return fmt.Errorf("the setting %q is of the wrong type", s.Key)
		}
		keys = append(keys, s.Key)
	}
	for _, t := range i.Treatments {
		if t != Naive && t != Graph || !slices.Contains(keys, keyTreatment) {
			return fmt.Errorf("the treatment %q is neither naive nor graph, or the method has no setting %q", t, keyTreatment)
		}
	}
	if err := m.Validate(); err != nil {
		return fmt.Errorf("its defaults cannot work: %w", err)
	}
	return nil
}
