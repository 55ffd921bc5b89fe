package program

import (
	"fmt"
	"strings"
)

// signature is what an instruction reads and writes.
type signature struct{ in, out operandList }

type operandList []operandSpec

// operandSpec is an operand or a result.
type operandSpec struct {
	name     string
	dims     string // of its shape, see parseSignature
	optional bool
	repeated bool // any number of them, none included
	read     bool // a result whose content is read as well
	lost     bool // a result that nobody needs
}

// signatures are those of the table.
var signatures = func() (s [opEnd]signature) {
	for op := range s {
		s[op] = parseSignature(table[op].sig)
	}
	return s
}()

// parseSignature reads "x[m,d] mean[d] → y[m,d]": operands, results, and how they lie to
// the m rows or d columns that workers share.
//
//	[m,d]  a matrix of so many rows and columns: each worker has its own
//	[m]    an element, or a row of a matrix, for each of the m rows
//	[d]    an element for each of the d columns
//	[,m]   a column for each of the m rows
//	[m,k]  rows by the m rows, transposed where Instr.TransA says so; no columns
//	[k,d]  columns by the d columns, transposed where Instr.TransB says so; no rows
//	none   any worker touches all of it
//
// x? may be missing, x… are any number, none included. &y is a result whose content is
// read as well, ~y one that nobody needs. What may be missing comes last, but for the x of
// a mask (Instr.Values).
func parseSignature(s string) signature {
	from, to, _ := strings.Cut(s, "→")
	return signature{parseOperands(from), parseOperands(to)}
}

func parseOperands(s string) (list operandList) {
	for _, word := range strings.Fields(s) {
		o := operandSpec{name: word}
		if at := strings.Index(word, "["); at >= 0 {
			o.name, o.dims = word[:at], strings.TrimSuffix(word[at+1:], "]")
		}
		o.name, o.optional = strings.CutSuffix(o.name, "?")
		o.name, o.repeated = strings.CutSuffix(o.name, "…")
		o.name, o.read = strings.CutPrefix(o.name, "&")
		o.name, o.lost = strings.CutPrefix(o.name, "~")
		list = append(list, o)
	}
	return list
}

// least and most are the numbers of tensors that a list stands for; most is -1 where there
// is no limit.
func (l operandList) limits() (least, most int) {
	for _, o := range l {
		switch {
		case o.repeated:
			return least, -1
		case !o.optional:
			least++
		}
		most++
	}
	return least, most
}

func (l operandList) String() string {
	switch least, most := l.limits(); {
	case most < 0:
		return fmt.Sprintf("%d or more", least)
	case least < most:
		return fmt.Sprintf("%d to %d", least, most)
	default:
		return fmt.Sprint(least)
	}
}

// takes reports whether so many tensors may stand for the list, and are there.
func (l operandList) takes(ts []*Tensor) bool {
	for _, t := range ts {
		if t == nil {
			return false
		}
	}
	least, most := l.limits()
	return len(ts) >= least && (most < 0 || len(ts) <= most)
}

// at returns the operand of that number.
func (l operandList) at(k int) operandSpec { return l[min(k, len(l)-1)] }

// matrix returns the number of the first [m,d], or -1.
func (l operandList) matrix() int {
	for k, o := range l {
		if o.dims == "m,d" {
			return k
		}
	}
	return -1
}
