package dataset

import (
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"math"
)

// Checksum returns a short text that another set, of other examples or in another order, almost
// surely does not have.
func (s *Set) Checksum() string {
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	for _, p := range []Split{s.Train, s.Test} {
		p.sum(h)
	}
	return fmt.Sprintf("%08x", h.Sum32())
}

func (s Split) sum(h hash.Hash) {
	_, _ = h.Write(s.Images) // of a hash it cannot fail
	var buf []byte
	flush := func(least int) {
		if len(buf) > least {
			_, _ = h.Write(buf)
			buf = buf[:0]
		}
	}
	for _, x := range s.Features {
		buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(x))
		flush(1 << 16)
	}
	for _, c := range append([]int{s.N, s.Rows, s.Cols, s.Channels}, s.Labels...) {
		buf = binary.LittleEndian.AppendUint64(buf, uint64(c))
		flush(1 << 16)
	}
	flush(0)
}
