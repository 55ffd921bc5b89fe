package norm

import "testing"

// Every method of this package has a look of its own in reports; that of none is the neutral
// one.
func TestLooks(t *testing.T) {
	seen := map[int]string{}
	for _, i := range Infos() {
		if i.Name == "none" {
			if i.Look != 0 {
				t.Errorf("none has look %d", i.Look)
			}
			continue
		}
		if other := seen[i.Look]; i.Look < 1 || other != "" {
			t.Errorf("%s has look %d, as %q has", i.Name, i.Look, other)
		}
		seen[i.Look] = i.Name
	}
}
