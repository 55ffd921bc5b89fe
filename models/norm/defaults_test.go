package norm

import (
	"os"
	"strings"
	"testing"
)

// TestDefaults: the settings of every method are those of testdata/defaults.txt, which is held
// against the papers and METHODS by reading.
func TestDefaults(t *testing.T) {
	var b strings.Builder
	for _, i := range Infos() {
		m := i.New()
		b.WriteString(m.Name())
		for _, s := range settings(m) {
			b.WriteString(" " + s.Key + "=" + s.text())
		}
		b.WriteString("\n")
	}
	want, err := os.ReadFile("testdata/defaults.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != string(want) {
		t.Errorf("the defaults are\n%s\nwant\n%s", got, want)
	}
}
