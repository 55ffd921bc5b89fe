// Package tensorboard writes event files, which TensorBoard shows: scalars and histograms
// over the steps of a training.
//
// A file is a sequence of TFRecords,
//
//	length          8 bytes, little endian
//	checksum        4 bytes, of the length
//	data            an Event message
//	checksum        4 bytes, of the data
//
// with crc32c (Castagnoli) as checksum, masked: turned right by 15 bits, plus 0xa282ead8. The
// first Event holds the version of the format, "brain.Event:2". A record is written by one
// call, and a program that is killed in it may leave the last record unfinished, which
// TensorBoard passes over: no other follows in that file.
//
// A histogram has Buckets intervals of equal width between the smallest and the largest
// number; numbers that are not finite are left out.
package tensorboard
