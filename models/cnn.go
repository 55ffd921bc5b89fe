package models

// LeNet returns the hidden layers of LeNet-5 (LeCun, Bottou, Bengio & Haffner 1998) in the form
// that is common today: 6 and 16 channels of 5×5, of which the first sees two zeros around the
// image, as the original's 32×32 of digits of 28×28 did, each pooled 2×2; then 120 and 84 units.
// Pooling takes the largest, or with average the mean. The original has trained pooling, a
// second convolution that is not connected in full, and units of radial basis functions at the
// end.
func LeNet(activation string, average bool) []Layer {
	return []Layer{
		{Width: 6, Activation: activation, Conv: &Conv{Kernel: 5, Padding: 2, Pool: 2, Average: average}},
		{Width: 16, Activation: activation, Conv: &Conv{Kernel: 5, Pool: 2, Average: average}},
		{Width: 120, Activation: activation},
		{Width: 84, Activation: activation},
	}
}

// CNN returns the hidden layers of a plain convolutional network: for each number of channels
// a convolution of 3×3 that keeps the image's size, pooled 2×2 by the largest, then 128 units.
func CNN(activation string, channels ...int) []Layer {
	var out []Layer
	for _, c := range channels {
		out = append(out, Layer{Width: c, Activation: activation, Conv: &Conv{Kernel: 3, Padding: 1, Pool: 2}})
	}
	return append(out, Layer{Width: 128, Activation: activation})
}
