package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Classes is the number of classes of every set; labels are 0 to Classes-1.
const Classes = 10

// side is the height and width of an image of every set.
const side = 28

// A Set is a data set with its usual split into training and test examples.
type Set struct {
	// Name is the name that the set was asked for by: one of Names.
	Name string
	// Train and Test hold the examples in the order of the files.
	Train, Test Split
	// Synthetic is true if the function Synthetic drew the images, so that a report
	// never passes its numbers off as those of real data.
	Synthetic bool
}

// A Split is a run of images with their labels.
type Split struct {
	// Images is N×Rows×Cols bytes in row-major order, 0 background, 255 ink.
	Images []uint8
	// Labels is N classes, each below Classes.
	Labels []uint8
	// N is the number of examples; Rows and Cols are the size of an image.
	N, Rows, Cols int
}

// Names returns the names of the data sets, in the order in which a message
// or a help text should list them.
func Names() []string { return append(Fetchable(), syntheticName) }

// Fetchable returns the names of the data sets that are kept in files, which Fetch
// and Load know: Names less the synthetic one.
func Fetchable() []string {
	names := make([]string, 0, len(catalogue)+1)
	for _, e := range catalogue {
		names = append(names, e.name)
	}
	return names
}

// DefaultDir returns the data directory used where none is given: the folder
// "driftless" in the user's cache directory (see [os.UserCacheDir]). It does
// not create it.
func DefaultDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no default data directory, give one with --data-dir: %w", err)
	}
	return filepath.Join(cache, "driftless"), nil
}

// lookup returns the catalogue entry of a set that is kept in files.
func lookup(name string) (*entry, error) {
	if i := slices.IndexFunc(catalogue, func(e entry) bool { return e.name == name }); i >= 0 {
		return &catalogue[i], nil
	}
	if name == syntheticName {
		return nil, fmt.Errorf("data set %q is built in and has no files: it is neither fetched nor loaded", name)
	}
	return nil, fmt.Errorf("unknown data set %q, known are %s", name, strings.Join(Fetchable(), ", "))
}
