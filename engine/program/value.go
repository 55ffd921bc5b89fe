package program

import (
	"fmt"
	"reflect"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// NewValue returns a Gorgonia value of that shape holding a copy of data, a slice of a supported
// element type: operations may keep or overwrite their operands.
func NewValue(shape tensor.Shape, data any) G.Value {
	if shape.IsScalar() {
		switch d := data.(type) {
		case []float32:
			return G.NewF32(d[0])
		case []float64:
			return G.NewF64(d[0])
		case []int:
			return G.NewI(d[0])
		case []int32:
			return G.NewI32(d[0])
		case []int64:
			return G.NewI64(d[0])
		case []uint8:
			return G.NewU8(d[0])
		case []bool:
			return G.NewB(d[0])
		}
	}
	v := reflect.ValueOf(data)
	own := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	reflect.Copy(own, v)
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(own.Interface()))
}

// Deferred is a value that is computed when somebody looks.
type Deferred interface{ Now() (G.Value, error) }

// ValueData returns a copy of a value's elements, row major, as a slice of their
// type.
func ValueData(v G.Value) (any, error) {
	x, err := Elements(v)
	if err != nil {
		return nil, err
	}
	from := reflect.ValueOf(x)
	own := reflect.MakeSlice(from.Type(), from.Len(), from.Len())
	reflect.Copy(own, from)
	return own.Interface(), nil
}

// Elements returns a value's elements, row major, as a slice of their type: that of the value
// itself, unless the value is a scalar, or a view that has its elements in another order.
func Elements(v G.Value) (any, error) {
	d, ok := v.(*tensor.Dense)
	switch {
	case !ok:
		switch v := v.(type) {
		case G.Scalar:
		case Deferred:
			now, err := v.Now()
			if err != nil {
				return nil, err
			}
			return Elements(now)
		default:
			return nil, fmt.Errorf("a value of type %T is not supported: use a dense tensor or a scalar", v)
		}
	case d.Shape().TotalSize() == 0:
		return nil, fmt.Errorf("its value of shape %v has no elements", d.Shape())
	case !d.IsNativelyAccessible():
		return nil, fmt.Errorf("its elements lie where they cannot be read")
	case !Plain(d):
		return strided(d)
	}
	switch d := v.Data().(type) {
	case float32:
		return []float32{d}, nil
	case float64:
		return []float64{d}, nil
	case int:
		return []int{d}, nil
	case int32:
		return []int32{d}, nil
	case int64:
		return []int64{d}, nil
	case byte:
		return []uint8{d}, nil
	case bool:
		return []bool{d}, nil
	case []float32, []float64, []int, []int32, []int64, []uint8, []bool:
		return d, nil
	}
	return nil, fmt.Errorf("elements of type %T are not supported", v.Data())
}

// Plain reports whether a tensor's memory holds its elements alone and in row-major order.
func Plain(d *tensor.Dense) bool {
	shape, strides, want := d.Shape(), d.Strides(), 1
	if len(shape) == 0 {
		return true
	}
	if len(strides) != len(shape) || d.IsMasked() || d.DataSize() != shape.TotalSize() {
		return false
	}
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] != 1 && strides[i] != want {
			return false
		}
		want *= shape[i]
	}
	return true
}

// strided returns the elements of a view in row-major order.
func strided(d *tensor.Dense) (any, error) {
	from := reflect.ValueOf(d.Data())
	if from.Kind() != reflect.Slice {
		return nil, fmt.Errorf("elements of type %T are not supported", d.Data())
	}
	at, err := places(d, from.Len())
	if err != nil {
		return nil, err
	}
	switch x := d.Data().(type) {
	case []float64:
		return take(x, at), nil
	case []float32:
		return take(x, at), nil
	}
	out := reflect.MakeSlice(from.Type(), len(at), len(at))
	for i, k := range at {
		out.Index(i).Set(from.Index(k))
	}
	return out.Interface(), nil
}

func take[T any](x []T, at []int) []T {
	out := make([]T, len(at))
	for i, k := range at {
		out[i] = x[k]
	}
	return out
}

// places returns where in memory of so many elements those of a tensor lie, in row-major order.
func places(d *tensor.Dense, size int) ([]int, error) {
	shape, strides := d.Shape(), d.Strides()
	if d.IsMasked() || len(strides) != len(shape) && !(len(strides) == 1 && len(shape) <= 1) {
		return nil, fmt.Errorf("its value of shape %v is a view that is not supported: use its Materialize", shape)
	}
	at := make([]int, shape.TotalSize())
	index := make([]int, len(shape))
	for i := range at {
		for k, n := range index {
			at[i] += n * strides[k]
		}
		if at[i] < 0 || at[i] >= size {
			return nil, fmt.Errorf("its value of shape %v reaches beyond its memory", shape)
		}
		for k := len(index) - 1; k >= 0; k-- {
			if index[k]++; index[k] < shape[k] {
				break
			}
			index[k] = 0
		}
	}
	return at, nil
}

// Room returns the memory of a value, a slice to write its elements to in row-major order, or nil
// if they lie otherwise.
func Room(v G.Value) any {
	if d, ok := v.(*tensor.Dense); ok && len(d.Shape()) > 0 && d.IsNativelyAccessible() && Plain(d) {
		return d.Data()
	}
	return nil
}

// SetElements writes elements, a slice in row-major order, into the memory of a value of that type
// and shape.
func SetElements(v G.Value, data any) error {
	ok := false
	switch v := v.(type) {
	case *tensor.Dense:
		from := reflect.ValueOf(data)
		if v.Dtype().Type != from.Type().Elem() || v.Shape().TotalSize() != from.Len() {
			break
		}
		if room := Room(v); room != nil {
			return done(CopySlice(room, data), v, data)
		}
		if len(v.Shape()) == 0 {
			return v.Memset(from.Index(0).Interface())
		}
		to := reflect.ValueOf(v.Data())
		at, err := places(v, to.Len())
		if err != nil {
			return err
		}
		for i, k := range at {
			to.Index(k).Set(from.Index(i))
		}
		return nil
	case *G.F64, *G.F32, *G.I, *G.I32, *G.I64, *G.U8, *G.B:
		ok = set(v, data)
	}
	return done(ok, v, data)
}

func done(ok bool, v G.Value, data any) error {
	if !ok {
		return fmt.Errorf("a %T of shape %v does not hold what a %T of %d does", v, v.Shape(), data, reflect.ValueOf(data).Len())
	}
	return nil
}

// set gives a scalar, by its pointer, the one element of a slice.
func set(v, data any) bool {
	x := reflect.ValueOf(data)
	to := reflect.ValueOf(v).Elem()
	if x.Len() != 1 || to.Kind() != x.Type().Elem().Kind() {
		return false
	}
	to.Set(x.Index(0).Convert(to.Type()))
	return true
}

// CopySlice copies src to dst, which must be slices of one supported element
// type and of one length; it reports whether they are.
func CopySlice(dst, src any) bool {
	switch d := dst.(type) {
	case []float32:
		return copySame(d, src)
	case []float64:
		return copySame(d, src)
	case []int:
		return copySame(d, src)
	case []int32:
		return copySame(d, src)
	case []int64:
		return copySame(d, src)
	case []uint8:
		return copySame(d, src)
	case []bool:
		return copySame(d, src)
	}
	return false
}

func copySame[T any](dst []T, src any) bool {
	s, ok := src.([]T)
	return ok && len(s) == len(dst) && copy(dst, s) == len(dst)
}
