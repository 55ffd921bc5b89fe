package conv

import "fmt"

// Window is a window that moves over images of Height × Width positions with so many
// channels: a convolution's kernel, or what a pooling takes together. Windows of all
// images of a batch are numbered row by row, image after image.
type Window struct {
	Height, Width, Channels   int // of an image
	KernelHeight, KernelWidth int // of the window
	Stride                    int // positions from one window to the next, down and right
	Padding                   int // zeros around an image, on each side
}

// Square is a window of size × size positions.
func Square(height, width, channels, size, stride, padding int) Window {
	return Window{height, width, channels, size, size, stride, padding}
}

// maxImage bounds the numbers of an image and of a window, so that nothing overflows.
const maxImage = 1 << 24

// Check returns an error that says why there is no such window.
func (w Window) Check() error {
	for _, n := range []int{w.Height, w.Width, w.Channels, w.KernelHeight, w.KernelWidth, w.Stride} {
		if n < 1 || n > maxImage {
			return fmt.Errorf("%v: a size of %d is outside 1 … %d", w, n, maxImage)
		}
	}
	switch {
	case w.Padding < 0 || w.Padding >= min(w.KernelHeight, w.KernelWidth):
		return fmt.Errorf("%v: a padding of %d is outside 0 … %d, one less than the window", w, w.Padding, min(w.KernelHeight, w.KernelWidth)-1)
	case w.KernelHeight > w.Height+2*w.Padding || w.KernelWidth > w.Width+2*w.Padding:
		return fmt.Errorf("%v: the window is larger than the image: take a smaller window or a larger padding", w)
	case w.Height*w.Width > maxImage/w.Channels || w.KernelHeight*w.KernelWidth > maxImage/w.Channels:
		return fmt.Errorf("%v: an image or a window has more than %d numbers", w, maxImage)
	}
	return nil
}

// String describes it: "5×5 over 28×28×6, stride 1, padding 2".
func (w Window) String() string {
	return fmt.Sprintf("%d×%d over %d×%d×%d, stride %d, padding %d", w.KernelHeight, w.KernelWidth, w.Height, w.Width, w.Channels, w.Stride, w.Padding)
}

// Out returns how many windows an image has, one below and one beside another.
func (w Window) Out() (height, width int) {
	return (w.Height+2*w.Padding-w.KernelHeight)/w.Stride + 1, (w.Width+2*w.Padding-w.KernelWidth)/w.Stride + 1
}

// Positions is the number of positions of an image, Windows that of its windows, and Patch
// that of a window's numbers.
func (w Window) Positions() int { return w.Height * w.Width }

// Windows: see Positions.
func (w Window) Windows() int {
	h, v := w.Out()
	return h * v
}

// Patch: see Positions.
func (w Window) Patch() int { return w.KernelHeight * w.KernelWidth * w.Channels }

// at returns where window i begins: its image, and the row and the column there, which
// may lie in the padding.
func (w Window) at(i int) (image, y, x int) {
	h, v := w.Out()
	image, i = i/(h*v), i%(h*v)
	return image, i/v*w.Stride - w.Padding, i%v*w.Stride - w.Padding
}

// covering returns the windows lo to hi, counted along one side, that cover position p of
// that side, where a window is size long and there are n.
func (w Window) covering(p, size, n int) (lo, hi int) {
	p += w.Padding
	if p >= size {
		lo = (p-size)/w.Stride + 1
	}
	return lo, min(n, p/w.Stride+1)
}
