package cli

import (
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

// numberFlag is a number that need not be given.
type numberFlag struct{ to **float64 }

func (f numberFlag) String() string {
	if f.to == nil || *f.to == nil {
		return ""
	}
	return strconv.FormatFloat(**f.to, 'g', -1, 64)
}

func (f numberFlag) Type() string { return "float64" }

// Set implements pflag.Value.
func (f numberFlag) Set(text string) error {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return err
	}
	*f.to = &x
	return nil
}

// boolFlag is a choice that need not be made.
type boolFlag struct{ to **bool }

func (f boolFlag) String() string {
	if f.to == nil || *f.to == nil {
		return ""
	}
	return strconv.FormatBool(**f.to)
}

func (f boolFlag) Type() string { return "bool" }

// Set implements pflag.Value.
func (f boolFlag) Set(text string) error {
	on, err := strconv.ParseBool(text)
	if err != nil {
		return err
	}
	*f.to = &on
	return nil
}
