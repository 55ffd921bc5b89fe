package checkpoint

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"driftless/internal/atomicfile"
)

// Write writes the tensors, with metadata, to a safetensors file, which is complete
// or as it was before: where the error is atomicfile.ErrNotSynced it is complete. It holds
// no copy of the elements.
func Write(path string, ts []Tensor, metadata map[string]string) error {
	header, ordered, err := describe(ts, metadata)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		if _, err := w.Write(header); err != nil {
			return err
		}
		for _, t := range ordered {
			if err := encode(w, t.Data); err != nil {
				return err
			}
		}
		return nil
	})
}

// describe returns what stands before the elements, and the tensors in the order of
// the file: as the format wants it, the widest elements first, so that all are
// aligned; then by name.
func describe(ts []Tensor, metadata map[string]string) (header []byte, ordered []Tensor, err error) {
	object := map[string]any{} // json.Marshal sorts its keys
	if len(metadata) > 0 {
		object[metadataName] = metadata
	}
	for k, v := range metadata {
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return nil, nil, fmt.Errorf("metadata %.80q is not UTF-8", k)
		}
	}
	rank := map[string]int{"I64": 0, "F64": 1, "F32": 2, "U8": 3}
	ordered = slices.Clone(ts)
	slices.SortFunc(ordered, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(rank[dtypeOf(a.Data)], rank[dtypeOf(b.Data)]), cmp.Compare(a.Name, b.Name))
	})
	offset := int64(0)
	for _, t := range ordered {
		if err := checkName(t.Name); err != nil {
			return nil, nil, err
		}
		if _, dup := object[t.Name]; dup {
			return nil, nil, fmt.Errorf("two tensors are called %q", t.Name)
		}
		dtype := dtypeOf(t.Data)
		if dtype == "" {
			return nil, nil, fmt.Errorf("tensor %q: elements of type %T are not supported", t.Name, t.Data)
		}
		shape := make([]uint64, len(t.Shape))
		for i, d := range t.Shape {
			shape[i] = uint64(d)
		}
		have := lenOf(t.Data)
		if n, err := elements(shape); err != nil || n != int64(have) {
			return nil, nil, fmt.Errorf("tensor %q: %d elements do not fill the shape %v", t.Name, have, t.Shape)
		}
		end := offset + int64(have)*sizes[dtype]
		object[t.Name] = entry{dtype, shape, [2]int64{offset, end}}
		offset = end
	}
	text, err := json.Marshal(object)
	if err != nil {
		return nil, nil, err
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	if len(text) > maxHeader {
		return nil, nil, fmt.Errorf("the names, shapes and metadata of its %d tensors take %d bytes, the limit is %d", len(ts), len(text), maxHeader)
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...), ordered, nil
}

// entry is what the header says of a tensor.
type entry struct {
	DType   string   `json:"dtype"`
	Shape   []uint64 `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// checkName refuses the names that no tensor may have.
func checkName(name string) error {
	switch {
	case name == metadataName:
		return fmt.Errorf("a tensor cannot be called %q", name)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("the name of tensor %.80q has control characters", name)
	}
	return nil
}

var errTooMany = errors.New("too many elements")

// elements returns how many elements a shape has.
func elements(shape []uint64) (int64, error) {
	if len(shape) > maxRank {
		return 0, errTooMany
	}
	n := uint64(1)
	for _, d := range shape {
		if d > maxAxis {
			return 0, errTooMany
		}
		if n *= d; n > maxElements {
			return 0, errTooMany
		}
	}
	return int64(n), nil
}

func lenOf(data any) int {
	switch x := data.(type) {
	case []float32:
		return len(x)
	case []float64:
		return len(x)
	case []int64:
		return len(x)
	case []uint8:
		return len(x)
	}
	return 0
}

// piece is how many elements are converted at a time.
const piece = 8192

// encode writes elements in the form of the file.
func encode(w io.Writer, data any) error {
	switch x := data.(type) {
	case []float32:
		return encodeAll(w, x, 4)
	case []float64:
		return encodeAll(w, x, 8)
	case []int64:
		return encodeAll(w, x, 8)
	case []uint8:
		_, err := w.Write(x)
		return err
	}
	panic("checkpoint: describe let an element type pass")
}

func encodeAll[T any](w io.Writer, x []T, size int) error {
	buf := make([]byte, size*min(len(x), piece))
	for part := range slices.Chunk(x, piece) {
		n, err := binary.Encode(buf, binary.LittleEndian, part)
		if err != nil {
			return err
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
	}
	return nil
}
