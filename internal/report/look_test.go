package report

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// luminance and contrast are those of the Web Content Accessibility Guidelines 2.
func luminance(t *testing.T, hex string) float64 {
	var rgb [3]uint8
	if _, err := fmt.Sscanf(hex, "#%02x%02x%02x", &rgb[0], &rgb[1], &rgb[2]); err != nil {
		t.Fatalf("colour %q: %v", hex, err)
	}
	var l float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		c := float64(rgb[i]) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		l += weight * c
	}
	return l
}

func contrast(t *testing.T, a, b string) float64 {
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// variable returns the n-th value that the style sheet gives a variable: light, then dark.
func variable(t *testing.T, name string, n int) string {
	parts := strings.Split(styleText, "--"+name+": ")
	if len(parts) < n+2 {
		t.Fatalf("report.css has no --%s number %d", name, n)
	}
	return strings.TrimSpace(parts[n+1][:strings.IndexByte(parts[n+1], ';')])
}

// Every colour stands out by at least 3:1 and every text by 4.5:1, in both themes.
func TestContrast(t *testing.T) {
	for _, ground := range []string{"paper", "panel"} {
		light, dark := variable(t, ground, 0), variable(t, ground, 1)
		for i, hue := range palette {
			for j, c := range hue {
				if x, y := contrast(t, c.light, light), contrast(t, c.dark, dark); x < 3 || y < 3 {
					t.Errorf("hue %d, shade %d: %.2f:1 light and %.2f:1 dark on --%s", i, j, x, y, ground)
				}
			}
		}
		for _, text := range []string{"ink", "soft", "alarm"} {
			if x, y := contrast(t, variable(t, text, 0), light), contrast(t, variable(t, text, 1), dark); x < 4.5 || y < 4.5 {
				t.Errorf("--%s: %.2f:1 light and %.2f:1 dark on --%s", text, x, y, ground)
			}
		}
	}
	if x := contrast(t, "#ffffff", "#000000"); math.Abs(x-21) > 1e-9 {
		t.Errorf("white on black is %v:1, not 21:1", x)
	}
}

// A normalization looks the same whatever else is in a report and in whatever order.
func TestLooksAreFixed(t *testing.T) {
	all := []Arm{{Norm: NormNone}}
	for look := 1; look <= looks; look++ {
		all = append(all, Arm{Norm: fmt.Sprint("n", look), Look: look})
	}
	styles := armStyles(all)
	seen := map[lineStyle]string{}
	for i, s := range styles {
		if other, taken := seen[s]; taken {
			t.Errorf("%s looks like %s", all[i].Norm, other)
		}
		seen[s] = all[i].Norm
		if alone := armStyles(all[i : i+1])[0]; alone != s {
			t.Errorf("%s: %v alone, %v among others", all[i].Norm, alone, s)
		}
	}
	if styles[0] != (lineStyle{}) {
		t.Errorf("the arm without normalization has style %v", styles[0])
	}
	unknown := []Arm{{Norm: "somebody's"}, {Norm: "x", Look: 3}}
	if a, b := armStyles(unknown)[0], armStyles([]Arm{unknown[1], unknown[0]})[1]; a != b {
		t.Errorf("a normalization without a number: %v, in another order %v", a, b)
	}
}

// Arms of one normalization have its hue, and differ.
func TestArmsOfOneNormDiffer(t *testing.T) {
	arms := []Arm{{Norm: "a", Look: 9, Grad: GradNaive}}
	for range variants - 1 {
		arms = append(arms, Arm{Norm: "a", Look: 9})
	}
	seen := map[lineStyle]bool{}
	for i, s := range armStyles(arms) {
		if seen[s] {
			t.Errorf("arm %d has a style that is taken", i)
		}
		seen[s] = true
		if hue := s.colour / shades; hue != 1 {
			t.Errorf("arm %d has hue %d, want 1", i, hue)
		}
	}
	naive, graph := armStyles(arms[:1])[0], armStyles(arms[1:2])[0]
	if got := armStyles([]Arm{arms[1], arms[0]}); got[0] != graph || got[1] != naive {
		t.Errorf("naive and graph: %v, alone %v and %v", got, graph, naive)
	}
}
