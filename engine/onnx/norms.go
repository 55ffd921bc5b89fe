package onnx

import (
	"slices"

	"driftless/engine/program"
)

// joined returns the instructions with the gamma and beta that follow a normalization by given
// statistics as its operands, where nothing else reads what lies between.
func joined(ins []*program.Instr) []*program.Instr {
	var out []*program.Instr
	for i := 0; i < len(ins); i++ {
		in := ins[i]
		if in.Op == program.OpNormalizeBy && i+1 < len(ins) && ins[i+1].Op == program.OpAffine && ins[i+1].In[0] == in.Out[0] && !readAfter(ins[i+2:], in.Out[0]) {
			both := *in
			both.In, both.Out = slices.Concat(in.In, ins[i+1].In[1:]), ins[i+1].Out
			in = &both
			i++
		}
		out = append(out, in)
	}
	return out
}

func readAfter(ins []*program.Instr, x *program.Tensor) bool {
	return slices.ContainsFunc(ins, func(in *program.Instr) bool {
		return slices.ContainsFunc(in.In, func(o *program.Tensor) bool { return o.Base() == x.Base() })
	})
}

// normalizeBy is BatchNormalization as evaluation has it, with a gamma of 1 and a beta of 0
// where the method trains none.
func (t *translator) normalizeBy(in *program.Instr, x []*value) (*value, error) {
	f := images
	if !x[0].only(images) {
		f = matrix
	}
	var gamma, beta string
	if len(x) > 3 {
		gamma, beta = t.vector(x[3], flat), t.vector(x[4], flat)
	} else {
		gamma, beta = t.filled(in.In[0].Cols, 1), t.filled(in.In[0].Cols, 0)
	}
	return like(x[0], f, t.node("BatchNormalization", attributes{"epsilon": in.Eps}, t.in(x[0], f), gamma, beta, t.vector(x[1], flat), t.vector(x[2], flat))), nil
}

func (t *translator) affine(_ *program.Instr, x []*value) (*value, error) {
	f := x[0].best()
	scaled := t.node("Mul", nil, t.in(x[0], f), t.vector(x[1], beside[f]))
	return like(x[0], f, t.node("Add", nil, scaled, t.vector(x[2], beside[f]))), nil
}

func (t *translator) scaleBy(in *program.Instr, x []*value) (*value, error) {
	f := x[0].best()
	sd := t.node("Sqrt", nil, t.node("Add", nil, t.vector(x[1], beside[f]), t.number(in.Eps)))
	return like(x[0], f, t.node("Div", nil, t.in(x[0], f), sd)), nil
}

// standardize centres columns, divides them by their root mean square, or both, by their own
// statistics: of the examples, where columns are those of a transpose.
func (t *translator) standardize(in *program.Instr, x []*value) (*value, error) {
	f, axis := matrix, 0
	if x[0].only(transposed) {
		f, axis = transposed, 1
	}
	mean := func(name string) string {
		return t.node("ReduceMean", attributes{"axes": []int{axis}, "keepdims": 1}, name)
	}
	y := t.in(x[0], f)
	if in.Op != program.OpRescale {
		y = t.node("Sub", nil, y, mean(y))
	}
	if in.Op != program.OpCenter {
		square := mean(t.node("Mul", nil, y, y))
		y = t.node("Div", nil, y, t.node("Sqrt", nil, t.node("Add", nil, square, t.number(in.Eps))))
	}
	if in.Op == program.OpStandardizeAffine {
		y = t.node("Add", nil, t.node("Mul", nil, y, t.vector(x[1], beside[f])), t.vector(x[2], beside[f]))
	}
	return like(x[0], f, y), nil
}
