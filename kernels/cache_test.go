package kernels

import "testing"

func TestChooseCaches(t *testing.T) {
	found := Caches{2 << 20, 16 << 20}
	for _, c := range []struct {
		l2    string
		found Caches
		want  Caches
		ok    bool
	}{
		{"", found, found, true},
		{"", Caches{}, Caches{1 << 20, 32 << 20}, true},
		{"512K", found, Caches{512 << 10, 16 << 20}, true},
		{"1M", Caches{}, Caches{1 << 20, 32 << 20}, true},
		{"1M", Caches{2 << 20, 0}, Caches{1 << 20, 0}, true},
		{"1024M", found, Caches{1 << 30, 16 << 20}, true},
		{"63K", found, found, false},
		{"1025M", found, found, false},
		{"1G", found, found, false},
		{"M", found, found, false},
		{"-1M", found, found, false},
		{"1048577K", found, found, false},
		{"99999999999999999999M", found, found, false},
	} {
		if got, err := chooseCaches(c.l2, c.found); got != c.want || (err == nil) != c.ok {
			t.Errorf("%q: %v, %v; want %v", c.l2, got, err, c.want)
		}
	}
}
