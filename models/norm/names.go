package norm

import (
	"fmt"
	"strings"
)

// Unknown is the error for a name that is none of a list: it gives the list, and the
// nearest name where one is near.
func Unknown(what, name string, names []string) error {
	best, dist := "", 3
	for _, n := range names {
		if d := distance(strings.ToLower(name), n); d < dist {
			best, dist = n, d
		}
	}
	hint := ""
	if best != "" {
		hint = fmt.Sprintf(" (did you mean %q?)", best)
	}
	return fmt.Errorf("unknown %s %q%s: choose one of %s", what, name, hint, strings.Join(names, ", "))
}

// distance is the edit distance of two names.
func distance(a, b string) int {
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range len(a) {
		cur := make([]int, len(b)+1)
		cur[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			cur[j+1] = min(prev[j]+cost, prev[j+1]+1, cur[j]+1)
		}
		prev = cur
	}
	return prev[len(b)]
}
