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
// [BytesMask] gives bits instead of values, for products that skip zeros;
// [Density] says whether that pays.
//
// # Implementations
//
// gather.go and mask.go are the specification: many bytes go through a table of
// 256 values. On amd64 BytesRows and BytesMask have kernels for AVX2
// (from 8 and 64 columns on) and AVX-512 (vector_amd64.go, written by internal/gen;
// the build tag noasm leaves them out). They prefetch the rows to come, and take
// x/255 as x times 1/255 in two floats, which is the quotient for all 256 bytes.
// Microseconds for 60 rows of 784, on a Xeon of 2023, from the caches:
//
//	           plain Go  AVX2  AVX-512
//	BytesRows  40        5-6   5
//	BytesMask  70-110    1.7   1.2
package gather
