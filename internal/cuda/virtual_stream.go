//go:build gpu

package cuda

/*
#include "virtual.h"
*/
import "C"

//export vcuStreamCreate
func vcuStreamCreate(to *C.CUstream, flags C.uint) C.CUresult {
	h, r := vd.StreamCreate(thread(), int(flags), site())
	setHandle(to, h)
	return C.CUresult(r)
}

//export vcuStreamDestroy
func vcuStreamDestroy(s C.CUstream) C.CUresult {
	return C.CUresult(vd.StreamDestroy(thread(), handleOf(s)))
}

//export vcuStreamGetFlags
func vcuStreamGetFlags(s C.CUstream, to *C.uint) C.CUresult {
	flags, r := vd.StreamFlags(thread(), handleOf(s))
	*to = C.uint(flags)
	return C.CUresult(r)
}

//export vcuStreamQuery
func vcuStreamQuery(s C.CUstream) C.CUresult {
	return C.CUresult(vd.StreamQuery(thread(), handleOf(s)))
}

//export vcuStreamSynchronize
func vcuStreamSynchronize(s C.CUstream) C.CUresult {
	return C.CUresult(vd.StreamSynchronize(thread(), handleOf(s)))
}

//export vcuStreamWaitEvent
func vcuStreamWaitEvent(s C.CUstream, e C.CUevent, flags C.uint) C.CUresult {
	if flags != 0 {
		return C.CUDA_ERROR_NOT_SUPPORTED
	}
	return C.CUresult(vd.StreamWaitEvent(thread(), handleOf(s), handleOf(e)))
}

//export vcuStreamBeginCapture
func vcuStreamBeginCapture(s C.CUstream, mode C.CUstreamCaptureMode) C.CUresult {
	return C.CUresult(vd.BeginCapture(thread(), handleOf(s), int(mode)))
}

//export vcuStreamEndCapture
func vcuStreamEndCapture(s C.CUstream, to *C.CUgraph) C.CUresult {
	h, r := vd.EndCapture(thread(), handleOf(s), site())
	setHandle(to, h)
	return C.CUresult(r)
}

//export vcuStreamIsCapturing
func vcuStreamIsCapturing(s C.CUstream, to *C.CUstreamCaptureStatus) C.CUresult {
	status, r := vd.CaptureStatus(thread(), handleOf(s))
	*to = C.CUstreamCaptureStatus(status)
	return C.CUresult(r)
}

//export vcuEventCreate
func vcuEventCreate(to *C.CUevent, flags C.uint) C.CUresult {
	h, r := vd.EventCreate(thread(), int(flags), site())
	setHandle(to, h)
	return C.CUresult(r)
}

//export vcuEventDestroy
func vcuEventDestroy(e C.CUevent) C.CUresult {
	return C.CUresult(vd.EventDestroy(thread(), handleOf(e)))
}

//export vcuEventRecord
func vcuEventRecord(e C.CUevent, s C.CUstream) C.CUresult {
	return C.CUresult(vd.EventRecord(thread(), handleOf(e), handleOf(s)))
}

//export vcuEventQuery
func vcuEventQuery(e C.CUevent) C.CUresult { return C.CUresult(vd.EventQuery(thread(), handleOf(e))) }

//export vcuEventSynchronize
func vcuEventSynchronize(e C.CUevent) C.CUresult {
	return C.CUresult(vd.EventSynchronize(thread(), handleOf(e)))
}

//export vcuEventElapsedTime
func vcuEventElapsedTime(to *C.float, from, end C.CUevent) C.CUresult {
	ms, r := vd.EventElapsed(thread(), handleOf(from), handleOf(end))
	*to = C.float(ms)
	return C.CUresult(r)
}

//export vcuGraphInstantiateWithFlags
func vcuGraphInstantiateWithFlags(to *C.CUgraphExec, g C.CUgraph, flags C.ulonglong) C.CUresult {
	if flags != 0 {
		return C.CUDA_ERROR_NOT_SUPPORTED
	}
	h, r := vd.Instantiate(thread(), handleOf(g), site())
	setHandle(to, h)
	return C.CUresult(r)
}

//export vcuGraphLaunch
func vcuGraphLaunch(g C.CUgraphExec, s C.CUstream) C.CUresult {
	return C.CUresult(vd.GraphLaunch(thread(), handleOf(g), handleOf(s)))
}

//export vcuGraphGetNodes
func vcuGraphGetNodes(g C.CUgraph, nodes *C.CUgraphNode, n *C.size_t) C.CUresult {
	if nodes != nil { // their handles, which nothing else here would take
		return C.CUDA_ERROR_NOT_SUPPORTED
	}
	count, r := vd.GraphNodes(thread(), handleOf(g))
	*n = C.size_t(count)
	return C.CUresult(r)
}

//export vcuGraphDestroy
func vcuGraphDestroy(g C.CUgraph) C.CUresult {
	return C.CUresult(vd.GraphDestroy(thread(), handleOf(g)))
}

//export vcuGraphExecDestroy
func vcuGraphExecDestroy(g C.CUgraphExec) C.CUresult {
	return C.CUresult(vd.ExecDestroy(thread(), handleOf(g)))
}
