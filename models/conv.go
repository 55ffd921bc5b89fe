package models

import (
	"fmt"

	"driftless/engine/ops"
	"driftless/kernels/conv"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Image is the size of an image. An example's numbers are those of its positions, row by row,
// with the channels of a position beside one another; PyTorch has the channels first.
type Image struct{ Height, Width, Channels int }

// String returns "28×28", or "32×32×3" where there are several channels.
func (m Image) String() string {
	if m.Channels == 1 {
		return fmt.Sprintf("%d×%d", m.Height, m.Width)
	}
	return fmt.Sprintf("%d×%d×%d", m.Height, m.Width, m.Channels)
}

func (m Image) size() int { return m.Height * m.Width * m.Channels }

// Conv makes a hidden layer a convolution of images with stride 1, followed, after
// normalization and activation, by pooling. Its weights are a channel's for all positions, and
// so is what a normalization computes: statistics are over the batch and the positions
// (Ioffe & Szegedy 2015, section 3.2).
type Conv struct {
	Kernel  int  // positions down and across
	Padding int  // zeros around the image
	Pool    int  // size and stride of the pooling; 0: none
	Average bool // pooling takes the mean in place of the largest
}

// window is how the convolution sees images.
func (c *Conv) window(m Image) conv.Window {
	return conv.Square(m.Height, m.Width, m.Channels, c.Kernel, 1, c.Padding)
}

// pooling is how the pooling sees what the convolution of images gives, with so many channels.
func (c *Conv) pooling(m Image, width int) conv.Window {
	h, w := c.window(m).Out()
	return conv.Square(h, w, width, c.Pool, c.Pool, 0)
}

// gives returns the images that the layer makes of others.
func (c *Conv) gives(m Image, width int) (Image, error) {
	w := c.window(m)
	if c.Kernel > min(m.Height, m.Width)+2*c.Padding {
		return Image{}, fmt.Errorf("takes %v of them in windows of %d×%d with a padding of %d", m, c.Kernel, c.Kernel, c.Padding)
	}
	if err := w.Check(); err != nil {
		return Image{}, fmt.Errorf("has windows of %w", err)
	}
	if c.Pool != 0 {
		down, across := w.Out()
		if c.Pool > min(down, across) {
			return Image{}, fmt.Errorf("pools %d×%d of their %d×%d positions", c.Pool, c.Pool, down, across)
		}
		w = c.pooling(m, width)
		if err := w.Check(); err != nil {
			return Image{}, fmt.Errorf("pools windows of %w", err)
		}
	}
	down, across := w.Out()
	return Image{down, across, width}, nil
}

// pool adds the pooling of z, a row a position.
func (c *Conv) pool(z *G.Node, m Image, width int) (*G.Node, error) {
	switch {
	case c.Pool == 0:
		return z, nil
	case c.Average:
		return ops.AveragePool(z, c.pooling(m, width))
	}
	return ops.MaxPool(z, c.pooling(m, width))
}

// names are the parts of a network's description that a layer has.
func (l Layer) names() []string {
	c := l.Conv
	if c == nil {
		return []string{fmt.Sprint(l.Width)}
	}
	s := []string{fmt.Sprintf("conv%d×%d×%d", c.Kernel, c.Kernel, l.Width)}
	switch {
	case c.Pool != 0 && c.Average:
		s = append(s, fmt.Sprintf("average%d", c.Pool))
	case c.Pool != 0:
		s = append(s, fmt.Sprintf("pool%d", c.Pool))
	}
	return s
}

// convs is the number of convolution layers, which come first.
func (n *Network) convs() int {
	for i, l := range n.Hidden {
		if l.Conv == nil {
			return i
		}
	}
	return len(n.Hidden)
}

// images returns what each convolution layer takes, and last what the layer after them does.
func (n *Network) images() ([]Image, error) {
	convs := n.convs()
	for i, l := range n.Hidden[convs:] {
		if l.Conv != nil {
			return nil, fmt.Errorf("hidden layer %d is a convolution after a fully connected layer, which gives no images: put convolutions first", convs+i+1)
		}
	}
	if convs == 0 {
		return nil, nil
	}
	if n.Image.size() != n.Inputs {
		return nil, fmt.Errorf("images of %v have %d numbers, and the network takes %d", n.Image, n.Image.size(), n.Inputs)
	}
	out := []Image{n.Image}
	for i, l := range n.Hidden[:convs] {
		m, err := l.Conv.gives(out[i], l.Width)
		if err != nil {
			return nil, fmt.Errorf("images of %v do not do for layer conv%d, which %w: use larger images or fewer and smaller layers", n.Image, i+1, err)
		}
		out = append(out, m)
	}
	return out, nil
}

// inputs is the number of rows of linear layer k's weights.
func (n *Network) inputs(k int) int {
	convs := n.convs()
	if k > convs || convs == 0 {
		return n.sizes()[k]
	}
	images, err := n.images()
	switch {
	case err != nil: // which Validate reports
		return 0
	case k == convs:
		return images[k].size()
	}
	return n.Hidden[k].Conv.window(images[k]).Patch()
}

// positions is the number of rows that linear layer k gives for an example.
func (n *Network) positions(k int) int {
	if k >= n.convs() {
		return 1
	}
	images, err := n.images()
	if err != nil {
		return 1
	}
	return n.Hidden[k].Conv.window(images[k]).Windows()
}

// shaped returns x, images or what was made of them, as layer k takes it: the patches of a
// convolution, and an image in a row for what comes after.
func (n *Network) shaped(x *G.Node, m Image, k int) (*G.Node, error) {
	if k == n.convs() {
		return G.Reshape(x, tensor.Shape{x.Shape().TotalSize() / m.size(), m.size()})
	}
	if k == 0 {
		var err error
		if x, err = G.Reshape(x, tensor.Shape{x.Shape().TotalSize() / m.Channels, m.Channels}); err != nil {
			return nil, err
		}
	}
	return ops.Patches(x, n.Hidden[k].Conv.window(m))
}
