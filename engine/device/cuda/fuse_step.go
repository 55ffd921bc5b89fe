//go:build gpu

package cuda

import (
	"slices"

	"driftless/engine/program"
	"driftless/kernels/activation"
)

// The kernels that begin and end a step.

// find returns the number of the first action from the one at i on that is one launch of an
// instruction that reads t first, or -1.
func (f *fuser) find(i int, op program.Op, t *program.Tensor) int {
	for j := i; j < len(f.all); j++ {
		if a := f.all[j]; a.alone() != nil && a.in.Op == op && a.in.In[0] == t {
			return j
		}
	}
	return -1
}

// alone returns a's sole launch, if it runs every step, or nil.
func (a *action) alone() *launch {
	if len(a.launches) != 1 || a.host != nil || a.every > 1 {
		return nil
	}
	return a.launches[0]
}

// together puts actions into one bundle, with the launch that does them all, unless
// something between must come before one of them and cannot be placed before all: if
// first, nothing can.
func (f *fuser) together(members []int, l *launch, first bool) bool {
	var before []int
	for i := range members[len(members)-1] {
		if _, done := f.in[f.all[i]]; done || slices.Contains(members, i) {
			continue
		}
		follows := func(m int) bool { return i < m && conflict(f.all[i], f.all[m]) }
		if !slices.ContainsFunc(members, follows) {
			continue
		}
		if first {
			return false
		}
		for j := range i { // what it follows in turn is not placed
			if _, done := f.in[f.all[j]]; !done && !slices.Contains(before, j) && conflict(f.all[j], f.all[i]) {
				return false
			}
		}
		before = append(before, i)
	}
	for _, i := range before {
		f.place(i)
		if _, done := f.in[f.all[i]]; !done { // it waits for an update
			return false
		}
	}
	a := &action{every: 1, launches: []*launch{l}}
	at := f.add(&bundle{actions: []*action{a}})
	for _, i := range members {
		a.instrs = append(a.instrs, f.all[i].instrs...)
		a.tick = a.tick || f.all[i].tick
		f.in[f.all[i]] = at
	}
	return true
}

// batch lets one kernel begin a step, pick the batch's rows, and bring inputs and labels.
// It reports whether there is what that takes.
func (f *fuser) batch() (bool, error) {
	if len(f.all) == 0 || f.all[0].alone() == nil || f.all[0].in.Op != program.OpIndex {
		return false, nil
	}
	index := f.all[0].in
	inputs, labels := -1, -1
	for i, a := range f.all {
		if a.alone() == nil || a.in.Op != program.OpGather || a.in.In[0].DType != program.Uint8 || a.in.In[1] != index.Out[0] {
			continue
		}
		switch cols := a.in.In[0].Cols; {
		case inputs < 0 && cols > 1:
			inputs = i
		case labels < 0 && cols == 1 && gatherLD(a.in) == 1:
			labels = i
		}
	}
	if inputs < 0 || labels < 0 {
		return false, nil
	}
	x, y := f.all[inputs].in, f.all[labels].in
	l, err := f.b.launch(shape{kernel: "batch", over: &program.Tensor{Rows: index.Out[0].Cols, Cols: x.In[0].Cols},
		in:    []*program.Tensor{x.In[0], y.In[0]},
		out:   []*program.Tensor{index.Out[0], x.Out[0], y.Out[0], nil, nil},
		state: []operand{f.b.stateOperand(program.StateNonFinite), f.b.stateOperand(program.StateStep), f.b.stateOperand(program.StateSeed)},
		ints: map[string]int{"cols": x.In[0].Cols, "ldx": gatherLD(x), "map": int(x.Map), "labelmap": int(y.Map),
			"total": index.Total, "all": index.All, "how": int(index.Order)}, valid: "valid"})
	if err != nil {
		return false, err
	}
	*l.operand("halted"), *l.operand("now") = word(controlHalted), word(controlNow)
	return f.together([]int{0, min(inputs, labels), max(inputs, labels)}, l, true), nil
}

// head lets one block do the last layer, the loss and its gradient, and end the step.
// The action at i is the layer's product, if there is what that takes.
func (f *fuser) head(i int) (bool, error) {
	product, p := f.all[i].alone(), f.all[i].in
	if product == nil || !p.Op.Product() || p.TransA || p.TransB || p.Update || p.Act != activation.Identity || product.kernel.TileRows != smallTiles {
		return false, nil
	}
	logits, k := p.Out[0], p.In[0].Cols
	if _, block := catalogue["head"].Grid(1, 1, 1); (logits.Len()+block[0]-1)/block[0]*k > maxHeadWork {
		return false, nil
	}
	entropy := f.find(i, program.OpCrossEntropyBoth, logits)
	if entropy < 0 {
		return false, nil
	}
	loss := f.all[entropy].in
	mean := f.find(entropy, program.OpMean, loss.Out[0])
	if mean < 0 {
		return false, nil
	}
	tick := f.find(mean, program.OpTick, f.all[mean].in.Out[0])
	if tick < 0 {
		return false, nil
	}
	in := append(p.In[:len(p.In):len(p.In)], loss.In[1:]...)
	if len(p.In) == 2 { // no bias
		in = []*program.Tensor{p.In[0], p.In[1], nil, loss.In[1], loss.In[2]}
	}
	l, err := f.b.launch(shape{kernel: "head", over: logits, in: in,
		out: []*program.Tensor{logits, loss.Out[0], loss.Out[1], f.all[tick].in.In[0],
			f.b.tensorOf(program.StateLosses), f.b.tensorOf(program.StateNonFinite), f.b.tensorOf(program.StateStep)},
		ints: map[string]int{"k": k, "scales": loss.In[2].Len(), "length": program.LossRing}})
	return err == nil && f.together([]int{i, entropy, mean, tick}, l, false), err
}
