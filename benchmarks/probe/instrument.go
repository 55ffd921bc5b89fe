package probe

import (
	"errors"
	"math"
	"slices"
	"strings"

	"driftless/internal/report"
	"driftless/models/norm"
)

// Instrument is one way to look into a training.
type Instrument struct {
	Name    string // as --probe takes it
	Title   string // in some words
	About   string // what is computed, and how to read it: sentences
	Paper   string // author and year, "" for none
	Columns []Column

	// Measure returns a list for each column: one number, or one for each layer; of a band
	// three lists. A key that is missing is all NaN.
	Measure func(Lab) (Values, error)
}

// Column is one quantity of an instrument.
type Column = report.Column

// Values are lists of numbers by key.
type Values map[string][]float64

var registry = map[string]Instrument{}

// Register adds an instrument, as each file of this package does for its own. It panics where
// its name or a key is taken, which is a fault of the program.
func Register(i Instrument) {
	for _, other := range registry {
		for _, c := range other.Columns {
			if slices.ContainsFunc(i.Columns, func(own Column) bool { return own.Key == c.Key }) {
				panic("probe: two instruments have a column of the same key")
			}
		}
	}
	if _, taken := registry[i.Name]; taken || i.Measure == nil || len(i.Columns) == 0 {
		panic("probe: an instrument's name is taken, or it measures nothing")
	}
	registry[i.Name] = i
}

// All stands for every instrument in a list of names.
const All = "all"

// Names returns the instruments' names, in order.
func Names() []string {
	var out []string
	for name := range registry {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Lookup returns the instrument of that name, and reports whether there is one.
func Lookup(name string) (Instrument, bool) {
	i, ok := registry[name]
	return i, ok
}

// Parse returns the instruments that a list names, each once and in the order of Names; the
// name all stands for every one. It fails for a name that there is none of, with the nearest.
func Parse(names []string) ([]Instrument, error) {
	var out []Instrument
	wanted := map[string]bool{}
	for _, n := range names {
		if n = strings.TrimSpace(n); n == All {
			for _, every := range Names() {
				wanted[every] = true
			}
			continue
		}
		if _, ok := registry[n]; !ok {
			return nil, norm.Unknown("probe", n, append(Names(), All))
		}
		wanted[n] = true
	}
	for _, n := range Names() {
		if wanted[n] {
			out = append(out, registry[n])
		}
	}
	return out, nil
}

// ErrNotFinite says that a step that a Lab took led to numbers that are not finite.
var ErrNotFinite = errors.New("the step is not finite")

// Read returns the values of some instruments, with a NaN for each number that does not exist.
// It fails where the Lab does.
func Read(instruments []Instrument, lab Lab) (Values, error) {
	out := Values{}
	for _, in := range instruments {
		v, err := in.Measure(lab)
		if err != nil && !errors.Is(err, ErrNotFinite) {
			return nil, err
		}
		for _, c := range in.Columns {
			n := 1
			if c.Layer {
				n = lab.Arm().Layers
			}
			for _, key := range c.Keys() {
				if list, ok := v[key]; ok {
					out[key] = list
				} else {
					out[key] = slices.Repeat([]float64{math.NaN()}, n)
				}
			}
		}
	}
	return out, nil
}
