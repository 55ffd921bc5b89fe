//go:build gpu

package cuda

import (
	"slices"

	"driftless/engine/program"
	"driftless/kernels/activation"
)

// Operations of a strip that go over the same elements become one, which saves a pass over the
// batch: an activation behind a normalization, the same backward, and a copy in BF16.

// operation is one of a table, and the first of the actions that it does, whose place it has.
type operation struct {
	*launch
	of *action
}

// operations returns what a table does for actions. An action and an operation before it become one,
// in the place of that, where both can be done in the same pass and what lies between does not mind.
func (f *fuser) operations(actions []*action) []*launch {
	var ops []operation
	for _, a := range actions {
		merged := false
		for i := len(ops) - 1; i >= 0 && !merged; i-- {
			if both := f.merged(ops[i], a); both != nil {
				ops[i].launch, merged = both, true
			} else if clash(ops[i].used(), a.only().used()) {
				break
			}
		}
		if !merged {
			ops = append(ops, operation{a.only(), a})
		}
	}
	var out []*launch
	for _, op := range ops {
		out = append(out, op.launch)
	}
	return out
}

// merged returns an operation that does what op and then a do, or nil.
func (f *fuser) merged(op operation, a *action) *launch {
	switch l := a.only(); {
	case l.kernel.Name == "activation" && f.activates(op, a):
		both := op.more()
		both.give("y", l.operand("y").tensor, true)
		both.act = l.int("act")
		return both
	case l.kernel.Name == "affine_grad" && f.passesBack(op, a):
		both := l.more()
		both.give("g", op.operand("g").tensor, false)
		if both.act = op.int("act"); both.act != int(activation.Identity) {
			*both.beside(activated) = operand{tensor: op.operand("y").tensor}
		}
		return both
	case l.kernel.Name == "pack" && op.result() != nil && samePlace(op.result(), l.operand("x").tensor) && !op.packs():
		both := op.more()
		*both.beside(packed) = operand{tensor: l.operand("packed").tensor, write: true}
		return both
	}
	return nil
}

// activates reports whether a is an activation of op's result that op can do: nothing else may need
// that as it was.
func (f *fuser) activates(op operation, a *action) bool {
	x := a.only()
	if op.kernel.Name != "standardize_affine" || op.act != 0 || op.packs() || op.result() != x.operand("x").tensor {
		return false
	}
	y, to := op.result(), x.operand("y").tensor
	if to == y {
		return true
	}
	if y.Space != program.SpaceScratch || to.Rows != y.Rows || to.Cols != y.Cols {
		return false
	}
	return !op.of.touches(to) && !slices.ContainsFunc(f.all, func(other *action) bool { return other != op.of && other != a && other.touches(y) })
}

// passesBack reports whether a takes the gradient that op passes back through an activation, and can do
// that itself: nothing else may need it.
func (f *fuser) passesBack(op operation, a *action) bool {
	if op.kernel.Name != "activation_grad" {
		return false
	}
	x, g := a.only(), op.operand("dx").tensor
	own, dx := x.operand("g"), x.operand("dx")
	if own.tensor != g || g.Space != program.SpaceScratch {
		return false
	}
	for o := range x.used() {
		if o == own {
			continue
		}
		for _, in := range []*program.Tensor{g, op.operand("g").tensor, op.operand("y").tensor} {
			if (o.write || in == g) && overlap(o.tensor, in) && !(o == dx && samePlace(o.tensor, in)) {
				return false
			}
		}
	}
	behind := f.all[slices.Index(f.all, op.of)+1:]
	if samePlace(dx.tensor, g) { // what comes later sees that
		behind = behind[:slices.Index(behind, a)]
	}
	return !slices.ContainsFunc(behind, func(other *action) bool { return other != a && other.touches(g) })
}

// touches reports whether an action reads or writes what a tensor holds.
func (a *action) touches(x *program.Tensor) bool {
	for o := range a.operands() {
		if overlap(o.tensor, x) {
			return true
		}
	}
	return false
}

// The operands that follow the kernel's own where an operation does more: those of fused.Op.Activated
// and Packed.
const (
	activated = iota
	packed
	besides
)

// more returns a copy of an operation that can do more than its kernel.
func (l *launch) more() *launch {
	both := *l
	both.operands, both.ints = slices.Clone(l.operands), slices.Clone(l.ints)
	if l.beside(0) == nil {
		both.operands = append(both.operands, make([]operand, besides)...)
	}
	return &both
}

// beside returns an operand that follows the kernel's own, or nil.
func (l *launch) beside(i int) *operand {
	own := len(l.kernel.Tensors())
	if len(l.operands) == own {
		return nil
	}
	return &l.operands[own+i]
}

// result returns the matrix of which an operation can make a copy in BF16, or nil.
func (l *launch) result() *program.Tensor {
	switch l.kernel.Name {
	case "standardize_affine":
		return l.operand("y").tensor
	case "affine_grad":
		return l.operand("dx").tensor
	}
	return nil
}

// packs reports whether an operation makes a copy.
func (l *launch) packs() bool { o := l.beside(packed); return o != nil && o.tensor != nil }
