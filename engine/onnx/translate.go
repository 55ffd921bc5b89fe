package onnx

import (
	"fmt"
	"strings"

	"driftless/engine/program"
	"driftless/kernels/activation"
	"driftless/kernels/elem"
	"driftless/kernels/whiten"
)

// translator writes the graph of a Program.
type translator struct {
	o      Options
	read   func(state string, values []float32) error
	consts []float64

	values map[*program.Tensor]*value // of scratch memory, and views
	states map[string]*value
	named  map[string]bool
	shapes map[string]string // of reshapes, which share them

	nodes, initializers []message
	done                bool // the result is written
}

// unknown says that an instruction has no translation.
func unknown(in *program.Instr, why string) error {
	return fmt.Errorf("%s (%v) has no translation%s", strings.Join(in.Nodes, ", "), in.Op, why)
}

// table has the instructions that have a translation, the first operand and the others given.
var table = map[program.Op]func(t *translator, in *program.Instr, x []*value) (*value, error){
	program.OpGEMM:         (*translator).product,
	program.OpConv:         (*translator).conv,
	program.OpMaxPool:      (*translator).pool,
	program.OpAveragePool:  (*translator).pool,
	program.OpActivate:     (*translator).activate,
	program.OpUnary:        (*translator).unary,
	program.OpBinary:       (*translator).binary,
	program.OpTranspose:    (*translator).transposeBlocks,
	program.OpGroupProduct: (*translator).groupProduct,
	program.OpNormalizeBy:  (*translator).normalizeBy,
	program.OpStandardize:  (*translator).standardize,
	program.OpCenter:       (*translator).standardize,
	program.OpRescale:      (*translator).standardize,

	program.OpStandardizeAffine: (*translator).standardize,

	program.OpAddRow:       byColumns("Add"),
	program.OpCenterBy:     byColumns("Sub"),
	program.OpScaleColumns: byColumns("Mul"),
	program.OpScaleBy:      (*translator).scaleBy,
	program.OpAffine:       (*translator).affine,
	program.OpCopy:         func(_ *translator, _ *program.Instr, x []*value) (*value, error) { return x[0], nil },
}

// instruction translates one.
func (t *translator) instruction(in *program.Instr) error {
	translate := table[in.Op]
	if translate == nil || in.Every > 1 {
		return unknown(in, "")
	}
	var x []*value
	for _, o := range in.In {
		v, err := t.value(o)
		if err != nil {
			return err
		}
		x = append(x, v)
	}
	out := in.Out[0]
	if in.Op == program.OpStandardizeAffine {
		out = in.Out[4]
	}
	if out.Space == program.SpaceReplica {
		if out.Name != t.o.Output || in.Op != program.OpCopy {
			return unknown(in, fmt.Sprintf(": it writes state %q", out.Name))
		}
		t.nodes = append(t.nodes, nodeProto("Identity", []string{t.matrix(x[0])}, OutputName, nil))
		t.done = true
		return nil
	}
	if out.Skip() != 0 || out.Len() != out.Base().Len() {
		return unknown(in, ": it writes a part of a tensor")
	}
	y, err := translate(t, in, x)
	if err != nil {
		return err
	}
	y.rows, y.cols = out.Rows, out.Cols
	t.values[out.Base()] = y
	return nil
}

// like is a value in one form, with the sizes of another in it.
func like(x *value, f form, name string) *value {
	y := &value{rows: x.rows, cols: x.cols, height: x.height, width: x.width}
	y.name[f] = name
	return y
}

// in returns the name of a value in a form that it has, or as a matrix.
func (t *translator) in(v *value, f form) string {
	if f == matrix {
		return t.matrix(v)
	}
	return v.name[f]
}

func byColumns(op string) func(*translator, *program.Instr, []*value) (*value, error) {
	return func(t *translator, _ *program.Instr, x []*value) (*value, error) {
		f := x[0].best()
		return like(x[0], f, t.node(op, nil, t.in(x[0], f), t.vector(x[1], beside[f]))), nil
	}
}

var activationOps = map[activation.Kind]string{activation.Sigmoid: "Sigmoid", activation.Tanh: "Tanh", activation.ReLU: "Relu"}

// activated applies an activation to a name.
func (t *translator) activated(k activation.Kind, name string) string {
	if k == activation.Identity {
		return name
	}
	return t.node(activationOps[k], nil, name)
}

func (t *translator) activate(in *program.Instr, x []*value) (*value, error) {
	f := x[0].best()
	return like(x[0], f, t.activated(in.Act, t.in(x[0], f))), nil
}

func (t *translator) product(in *program.Instr, x []*value) (*value, error) {
	if in.Update {
		return nil, unknown(in, "")
	}
	as := attributes{}
	for key, on := range map[string]bool{"transA": in.TransA, "transB": in.TransB} {
		if on {
			as[key] = 1
		}
	}
	names := []string{t.matrix(x[0]), t.matrix(x[1])}
	if len(x) > 2 {
		names = append(names, t.vector(x[2], flat))
	}
	return like(&value{}, matrix, t.activated(in.Act, t.node("Gemm", as, names...))), nil
}

func (t *translator) conv(in *program.Instr, x []*value) (*value, error) {
	w := in.Window
	if in.TransA || in.TransB || in.Update {
		return nil, unknown(in, "")
	}
	out := in.Out[0].Cols
	kernel := ""
	if v := x[1].state; v != nil { // [height·width·channels, out] → [out, channels, height, width]
		k := make([]float32, len(v))
		positions := w.KernelHeight * w.KernelWidth
		for p := range positions {
			for c := range w.Channels {
				for o := range out {
					k[(o*w.Channels+c)*positions+p] = v[(p*w.Channels+c)*out+o]
				}
			}
		}
		kernel = t.constant(x[1].original, []int{out, w.Channels, w.KernelHeight, w.KernelWidth}, k)
	} else {
		kernel = t.transpose(t.reshape(t.matrix(x[1]), w.KernelHeight, w.KernelWidth, w.Channels, out), 3, 2, 0, 1)
	}
	names := []string{t.images(x[0], w.Height, w.Width), kernel}
	if len(x) > 2 {
		names = append(names, t.vector(x[2], flat))
	}
	as := attributes{"kernel_shape": []int{w.KernelHeight, w.KernelWidth}, "strides": []int{w.Stride, w.Stride},
		"pads": []int{w.Padding, w.Padding, w.Padding, w.Padding}}
	y := like(&value{}, images, t.activated(in.Act, t.node("Conv", as, names...)))
	y.height, y.width = w.Out()
	return y, nil
}

func (t *translator) pool(in *program.Instr, x []*value) (*value, error) {
	w := in.Window
	if w.Padding != 0 {
		return nil, unknown(in, " with a padding")
	}
	op := map[program.Op]string{program.OpMaxPool: "MaxPool", program.OpAveragePool: "AveragePool"}[in.Op]
	as := attributes{"kernel_shape": []int{w.KernelHeight, w.KernelWidth}, "strides": []int{w.Stride, w.Stride}}
	y := like(&value{}, images, t.node(op, as, t.images(x[0], w.Height, w.Width)))
	y.height, y.width = w.Out()
	return y, nil
}

// unaryOps are functions of an element, as nodes one after another.
var unaryOps = map[elem.Unary][]string{elem.Neg: {"Neg"}, elem.Sqrt: {"Sqrt"}, elem.Exp: {"Exp"}, elem.Log: {"Log"}, elem.Abs: {"Abs"}, elem.Sign: {"Sign"},
	elem.Inverse: {"Reciprocal"}, elem.InverseSqrt: {"Sqrt", "Reciprocal"}, elem.Softplus: {"Softplus"}, elem.Sigmoid: {"Sigmoid"}, elem.Tanh: {"Tanh"},
	elem.Sin: {"Sin"}, elem.Cos: {"Cos"}, elem.Ceil: {"Ceil"}, elem.Floor: {"Floor"}}

func (t *translator) unary(in *program.Instr, x []*value) (*value, error) {
	f := x[0].best()
	name := t.in(x[0], f)
	ops := unaryOps[in.Un]
	switch {
	case in.Un == elem.Square:
		name = t.node("Mul", nil, name, name)
	case in.Un == elem.Cube:
		name = t.node("Mul", nil, t.node("Mul", nil, name, name), name)
	case ops == nil:
		return nil, unknown(in, " of "+in.Un.String())
	}
	for _, op := range ops {
		name = t.node(op, nil, name)
	}
	return like(x[0], f, name), nil
}

var binaryOps = map[elem.Binary]string{elem.Add: "Add", elem.Sub: "Sub", elem.Mul: "Mul", elem.Div: "Div",
	elem.Gt: "Greater", elem.Gte: "GreaterOrEqual", elem.Lt: "Less", elem.Lte: "LessOrEqual", elem.Eq: "Equal", elem.Min: "Min", elem.Max: "Max", elem.Pow: "Pow"}

func (t *translator) binary(in *program.Instr, x []*value) (*value, error) {
	op := binaryOps[in.Bin]
	if op == "" {
		return nil, unknown(in, " of "+in.Bin.String())
	}
	// Both in the form that they share; numbers go with every form.
	number := func(i int) bool { return in.In[i].Len() == 1 && in.Out[0].Len() > 1 }
	whole := x[0]
	if number(0) {
		whole = x[1]
	}
	f := whole.best()
	for i, v := range x {
		if !number(i) && v.name[f] == "" {
			f = matrix
		}
	}
	var names []string
	for i, v := range x {
		switch {
		case !number(i):
			names = append(names, t.in(v, f))
		case v.state != nil:
			names = append(names, t.constant(v.original, nil, v.state))
		default:
			names = append(names, t.vector(v, flat))
		}
	}
	name := t.node(op, nil, names...)
	if in.Bin >= elem.Gt && in.Bin <= elem.Ne { // a comparison gives 1 and 0
		name = t.node("Cast", attributes{"to": typeFloat}, name)
	}
	return like(whole, f, name), nil
}

// transposeBlocks transposes a matrix, or each of blocks below one another, of as many rows as the
// result has columns.
func (t *translator) transposeBlocks(in *program.Instr, x []*value) (*value, error) {
	rows, cols := in.Out[0].Cols, in.In[0].Cols
	if in.In[0].Rows > rows {
		blocks := t.transpose(t.reshape(t.matrix(x[0]), -1, rows, cols), 0, 2, 1)
		return like(&value{}, matrix, t.reshape(blocks, -1, rows)), nil
	}
	if x[0].only(transposed) {
		return like(&value{}, matrix, x[0].name[transposed]), nil
	}
	return like(&value{}, transposed, t.matrix(x[0])), nil
}

// groupProduct multiplies groups of columns by blocks below one another.
func (t *translator) groupProduct(in *program.Instr, x []*value) (*value, error) {
	n := in.In[1].Cols
	groups := in.In[0].Cols / n
	if in.Take != whiten.Block || in.Scale != 1 {
		return nil, unknown(in, "")
	}
	rows := t.transpose(t.reshape(t.matrix(x[0]), -1, groups, n), 1, 0, 2)
	rows = t.transpose(t.node("MatMul", nil, rows, t.reshape(t.matrix(x[1]), groups, n, n)), 1, 0, 2)
	return like(&value{}, matrix, t.reshape(rows, -1, groups*n)), nil
}
