//go:build gpu

package cuda

import (
	"driftless/engine/program"
	"driftless/kernels/axes"
	"driftless/kernels/elem"
)

// move binds the elements that a view sees.
func (b *binder) move(in *program.Instr) (action, error) {
	return b.one(in, shape{kernel: "move", over: in.Out[0], in: in.In, out: in.Out, ints: axes.PTXInts(in.Views...)})
}

// apply binds an operation on two views.
func (b *binder) apply(in *program.Instr) (action, error) {
	v := in.Views[0]
	out := program.View(in.Out[0], v.Rows(), v.Cols())
	sh := shape{kernel: "apply", over: out, in: in.In, out: []*program.Tensor{out}, ints: axes.PTXInts(in.Views...)}
	if sh.ints["op"] = int(in.Bin); in.Bin == elem.Pow {
		sh.kernel = "apply_power"
	}
	return b.one(in, sh)
}

func (b *binder) embed(in *program.Instr) (action, error) {
	s := in.Slice
	return b.one(in, shape{kernel: "embed", over: in.Out[0], in: in.In, out: in.Out,
		ints: map[string]int{"inner": s.Inner, "first": s.At, "step": s.Step, "count": in.In[0].Cols / s.Inner}})
}

// concat binds a launch for each operand.
func (b *binder) concat(in *program.Instr) (action, error) {
	a, first := action{in: in}, 0
	for _, x := range in.In {
		l, err := b.launch(shape{kernel: "concat", over: x, in: []*program.Tensor{x}, out: in.Out, ints: map[string]int{"first": first}})
		if err != nil {
			return a, err
		}
		a.launches = append(a.launches, l)
		first += x.Cols
	}
	return a, nil
}

// picking binds the kernel of that name, of rows that are picked or its gradient.
func picking(name string) binding {
	return func(b *binder, in *program.Instr) (action, error) {
		return b.one(in, shape{kernel: name, over: in.Out[0], in: in.In, out: in.Out, ints: map[string]int{"n": in.Total, "count": in.In[1].Cols}})
	}
}

func (b *binder) reduce(in *program.Instr) (action, error) {
	return b.one(in, shape{kernel: "reduce", over: in.Out[0], in: in.In, out: in.Out,
		ints: map[string]int{"size": in.In[0].Rows / in.Out[0].Rows, "how": int(in.Reduce)}})
}

// softmax binds the kernel of that name, of softmax or its gradient.
func softmax(name string) binding {
	return func(b *binder, in *program.Instr) (action, error) {
		log := 0
		if in.Log {
			log = 1
		}
		return b.one(in, shape{kernel: name, over: in.Out[0], in: in.In, out: in.Out, ints: map[string]int{"log": log}})
	}
}
