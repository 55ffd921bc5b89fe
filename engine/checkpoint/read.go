package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"driftless/internal/atomicfile"
)

// File is an open safetensors file, whose header was read and is sound. Its methods
// may be called from several goroutines at once.
type File struct {
	path     string
	r        io.ReaderAt
	data     int64 // where the tensors' data begin
	metadata map[string]string
	tensors  []Info
}

// Open opens a safetensors file and reads its header, which must describe the file
// whole. It takes memory of the header's order, whatever the file's size. The error
// is a sentence that names the file. The caller closes the File.
func Open(path string) (*File, error) {
	info, err := os.Stat(path) // before it is opened: a pipe would wait for a writer
	if err != nil {
		return nil, fmt.Errorf("cannot read weights from %s: %w", path, atomicfile.Cause(err))
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot read weights: %s is not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read weights from %s: %w", path, atomicfile.Cause(err))
	}
	out, err := open(path, f, info.Size())
	if err != nil {
		f.Close()
		return nil, err
	}
	return out, nil
}

// open reads the header of a file of size bytes.
func open(path string, r io.ReaderAt, size int64) (*File, error) {
	out := &File{path: path, r: r}
	if err := out.readHeader(size); err != nil {
		return nil, out.unsound(err)
	}
	return out, nil
}

func (f *File) unsound(err error) error {
	return fmt.Errorf("%s is not a complete safetensors file of weights: %w", f.path, err)
}

func (f *File) readHeader(size int64) error {
	var first [8]byte
	if size < int64(len(first)) {
		return fmt.Errorf("%d bytes are too few for a header", size)
	}
	if err := f.readAt(first[:], 0); err != nil {
		return err
	}
	n := binary.LittleEndian.Uint64(first[:])
	if n > uint64(size-8) {
		return fmt.Errorf("its header claims %d bytes, the file has %d", n, size-8)
	}
	if n > maxHeader {
		return fmt.Errorf("its header claims %d bytes, the limit is %d", n, maxHeader)
	}
	text := make([]byte, n)
	if err := f.readAt(text, 8); err != nil {
		return err
	}
	f.data = 8 + int64(n)
	var err error
	f.metadata, f.tensors, err = parseHeader(text, size-f.data)
	return err
}

// readAt fills buf from the byte at on.
func (f *File) readAt(buf []byte, at int64) error {
	n, err := f.r.ReadAt(buf, at)
	switch {
	case n == len(buf):
		return nil
	case err == io.EOF: // the file was whole when it was opened
		return errors.New("it was cut short while it was read")
	}
	return err
}

// Close closes the file.
func (f *File) Close() error {
	if c, ok := f.r.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Metadata returns the file's metadata, nil where it has none. The caller must not
// change it.
func (f *File) Metadata() map[string]string { return f.metadata }

// Tensors describes the tensors, in the order of the file. The caller must not change
// the shapes.
func (f *File) Tensors() []Info { return slices.Clone(f.tensors) }

// Tensor reads one tensor. Elements of types F16 and BF16 become float32, which holds
// them all; other types than those, F32, F64, I64 and U8 give an error, and so does a name
// that the file does not hold. It allocates the tensor's own slice and a small buffer.
func (f *File) Tensor(name string) (Tensor, error) {
	at := slices.IndexFunc(f.tensors, func(i Info) bool { return i.Name == name })
	if at < 0 {
		return Tensor{}, fmt.Errorf("%s holds no tensor %.80q", f.path, name)
	}
	return f.tensor(f.tensors[at])
}

func (f *File) tensor(i Info) (Tensor, error) {
	t := Tensor{Name: i.Name, Shape: slices.Clone(i.Shape)}
	var err error
	switch i.DType {
	case "F32":
		x := make([]float32, i.len)
		t.Data, err = x, read(f, i, x, plain)
	case "F64":
		x := make([]float64, i.len)
		t.Data, err = x, read(f, i, x, plain)
	case "I64":
		x := make([]int64, i.len)
		t.Data, err = x, read(f, i, x, plain)
	case "U8":
		x := make([]uint8, i.len)
		t.Data, err = x, f.readAt(x, f.data+i.start)
	case "F16":
		x := make([]float32, i.len)
		t.Data, err = x, read(f, i, x, each(half))
	case "BF16":
		x := make([]float32, i.len)
		t.Data, err = x, read(f, i, x, each(brain))
	default:
		return Tensor{}, fmt.Errorf("%s: tensor %.80q has element type %s, only F16, BF16, F32, F64, I64 and U8 are read", f.path, i.Name, i.DType)
	}
	if err != nil {
		return Tensor{}, f.unsound(err)
	}
	return t, nil
}

// read reads a tensor's elements into x, piece by piece, as decode decodes them.
func read[T any](f *File, i Info, x []T, decode func(x []T, from []byte) error) error {
	size := int(sizes[i.DType])
	buf := make([]byte, size*min(len(x), piece))
	at := f.data + i.start
	for part := range slices.Chunk(x, piece) {
		b := buf[:size*len(part)]
		if err := f.readAt(b, at); err != nil {
			return err
		}
		if err := decode(part, b); err != nil {
			return err
		}
		at += int64(len(b))
	}
	return nil
}

// plain decodes elements that are in the file as they are in memory.
func plain[T any](x []T, from []byte) error {
	_, err := binary.Decode(from, binary.LittleEndian, x)
	return err
}

// each decodes elements of two bytes.
func each(f func(uint16) float32) func(x []float32, from []byte) error {
	return func(x []float32, from []byte) error {
		for i := range x {
			x[i] = f(binary.LittleEndian.Uint16(from[2*i:]))
		}
		return nil
	}
}

// maxFile bounds what Read takes into memory.
const maxFile = 4 << 30

// Read reads a safetensors file whole, of at most 4 GiB. It fails as Open and
// File.Tensor do.
func Read(path string) (ts []Tensor, metadata map[string]string, err error) {
	f, err := Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if n := len(f.tensors); n > 0 && f.tensors[n-1].end > maxFile {
		return nil, nil, fmt.Errorf("cannot read weights: %s holds more than %d bytes", path, int64(maxFile))
	}
	for _, i := range f.tensors {
		t, err := f.tensor(i)
		if err != nil {
			return nil, nil, err
		}
		ts = append(ts, t)
	}
	return ts, f.metadata, nil
}
