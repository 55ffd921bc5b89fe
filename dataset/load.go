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
	set := &Set{Name: name, Classes: digits}
	for i, split := range []*Split{&set.Train, &set.Test} {
		images, labels := e.files[2*i], e.files[2*i+1]
		s, _, labelsPath, err := loadSplit(filepath.Join(dir, name, images.name), filepath.Join(dir, name, labels.name), remedy(dir, name), []int{-1, side, side})
		if err != nil {
			return nil, err
		}
		for j, c := range s.Labels {
			if c >= digits {
				return nil, fmt.Errorf("%s: label %d is %d, want 0 to %d: %s", labelsPath, j, c, digits-1, remedy(dir, name))
			}
		}
		*split = s
	}
	return set, nil
}

// loadSplit reads a file of images of one of these shapes and one of labels, both plain or
// with ".gz" where they are not there. It also returns the paths that it read. Errors end with
// the remedy.
func loadSplit(images, labels, remedy string, shapes ...[]int) (s Split, imagesPath, labelsPath string, err error) {
	imagesPath, dims, pixels, err := loadIDX(images, remedy, shapes...)
	if err != nil {
		return s, "", "", err
	}
	labelsPath, labelDims, classes, err := loadIDX(labels, remedy, []int{-1})
	if err != nil {
		return s, "", "", err
	}
	if dims[0] != labelDims[0] {
		return s, "", "", fmt.Errorf("%s has %d images and %s has %d labels: %s", imagesPath, dims[0], labelsPath, labelDims[0], remedy)
	}
	s = shaped(dims)
	s.Images, s.Labels = pixels, make([]int, len(classes))
	for i, c := range classes {
		s.Labels[i] = int(c)
	}
	return s, imagesPath, labelsPath, nil
}

// shaped returns a split without content whose examples have the axes after the first: one of
// features, two of images, or three of images with channels.
func shaped(dims []int) Split {
	s := Split{N: dims[0], Rows: 1, Cols: dims[1], Channels: 1}
	if len(dims) > 2 {
		s.Rows, s.Cols = dims[1], dims[2]
	}
	if len(dims) > 3 {
		s.Channels = dims[3]
	}
	return s
}

// loadIDX reads a file, or the same with ".gz" where that is not there, and also
// returns the path that it read.
func loadIDX(file, remedy string, want ...[]int) (path string, dims []int, data []uint8, err error) {
	path, f, size, err := openEither(file)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil, nil, fmt.Errorf("%s: %w, neither plain nor as .gz: %s", path, fs.ErrNotExist, remedy)
	}
	if err != nil {
		return path, nil, nil, err
	}
	defer f.Close()
	if dims, data, err = readIDX(f, size, want...); err != nil {
		return path, nil, nil, fmt.Errorf("%s cannot be read as IDX: %w: %s", path, err, remedy)
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
