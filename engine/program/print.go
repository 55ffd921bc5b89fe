package program

import (
	"fmt"
	"strings"
	"time"
)

// String lists the Program as Listing does, without times.
func (p *Program) String() string { return p.Listing(nil, 0) }

// Listing lists the Program in lines of at most 80 columns: each block, and each
// instruction with its shape, the floating-point operations and bytes of one
// execution, and below it the Gorgonia nodes that it computes. With the times of a
// run it adds the mean time a step and, given the peak rate of one worker in
// GFLOP/s, the share of what all workers could do.
func (p *Program) Listing(t *Times, peak float64) string {
	var w strings.Builder
	for i, b := range p.Blocks {
		fmt.Fprintf(&w, "block %s", b.Name)
		if b.Every > 1 {
			fmt.Fprintf(&w, ", every %d steps", b.Every)
		}
		if b.Rounds > 1 {
			fmt.Fprintf(&w, ", %d rounds", b.Rounds)
		}
		fmt.Fprintf(&w, ", scratch %s\n", si(float64(b.Scratch), "B"))
		head := fmt.Sprintf("  %3s %-30s %-13s %6s %6s", "#", "instruction", "shape", "FLOP", "bytes")
		if t != nil {
			head += fmt.Sprintf(" %6s %5s", "µs", "peak")
		}
		w.WriteString(head + "\n")
		for j, in := range b.Instrs {
			line := fmt.Sprintf("%s %3d %-30s %-13s %6s %6s", in.mark(b, j), j, in.title(), in.shape(), si(in.Flops(), ""), si(float64(in.Bytes()), ""))
			if t != nil {
				line += in.timed(t, i, j, peak, b.Rounds)
			}
			w.WriteString(strings.TrimRight(line, " ") + "\n")
			fmt.Fprintf(&w, "      %s\n", short(strings.Join(in.Nodes, "; "), 74))
		}
	}
	w.WriteString("• all workers meet before it   ┌│└ done together, strip of columns by strip\n")
	if t != nil {
		w.WriteString(p.summary(t, peak))
	}
	return w.String()
}

// mark tells how workers come to an instruction.
func (in *Instr) mark(b *Block, j int) string {
	if in.Strip > 0 {
		switch {
		case j == 0 || b.Instrs[j-1].Strip != in.Strip:
			return "┌"
		case j+1 == len(b.Instrs) || b.Instrs[j+1].Strip != in.Strip:
			return "└"
		}
		return "│"
	}
	if in.Wait {
		return "•"
	}
	return " "
}

// timed is the part of a line that tells where the time went.
func (in *Instr) timed(t *Times, i, j int, peak float64, rounds int) string {
	a := t.Spent[i][j] / time.Duration(max(1, t.Steps))
	s := fmt.Sprintf(" %6s", micro(a))
	if rate := in.Flops() * float64(rounds) / float64(t.Workers) / a.Seconds() / 1e9; in.Flops() > 0 && a > 0 && peak > 0 {
		s += fmt.Sprintf(" %4.0f%%", 100*rate/peak)
	}
	return s
}

// summary is the last line of a timed listing.
func (p *Program) summary(t *Times, peak float64) string {
	step := t.Total / time.Duration(max(1, t.Steps))
	var sum time.Duration
	for _, b := range t.Spent {
		for _, d := range b {
			sum += d / time.Duration(max(1, t.Steps))
		}
	}
	flops := p.Flops()
	rate := flops / step.Seconds() / 1e9
	s := fmt.Sprintf("a step: %s µs on %s, %s µs of them outside of instructions\n%s", micro(step), plural(t.Workers, "worker"), micro(step-sum), si(flops, "FLOP"))
	if peak > 0 {
		s += fmt.Sprintf(", %.0f%% of %d × %.0f GFLOP/s", 100*rate/peak/float64(t.Workers), t.Workers, peak)
	}
	return s + "\n"
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// micro prints microseconds with three digits or so.
func micro(d time.Duration) string {
	us := float64(d.Nanoseconds()) / 1e3
	switch {
	case us < 10:
		return fmt.Sprintf("%.2f", us)
	case us < 1000:
		return fmt.Sprintf("%.1f", us)
	}
	return fmt.Sprintf("%.0f", us)
}

// si prints a number with three digits and a decimal prefix.
func si(v float64, unit string) string {
	prefix := ""
	for _, p := range []string{"k", "M", "G", "T"} {
		if v < 1000 {
			break
		}
		v, prefix = v/1000, p
	}
	sep := ""
	if unit != "" {
		sep = " "
	}
	switch {
	case prefix == "":
		return fmt.Sprintf("%.0f%s%s", v, sep, unit)
	case v < 10:
		return fmt.Sprintf("%.2f%s%s%s", v, sep, prefix, unit)
	case v < 100:
		return fmt.Sprintf("%.1f%s%s%s", v, sep, prefix, unit)
	}
	return fmt.Sprintf("%.0f%s%s%s", v, sep, prefix, unit)
}

func (in *Instr) title() string {
	s := in.Op.String()
	switch in.Op {
	case OpGEMM, OpMasked:
		s += map[[2]bool]string{{false, false}: " AB", {true, false}: " AᵀB", {false, true}: " ABᵀ", {true, true}: " AᵀBᵀ"}[[2]bool{in.TransA, in.TransB}]
		if in.bias() {
			s += " + bias"
		}
		if in.Act != 0 {
			s += ", " + in.Act.String()
		}
		if in.Update {
			s += ", update sgd"
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

// bias tells whether a matrix product adds one.
func (in *Instr) bias() bool {
	n := len(in.In)
	if in.Values {
		n--
	}
	return n > 2
}

// shape is m×k×n of a matrix product, and of others the shape of their largest
// operand or result on the device.
func (in *Instr) shape() string {
	if in.Op == OpGEMM || in.Op == OpMasked {
		k := in.In[1].Rows
		if in.TransB {
			k = in.In[1].Cols
		}
		return fmt.Sprintf("%d×%d×%d", in.Out[0].Rows, k, in.Out[0].Cols)
	}
	var most *Tensor
	for _, t := range append(in.Out[:len(in.Out):len(in.Out)], in.In...) {
		if t.Space != SpaceShared && (most == nil || t.Len() > most.Len()) {
			most = t
		}
	}
	if most == nil {
		return ""
	}
	if most.Rows == 1 {
		return fmt.Sprint(most.Cols)
	}
	return fmt.Sprintf("%d×%d", most.Rows, most.Cols)
}

// short cuts a text that may spell whole expressions.
func short(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
