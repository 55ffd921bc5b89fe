package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// digits is the number of classes of every set that has a name, and side the height and width
// of its images.
const digits, side = 10, 28

// MaxClasses bounds the classes of a set.
const MaxClasses = 1 << 16

// A Set is a data set with its split into training and test examples. A program fills it from
// slices of its own, which the set then shares; Validate says whether it may be trained on.
type Set struct {
	// Name is what reports call the set: one of Names, or the path that Open was given.
	Name string
	// Train and Test hold the examples. They agree in all but their number and content.
	Train, Test Split
	// Classes is the number of classes, 2 to MaxClasses.
	Classes int
	// Synthetic is true if the function Synthetic drew the images, so that a report
	// never passes its numbers off as those of real data.
	Synthetic bool
}

// A Split is a run of examples, images or rows of features, with their labels. One of Images
// and Features is nil.
type Split struct {
	// Images is N×Rows×Cols×Channels bytes in row-major order, the channels of a pixel
	// beside one another, 0 background, 255 ink.
	Images []uint8
	// Features is as many numbers in that order, which a network takes as they are. They are
	// finite.
	Features []float32
	// Labels is N classes, each 0 to Classes-1.
	Labels []int
	// N is the number of examples; Rows, Cols and Channels are the size of one. Features
	// without a place in an image are one row of one channel. All are 1 or more.
	N, Rows, Cols, Channels int
}

// Size returns the number of pixels, each channel counted, or features of an example.
func (s Split) Size() int { return s.Rows * s.Cols * s.Channels }

// Slice returns the examples [from, to), which are shared with s.
func (s Split) Slice(from, to int) Split {
	size := s.Size()
	if s.Images != nil {
		s.Images = s.Images[from*size : to*size : to*size]
	}
	if s.Features != nil {
		s.Features = s.Features[from*size : to*size : to*size]
	}
	s.Labels, s.N = s.Labels[from:to:to], to-from
	return s
}

// LabelBytes returns the labels as bytes, or nil if one is not 0 to 255.
func (s Split) LabelBytes() []uint8 {
	out := make([]uint8, len(s.Labels))
	for i, c := range s.Labels {
		if c < 0 || c > 255 {
			return nil
		}
		out[i] = uint8(c)
	}
	return out
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
