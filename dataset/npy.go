package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// npyHeader is what a .npy file says of its array. The two Go libraries for the format
// allocate what a header claims and panic at some that are malformed, so it is read here.
type npyHeader struct {
	dtype string // such as <f4
	shape []int
	bytes int64 // of the header
}

const npyMagic = "\x93NUMPY"

// maxNPYHeader bounds a header's bytes, which are some 100.
const maxNPYHeader = 1 << 16

var (
	npyDtype = regexp.MustCompile(`'descr'\s*:\s*'([^']*)'`)
	npyOrder = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	npyShape = regexp.MustCompile(`'shape'\s*:\s*\(([0-9, ]*)\)`)
)

// readNPYHeader reads a header of version 1, 2 or 3 and leaves r where the elements begin.
func readNPYHeader(r io.Reader) (h npyHeader, err error) {
	var first [8]byte // magic and version
	if _, err := io.ReadFull(r, first[:]); err != nil {
		return h, truncated(err)
	}
	if string(first[:6]) != npyMagic {
		return h, errors.New("it is not a .npy array: write the file with numpy.savez")
	}
	length := make([]byte, 2)
	switch first[6] {
	case 1:
	case 2, 3:
		length = make([]byte, 4)
	default:
		return h, fmt.Errorf("its .npy version is %d, and 1 to 3 are read", first[6])
	}
	if _, err := io.ReadFull(r, length); err != nil {
		return h, truncated(err)
	}
	var n int64
	for i, b := range length {
		n |= int64(b) << (8 * i)
	}
	if n > maxNPYHeader {
		return h, fmt.Errorf("its .npy header claims %d bytes, the limit is %d", n, maxNPYHeader)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return h, truncated(err)
	}
	h.bytes = int64(len(first)+len(length)) + n
	dtype, order, shape := npyDtype.FindSubmatch(text), npyOrder.FindSubmatch(text), npyShape.FindSubmatch(text)
	switch {
	case dtype == nil || order == nil || shape == nil:
		return h, errors.New("its .npy header does not give one element type, the order and the shape")
	case string(order[1]) == "True":
		return h, errors.New("it is in Fortran order: save numpy.ascontiguousarray of it")
	case bytes.HasPrefix(dtype[1], []byte("|O")):
		return h, errors.New("it holds Python objects, which are not read: save numbers")
	case bytes.HasPrefix(dtype[1], []byte(">")):
		return h, fmt.Errorf("its elements %s are big-endian: save it with .astype('<%s')", dtype[1], dtype[1][1:])
	}
	h.dtype = string(dtype[1])
	for field := range strings.SplitSeq(string(shape[1]), ",") {
		if field = strings.TrimSpace(field); field == "" {
			continue // after the last comma
		}
		d, err := strconv.ParseInt(field, 10, 32)
		if err != nil {
			return h, fmt.Errorf("its shape has an axis of %s", field)
		}
		h.shape = append(h.shape, int(d))
	}
	return h, nil
}

// shapeText is the shape as NumPy prints it.
func (h npyHeader) shapeText() string {
	s := strings.ReplaceAll(strings.Trim(fmt.Sprint(h.shape), "[]"), " ", ", ")
	if len(h.shape) == 1 {
		s += ","
	}
	return "(" + s + ")"
}

// items is the number of elements, which is at most maxItems and at least 1.
func (h npyHeader) items() (int64, error) {
	n := int64(1)
	for _, d := range h.shape {
		if d == 0 {
			return 0, fmt.Errorf("its shape %s has no elements: give one example or more", h.shapeText())
		}
		if n *= int64(d); n > maxItems { // both were below 2^31
			return 0, fmt.Errorf("its shape %s has more elements than the limit of %d", h.shapeText(), maxItems)
		}
	}
	return n, nil
}

// place is the index of element i, as NumPy writes it.
func (h npyHeader) place(i int) string {
	at := make([]string, len(h.shape))
	for k := len(h.shape) - 1; k >= 0; k-- {
		at[k] = strconv.Itoa(i % h.shape[k])
		i /= h.shape[k]
	}
	return "[" + strings.Join(at, ", ") + "]"
}

// An element is a type that labels may have, or features: its width in bytes and its value.
type element struct {
	width int
	value func([]byte) float64
}

var (
	le      = binary.LittleEndian
	npyInts = map[string]element{
		"|u1": {1, func(b []byte) float64 { return float64(b[0]) }},
		"|i1": {1, func(b []byte) float64 { return float64(int8(b[0])) }},
		"<u2": {2, func(b []byte) float64 { return float64(le.Uint16(b)) }},
		"<i2": {2, func(b []byte) float64 { return float64(int16(le.Uint16(b))) }},
		"<u4": {4, func(b []byte) float64 { return float64(le.Uint32(b)) }},
		"<i4": {4, func(b []byte) float64 { return float64(int32(le.Uint32(b))) }},
		"<u8": {8, func(b []byte) float64 { return float64(le.Uint64(b)) }},
		"<i8": {8, func(b []byte) float64 { return float64(int64(le.Uint64(b))) }},
	}
	npyFloats = map[string]element{
		"<f4": {4, func(b []byte) float64 { return float64(math.Float32frombits(le.Uint32(b))) }},
		"<f8": {8, func(b []byte) float64 { return math.Float64frombits(le.Uint64(b)) }},
	}
)

// decode reads n elements and gives them to each in turn, until that fails. It requires that r
// then ends, where the checksum of a zip entry is compared.
func decode(r io.Reader, n int, e element, each func(i int, v float64) error) error {
	const some = 4096
	buf := make([]byte, some*e.width)
	for i := 0; i < n; {
		part := buf[:min(some, n-i)*e.width]
		if _, err := io.ReadFull(r, part); err != nil {
			return truncated(err)
		}
		for ; len(part) > 0; part = part[e.width:] {
			if err := each(i, e.value(part)); err != nil {
				return err
			}
			i++
		}
	}
	switch _, err := io.ReadFull(r, buf[:1]); err {
	case io.EOF:
		return nil
	case nil:
		return errTooLong
	default:
		return truncated(err)
	}
}
