//go:build gpu

package cuda

/*
#include "shim.h"
*/
import "C"

import (
	"unsafe"

	"gorgonia.org/cu"
)

// CaptureMode says which calls that could upset a capture are refused while it
// lasts, such as the allocation of memory.
type CaptureMode int

const (
	CaptureGlobal      CaptureMode = C.CU_STREAM_CAPTURE_MODE_GLOBAL       // from any thread
	CaptureThreadLocal CaptureMode = C.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL // from the thread that began it
	CaptureRelaxed     CaptureMode = C.CU_STREAM_CAPTURE_MODE_RELAXED      // none, and any thread may end it
)

// BeginCapture makes the stream record what is queued on it, rather than do it.
// Streams that wait for an event of the capture join it, and must be joined
// back, by events, before its end. The stream must not be cu.NoStream, and
// should be made with cu.NonBlocking: else nothing may use cu.NoStream, which
// every copy that is not asynchronous does, until the end.
func BeginCapture(s cu.Stream, mode CaptureMode) error {
	return check("begin of capture", C.cuStreamBeginCapture(stream(s), C.CUstreamCaptureMode(mode)))
}

// EndCapture ends the capture and returns what was recorded, or an error if
// something has spoilt the capture. It takes the stream that the capture began
// on and, except in CaptureRelaxed, the thread: else the capture goes on.
func EndCapture(s cu.Stream) (cu.Graph, error) {
	var g C.CUgraph
	err := check("end of capture", C.cuStreamEndCapture(stream(s), &g))
	return *(*cu.Graph)(unsafe.Pointer(&g)), err
}

// Capturing reports whether the stream takes part in a capture, and whether an error has
// spoilt that capture.
func Capturing(s cu.Stream) (active, spoilt bool, err error) {
	var status C.CUstreamCaptureStatus
	err = check("query of capture", C.cuStreamIsCapturing(stream(s), &status))
	return status != C.CU_STREAM_CAPTURE_STATUS_NONE, status == C.CU_STREAM_CAPTURE_STATUS_INVALIDATED, err
}

// Instantiate makes a graph executable. The graph may be destroyed then.
func Instantiate(g cu.Graph) (cu.ExecGraph, error) {
	var exec C.CUgraphExec
	err := check("instantiation of graph", C.shim_graph_instantiate(&exec, graph(g)))
	return *(*cu.ExecGraph)(unsafe.Pointer(&exec)), err
}

// LaunchGraph queues one execution of the graph on the stream. Executions of
// one ExecGraph follow each other, whatever their streams.
func LaunchGraph(g cu.ExecGraph, s cu.Stream) error {
	return check("launch of graph", C.cuGraphLaunch(*(*C.CUgraphExec)(unsafe.Pointer(&g)), stream(s)))
}

// NodeCount returns how many nodes the graph has.
func NodeCount(g cu.Graph) (int, error) {
	var n C.size_t
	err := check("nodes of graph", C.cuGraphGetNodes(graph(g), nil, &n))
	return int(n), err
}

// cu's handles are structs of one pointer.
func stream(s cu.Stream) C.CUstream       { return *(*C.CUstream)(unsafe.Pointer(&s)) }
func graph(g cu.Graph) C.CUgraph          { return *(*C.CUgraph)(unsafe.Pointer(&g)) }
func function(f cu.Function) C.CUfunction { return *(*C.CUfunction)(unsafe.Pointer(&f)) }

// Compilation fails here if one of them changes its size.
var (
	_ = [1]int{}[unsafe.Sizeof(cu.Stream{})-unsafe.Sizeof(uintptr(0))]
	_ = [1]int{}[unsafe.Sizeof(cu.Graph{})-unsafe.Sizeof(uintptr(0))]
	_ = [1]int{}[unsafe.Sizeof(cu.ExecGraph{})-unsafe.Sizeof(uintptr(0))]
	_ = [1]int{}[unsafe.Sizeof(cu.Function{})-unsafe.Sizeof(uintptr(0))]
	_ = [1]int{}[unsafe.Sizeof(cu.Module{})-unsafe.Sizeof(uintptr(0))]
)
