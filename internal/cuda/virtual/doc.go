// Package virtual is a CUDA driver with one device, in Go, without the C
// binding (package cuda has that): contexts, memory, modules, launches, streams,
// events, capture and graphs, with the results that NVIDIA's driver documents.
// A [Machine] holds device memory and runs kernels.
//
// It exists to find mistakes, so wherever CUDA leaves an order open it takes the
// order that a program is least likely to have meant:
//
//   - Queued work is done when something waits for it, not before, and only the
//     work that this depends on. Of what could be done next, the newest is done
//     first. With [Driver.SetSeed] the order is drawn instead, from all that could
//     be done. Only the order of a stream,
//     events, graph edges and the legacy stream's rules are respected.
//   - A copy from pageable memory of the host by the synchronous cuMemcpyHtoD takes
//     the data at the call, and is then work of the legacy stream as any other.
//     cuMemcpyDtoD and the synchronous memsets only queue. A stream made with
//     NonBlocking does not wait for them: synchronise first.
//   - An asynchronous copy from memory of the host, or to pinned memory, touches it
//     when it is done, not at the call: NVIDIA's driver may stage pageable memory
//     before it returns, and need not where the device reads it by itself. In a
//     capture, memory of the host has to be pinned.
//   - Freeing memory, of the device or pinned, waits for nothing: work in a queue
//     that uses it fails.
//
// A kernel's fault, or another failure of queued work, is reported by the next
// call that waits for it and by every call after, as on a device, until the
// primary context is released. [Driver.LastFault] has the full text.
//
// While a capture lasts, these are refused and spoil it: to wait for, or query,
// a stream or the context that takes part (CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED)
// or an event recorded in it (CUDA_ERROR_CAPTURED_EVENT); the legacy stream, if a
// stream that takes part is not NonBlocking (CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
// to wait for an event from outside (…_ISOLATION) or of another capture
// (…_MERGE); in the modes that forbid it, allocation, release, loading and
// queries of events (…_UNSUPPORTED).
//
// The device is of compute capability 7.5. After [Driver.SetCapability] it is of 9.0: it
// takes PTX for sm_90, launches in clusters of blocks, and dependent launches (attribute
// CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION), whose threads may touch nothing in
// device memory, nor return, before they have waited for the launch before.
//
// Not here: more than one device or context, textures, managed and peer memory,
// access of kernels to pinned memory, graphs built by hand, cooperative launch.
// Their entry points answer CUDA_ERROR_NOT_SUPPORTED.
package virtual
