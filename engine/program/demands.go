package program

import (
	"fmt"

	"driftless/kernels/ngsgd"
)

// This file holds what instructions demand of their operands, as the table names it; images.go, axes.go
// and conv.go hold what theirs do.

func checkCopy(in *Instr) error {
	if x, y := in.In[0], in.Out[0]; x.DType != y.DType || x.Rows != y.Rows || x.Cols != y.Cols {
		return fmt.Errorf("cannot copy %v %v to %v %v", x.DType, x.Shape, y.DType, y.Shape)
	}
	return nil
}

func checkTranspose(in *Instr) error {
	if x, y := in.In[0], in.Out[0]; x.DType != y.DType || x.Len() != y.Len() || x.Rows%y.Cols != 0 || y.Rows%x.Cols != 0 {
		return fmt.Errorf("cannot transpose %v %v to %v %v", x.DType, x.Shape, y.DType, y.Shape)
	}
	return nil
}

// checkWhole demands elements without gaps, for what takes them in one chain.
func checkWhole(in *Instr) error {
	if x := in.In[0]; x.Rows > 1 && x.LD != x.Cols {
		return fmt.Errorf("the rows of its operand lie %d elements apart and have %d: lay them out without gaps", x.LD, x.Cols)
	}
	return nil
}

func checkGather(in *Instr) error {
	switch dt := in.In[0].DType; {
	case dt == Uint8:
	case in.Op == OpGatherMask:
		return fmt.Errorf("a mask is made of bytes, not %v", dt)
	case dt != Float32 && dt != Float64:
		return fmt.Errorf("data of type %v cannot be gathered", dt)
	}
	if in.Values && len(in.Out) < 2 {
		return fmt.Errorf("values that are not all 1 need a place")
	}
	return nil
}

func checkBatched(in *Instr) error {
	a, b, c := in.In[0], in.In[1], in.Out[0]
	if in.Sum < 1 || a.Cols%in.Sum != 0 || b.Cols%in.Sum != 0 || a.Cols/in.Sum*(b.Cols/in.Sum) != c.Cols {
		return fmt.Errorf("matrices of %d and of %d elements have no product of %d by sums of %d", a.Cols, b.Cols, c.Cols, in.Sum)
	}
	return nil
}

func checkMasked(in *Instr) error {
	if in.Values && len(in.In) < 3 {
		return fmt.Errorf("the mask %q lacks its values", in.In[0].Name)
	}
	return nil
}

func checkFactor(in *Instr) error {
	if err := in.Factor.Validate(); err != nil {
		return err
	}
	x, f := in.In[0], in.In[1]
	if dim := in.Factor.Dim(x.Cols); f.Rows != dim+ngsgd.Tail || f.Cols >= dim {
		return fmt.Errorf("a factor of %d×%d is none of rows of %d", f.Rows, f.Cols, dim)
	}
	return nil
}

func checkShrink(in *Instr) error {
	if h, f := in.In[0], in.In[1]; f.Rows <= ngsgd.Tail || f.Cols != h.Cols {
		return fmt.Errorf("a factor of %d×%d has no basis of %d", f.Rows, f.Cols, h.Cols)
	}
	return nil
}

// checkGroups demands blocks that go with a matrix's columns.
func checkGroups(in *Instr) error {
	x, b := in.In[0], in.In[1]
	if in.Op == OpGroupOuter {
		b = in.Out[0]
	}
	if b.Rows != x.Cols || b.Rows%b.Cols != 0 {
		return fmt.Errorf("%d×%d are no blocks for the groups of %d columns", b.Rows, b.Cols, x.Cols)
	}
	return nil
}

func checkRoot(in *Instr) error {
	if err := in.Root.Check(); err != nil {
		return err
	}
	c, kept := in.In[0], keptOf(in)
	if c.Cols != in.Root.N || c.Rows != kept.Rows*in.Root.N || kept.Cols != in.Root.Kept() || kept.DType != Float64 {
		return fmt.Errorf("%d×%d are no blocks of %d rows of which %d×%d numbers of %v are kept", c.Rows, c.Cols, in.Root.N, kept.Rows, kept.Cols, kept.DType)
	}
	return nil
}

func checkRate(in *Instr) error {
	for _, t := range []*Tensor{in.In[0], in.Out[0]} {
		if t.DType != Float64 {
			return fmt.Errorf("%q is of %v, and learning rates are float64", t.Name, t.DType)
		}
	}
	return in.Rule.Schedule.Validate()
}

func checkUpdate(in *Instr) error {
	if err := in.Rule.Validate(); err != nil {
		return err
	}
	powers := 0
	if in.Rule.NeedsBetaPowers() {
		powers = 1
	}
	if slots := len(in.Rule.Slots()); len(in.Out) != 1+slots || len(in.In) != 1+powers {
		return fmt.Errorf("a step of %s has a gradient, %d powers of beta, a parameter and %d slots", in.Rule.Kind, powers, slots)
	}
	return nil
}
