package benchmarks

import (
	"strings"

	"driftless/engine/program"
	"driftless/internal/dataset"
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

// square28 is the size of the images of every data set.
var square28 = models.Image{Height: 28, Width: 28, Channels: 1}

// imageOf is the size of a data set's images.
func imageOf(s dataset.Split) models.Image {
	return models.Image{Height: s.Rows, Width: s.Cols, Channels: 1}
}

// layers returns the hidden layers of the network for images, or a *UsageError.
func (c Config) layers(m models.Image) ([]models.Layer, error) {
	switch list, cnn := strings.CutPrefix(c.Net, netCNN); {
	case c.Net == "":
		return models.MLP{Hidden: c.Hidden, Activation: c.Activation}.Network().Hidden, nil
	case len(c.Hidden) > 0:
		return nil, usage("--net and --hidden both say what the network is: give one of them")
	case c.Net == netLeNet, c.Net == netLeNetAverage:
		return models.LeNet(c.Activation, c.Net == netLeNetAverage), nil
	case cnn:
		channels, bad, ok := Sizes(list, ",")
		if !ok {
			return nil, usage("--net %q: %q is not a positive number of channels; give some such as cnn:32,64", Short(c.Net), Short(bad))
		}
		return models.CNN(c.Activation, channels...), nil
	}
	sizes, _, ok := Sizes(c.Net, "-")
	switch {
	case !ok:
		return nil, usage("--net %q is none: give lenet, lenet:average, channels such as cnn:32,64 or layer sizes such as %s", Short(c.Net), DefaultNet)
	case len(sizes) < 3:
		return nil, usage("--net %s has no hidden layer: give sizes such as %s", c.Net, DefaultNet)
	case sizes[0] != m.Height*m.Width*m.Channels:
		return nil, usage("--net %s takes %d inputs, and the images have %d pixels", Short(c.Net), sizes[0], m.Height*m.Width*m.Channels)
	case sizes[len(sizes)-1] != classes:
		return nil, usage("--net %s gives %d classes, and the data have %d", Short(c.Net), sizes[len(sizes)-1], classes)
	}
	return models.MLP{Hidden: sizes[1 : len(sizes)-1], Activation: c.Activation}.Network().Hidden, nil
}

// network returns the network that an arm with this normalization trains on images; a wrong
// Config.Net, which Validate refuses, gives one without hidden layers.
func (c Config) network(m models.Image, method norm.Method) *models.Network {
	hidden, _ := c.layers(m)
	return &models.Network{Inputs: m.Height * m.Width * m.Channels, Image: m, Hidden: hidden, Classes: classes, InitSD: c.InitSD,
		Norm: method, DType: program.Float32, Steps: c.Steps}
}

// net describes the network for reports.
func (c Config) net(m models.Image) string {
	return c.network(m, &norm.None{}).String() + " " + c.Activation
}

// sizes are those of the hidden layers of a network without convolutions, nil of another.
func (c Config) sizes() (out []int) {
	hidden, _ := c.layers(square28)
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
