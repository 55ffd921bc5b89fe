// Package gather copies the rows of a batch, named by index, out of a data set
// that stays where it is: pixels as bytes, or values of another float type. Row
// r of a data set with cols columns is data[r*cols : (r+1)*cols].
//
// Bytes are mapped to T on the way, see Map.
package gather
