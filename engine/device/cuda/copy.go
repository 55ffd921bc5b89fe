//go:build gpu

package cuda

import (
	"fmt"
	"reflect"
	"runtime"
	"unsafe"

	"driftless/engine/program"
	driver "driftless/internal/cuda"

	"gorgonia.org/cu"
)

// toDevice copies to the device, behind what the stream does, and waits: where a device
// reads the host's pageable memory by itself, the driver need not have taken the bytes
// when the call returns.
func (s *session) toDevice(to uint64, from []byte) error {
	if len(from) == 0 {
		return nil
	}
	err := cu.MemcpyHtoDAsync(cu.DevicePtr(to), unsafe.Pointer(&from[0]), int64(len(from)), s.stream)
	if err == nil {
		err = s.stream.Synchronize()
	}
	runtime.KeepAlive(from)
	return driver.Explain("copy to the device", err)
}

// fromDevice copies from the device, once the stream has done its work.
func (s *session) fromDevice(to []byte, from uint64) error {
	if len(to) == 0 {
		return nil
	}
	err := cu.MemcpyDtoHAsync(unsafe.Pointer(&to[0]), cu.DevicePtr(from), int64(len(to)), s.stream)
	if err == nil {
		err = s.stream.Synchronize()
	}
	runtime.KeepAlive(to)
	return driver.Explain("copy from the device", err)
}

// wait returns when the stream has done its work.
func (s *session) wait() error { return driver.Explain("work on the device", s.stream.Synchronize()) }

// span is how the rows of a matrix lie in memory, in bytes.
type span struct{ rows, row, ld int }

func stateSpan(st *program.State) span {
	n := st.DType.Size()
	return span{st.Rows, st.Cols * n, st.LD * n}
}

func tensorSpan(t *program.Tensor) span {
	n := t.DType.Size()
	return span{t.Rows, t.Cols * n, t.LD * n}
}

// bytes is from the first row's beginning to the last one's end.
func (p span) bytes() int {
	if p.rows == 0 {
		return 0
	}
	return (p.rows-1)*p.ld + p.row
}

// pack copies rows without gaps to where they belong, unpack back.
func (p span) pack(to, from []byte) {
	for i := range p.rows {
		copy(to[i*p.ld:][:p.row], from[i*p.row:])
	}
}

func (p span) unpack(to, from []byte) {
	for i := range p.rows {
		copy(to[i*p.row:][:p.row], from[i*p.ld:])
	}
}

// makeSlice returns n elements of a type, and their bytes.
func makeSlice(dt program.DType, n int) (any, []byte) {
	var data any
	switch dt {
	case program.Float32:
		data = make([]float32, n)
	case program.Float64:
		data = make([]float64, n)
	case program.Uint8:
		data = make([]uint8, n)
	case program.Int32:
		data = make([]int32, n)
	case program.Int64:
		data = make([]int64, n)
	case program.Uint64:
		data = make([]uint64, n)
	case program.Bool:
		data = make([]bool, n)
	default:
		data = make([]int, n)
	}
	return data, rawBytes(data)
}

// rawBytes views a slice of any element type.
func rawBytes(data any) []byte {
	v := reflect.ValueOf(data)
	if v.Len() == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(v.UnsafePointer()), v.Len()*int(v.Type().Elem().Size()))
}

// hostBytes views the host's slice, which must be of the state's element type and
// number of elements.
func hostBytes(st *program.State, data any) ([]byte, error) {
	want, _ := makeSlice(st.DType, 0)
	if reflect.TypeOf(data) != reflect.TypeOf(want) || reflect.ValueOf(data).Len() != st.Len() {
		return nil, fmt.Errorf("state %q is a %T of %d elements: pass a slice of that type and length", st.Name, want, st.Len())
	}
	return rawBytes(data), nil
}
