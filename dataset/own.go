package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Extensions of files of one's own.
const extNPZ, extCSV = ".npz", ".csv"

// Own reports whether data, as --data takes it, is the path of files of one's own: it has a
// path separator, or ends with .npz or .csv.
func Own(data string) bool {
	return strings.ContainsAny(data, "/"+string(filepath.Separator)) || hasExt(data, extNPZ) || hasExt(data, extCSV)
}

func hasExt(path, ext string) bool { return strings.EqualFold(filepath.Ext(path), ext) }

// Check says what is wrong with data, as --data takes it, without a look at any file: it is
// neither one of Names nor Own, or one of two files is missing.
func Check(data string) error {
	switch {
	case slices.Contains(Names(), data):
		return nil
	case !Own(data):
		return fmt.Errorf("unknown data set %q: choose one of %s, or files of your own: FILE.npz, train.csv,test.csv or a folder of IDX files, with its path, such as ./mine",
			data, strings.Join(Names(), ", "))
	case hasExt(data, extCSV):
		_, _, err := csvPair(data)
		return err
	}
	return nil
}

// Open reads a set from files of one's own: a folder of IDX files, FILE.npz, or two CSV files
// with a comma between them, as the package comment describes. The set's name is the path as
// it is given. An error is a sentence that names the file, and in it the place.
func Open(path string) (*Set, error) {
	var set *Set
	err := Check(path)
	switch {
	case err != nil:
	case hasExt(path, extCSV):
		set, err = openCSV(path)
	case hasExt(path, extNPZ):
		set, err = openNPZ(path)
	default:
		set, err = openFolder(path)
	}
	if err != nil {
		return nil, err
	}
	set.Name = path
	return set, set.Validate()
}

// openOwn opens a file of one's own.
func openOwn(path string) (*os.File, int64, error) {
	f, size, err := openRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s: %w: check the path", path, fs.ErrNotExist)
	}
	return f, size, err
}

// together makes a set of two splits, whose examples messages call by these names. It has as
// many classes as the labels of both need.
func together(trainName string, train Split, testName string, test Split) (*Set, error) {
	if a, b := train.form(), test.form(); a != b {
		return nil, fmt.Errorf("%s has examples of %s and %s of %s: make them alike", trainName, a, testName, b)
	}
	classes := max(slices.Max(train.Labels), slices.Max(test.Labels)) + 1
	if classes < 2 {
		return nil, fmt.Errorf("all labels of %s and %s are 0: there is nothing to tell apart; give two classes or more", trainName, testName)
	}
	return &Set{Train: train, Test: test, Classes: classes}, nil
}

// folderFiles are the names of a folder's images and labels, of training and test. Images
// with channels have a dimension more, which some write into the name.
var folderFiles = [2]struct{ images, deep, labels string }{
	{"train-images-idx3-ubyte", "train-images-idx4-ubyte", "train-labels-idx1-ubyte"},
	{"t10k-images-idx3-ubyte", "t10k-images-idx4-ubyte", "t10k-labels-idx1-ubyte"},
}

// openFolder reads four IDX files with images of any size.
func openFolder(path string) (*Set, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w: give a folder of IDX files, FILE.npz or train.csv,test.csv", path, fs.ErrNotExist)
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, fmt.Errorf("%s is neither a folder of IDX files nor called .npz or .csv: convert it to one of these", path)
	}
	const remedy = "put the files train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte there, plain or as .gz"
	var splits [2]Split
	var names [2]string
	for i, f := range folderFiles {
		images := filepath.Join(path, f.images)
		if deep := filepath.Join(path, f.deep); !there(images) && there(deep) {
			images = deep
		}
		splits[i], names[i], _, err = loadSplit(images, filepath.Join(path, f.labels), remedy, []int{-1, -1, -1}, []int{-1, -1, -1, -1})
		if err != nil {
			return nil, err
		}
	}
	return together(names[0], splits[0], names[1], splits[1])
}

// there reports whether there is a file of that name, plain or gzipped.
func there(path string) bool {
	for _, p := range []string{path, path + ".gz"} {
		if _, err := os.Stat(p); err == nil {
			return true
		}
	}
	return false
}
