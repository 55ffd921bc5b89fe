package program

import (
	"fmt"
	"strings"
	"time"
)

// String lists the Program in lines of at most 80 columns: each block, and each
// instruction with its shape, the floating-point operations and bytes of one
// execution, and below it the Gorgonia nodes that it computes.
func (p *Program) String() string {
	var plan Plan
	for _, b := range p.Blocks {
		var parts []Part
		for _, in := range b.Instrs {
			parts = append(parts, Part{Instrs: []*Instr{in}})
		}
		plan.Parts = append(plan.Parts, parts)
	}
	return p.Listing(plan)
}

// Listing lists the Program as a device runs it: in its order, with marks for what it
// does at once or on the host. If it was timed, it adds the mean time a step and, with
// the peak rate known, the share of what all workers could do.
func (p *Program) Listing(plan Plan) string {
	var w strings.Builder
	for i, b := range p.Blocks {
		fmt.Fprintf(&w, "block %s", b.Name)
		if b.Every > 1 {
			fmt.Fprintf(&w, ", every %d steps", b.Every)
		}
		if b.Rounds > 1 {
			fmt.Fprintf(&w, ", %d rounds", b.Rounds)
		}
		scratch := b.Scratch
		if plan.Scratch != nil {
			scratch = plan.Scratch[i]
		}
		fmt.Fprintf(&w, ", scratch %s\n", si(float64(scratch), "B"))
		var from []int // bytes that a worker has from the other
		if !plan.Launched {
			from = moved(b)
			w.WriteString(b.exchange(from))
		}
		head := fmt.Sprintf("  %3s %-30s %-13s %6s %6s", "#", "instruction", "shape", "FLOP", "bytes")
		if plan.Steps > 0 {
			head += fmt.Sprintf(" %6s %5s", "µs", "peak")
		}
		w.WriteString(head + "\n")
		j := 0
		for _, part := range plan.Parts[i] {
			for k, in := range part.Instrs {
				mark := in.mark(b, j) + in.Axis.letter()
				if plan.Launched {
					mark = part.mark(k) + " "
				}
				line := fmt.Sprintf("%s%3d %-30s %-13s %6s %6s", mark, j, in.Title(), in.shape(), si(in.Flops(), ""), si(float64(in.Bytes()), ""))
				if k == 0 && plan.Steps > 0 {
					line += plan.timed(part, b)
				}
				w.WriteString(strings.TrimRight(line, " ") + "\n")
				nodes := strings.Join(in.Nodes, "; ")
				if from != nil && from[j] > 0 {
					nodes = fmt.Sprintf("⇄ %s: %s", si(float64(from[j]), "B"), nodes)
				}
				if part.OnHost {
					nodes = fmt.Sprintf("on the host, %s copied: %s", si(float64(part.Copied), "B"), nodes)
				}
				fmt.Fprintf(&w, "      %s\n", short(nodes, 74))
				j++
			}
		}
	}
	if plan.Launched {
		w.WriteString("┌│└ one launch   ⇄ on the host, operands and result copied\n")
	} else {
		w.WriteString("• all workers meet before it   ┌│└ done together, strip by strip\n" +
			"r c shared by rows, by columns   ⇄ what each of two workers has from the other\n")
	}
	if plan.Note != "" {
		w.WriteString(plan.Note + "\n")
	}
	if plan.Steps > 0 {
		w.WriteString(p.summary(plan))
	}
	return w.String()
}

// exchange is the line that tells what two workers have from one another.
func (b *Block) exchange(from []int) string {
	meets, sum := 0, 0
	for i, in := range b.Instrs {
		if sum += from[i]; in.Wait {
			meets++
		}
	}
	return fmt.Sprintf("  two workers meet %s, each has %s from the other\n", plural(meets, "time"), si(float64(sum), "B"))
}

// mark returns the sign for how workers come to an instruction.
func (in *Instr) mark(b *Block, j int) string {
	if in.Wait { // what goes on with its strips ends with └ all the same
		return "•"
	}
	if in.Strip > 0 {
		switch {
		case j == 0 || b.Instrs[j-1].Strip != in.Strip:
			return "┌"
		case j+1 == len(b.Instrs) || b.Instrs[j+1].Strip != in.Strip:
			return "└"
		}
		return "│"
	}
	return " "
}

// mark returns the sign for how a GPU comes to instruction k of a part.
func (p *Part) mark(k int) string {
	switch {
	case p.OnHost:
		return "⇄"
	case len(p.Instrs) == 1:
		return " "
	case k == 0:
		return "┌"
	case k == len(p.Instrs)-1:
		return "└"
	}
	return "│"
}

// timed is the part of a line that tells where the time went.
func (plan *Plan) timed(part Part, b *Block) string {
	a := part.Spent / time.Duration(plan.Steps)
	if a == 0 && b.Every > plan.Steps {
		return " not due"
	}
	flops := 0.0
	for _, in := range part.Instrs {
		flops += b.share(in) * in.Flops()
	}
	s := fmt.Sprintf(" %6s", micro(a))
	if rate := flops / float64(plan.Workers) / a.Seconds() / 1e9; flops > 0 && a > 0 && plan.Peak > 0 {
		s += fmt.Sprintf(" %4.0f%%", 100*rate/plan.Peak)
	}
	return s
}

// summary is the end of a timed listing.
func (p *Program) summary(plan Plan) string {
	step := plan.Total / time.Duration(plan.Steps)
	var sum time.Duration
	launches := 0
	for _, parts := range plan.Parts {
		for _, part := range parts {
			sum += part.Spent / time.Duration(plan.Steps)
			launches++
		}
	}
	flops := p.Flops()
	rate := flops / step.Seconds() / 1e9
	s := fmt.Sprintf("a step: %s µs on %s, %s µs of them outside of instructions\n", micro(step), plural(plan.Workers, "worker"), micro(step-sum))
	if plan.Launched {
		s = fmt.Sprintf("a step: %s µs; %s µs as %s timed one by one\n", micro(step), micro(sum), plural(launches, "part"))
	}
	s += si(flops, "FLOP")
	if plan.Peak > 0 {
		s += fmt.Sprintf(", %.0f%% of %d × %.0f GFLOP/s", 100*rate/plan.Peak/float64(plan.Workers), plan.Workers, plan.Peak)
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

// Title names an instruction with what it computes.
func (in *Instr) Title() string {
	s := in.Op.String()
	if detail := table[in.Op].detail; detail != nil {
		s = strings.TrimSpace(s + " " + detail(in))
	}
	if in.Every > 1 {
		s += fmt.Sprintf(" every %d", in.Every)
	}
	return s
}

// bias reports whether a matrix product adds one.
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
	if in.Op.Product() {
		k := in.In[1].Rows
		if in.TransB {
			k = in.In[1].Cols
		}
		return fmt.Sprintf("%d×%d×%d", in.Out[0].Rows, k, in.Out[0].Cols)
	}
	switch most := in.largest(); {
	case most == nil:
		return ""
	case most.Rows == 1:
		return fmt.Sprint(most.Cols)
	default:
		return fmt.Sprintf("%d×%d", most.Rows, most.Cols)
	}
}

// short cuts a text that may spell whole expressions.
func short(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
