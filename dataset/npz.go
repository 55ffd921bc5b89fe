package dataset

import (
	"archive/zip"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// The arrays of a .npz file.
var npzArrays = [4]string{"x_train", "y_train", "x_test", "y_test"}

func openNPZ(path string) (*Set, error) {
	f, size, err := openOwn(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	set, err := readNPZ(f, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return set, nil
}

// readNPZ reads an archive of size bytes. It takes memory for what its entries really hold,
// which is at most maxInflation times its size, as for gzipped IDX.
func readNPZ(r io.ReaderAt, size int64) (*Set, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("it is not a .npz file (%w): write it with numpy.savez", err)
	}
	entries := map[string]*zip.File{}
	for _, f := range z.File {
		name := strings.TrimSuffix(f.Name, ".npy")
		if slices.Contains(npzArrays[:], name) {
			if entries[name] != nil {
				return nil, fmt.Errorf("it holds %s twice", name)
			}
			entries[name] = f
		}
	}
	budget := max(size*maxInflation, smallEnough)
	for _, name := range npzArrays {
		f := entries[name]
		if f == nil {
			return nil, fmt.Errorf("it holds no array %s: it needs %s", name, strings.Join(npzArrays[:], ", "))
		}
		// The entry's claim, which its reader enforces.
		if f.UncompressedSize64 > uint64(budget) {
			return nil, fmt.Errorf("its arrays claim more than %d times its %d bytes, which data do not reach", maxInflation, size)
		}
		budget -= int64(f.UncompressedSize64)
	}
	var splits [2]Split
	for i := range splits {
		x, y := npzArrays[2*i], npzArrays[2*i+1]
		s := &splits[i]
		if err := read(entries[x], s.readX); err != nil {
			return nil, fmt.Errorf("%s: %w", x, err)
		}
		if err := read(entries[y], s.readY); err != nil {
			return nil, fmt.Errorf("%s: %w", y, err)
		}
		if len(s.Labels) != s.N {
			return nil, fmt.Errorf("%s has %d examples and %s %d labels: give one each", x, s.N, y, len(s.Labels))
		}
	}
	return together(npzArrays[0], splits[0], npzArrays[2], splits[1])
}

// read opens an entry and has its array read.
func read(f *zip.File, array func(npyHeader, io.Reader, int64) error) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	h, err := readNPYHeader(r)
	if err != nil {
		return err
	}
	return array(h, r, int64(f.UncompressedSize64)-h.bytes)
}

// fits compares the shape with the bytes that follow the header, and returns the number of
// elements.
func (h npyHeader) fits(width int, follow int64) (int, error) {
	n, err := h.items()
	if err != nil {
		return 0, err
	}
	if n*int64(width) != follow {
		return 0, fmt.Errorf("its shape %s of %s takes %d bytes, and %d follow its header", h.shapeText(), h.dtype, n*int64(width), follow)
	}
	return int(n), nil
}

// readX reads pixels or features.
func (s *Split) readX(h npyHeader, r io.Reader, follow int64) error {
	if len(h.shape) < 2 || len(h.shape) > 4 {
		return fmt.Errorf("its shape is %s, want (n, features), (n, height, width) or (n, height, width, channels)", h.shapeText())
	}
	if s := h.shape; len(s) == 4 && (s[1] == 1 || s[1] == 3) && s[3] > 4 {
		return fmt.Errorf("its shape is %s, which looks like (n, channels, height, width): save .transpose(0, 2, 3, 1), since channels come last", h.shapeText())
	}
	e, float := npyFloats[h.dtype]
	if !float && h.dtype != "|u1" {
		return fmt.Errorf("its elements are %s: save pixels with .astype('uint8') or features with .astype('float32')", h.dtype)
	}
	n, err := h.fits(max(e.width, 1), follow)
	if err != nil {
		return err
	}
	*s = shaped(h.shape)
	if !float {
		s.Images, err = readExactly(r, int64(n), min(int64(n), firstRead))
		return err
	}
	return decode(r, n, e, func(i int, v float64) error {
		x := float32(v)
		if x-x != 0 {
			return fmt.Errorf("%s is %v: features are finite in float32; mend it or leave out the row", h.place(i), v)
		}
		s.Features = append(s.Features, x)
		return nil
	})
}

// readY reads labels.
func (s *Split) readY(h npyHeader, r io.Reader, follow int64) error {
	if len(h.shape) == 2 && h.shape[1] > 1 {
		return fmt.Errorf("its shape is %s, want (n,): of one-hot rows save .argmax(axis=1)", h.shapeText())
	}
	if len(h.shape) < 1 || len(h.shape) > 2 {
		return fmt.Errorf("its shape is %s, want (n,) or (n, 1)", h.shapeText())
	}
	e, ok := npyInts[h.dtype]
	if !ok {
		return fmt.Errorf("its elements are %s, want one of %s: save it with .astype('int64')", h.dtype, strings.Join(slices.Sorted(maps.Keys(npyInts)), ", "))
	}
	n, err := h.fits(e.width, follow)
	if err != nil {
		return err
	}
	return decode(r, n, e, func(i int, v float64) error {
		if fault := labelFault(v); fault != "" {
			return fmt.Errorf("%s: %s", h.place(i), fault)
		}
		s.Labels = append(s.Labels, int(v))
		return nil
	})
}
