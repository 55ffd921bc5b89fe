package dataset

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

const (
	// idxUbyte is the magic number of an IDX file of bytes, less the number
	// of dimensions in its lowest byte.
	idxUbyte = 0x0800
	// maxItems bounds the bytes of data that a header may declare. MNIST's
	// largest file has 47 million.
	maxItems = 1 << 28
	// maxInflation is how many times its compressed size a gzipped file may hold,
	// if that is more than smallEnough bytes. MNIST inflates 5 times, of binary
	// pixels 22 times; DEFLATE can 1,000 times, which is a bomb.
	maxInflation = 100
	smallEnough  = 1 << 20
	// firstRead is how much is allocated before any compressed data was seen.
	firstRead = 1 << 16
)

// gzipMagic is how gzip begins. An IDX file begins with two zeros.
const gzipMagic = "\x1f\x8b"

var errTooLong = errors.New("it goes on after the data that its header declares")

// decompress returns the content of r, and reports whether r is gzipped.
func decompress(r io.Reader) (io.Reader, bool, error) {
	br := bufio.NewReader(r)
	head, err := br.Peek(2)
	if err != nil && err != io.EOF {
		return nil, false, err
	}
	if string(head) != gzipMagic {
		return br, false, nil
	}
	zr, err := gzip.NewReader(br)
	if err != nil {
		return nil, false, truncated(err)
	}
	return zr, true, nil
}

// truncated replaces io.EOF and io.ErrUnexpectedEOF by a sentence.
func truncated(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("it is truncated: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// readIDX reads an IDX file of bytes, plain or gzipped, that is size bytes
// long. Its dimensions must be those of one of want, which differ in number, where -1
// stands for any size but zero. It returns the dimensions and the data in row-major order.
//
// It never allocates more than a small multiple of what r delivers: the
// declared size is compared with size, and compressed data is read in growing
// pieces.
func readIDX(r io.Reader, size int64, want ...[]int) (dims []int, data []uint8, err error) {
	r, zipped, err := decompress(r)
	if err != nil {
		return nil, nil, err
	}
	var first [4]byte
	if _, err := io.ReadFull(r, first[:]); err != nil {
		return nil, nil, truncated(err)
	}
	magic := binary.BigEndian.Uint32(first[:])
	at := slices.IndexFunc(want, func(dims []int) bool { return magic == uint32(idxUbyte|len(dims)) })
	if at < 0 {
		var magics, ranks []string
		for _, dims := range want {
			magics, ranks = append(magics, fmt.Sprintf("0x%08x", idxUbyte|len(dims))), append(ranks, fmt.Sprint(len(dims)))
		}
		return nil, nil, fmt.Errorf("its magic number is 0x%08x, want %s for bytes in %s dimensions", magic, strings.Join(magics, " or "), strings.Join(ranks, " or "))
	}
	sizes := want[at]
	header := make([]byte, 4*len(sizes))
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, nil, truncated(err)
	}
	items := int64(1)
	dims = make([]int, len(sizes))
	for i, w := range sizes {
		d := int64(binary.BigEndian.Uint32(header[4*i:]))
		if d == 0 || w >= 0 && d != int64(w) {
			return nil, nil, fmt.Errorf("its dimension %d is %d, want %s", i, d, wanted(w))
		}
		// Both factors are below 2^32, so the product does not overflow.
		if items *= d; items > maxItems {
			return nil, nil, fmt.Errorf("its header declares %d bytes or more, the limit is %d", items, maxItems)
		}
		dims[i] = int(d)
	}

	begin := items // bytes to allocate at first
	if zipped {
		if items > max(size*maxInflation, smallEnough) {
			return nil, nil, fmt.Errorf("its header declares %d bytes, more than %d times its %d compressed bytes, which images do not reach", items, maxInflation, size)
		}
		begin = min(items, firstRead)
	} else if have := size - int64(len(first)+len(header)); have < items {
		return nil, nil, fmt.Errorf("it is truncated: its header declares %d bytes and %d follow", items, have)
	} else if have > items {
		return nil, nil, fmt.Errorf("%w: %d bytes declared, %d there", errTooLong, items, have)
	}
	data, err = readExactly(r, items, begin)
	if err != nil {
		return nil, nil, err
	}
	return dims, data, nil
}

func wanted(dim int) string {
	if dim < 0 {
		return "1 or more"
	}
	return fmt.Sprint(dim)
}

// readExactly reads n bytes and requires that r then ends; for a gzip reader
// the end is also where the checksum is compared. It allocates first bytes, and
// more only as they fill up.
func readExactly(r io.Reader, n, first int64) ([]byte, error) {
	buf := make([]byte, first)
	filled := 0
	for {
		m, err := io.ReadFull(r, buf[filled:])
		filled += m
		if err != nil {
			return nil, truncated(err)
		}
		if int64(filled) == n {
			break
		}
		grown := make([]byte, min(n, 4*int64(len(buf))))
		copy(grown, buf)
		buf = grown
	}
	var one [1]byte
	switch _, err := io.ReadFull(r, one[:]); err {
	case io.EOF:
		return buf, nil
	case nil:
		return nil, errTooLong
	default:
		return nil, truncated(err)
	}
}

// openRegular opens a regular file and returns its size. Anything else gives
// an error: opening a pipe, say, would wait for a writer.
func openRegular(path string) (*os.File, int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		what := "not a regular file"
		if info.IsDir() {
			what = "a directory, not a file"
		}
		return nil, 0, fmt.Errorf("%s is %s: move it away", path, what)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	return f, info.Size(), nil
}
