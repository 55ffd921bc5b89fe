//go:build gpu

package cuda

import (
	"fmt"

	"driftless/engine/program"
	"driftless/kernels/gemm"
)

// data binds what brings in the batch, and moves.
func (b *binder) data(in *program.Instr) (action, error) {
	switch in.Op {
	case program.OpIndex:
		rows := in.Out[0]
		l, err := b.launch(shape{kernel: "index", over: rows, out: in.Out, state: []operand{word(controlNow), b.stateOperand(program.StateSeed)},
			ints: map[string]int{"batch": rows.Cols, "total": in.Total, "all": int(in.Scale), "how": int(in.Order)}, valid: "valid"})
		return action{launches: []*launch{l}}, err
	case program.OpGather:
		return b.gather(in, in.Out[0])
	case program.OpGatherMask:
		return b.gatherMask(in)
	case program.OpTransposeMask:
		b.masks[in.Out[0]] = b.masks[in.In[0]]
		return action{}, nil // nothing reads it
	case program.OpFill:
		sh := shape{kernel: "fill", over: in.Out[0], in: in.In, out: in.Out, floats: []float64{in.Scale}}
		if len(sh.in) == 0 {
			sh.in = []*program.Tensor{nil}
		}
		if in.Out[0].DType == program.Float64 {
			sh.kernel = "fill64"
		}
		return b.one(sh)
	}
	return b.copy(in)
}

// copy binds a copy of elements of any type, as words of 4 bytes or as bytes.
func (b *binder) copy(in *program.Instr) (action, error) {
	x, y := in.In[0], in.Out[0]
	if x.DType != y.DType || x.Rows != y.Rows || x.Cols != y.Cols {
		return action{}, fmt.Errorf("cannot copy %v %v to %v %v", x.DType, x.Shape, y.DType, y.Shape)
	}
	kernel, words := "copy", 1
	switch x.DType.Size() {
	case 1:
		kernel = "copy8"
	case 8:
		words = 2
	}
	return b.one(shape{kernel: kernel, over: &program.Tensor{Rows: y.Rows, Cols: words * y.Cols}, in: in.In, out: in.Out,
		ints: map[string]int{"ldx": words * x.LD, "ldy": words * y.LD}})
}

// gather binds the copy of a batch's rows to y.
func (b *binder) gather(in *program.Instr, y *program.Tensor) (action, error) {
	data, rows := in.In[0], in.In[1]
	kernel, ok := map[program.DType]string{program.Uint8: "gather_bytes", program.Float32: "gather_rows", program.Float64: "gather_rows64"}[data.DType]
	if !ok {
		return action{}, fmt.Errorf("data of type %v cannot be gathered", data.DType)
	}
	ld := y.LD
	if y.Rows == 1 { // a vector of labels: one value a row
		ld = data.Cols
	}
	return b.one(shape{kernel: kernel, over: &program.Tensor{Rows: rows.Cols, Cols: data.Cols}, in: in.In[:2], out: []*program.Tensor{y},
		ints: map[string]int{"m": rows.Cols, "cols": data.Cols, "ldy": ld, "map": int(in.Map)}})
}

// gatherMask gathers the matrix that the mask describes. A product with it has the
// bits of the product with the mask.
func (b *binder) gatherMask(in *program.Instr) (action, error) {
	data, rows := in.In[0], in.In[1]
	if data.DType != program.Uint8 || in.Values && len(in.Out) < 2 {
		return action{}, fmt.Errorf("a mask is made of bytes, not %v, and has a place for its values where they are not all 1", data.DType)
	}
	var x *program.Tensor
	if in.Values {
		x = in.Out[1]
	} else {
		x = b.extra(rows.Cols, data.Cols)
	}
	b.masks[in.Out[0]] = x
	return b.gather(in, x)
}

// product binds a matrix product, or leaves one of two transposes to the host.
func (b *binder) product(in *program.Instr) (action, error) {
	dense := *in
	if in.Op == program.OpMasked {
		x := b.masks[in.In[0]]
		if x == nil {
			return action{}, fmt.Errorf("the mask %q of a product is not made in its block", in.In[0].Name)
		}
		rest := in.In[2:]
		if in.Values {
			if len(rest) == 0 {
				return action{}, fmt.Errorf("the mask %q lacks its values", in.In[0].Name)
			}
			rest = rest[1:]
		}
		dense.In = append([]*program.Tensor{x, in.In[1]}, rest...)
	}
	if in.TransA && in.TransB {
		return action{host: b.productOnHost(&dense)}, nil
	}
	l, err := b.gemm(&dense, "")
	return action{launches: []*launch{l}}, err
}

// gemm binds a matrix product; valid names the int, if any, that is the number of
// rows that count.
func (b *binder) gemm(in *program.Instr, valid string) (*launch, error) {
	a, c := in.In[0], in.Out[0]
	k := a.Cols
	if in.TransA {
		k = a.Rows
	}
	kernel, ok := gemm.PTXKernel(in.TransA, in.TransB, c.Rows, c.Cols, b.s.replicas)
	if !ok {
		return nil, fmt.Errorf("there is no kernel for a product of two transposes")
	}
	sh := shape{kernel: kernel, over: c, in: []*program.Tensor{a, in.In[1], nil}, out: in.Out, state: []operand{{}},
		ints: map[string]int{"k": k, "act": int(in.Act)}, valid: valid}
	if len(in.In) > 2 {
		sh.in[2] = in.In[2]
	}
	if in.Update {
		sh.state[0] = b.stateOperand(program.StateLR)
	}
	return b.launch(sh)
}
