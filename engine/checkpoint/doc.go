// Package checkpoint keeps named tensors in safetensors files
// (https://huggingface.co/docs/safetensors: a header in JSON, then the elements).
//
// [Write] streams a file, which is complete or absent (package atomicfile); the same
// tensors and metadata give the same bytes. [Open] reads and judges the header alone,
// so that a caller sees the metadata and every tensor's name, element type and shape
// before anything of their size is allocated; [File.Tensor] then reads one tensor
// straight into its slice.
//
// A header is refused that is larger than 1 MiB, names anything twice, has control
// characters in a name, or does not describe the file's bytes one after the other
// without gaps or overlaps.
package checkpoint
