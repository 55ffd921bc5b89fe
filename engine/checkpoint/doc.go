// Package checkpoint keeps named tensors in safetensors files.
//
// A file is complete or absent: it is written beside its final name, flushed to
// the disk and renamed. A reader checks every size against the file before it
// allocates.
package checkpoint
