package onnx

import (
	"fmt"
	"strings"

	"driftless/engine/program"
)

// form is how a matrix [rows, columns] lies in the model.
type form uint8

const (
	matrix     form = iota // [rows, columns]
	transposed             // [columns, rows]
	images                 // [N, columns, height, width]: a row of the matrix is a position
	forms                  // their number
)

// value is what a tensor of the Program is in the model: a name for each form that it has.
type value struct {
	rows, cols    int
	name          [forms]string
	height, width int // of images

	state    []float32        // of a state: its values, row major
	vectors  map[shape]string // of what has one row: in other shapes
	original string           // of a state: its name
}

// shape is that of a vector that is to go with every row of a form.
type shape string

const (
	flat    shape = "[d]"
	column  shape = "[d,1]"
	channel shape = "[d,1,1]"
)

// beside is the shape of a vector with a number for each column, for arithmetic with a form.
var beside = [forms]shape{matrix: flat, transposed: column, images: channel}

func (s shape) dims(d int) []int {
	return map[shape][]int{flat: {d}, column: {d, 1}, channel: {d, 1, 1}}[s]
}

// only reports whether a value has the form and not that of a matrix.
func (v *value) only(f form) bool { return v.name[f] != "" && v.name[matrix] == "" }

// best is the form in which what works by columns takes a value.
func (v *value) best() form {
	for f := images; f > matrix; f-- {
		if v.only(f) {
			return f
		}
	}
	return matrix
}

// fresh returns a name that nothing in the model has.
func (t *translator) fresh(hint string) string {
	name := hint
	for i := 2; t.named[name]; i++ {
		name = fmt.Sprintf("%s.%d", hint, i)
	}
	t.named[name] = true
	return name
}

// node adds a node and returns the name of its result.
func (t *translator) node(op string, as attributes, in ...string) string {
	out := t.fresh(strings.ToLower(op))
	t.nodes = append(t.nodes, nodeProto(op, in, out, as))
	return out
}

// constant adds a tensor of the graph's own.
func (t *translator) constant(hint string, shape []int, values []float32) string {
	name := t.fresh(hint)
	t.initializers = append(t.initializers, floatsProto(name, shape, values))
	return name
}

// reshape gives a tensor another shape, in which -1 is what is left.
func (t *translator) reshape(x string, shape ...int) string {
	key := fmt.Sprint("shape", shape)
	name, ok := t.shapes[key]
	if !ok {
		name = t.fresh("shape")
		t.initializers = append(t.initializers, intsProto(name, shape))
		t.shapes[key] = name
	}
	return t.node("Reshape", nil, x, name)
}

func (t *translator) transpose(x string, perm ...int) string {
	return t.node("Transpose", attributes{"perm": perm}, x)
}

// matrix returns the name of a value as a matrix.
func (t *translator) matrix(v *value) string {
	if v.name[matrix] == "" {
		switch {
		case v.name[images] != "":
			v.name[matrix] = t.wide(v, v.cols)
		case v.name[transposed] != "":
			v.name[matrix] = t.transpose(v.name[transposed], 1, 0)
		case v.state != nil:
			v.name[matrix] = t.constant(v.original, []int{v.rows, v.cols}, v.state)
		}
	}
	return v.name[matrix]
}

// wide returns images as rows of so many numbers, the channels of a position beside one another.
func (t *translator) wide(v *value, cols int) string {
	last := v.name[images]
	if v.cols > 1 {
		last = t.transpose(last, 0, 2, 3, 1)
	}
	return t.reshape(last, -1, cols)
}

// images returns the name of a value as images of so many positions.
func (t *translator) images(v *value, height, width int) string {
	if v.name[images] == "" {
		last := t.reshape(t.matrix(v), -1, height, width, v.cols)
		v.name[images], v.height, v.width = t.transpose(last, 0, 3, 1, 2), height, width
	}
	return v.name[images]
}

// vector returns the name of a value that has one row in a shape.
func (t *translator) vector(v *value, s shape) string {
	if name := v.vectors[s]; name != "" {
		return name
	}
	if v.vectors == nil {
		v.vectors = map[shape]string{}
	}
	if v.state != nil {
		v.vectors[s] = t.constant(v.original, s.dims(v.cols), v.state)
	} else {
		v.vectors[s] = t.reshape(t.matrix(v), s.dims(v.cols)...)
	}
	return v.vectors[s]
}

// filled returns the name of a vector of so many equal numbers.
func (t *translator) filled(n int, x float32) string {
	values := make([]float32, n)
	for i := range values {
		values[i] = x
	}
	return t.constant(fmt.Sprint("all", x), []int{n}, values)
}

// number returns the name of a constant.
func (t *translator) number(x float64) string {
	return t.constant(fmt.Sprint(x), nil, []float32{float32(x)})
}

// value returns what a tensor of the Program is in the model.
func (t *translator) value(x *program.Tensor) (*value, error) {
	if v := t.values[x]; v != nil && v.rows == x.Rows && v.cols == x.Cols {
		return v, nil
	}
	base := x.Base()
	if x.Skip() != 0 || x.Len() != base.Len() {
		return nil, fmt.Errorf("%s is a part of %s, which has no translation", x.Name, base.Name)
	}
	v := t.values[base]
	switch {
	case v != nil:
	case base.Space == program.SpaceConst:
		v = &value{rows: 1, cols: 1, state: []float32{float32(t.consts[base.Off/program.Align])}, original: base.Name}
	case base.Space == program.SpaceReplica:
		var err error
		if v, err = t.stateValue(base); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("%s is not computed before it is used", base.Name)
	}
	return t.reshaped(x, v), nil
}

// stateValue is a state's: the input, or values of the graph's own, which every instruction that
// reads them shares.
func (t *translator) stateValue(x *program.Tensor) (*value, error) {
	if v := t.states[x.Name]; v != nil {
		return v, nil
	}
	v := &value{rows: x.Rows, cols: x.Cols, original: x.Name}
	t.states[x.Name] = v
	if x.Name == t.o.Input {
		if v.name[matrix] = InputName; t.o.Channels > 0 { // PyTorch's order; ours has the channels last
			v.name[matrix] = ""
			v.cols, v.rows = t.o.Channels, x.Rows*t.o.Height*t.o.Width
			v.name[images], v.height, v.width = InputName, t.o.Height, t.o.Width
		}
		return v, nil
	}
	v.state = make([]float32, x.Len())
	return v, t.read(x.Name, v.state)
}

// reshaped is a tensor with another shape over all of another's memory, which is b.
func (t *translator) reshaped(x *program.Tensor, b *value) *value {
	if b.rows == x.Rows && b.cols == x.Cols {
		return b
	}
	v := &value{rows: x.Rows, cols: x.Cols}
	switch {
	case b.state != nil:
		v.state, v.original = b.state, b.original
	case b.only(images):
		v.name[matrix] = t.wide(b, x.Cols)
	default:
		v.name[matrix] = t.reshape(t.matrix(b), -1, x.Cols)
	}
	t.values[x] = v
	return v
}
