//go:build gpu

package cuda

import (
	"slices"

	"driftless/engine/program"
	"driftless/kernels/activation"
)

// The kernels that begin and end a step.

// find returns the number of the first action of a kernel, from the one at i on, whose
// operand is t, or -1.
func (f *fuser) find(i int, kernel, operand string, t *program.Tensor) int {
	for j := i; j < len(f.all); j++ {
		if l := f.all[j].alone(); l != nil && l.kernel.Name == kernel && l.operand(operand).tensor == t {
			return j
		}
	}
	return -1
}

// alone is the launch of an action that is one and runs every step.
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
	if len(f.all) == 0 {
		return false, nil
	}
	index := f.all[0].alone()
	if index == nil || index.kernel.Name != "index" {
		return false, nil
	}
	rows := index.operand("rows")
	inputs, labels := -1, -1
	for i, a := range f.all {
		l := a.alone()
		if l == nil || l.kernel.Name != "gather_bytes" || l.operand("rows").tensor != rows.tensor {
			continue
		}
		switch {
		case inputs < 0 && l.cols > 1:
			inputs = i
		case labels < 0 && l.cols == 1 && l.int("ldy") == 1:
			labels = i
		}
	}
	if inputs < 0 || labels < 0 {
		return false, nil
	}
	x, y := f.all[inputs].alone(), f.all[labels].alone()
	l, err := f.b.launch(shape{kernel: "batch", over: &program.Tensor{Rows: x.rows, Cols: x.cols},
		in:    []*program.Tensor{x.operand("data").tensor, y.operand("data").tensor},
		out:   []*program.Tensor{rows.tensor, x.operand("y").tensor, y.operand("y").tensor, nil, nil},
		state: []operand{f.b.stateOperand(program.StateNonFinite), f.b.stateOperand(program.StateStep), f.b.stateOperand(program.StateSeed)},
		ints: map[string]int{"cols": x.cols, "ldx": x.int("ldy"), "map": x.int("map"), "labelmap": y.int("map"),
			"total": index.int("total"), "all": index.int("all"), "how": index.int("how")}, valid: "valid"})
	if err != nil {
		return false, err
	}
	*l.operand("halted"), *l.operand("now") = word(controlHalted), word(controlNow)
	return f.together([]int{0, min(inputs, labels), max(inputs, labels)}, l, true), nil
}

// head lets one block do the last layer, the loss and its gradient, and end the step.
// The action at i is the layer's product, if there is what that takes.
func (f *fuser) head(i int) (bool, error) {
	p := f.all[i].alone()
	if p == nil || p.kernel.Name != "gemm_nn_32" || p.int("act") != int(activation.Identity) || p.operand("lr").tensor != nil {
		return false, nil
	}
	k := p.int("k")
	if _, block := catalogue["head"].Grid(1, 1, 1); (p.rows*p.cols+block[0]-1)/block[0]*k > maxHeadWork {
		return false, nil
	}
	ce := f.find(i, "cross_entropy_both", "logits", p.operand("c").tensor)
	if ce < 0 {
		return false, nil
	}
	loss := f.all[ce].alone()
	mean := f.find(ce, "mean", "x", loss.operand("losses").tensor)
	if mean < 0 {
		return false, nil
	}
	tick := f.find(mean, "tick", "loss", f.all[mean].alone().operand("y").tensor)
	if tick < 0 {
		return false, nil
	}
	end := f.all[tick].alone()
	tensor := func(l *launch, name string) *program.Tensor { return l.operand(name).tensor }
	l, err := f.b.launch(shape{kernel: "head", over: &program.Tensor{Rows: p.rows, Cols: p.cols},
		in: []*program.Tensor{tensor(p, "a"), tensor(p, "b"), tensor(p, "bias"), tensor(loss, "labels"), tensor(loss, "scale")},
		out: []*program.Tensor{tensor(p, "c"), tensor(loss, "losses"), tensor(loss, "dz"), tensor(end, "loss"),
			tensor(end, "losses"), tensor(end, "diverged"), tensor(end, "step")},
		ints: map[string]int{"k": k, "scales": loss.int("scales"), "length": end.int("ring")}})
	return err == nil && f.together([]int{i, ce, mean, tick}, l, false), err
}
