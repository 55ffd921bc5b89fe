package program

import (
	"fmt"
	"strings"
)

// String lists the Program: each block, and each instruction with the Gorgonia
// nodes that it computes, its operands and their shapes.
func (p *Program) String() string {
	var w strings.Builder
	for _, b := range p.Blocks {
		fmt.Fprintf(&w, "block %s", b.Name)
		if b.Every > 1 {
			fmt.Fprintf(&w, ", every %d steps", b.Every)
		}
		if b.Rounds > 1 {
			fmt.Fprintf(&w, ", %d rounds", b.Rounds)
		}
		fmt.Fprintf(&w, ", scratch %d bytes\n", b.Scratch)
		for i, in := range b.Instrs {
			fmt.Fprintf(&w, "%4d  %-20s %s → %s  [%s]\n", i, in.title(), list(in.In), list(in.Out), strings.Join(in.Nodes, "; "))
		}
	}
	return w.String()
}

func (in *Instr) title() string {
	s := in.Op.String()
	switch in.Op {
	case OpGEMM:
		s += map[[2]bool]string{{false, false}: " AB", {true, false}: " AᵀB", {false, true}: " ABᵀ", {true, true}: " AᵀBᵀ"}[[2]bool{in.TransA, in.TransB}]
		if len(in.In) > 2 {
			s += " + bias"
		}
		if in.Act != 0 {
			s += ", " + in.Act.String()
		}
	case OpActivate, OpActivateGrad:
		s += " " + in.Act.String()
	case OpBinary:
		s += " " + in.Bin.String()
	case OpUnary:
		s += " " + in.Un.String()
	case OpUpdate:
		s += " " + string(in.Rule.Kind)
	}
	if in.Every > 1 {
		s += fmt.Sprintf(" every %d", in.Every)
	}
	return s
}

func list(ts []*Tensor) string {
	s := make([]string, len(ts))
	for i, t := range ts {
		place := ""
		if t.Space == SpaceScratch {
			place = fmt.Sprintf("@%d", t.Off)
		}
		s[i] = fmt.Sprintf("%s%v%s", short(t.Name), t.Shape, place)
	}
	return strings.Join(s, ", ")
}

// short cuts a node's name, which may spell its whole expression.
func short(s string) string {
	if r := []rune(s); len(r) > 20 {
		return string(r[:19]) + "…"
	}
	return s
}
