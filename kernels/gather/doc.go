// Package gather copies the rows of a batch, named by index, out of a data set
// that stays where it is: bytes such as pixels and labels, or floats. Row r of a
// data set with cols columns is data[r*cols : (r+1)*cols].
//
// # Sequence of operations
//
// A value depends on nothing but its source:
//
//	Raw      T(x)             exact
//	Unit     T(x) / 255       one division, rounded to T: not a product with 1/255
//	Binary   1 if x > 127, else 0
//	Rows     T(x)             rounded to nearest even where T is narrower; NaN and Inf stay
//
// Bytes go through a table of 256 values. Faster implementations are added as
// one file each beside gather.go, which is their specification, and must
// reproduce its bits.
package gather
