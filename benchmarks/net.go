package benchmarks

import (
	"strings"

	"driftless/dataset"
	"driftless/engine/program"
	"driftless/models"
	"driftless/models/norm"
)

// DefaultNet is the network of Ioffe & Szegedy 2015, section 4.1, for digits of 28×28.
const DefaultNet = "784-100-100-100-10"

// Names of networks that Config.Net may begin with.
const (
	netLeNet        = "lenet"
	netLeNetAverage = "lenet:average"
	netCNN          = "cnn:"
)

// form is what a network has to know of a data set.
type form struct {
	image    models.Image
	classes  int
	features bool // numbers as they are, in place of pixels
}

// named is the form of the data sets that have a name.
var named = form{image: models.Image{Height: 28, Width: 28, Channels: 1}, classes: 10}

func formOf(s *dataset.Set) form {
	return form{models.Image{Height: s.Train.Rows, Width: s.Train.Cols, Channels: s.Train.Channels}, s.Classes, s.Train.Features != nil}
}

func (f form) inputs() int { return f.image.Height * f.image.Width * f.image.Channels }

// layers returns the hidden layers of the network, and the numbers of inputs and classes that
// Net gives, 0 where it leaves them to the data; or a *UsageError.
func (c Config) layers() (hidden []models.Layer, inputs, classes int, err error) {
	switch list, cnn := strings.CutPrefix(c.Net, netCNN); {
	case c.Net == "":
		return models.MLP{Hidden: c.Hidden, Activation: c.Activation}.Network().Hidden, 0, 0, nil
	case len(c.Hidden) > 0:
		return nil, 0, 0, usage("--net and --hidden both say what the network is: give one of them")
	case c.Net == netLeNet, c.Net == netLeNetAverage:
		return models.LeNet(c.Activation, c.Net == netLeNetAverage), 0, 0, nil
	case cnn:
		channels, bad, ok := Sizes(list, ",")
		if !ok {
			return nil, 0, 0, usage("--net %q: %q is not a positive number of channels; give some such as cnn:32,64", Short(c.Net), Short(bad))
		}
		return models.CNN(c.Activation, channels...), 0, 0, nil
	}
	sizes, _, ok := Sizes(c.Net, "-")
	switch {
	case !ok:
		return nil, 0, 0, usage("--net %q is none: give lenet, lenet:average, channels such as cnn:32,64 or layer sizes such as %s", Short(c.Net), DefaultNet)
	case len(sizes) < 3:
		return nil, 0, 0, usage("--net %s has no hidden layer: give sizes such as %s", c.Net, DefaultNet)
	}
	last := len(sizes) - 1
	return models.MLP{Hidden: sizes[1:last], Activation: c.Activation}.Network().Hidden, sizes[0], sizes[last], nil
}

// checkLayers reports what is wrong with the network before the data are known.
func (c Config) checkLayers() error {
	hidden, _, _, err := c.layers()
	if err != nil {
		return err
	}
	for _, l := range hidden {
		l.Conv = nil // which only goes with images of a size
		if err := (&models.Network{Inputs: 1, Hidden: []models.Layer{l}, Classes: 2, InitSD: c.InitSD, Norm: &norm.None{}, DType: program.Float32}).Validate(); err != nil {
			return err
		}
	}
	return nil
}

// fits reports whether the arms' networks go with data of a form, and into memory.
func (c Config) fits(f form, arms []Spec) error {
	for _, a := range arms {
		if err := c.of(a).fitsOne(f, a.Method); err != nil {
			return a.blame(err)
		}
	}
	return c.fitsMemory(f, arms)
}

func (c Config) fitsOne(f form, method norm.Method) error {
	_, inputs, classes, err := c.layers()
	switch {
	case err != nil:
		return err
	case inputs != 0 && inputs != f.inputs():
		have := "images have %d pixels"
		if f.features {
			have = "data have %d features"
		}
		return usage("--net %s takes %d inputs, and the "+have, Short(c.Net), inputs, f.inputs())
	case classes != 0 && classes != f.classes:
		return usage("--net %s gives %d classes, and the data have %d", Short(c.Net), classes, f.classes)
	}
	return c.network(f, method).Validate()
}

// network returns the network that an arm with this normalization trains on data of a form; a
// wrong Config.Net, which Validate refuses, gives one without hidden layers.
func (c Config) network(f form, method norm.Method) *models.Network {
	hidden, _, _, _ := c.layers()
	return &models.Network{Inputs: f.inputs(), Image: f.image, Hidden: hidden, Classes: f.classes, InitSD: c.InitSD,
		Norm: method, DType: program.Float32, Steps: c.Steps}
}

// net describes the network for reports.
func (c Config) net(f form) string {
	return c.network(f, &norm.None{}).String() + " " + c.Activation
}

// sizes are those of the hidden layers of a network without convolutions, nil of another.
func (c Config) sizes() (out []int) {
	hidden, _, _, _ := c.layers()
	for _, l := range hidden {
		if l.Conv != nil {
			return nil
		}
		out = append(out, l.Width)
	}
	return out
}

// convolves is Config.Net where the network has convolutions, else "".
func (c Config) convolves() string {
	if c.sizes() == nil {
		return c.Net
	}
	return ""
}
