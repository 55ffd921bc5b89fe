// Package presets holds the experiments that are committed: their configurations, what runs
// them, and what makes tables and figures of their results.
//
// # A preset
//
// A YAML file of this folder is a preset; its name is the file's. Load reads one, Names lists
// them. A key that is not known is an error.
//
//	title, about, notes   what it is and what must be known beside its numbers
//	show                  which tables and figures are made of it: a key of the table in show.go
//	all                   what its parts have in common
//	parts                 each a benchmarks.Config with a name: the keys of all, overridden
//	points                how many evaluations of a curve results keep, at most
//	curves                which they keep: accuracy, loss, bias, unit
//	checkpoints           steps whose evaluations they keep besides
//
// A part names its arms as driftless compare takes them; lrs crosses them with learning rates,
// and every-form takes every registered normalization in place of a list. With choose each arm
// gets the learning rate of a grid that is best on training images held out for that.
//
// # Results
//
// Preset.Run trains and returns Results, which results.json holds: small, and all that tables and
// figures need. Results.Document makes them, on a terminal, as a page or as Markdown.
// benchmarks/results holds the results that the README and RESULTS.md show; make results makes
// both anew from these files, and a test says where they differ.
package presets
