package norm

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// The settings of a method are the exported fields of its struct that have a tag
//
//	arm:"key" help:"what it is, with its unit"
//
// of types float64, int, bool (on, off), and named strings. With "key,own" the key has
// another meaning for the method than for others, and a value for all arms does not reach it. Two keys are words of an
// arm's name and not key=value: affine and treatment.
const (
	keyAffine    = "affine"
	keyTreatment = "treatment"
)

// Setting is one setting of a method.
type Setting struct {
	Key, Help string
	own       bool
	value     reflect.Value
}

// Value returns the setting's value: a float64, int, bool or string.
func (s Setting) Value() any {
	switch s.value.Kind() {
	case reflect.Float64:
		return s.value.Float()
	case reflect.Int:
		return int(s.value.Int())
	case reflect.Bool:
		return s.value.Bool()
	}
	return s.value.String()
}

// Text is the setting as an arm's name has it, such as "eps=0.001", or "affine".
func (s Setting) Text() string {
	switch {
	case s.Key == keyTreatment:
		return s.text()
	case s.Key == keyAffine:
		return map[string]string{"on": "affine", "off": "noaffine"}[s.text()]
	}
	return s.Key + "=" + s.text()
}

func (s Setting) text() string {
	switch v := s.Value().(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return map[bool]string{true: "on", false: "off"}[v]
	default:
		return fmt.Sprint(v)
	}
}

// Settings lists a method's settings in the order of its struct, without those that
// have no use together with the others.
func Settings(m Method) []Setting {
	var out []Setting
	for _, s := range settings(m) {
		if s.Key == keyTreatment && registry[m.Name()].Treatments == nil {
			continue
		}
		if u, ok := m.(interface{ Uses(key string) bool }); ok && !u.Uses(s.Key) {
			continue
		}
		out = append(out, s)
	}
	return out
}

func settings(m Method) []Setting {
	v := reflect.ValueOf(m).Elem()
	var out []Setting
	for _, f := range reflect.VisibleFields(v.Type()) {
		if tag := f.Tag.Get("arm"); tag != "" {
			key, option, _ := strings.Cut(tag, ",")
			out = append(out, Setting{key, f.Tag.Get("help"), option == "own", v.FieldByIndex(f.Index)})
		}
	}
	return out
}

// Has reports whether a method has a setting of that key, in use or not.
func Has(m Method, key string) bool {
	for _, s := range settings(m) {
		if s.Key == key {
			return true
		}
	}
	return false
}

// Shares reports whether a method has a setting of that key, in use or not, which means
// what it means for other methods.
func Shares(m Method, key string) bool {
	return slices.ContainsFunc(settings(m), func(s Setting) bool { return s.Key == key && !s.own })
}

// Set gives a setting a value, as an arm's name has it. It fails for a key that the method
// does not have, naming those that it has, and for a value of another type.
func Set(m Method, key, text string) error {
	var keys []string
	for _, s := range settings(m) {
		if keys = append(keys, s.Key); s.Key != key {
			continue
		}
		wrong := func(what string) error {
			return &SettingError{m.Name(), fmt.Sprintf("%s %q is not %s", key, text, what)}
		}
		switch s.value.Kind() {
		case reflect.Float64:
			x, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return wrong("a number")
			}
			s.value.SetFloat(x)
		case reflect.Int:
			n, err := strconv.Atoi(text)
			if err != nil {
				return wrong("a whole number")
			}
			s.value.SetInt(int64(n))
		case reflect.Bool:
			if text != "on" && text != "off" {
				return wrong("on or off")
			}
			s.value.SetBool(text == "on")
		default:
			s.value.SetString(text)
		}
		return nil
	}
	if keys == nil {
		return fmt.Errorf("%s has no settings, and so no %q", m.Name(), key)
	}
	return Unknown("setting of "+m.Name(), key, keys)
}

// Check reports why no registered method that shares a setting can have that value of it.
func Check(key, text string) error {
	var first error
	for _, i := range Infos() {
		m := i.New()
		if !Shares(m, key) {
			continue
		}
		err := Set(m, key, text)
		if err == nil {
			err = m.Validate()
		}
		if err == nil {
			return nil
		}
		first = cmp.Or(first, err)
	}
	return first
}

func setTreatment(m Method, t Treatment) {
	for _, s := range settings(m) {
		if s.Key == keyTreatment {
			s.value.SetString(string(t))
		}
	}
}

// treatmentOf returns how the gradient treats a method's statistics, "" where there are
// none or there is no choice.
func treatmentOf(m Method) Treatment {
	for _, s := range settings(m) {
		if s.Key == keyTreatment {
			return Treatment(s.value.String())
		}
	}
	return ""
}

// String returns the name that Parse reads, such as "center:naive:affine" or
// "batchnorm:eps=0.1": the method, its treatment where there are several or it is naive,
// and the settings that are not the defaults.
func String(m Method) string {
	info, ok := registry[m.Name()]
	if !ok { // one that is in no arm, used as a value
		return m.Name()
	}
	var b strings.Builder
	b.WriteString(m.Name())
	defaults := info.New()
	if t := treatmentOf(m); t != "" {
		fmt.Fprintf(&b, ":%s", t)
		setTreatment(defaults, t)
	}
	standard := map[string]string{}
	for _, s := range settings(defaults) {
		standard[s.Key] = s.text()
	}
	for _, s := range Settings(m) {
		if s.Key != keyTreatment && s.text() != standard[s.Key] {
			b.WriteString(":" + s.Text())
		}
	}
	return b.String()
}
