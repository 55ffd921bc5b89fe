package virtual

import (
	"errors"
	"fmt"
)

// Result is CUresult.
type Result int

// The results that this driver has, by the names of cuda.h.
const (
	Success                  Result = 0
	InvalidValue             Result = 1
	OutOfMemory              Result = 2
	NotInitialized           Result = 3
	NoDevice                 Result = 100
	InvalidDevice            Result = 101
	InvalidImage             Result = 200
	InvalidContext           Result = 201
	InvalidPTX               Result = 218
	InvalidHandle            Result = 400
	IllegalState             Result = 401
	NotFound                 Result = 500
	NotReady                 Result = 600
	IllegalAddress           Result = 700
	LaunchOutOfResources     Result = 701
	ContextIsDestroyed       Result = 709
	MisalignedAddress        Result = 716
	LaunchFailed             Result = 719
	NotSupported             Result = 801
	StreamCaptureUnsupported Result = 900
	StreamCaptureInvalidated Result = 901
	StreamCaptureMerge       Result = 902
	StreamCaptureUnmatched   Result = 903
	StreamCaptureUnjoined    Result = 904
	StreamCaptureIsolation   Result = 905
	StreamCaptureImplicit    Result = 906
	CapturedEvent            Result = 907
	StreamCaptureWrongThread Result = 908
	InvalidClusterSize       Result = 912
	Unknown                  Result = 999
)

var results = map[Result][2]string{
	Success:                  {"CUDA_SUCCESS", "no error"},
	InvalidValue:             {"CUDA_ERROR_INVALID_VALUE", "invalid argument"},
	OutOfMemory:              {"CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
	NotInitialized:           {"CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
	NoDevice:                 {"CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
	InvalidDevice:            {"CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
	InvalidImage:             {"CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
	InvalidContext:           {"CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
	InvalidPTX:               {"CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
	InvalidHandle:            {"CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
	IllegalState:             {"CUDA_ERROR_ILLEGAL_STATE", "the operation cannot be performed in the present state"},
	NotFound:                 {"CUDA_ERROR_NOT_FOUND", "named symbol not found"},
	NotReady:                 {"CUDA_ERROR_NOT_READY", "device not ready"},
	IllegalAddress:           {"CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
	LaunchOutOfResources:     {"CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
	ContextIsDestroyed:       {"CUDA_ERROR_CONTEXT_IS_DESTROYED", "context is destroyed"},
	MisalignedAddress:        {"CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
	LaunchFailed:             {"CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
	NotSupported:             {"CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
	StreamCaptureUnsupported: {"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
	StreamCaptureInvalidated: {"CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"},
	StreamCaptureMerge:       {"CUDA_ERROR_STREAM_CAPTURE_MERGE", "operation would result in a merge of separate capture sequences"},
	StreamCaptureUnmatched:   {"CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "capture was not ended in the same stream as it began"},
	StreamCaptureUnjoined:    {"CUDA_ERROR_STREAM_CAPTURE_UNJOINED", "capturing stream has unjoined work"},
	StreamCaptureIsolation:   {"CUDA_ERROR_STREAM_CAPTURE_ISOLATION", "dependency created on uncaptured work in another stream"},
	StreamCaptureImplicit:    {"CUDA_ERROR_STREAM_CAPTURE_IMPLICIT", "operation would make the legacy stream depend on a capturing blocking stream"},
	CapturedEvent:            {"CUDA_ERROR_CAPTURED_EVENT", "operation not permitted on an event last recorded in a capturing stream"},
	StreamCaptureWrongThread: {"CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD", "attempt to terminate a thread-local capture sequence from another thread"},
	InvalidClusterSize:       {"CUDA_ERROR_INVALID_CLUSTER_SIZE", "cluster size is not allowed"},
	Unknown:                  {"CUDA_ERROR_UNKNOWN", "unknown error"},
}

// Name returns cuda.h's name, "" if this driver does not have the result.
func (r Result) Name() string { return results[r][0] }

// Text returns a description, "" if this driver does not have the result.
func (r Result) Text() string { return results[r][1] }

// failure is a result other than Success, and why.
type failure struct {
	code Result
	text string
}

func (f *failure) Error() string { return f.code.Name() + ": " + f.text }

func fail(code Result, format string, args ...any) error {
	return &failure{code, fmt.Sprintf(format, args...)}
}

// code returns the result that an error stands for.
func code(err error) Result {
	var f *failure
	var k *Fault
	switch {
	case err == nil:
		return Success
	case errors.As(err, &f):
		return f.code
	case errors.As(err, &k):
		return k.Result
	}
	return LaunchFailed
}
