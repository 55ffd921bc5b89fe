//go:build gpu

package cuda

import (
	"fmt"

	"driftless/engine/program"
	"driftless/kernels/gemm"
	"driftless/kernels/random"
)

// index binds the choice of the batch's rows.
func (b *binder) index(in *program.Instr) (action, error) {
	rows := in.Out[0]
	return b.one(in, shape{kernel: "index", over: rows, out: in.Out, state: []operand{word(controlNow), b.stateOperand(program.StateSeed)},
		ints: map[string]int{"batch": rows.Cols, "total": in.Total, "all": in.All, "how": int(in.Order)}, valid: "valid"})
}

// dropout binds a draw of this step. What it drops may change from run to run: a machine sets that.
func (b *binder) dropout(in *program.Instr) (action, error) {
	times, below := dropoutFloats(in.Drop())
	a, err := b.one(in, shape{kernel: "dropout", over: in.Out[0], in: in.In, out: in.Out, state: []operand{word(controlNow), b.stateOperand(program.StateSeed)},
		ints: map[string]int{"node": in.Draw}, floats: map[string]float64{"kept": times, "below": below}})
	if err == nil {
		a.launches[0].varies = &varying{in.Drop, func(r *ready, drop float64) {
			times, below := dropoutFloats(drop)
			r.setFloat(0, times)
			r.setDouble(1, below)
		}}
	}
	return a, err
}

// dropoutFloats are the floats of a dropout's kernel.
func dropoutFloats(drop float64) (times, below float64) {
	limit, times := random.Keep(drop)
	return times, float64(limit)
}

// transposeMask takes nothing: a product with the transpose reads the matrix.
func (b *binder) transposeMask(in *program.Instr) (action, error) {
	b.masks[in.Out[0]] = b.masks[in.In[0]]
	return action{}, nil
}

// fill binds a fill of either float type.
func (b *binder) fill(in *program.Instr) (action, error) {
	sh := shape{kernel: "fill", over: in.Out[0], in: in.In, out: in.Out, floats: map[string]float64{"value": in.Scale}}
	if len(sh.in) == 0 {
		sh.in = []*program.Tensor{nil}
	}
	if in.Out[0].DType == program.Float64 {
		sh.kernel = "fill64"
	}
	return b.one(in, sh)
}

// copy binds a copy of elements of any type, as words of 4 bytes or as bytes.
func (b *binder) copy(in *program.Instr) (action, error) {
	x, y := in.In[0], in.Out[0]
	kernel, words := "copy", 1
	switch x.DType.Size() {
	case 1:
		kernel = "copy8"
	case 8:
		words = 2
	}
	return b.one(in, shape{kernel: kernel, over: &program.Tensor{Rows: y.Rows, Cols: words * y.Cols}, in: in.In, out: in.Out,
		ints: map[string]int{"ldx": words * x.LD, "ldy": words * y.LD}})
}

// gather binds the copy of a batch's rows.
func (b *binder) gather(in *program.Instr) (action, error) {
	data, rows := in.In[0], in.In[1]
	kernel := map[program.DType]string{program.Uint8: "gather_bytes", program.Float32: "gather_rows", program.Float64: "gather_rows64"}[data.DType]
	return b.one(in, shape{kernel: kernel, over: &program.Tensor{Rows: rows.Cols, Cols: data.Cols}, in: in.In, out: in.Out,
		ints: map[string]int{"m": rows.Cols, "cols": data.Cols, "ldy": gatherLD(in), "map": int(in.Map)}})
}

// gatherLD is how far the rows of a batch lie apart. A vector of labels has one value a row.
func gatherLD(in *program.Instr) int {
	if y := in.Out[0]; y.Rows > 1 {
		return y.LD
	}
	return in.In[0].Cols
}

// gatherMask gathers the matrix that the mask describes. A product with it has the
// bits of the product with the mask.
func (b *binder) gatherMask(in *program.Instr) (action, error) {
	dense := &program.Instr{Op: program.OpGather, In: in.In, Map: in.Map}
	if in.Values {
		dense.Out = in.Out[1:]
	} else {
		dense.Out = []*program.Tensor{b.extra(in.In[1].Cols, in.In[0].Cols)}
	}
	b.masks[in.Out[0]] = dense.Out[0]
	return b.gather(dense)
}

// masked binds the product with the matrix that a mask describes.
func (b *binder) masked(in *program.Instr) (action, error) {
	x := b.masks[in.In[0]]
	if x == nil {
		return action{}, fmt.Errorf("the mask %q of a product is not made in its block", in.In[0].Name)
	}
	rest := in.In[2:]
	if in.Values {
		rest = rest[1:]
	}
	dense := *in
	dense.Op, dense.Values, dense.In = program.OpGEMM, false, append([]*program.Tensor{x, in.In[1]}, rest...)
	return b.product(&dense)
}

// product binds a matrix product, or leaves one of two transposes to the host.
func (b *binder) product(in *program.Instr) (action, error) {
	if in.TransA && in.TransB {
		return onHost(b, in)
	}
	l, err := b.gemm(in)
	return action{in: in, launches: []*launch{l}}, err
}

// gemm binds a matrix product in the device's precision.
func (b *binder) gemm(in *program.Instr) (*launch, error) {
	return b.gemmIn(b.s.dev.options.precision, in, "")
}

// gemmIn binds a matrix product; valid names the int, if any, that is the number of
// rows that count.
func (b *binder) gemmIn(p gemm.Precision, in *program.Instr, valid string) (*launch, error) {
	a, c := in.In[0], in.Out[0]
	k := a.Cols
	if in.TransA {
		k = a.Rows
	}
	kernel, ok := gemm.PTXKernel(p, in.TransA, in.TransB, c.Rows, c.Cols, b.s.replicas, b.s.dev.context.multiprocessors)
	if !ok {
		return nil, fmt.Errorf("there is no kernel for a product of two transposes")
	}
	sh := shape{kernel: kernel, over: c, in: []*program.Tensor{a, in.In[1], nil}, out: in.Out, state: []operand{{}},
		ints: map[string]int{"k": k, "act": int(in.Act)}, valid: valid, per: in.Positions}
	if p == gemm.BF16 {
		sh.out = append(sh.out[:1:1], nil) // what packs operands gives it a copy of the result to write
	}
	if len(in.In) > 2 {
		sh.in[2] = in.In[2]
	}
	if in.Update {
		sh.state[0] = b.stateOperand(program.StateLR)
	}
	return b.launch(sh)
}
