package checkpoint

import (
	"cmp"
	"fmt"
	"hash/crc32"
	"slices"
)

// Checksum returns a short text of the tensors' names and elements, in whatever order they come:
// that of others, or of damaged ones, almost surely differs.
func Checksum(ts []Tensor) string {
	ts = slices.Clone(ts)
	slices.SortFunc(ts, func(a, b Tensor) int { return cmp.Compare(a.Name, b.Name) })
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	for _, t := range ts {
		fmt.Fprintf(h, "%q %s %v\n", t.Name, dtypeOf(t.Data), t.Shape)
		_ = encode(h, t.Data) // a hash takes everything
	}
	return fmt.Sprintf("%08x", h.Sum32())
}
