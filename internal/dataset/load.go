package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Load reads a data set from the four IDX files in the folder dir/name.
//
// Magic numbers, sizes (images of 28×28), the equal number of images and
// labels and the range of the labels are checked; checksums are not, so that a
// subset of the real data can be put there. An error names the file and the
// command that helps; it wraps [fs.ErrNotExist] where a file is missing. The
// synthetic set has no files: use [Synthetic].
func Load(dir, name string) (*Set, error) {
	e, err := lookup(name)
	if err != nil {
		return nil, err
	}
	set := &Set{Name: name}
	for i, split := range []*Split{&set.Train, &set.Test} {
		images, labels := e.files[2*i], e.files[2*i+1]
		imagesPath, dims, pixels, err := loadIDX(dir, name, images.name, -1, side, side)
		if err != nil {
			return nil, err
		}
		labelsPath, labelDims, classes, err := loadIDX(dir, name, labels.name, -1)
		if err != nil {
			return nil, err
		}
		if dims[0] != labelDims[0] {
			return nil, fmt.Errorf("%s has %d images and %s has %d labels: %s", imagesPath, dims[0], labelsPath, labelDims[0], remedy(dir, name))
		}
		for j, c := range classes {
			if c >= Classes {
				return nil, fmt.Errorf("%s: label %d is %d, want 0 to %d: %s", labelsPath, j, c, Classes-1, remedy(dir, name))
			}
		}
		*split = Split{Images: pixels, Labels: classes, N: dims[0], Rows: side, Cols: side}
	}
	return set, nil
}

// loadIDX reads dir/name/file, or the same with ".gz" where that is not there,
// and also returns the path that it read.
func loadIDX(dir, name, file string, want ...int) (path string, dims []int, data []uint8, err error) {
	path, f, size, err := openEither(filepath.Join(dir, name, file))
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil, nil, fmt.Errorf("%s: %w, neither plain nor as .gz: %s", path, fs.ErrNotExist, remedy(dir, name))
	}
	if err != nil {
		return path, nil, nil, err
	}
	defer f.Close()
	if dims, data, err = readIDX(f, size, want...); err != nil {
		return path, nil, nil, fmt.Errorf("%s cannot be read as IDX: %w: %s", path, err, remedy(dir, name))
	}
	return path, dims, data, nil
}

// openEither opens path, or path with ".gz" where path does not exist. The
// path it returns is path itself where neither exists.
func openEither(path string) (string, *os.File, int64, error) {
	f, size, err := openRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		if zf, zsize, zerr := openRegular(path + ".gz"); !errors.Is(zerr, fs.ErrNotExist) {
			return path + ".gz", zf, zsize, zerr
		}
	}
	return path, f, size, err
}

// remedy is the command that puts the files of a set in place.
func remedy(dir, name string) string {
	command := "driftless data fetch " + name
	if def, err := DefaultDir(); err != nil || filepath.Clean(dir) != def {
		command += fmt.Sprintf(" --data-dir %q", dir)
	}
	return "run " + command
}
