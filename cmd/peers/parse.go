package main

import (
	"slices"
	"strconv"
	"strings"
)

// A sample is one line of benchmark output.
type sample struct {
	// what is the benchmark with all parts of its name but the following ones:
	// "Step/net=paper/norm=none/input=dense".
	what string
	// impl is the value of the part impl=.
	impl string
	// threads is the number in workers=, threads= or processes=, 0 without one.
	threads int
	ns      float64 // of a step
	round   int     // not in the line
}

// net returns the network that was trained, by its name.
func (s sample) net() string {
	for part := range strings.SplitSeq(s.what, "/") {
		if v, ok := strings.CutPrefix(part, "net="); ok {
			return v
		}
	}
	return ""
}

// parseLine reads a line of Go's benchmark format with key=value names.
func parseLine(line string) (s sample, ok bool) {
	f := strings.Fields(line)
	if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
		return s, false
	}
	unit := slices.Index(f, "ns/op")
	if unit < 3 {
		return s, false
	}
	ns, err := strconv.ParseFloat(f[unit-1], 64)
	if err != nil || !(ns > 0) {
		return s, false
	}
	s.ns = ns
	var what []string
	for i, part := range strings.Split(withoutProcs(f[0]), "/") {
		key, value, pair := strings.Cut(part, "=")
		switch {
		case i == 0:
			what = append(what, strings.TrimPrefix(part, "Benchmark"))
		case pair && key == "impl":
			s.impl = value
		case pair && (key == "workers" || key == "threads" || key == "processes"):
			if s.threads, err = strconv.Atoi(value); err != nil {
				return s, false
			}
		default:
			what = append(what, part)
		}
	}
	s.what = strings.Join(what, "/")
	return s, s.impl != ""
}

// withoutProcs removes the suffix -GOMAXPROCS that package testing appends.
func withoutProcs(name string) string {
	i := strings.LastIndexByte(name, '-')
	if i < 0 {
		return name
	}
	if _, err := strconv.ParseUint(name[i+1:], 10, 32); err != nil {
		return name
	}
	return name[:i]
}
