package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"driftless/benchmarks"

	"github.com/spf13/pflag"
)

// readConfig reads the file that --config names. Flags that were set come before it, those
// with their default after it.
func (s *settings) readConfig() error {
	set := map[*pflag.Flag]string{}
	s.flags.Visit(func(f *pflag.Flag) { set[f] = f.Value.String() })
	c, err := benchmarks.ReadConfig(s.config, s.Config)
	if err != nil {
		return err
	}
	if s.flags.Lookup("seeds") == nil && s.flags.Changed("norm") {
		c.Seeds = 1
	}
	if s.flags.Changed("optimizer") { // the file's constants are those of another
		c.Momentum, c.Nesterov, c.Beta1, c.Beta2 = nil, nil, nil, nil
	}
	if s.flags.Changed("lr-schedule") {
		c.LREvery, c.LRGamma, c.LREnd = nil, nil, nil
	}
	s.Config = c
	for f, text := range set {
		if err := f.Value.Set(text); err != nil {
			return err // it took it before
		}
		if f.Name == "affine" {
			s.forget("affine", "noaffine")
		} else if _, ok := f.Value.(settingFlag); ok {
			s.forget(f.Name)
		}
	}
	return nil
}

// forget takes a setting out of the arms' names, in which a configuration file gives them all.
func (s *settings) forget(keys ...string) {
	for i, name := range s.Norms {
		s.Norms[i] = strings.Join(slices.DeleteFunc(strings.Split(name, ":"), func(part string) bool {
			key, _, _ := strings.Cut(part, "=")
			return slices.Contains(keys, key)
		}), ":")
	}
}

// optional is a flag that need not be given: it then leaves nil.
type optional[T any] struct {
	to    **T
	kind  string // as pflag calls the type
	parse func(text string) (T, error)
}

func optionalNumber(to **float64) optional[float64] {
	return optional[float64]{to, "float64", func(text string) (float64, error) { return strconv.ParseFloat(text, 64) }}
}

func optionalInt(to **int) optional[int] {
	return optional[int]{to, "int", strconv.Atoi}
}

func optionalBool(to **bool) optional[bool] {
	return optional[bool]{to, "bool", strconv.ParseBool}
}

func (f optional[T]) String() string {
	if f.to == nil || *f.to == nil {
		return ""
	}
	return fmt.Sprint(**f.to)
}

func (f optional[T]) Type() string { return f.kind }

// Set implements pflag.Value.
func (f optional[T]) Set(text string) error {
	x, err := f.parse(text)
	if err != nil {
		return err
	}
	*f.to = &x
	return nil
}
