package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/nlpodyssey/safetensors"
)

// Tensor is a named tensor, row major. Data is []float32, []float64 or []int64.
type Tensor struct {
	Name  string
	Shape []int
	Data  any
}

// Write writes the tensors, with metadata, to a safetensors file, which is
// complete or as it was before. An error after the rename means that the file is
// complete but may not survive a power failure.
func Write(path string, ts []Tensor, metadata map[string]string) (err error) {
	views := map[string]encoded{}
	for _, t := range ts {
		v, err := view(t)
		if err != nil {
			return fmt.Errorf("%s: tensor %q: %w", path, t.Name, err)
		}
		if _, dup := views[t.Name]; dup {
			return fmt.Errorf("%s: two tensors are called %q", path, t.Name)
		}
		views[t.Name] = v
	}
	data, err := safetensors.Serialize(views, metadata)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, plainCause(err))
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = fmt.Errorf("cannot write %s: %w", path, plainCause(err))
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// plainCause strips the temporary name from an error of package os.
func plainCause(err error) error {
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	switch {
	case errors.As(err, &pathErr):
		return pathErr.Err
	case errors.As(err, &linkErr):
		return linkErr.Err
	}
	return err
}

// syncDir makes a rename durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// encoded is a tensor in the file's form. It takes the place of the library's
// TensorView, which refuses scalars.
type encoded struct {
	dtype safetensors.DType
	shape []uint64
	data  []byte
}

var _ safetensors.View = encoded{}

func (e encoded) DType() safetensors.DType { return e.dtype }
func (e encoded) Shape() []uint64          { return e.shape }
func (e encoded) Data() []byte             { return e.data }
func (e encoded) DataLen() uint64          { return uint64(len(e.data)) }

func view(t Tensor) (encoded, error) {
	shape := make([]uint64, len(t.Shape))
	n := 1
	for i, d := range t.Shape {
		shape[i] = uint64(d)
		n *= d
	}
	var buf []byte
	var dt safetensors.DType
	have := 0
	switch x := t.Data.(type) {
	case []float32:
		dt, have = safetensors.F32, len(x)
		for _, v := range x {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
	case []float64:
		dt, have = safetensors.F64, len(x)
		for _, v := range x {
			buf = binary.LittleEndian.AppendUint64(buf, math.Float64bits(v))
		}
	case []int64:
		dt, have = safetensors.I64, len(x)
		for _, v := range x {
			buf = binary.LittleEndian.AppendUint64(buf, uint64(v))
		}
	default:
		return encoded{}, fmt.Errorf("elements of type %T are not supported", t.Data)
	}
	if have != n {
		return encoded{}, fmt.Errorf("%d elements do not fill the shape %v", have, t.Shape)
	}
	return encoded{dt, shape, buf}, nil
}

// maxFile bounds what Read takes into memory.
const maxFile = 4 << 30

// Read reads a safetensors file. It fails with a sentence that names the file
// when it is not one, is truncated, or holds element types other than F32, F64
// and I64.
func Read(path string) (ts []Tensor, metadata map[string]string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read weights: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, nil, fmt.Errorf("cannot read weights: %s is not a file of at most %d bytes", path, int64(maxFile))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read weights: %w", err)
	}
	ts, metadata, err = decode(data)
	if err != nil {
		return nil, nil, fmt.Errorf("%s is not a complete safetensors file of weights: %w", path, err)
	}
	return ts, metadata, nil
}

func decode(data []byte) (ts []Tensor, metadata map[string]string, err error) {
	if len(data) < 8 {
		return nil, nil, fmt.Errorf("%d bytes are too few for a header", len(data))
	}
	if n := binary.LittleEndian.Uint64(data); n > uint64(len(data)-8) {
		return nil, nil, fmt.Errorf("its header claims %d bytes, the file has %d", n, len(data)-8)
	}
	st, err := safetensors.Deserialize(data)
	if err != nil {
		return nil, nil, err
	}
	_, md, err := safetensors.ReadMetadata(data)
	if err != nil {
		return nil, nil, err
	}
	for _, nt := range st.Tensors() {
		v := nt.TensorView
		t := Tensor{Name: nt.Name}
		for _, d := range v.Shape() {
			if d > math.MaxInt32 {
				return nil, nil, fmt.Errorf("tensor %q has an axis of %d", nt.Name, d)
			}
			t.Shape = append(t.Shape, int(d))
		}
		b := v.Data()
		switch v.DType() {
		case safetensors.F32:
			x := make([]float32, len(b)/4)
			for i := range x {
				x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
			}
			t.Data = x
		case safetensors.F64:
			x := make([]float64, len(b)/8)
			for i := range x {
				x[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
			}
			t.Data = x
		case safetensors.I64:
			x := make([]int64, len(b)/8)
			for i := range x {
				x[i] = int64(binary.LittleEndian.Uint64(b[8*i:]))
			}
			t.Data = x
		default:
			return nil, nil, fmt.Errorf("tensor %q has element type %v, only F32, F64 and I64 are read", nt.Name, v.DType())
		}
		ts = append(ts, t)
	}
	return ts, md.Metadata(), nil
}
