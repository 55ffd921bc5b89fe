//go:build gpu

package cuda

/*
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"

	"gorgonia.org/cu"
)

// Error is a call to the driver that failed.
type Error struct {
	Op     string // what was attempted
	Code   int    // the driver's CUresult
	Name   string // such as CUDA_ERROR_ILLEGAL_ADDRESS
	Text   string // the driver's description
	Detail string // what the virtual driver or the loader adds; may be empty
}

// Error returns one line, followed by the lines of a virtual device's fault.
func (e *Error) Error() string {
	s := e.Op + ": " + e.Name
	if e.Text != "" {
		s += ": " + e.Text
	}
	if e.Sticky() {
		s += " (" + Restart + ")"
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Sticky reports whether the error is one after which, as NVIDIA documents it, every call of
// the process fails with the same error: only a new process can go on.
func (e *Error) Sticky() bool {
	switch e.Code {
	case C.CUDA_ERROR_ILLEGAL_ADDRESS, C.CUDA_ERROR_LAUNCH_TIMEOUT, C.CUDA_ERROR_ASSERT, C.CUDA_ERROR_HARDWARE_STACK_ERROR,
		C.CUDA_ERROR_ILLEGAL_INSTRUCTION, C.CUDA_ERROR_MISALIGNED_ADDRESS, C.CUDA_ERROR_INVALID_ADDRESS_SPACE,
		C.CUDA_ERROR_INVALID_PC, C.CUDA_ERROR_LAUNCH_FAILED,
		// What cu's header is too old for: CONTAINED, TENSOR_MEMORY_LEAK, MPS_CLIENT_TERMINATED, EXTERNAL_DEVICE.
		226, 721, 810, 911:
		return true
	}
	return false
}

// Unwrap returns the error as cu returns it, so that errors.Is(err,
// cu.IllegalAddress) works.
func (e *Error) Unwrap() error { return cuResult(cu.Success, e.Code) }

// cuResult converts to a type that cu does not export.
func cuResult[T ~int](_ T, code int) T { return T(code) }

// codeOf is the inverse, for an error that is or wraps one of cu's.
func codeOf(err error) (int, bool) { return asCode(cu.Success, err) }

func asCode[T interface {
	~int
	error
}](_ T, err error) (int, bool) {
	var r T
	if !errors.As(err, &r) {
		return 0, false
	}
	return int(r), true
}

// Explain says what was attempted when cu returned err, and puts the error in
// the driver's own words, with what the virtual device or the loader knows
// besides. It returns nil for nil.
func Explain(op string, err error) error {
	if err == nil {
		return nil
	}
	var done *Error
	code, ok := codeOf(err)
	if !ok || errors.As(err, &done) {
		return fmt.Errorf("%s: %w", op, err)
	}
	return newError(op, code)
}

// check is Explain for our own calls.
func check(op string, r C.CUresult) error {
	if r == C.CUDA_SUCCESS {
		return nil
	}
	return newError(op, int(r))
}

func newError(op string, code int) *Error {
	e := &Error{Op: op, Code: code, Name: ErrorName(code), Text: ErrorString(code)}
	if shim := C.shim_state(); shim == C.SHIM_VIRTUAL {
		e.Detail = virtualDetail(code)
	}
	if missing := C.shim_missing(); e.Detail == "" && code == C.CUDA_ERROR_NOT_SUPPORTED && missing != nil {
		e.Detail = "the driver has no " + C.GoString(missing)
	}
	return e
}

// ErrorName returns the driver's name for a result, such as
// "CUDA_ERROR_NO_DEVICE".
func ErrorName(code int) string {
	var s *C.char
	if C.cuGetErrorName(C.CUresult(code), &s) != C.CUDA_SUCCESS || s == nil {
		return fmt.Sprintf("CUDA error %d", code)
	}
	return C.GoString(s)
}

// ErrorString returns the driver's description of a result, "" if it has none.
func ErrorString(code int) string {
	var s *C.char
	if C.cuGetErrorString(C.CUresult(code), &s) != C.CUDA_SUCCESS || s == nil {
		return ""
	}
	return C.GoString(s)
}

func codeText(code int) string {
	s := ErrorName(code)
	if text := ErrorString(code); text != "" {
		s += ": " + text
	}
	return fmt.Sprintf("%s [%d]", s, code)
}
