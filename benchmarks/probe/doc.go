// Package probe is the instruments that look into a network while it trains.
//
// An Instrument is a file of this package that registers it: names, what it is and where it
// comes from, the columns that it fills, and how it computes them from what a Lab shows. Its
// arithmetic is on plain numbers in float64, so that a test needs no network. A Lab shows a
// network at one moment of a training: before its next step, after that, and on the way; it
// is package benchmarks that makes one.
//
// A column is a list of numbers: one for each hidden layer, input side first, or one for the
// network. A band is three columns, of which two have the suffixes _lo and _hi. A number that
// does not exist is NaN, which reports write as null: of an instrument that supposes SGD, an
// arm without statistics, a layer too wide, a step after which nothing is finite.
//
// # To add an instrument
//
//	x.go        a function of numbers, and an Instrument that an init function registers
//	x_test.go   a case worked out by hand
//
// Lists, flags, completion, metrics.jsonl and the report then have it.
package probe
