package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

const (
	// metadataName is the header's key for the metadata.
	metadataName = "__metadata__"
	// maxHeader bounds the bytes of a header: some ten thousand tensors. The worst
	// one takes some tens of megabytes to parse.
	maxHeader = 1 << 20
	// maxAxis and maxElements bound a tensor. Their product is below 2^63, so that no
	// product of sizes overflows.
	maxAxis     = math.MaxInt32
	maxElements = 1 << 32
	// maxRank is PyTorch's own limit of axes.
	maxRank = 64
)

// Info says what a file holds under a name.
type Info struct {
	Name string
	// DType is the element type as the format writes it: "F32", "F64", "F16", "BF16"
	// and "I64", which are read, or another, which is not.
	DType string
	Shape []int

	start, end int64 // in the data
	len        int64
}

// Len returns the number of elements.
func (i Info) Len() int { return int(i.len) }

// parseHeader reads a header, whose data are size bytes. The tensors that it returns
// are in the order of their data, which they fill one after the other.
//
// The library nlpodyssey/safetensors wants the whole file in memory and lets the last
// of two equal names win, so it serves the tests alone.
func parseHeader(text []byte, size int64) (map[string]string, []Info, error) {
	if !bytes.HasPrefix(text, []byte("{")) {
		return nil, nil, errors.New("its header does not begin with {")
	}
	p := parser{json.NewDecoder(bytes.NewReader(text))}
	p.UseNumber()
	var metadata map[string]string
	var tensors []Info
	err := p.object(func(name string) error {
		if name == metadataName {
			metadata = map[string]string{}
			return p.object(func(key string) (err error) {
				metadata[key], err = p.text()
				return err
			})
		}
		if err := checkName(name); err != nil {
			return err
		}
		i, err := p.tensor()
		if err != nil {
			return fmt.Errorf("tensor %.80q: %w", name, err)
		}
		i.Name = name
		tensors = append(tensors, i)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if _, err := p.Token(); err != io.EOF {
		return nil, nil, errors.New("its header goes on after its end")
	}
	slices.SortStableFunc(tensors, func(a, b Info) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end)) })
	at := int64(0)
	for _, i := range tensors {
		if i.start != at {
			return nil, nil, fmt.Errorf("tensor %.80q begins at byte %d of the data, where the tensors before it end at %d", i.Name, i.start, at)
		}
		at = i.end
	}
	if at != size {
		return nil, nil, fmt.Errorf("its tensors take %d bytes, and %d follow the header", at, size)
	}
	return metadata, tensors, nil
}

// parser reads a header token by token: encoding/json into a struct or a map would let
// names that come twice, other cases of a name, and missing or unknown ones pass.
type parser struct{ *json.Decoder }

// object reads an object, of whose members value reads the values.
func (p parser) object(value func(name string) error) error {
	if err := p.delim('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for p.More() {
		name, err := p.text()
		if err != nil {
			return err
		}
		if seen[name] {
			return fmt.Errorf("its header has %.80q twice", name)
		}
		seen[name] = true
		if err := value(name); err != nil {
			return err
		}
	}
	return p.delim('}')
}

// tensor reads what the header says of one tensor.
func (p parser) tensor() (i Info, err error) {
	var shape, offsets []uint64
	members := 0
	err = p.object(func(name string) (err error) {
		members++
		switch name {
		case "dtype":
			i.DType, err = p.text()
		case "shape":
			shape, err = p.naturals()
		case "data_offsets":
			offsets, err = p.naturals()
		default:
			err = fmt.Errorf("%.80q is none of dtype, shape and data_offsets", name)
		}
		return err
	})
	if err != nil {
		return i, err
	}
	if members != 3 {
		return i, errors.New("dtype, shape or data_offsets is missing")
	}
	size, known := sizes[i.DType]
	if !known {
		return i, fmt.Errorf("its element type %.80q is not known", i.DType)
	}
	for _, d := range shape {
		if d > maxAxis {
			return i, fmt.Errorf("it has an axis of %d", d)
		}
		i.Shape = append(i.Shape, int(d))
	}
	if i.len, err = elements(shape); err != nil || i.len > math.MaxInt {
		return i, errTooMany
	}
	if len(offsets) != 2 || offsets[1] > math.MaxInt64 || offsets[0] > offsets[1] {
		return i, fmt.Errorf("its data_offsets %d are not a beginning and an end", offsets[:min(len(offsets), 3)])
	}
	i.start, i.end = int64(offsets[0]), int64(offsets[1])
	if i.end-i.start != i.len*size {
		return i, fmt.Errorf("its %d elements of type %s take %d bytes, and its data_offsets are %d apart", i.len, i.DType, i.len*size, i.end-i.start)
	}
	return i, nil
}

func (p parser) text() (string, error) {
	t, err := p.next()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("its header has %.80v where a text is to be", t)
	}
	return s, nil
}

// naturals reads a list of whole numbers from 0 on.
func (p parser) naturals() ([]uint64, error) {
	if err := p.delim('['); err != nil {
		return nil, err
	}
	var out []uint64
	for p.More() {
		t, err := p.next()
		if err != nil {
			return nil, err
		}
		n, ok := t.(json.Number)
		v, err := strconv.ParseUint(string(n), 10, 64)
		if !ok || err != nil {
			return nil, fmt.Errorf("its header has %.80v where a whole number is to be", t)
		}
		if len(out) == maxRank {
			return nil, fmt.Errorf("its header lists more than %d numbers", maxRank)
		}
		out = append(out, v)
	}
	return out, p.delim(']')
}

func (p parser) delim(want json.Delim) error {
	t, err := p.next()
	if err == nil && t != want {
		err = fmt.Errorf("its header has %.80v where %v is to be", t, want)
	}
	return err
}

// next is Token, with its errors put into words.
func (p parser) next() (json.Token, error) {
	t, err := p.Token()
	switch err {
	case nil:
		return t, nil
	case io.EOF, io.ErrUnexpectedEOF:
		return nil, errors.New("its header ends too early")
	}
	return nil, fmt.Errorf("its header is not JSON: %w", err)
}
