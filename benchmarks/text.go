package benchmarks

import (
	"strconv"
	"strings"
)

// Sizes reads positive whole numbers with a separator between them. Where ok is false, bad is
// the first part that is none.
func Sizes(list, separator string) (out []int, bad string, ok bool) {
	for _, part := range strings.Split(list, separator) {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 1 {
			return nil, part, false
		}
		out = append(out, n)
	}
	return out, "", true
}

// Short shortens a text that a message quotes.
func Short(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
