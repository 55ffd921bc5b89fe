package kernels

import (
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		name string
		want ISA
		err  string
	}{
		{"", best, ""},
		{"go", Go, ""},
		{"sse", best, "DRIFTLESS_ISA=sse is no instruction set: choose one of go, avx2, avx512"},
	} {
		got, err := choose(c.name)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%q: %v, %v; want %v, %s", c.name, got, err, c.want, c.err)
		}
	}
	for s := best + 1; int(s) < len(isaNames); s++ {
		if got, err := choose(s.String()); got != best || err == nil || !strings.Contains(err.Error(), best.String()) {
			t.Errorf("%v, which is not there: %v, %v", s, got, err)
		}
	}
}
