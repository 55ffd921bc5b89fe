package cpu

import (
	"fmt"
	"unsafe"

	"driftless/engine/program"
	"driftless/kernels"
	"driftless/kernels/gemm"
)

// bind turns a Program's instructions into closures for its element type.
func bind(p *program.Program) (*bound, error) {
	if p.Layout.DType == program.Float64 {
		return bindAs[float64](p)
	}
	return bindAs[float32](p)
}

func bindAs[T kernel](p *program.Program) (*bound, error) {
	b := &bound{p: p}
	for _, blk := range p.Blocks {
		k := boundBlock{every: int64(blk.Every), rounds: int64(blk.Rounds), consts: newArena(len(blk.Consts) * program.Align)}
		for i, v := range blk.Consts {
			at[T](k.consts, i*program.Align, 1)[0] = T(v)
		}
		for _, in := range blk.Instrs {
			do, err := binder[T]{p.Layout}.instr(in)
			if err != nil {
				return nil, fmt.Errorf("block %s: %w", blk.Name, err)
			}
			b.packing = max(b.packing, packingBytes[T](in))
			b.serial = b.serial || in.Serial
			k.instrs = append(k.instrs, boundInstr{int64(in.Every), do})
		}
		b.blocks = append(b.blocks, k)
	}
	return b, nil
}

// kernel is the set of types that Programs compute in.
type kernel interface {
	kernels.Float
	element
}

// ref is a tensor of elements T, ready to be viewed.
type ref[T element] struct {
	space      program.Space
	off, n     int
	rows, cols int
	ld         int
}

func refOf[T element](t *program.Tensor) ref[T] {
	n := 0
	if t.Rows > 0 {
		n = (t.Rows-1)*t.LD + t.Cols
	}
	return ref[T]{space: t.Space, off: t.Off, n: n, rows: t.Rows, cols: t.Cols, ld: t.LD}
}

func (r ref[T]) of(e *env) []T { return at[T](e.mem(r.space, r.off), 0, r.n) }

type binder[T kernel] struct{ layout *program.Layout }

// packing returns n elements of the worker's packing buffer.
func packing[T kernel](e *env, n int) []T {
	if n == 0 {
		return nil
	}
	return at[T](e.packing, 0, n)
}

// packingBytes is the scratch that an instruction's matrix product needs.
func packingBytes[T kernel](in *program.Instr) int {
	var m, n, k int
	tA, tB := in.TransA, in.TransB
	switch in.Op {
	case program.OpGEMM:
		m, k, n = in.In[0].Rows, in.In[0].Cols, in.Out[0].Cols
		if tA {
			m, k = k, m
		}
	case program.OpAccumulateOuter:
		m, k, n, tA = in.In[0].Cols, in.In[0].Rows, in.In[0].Cols, true
	default:
		return 0
	}
	var z T
	return gemm.Scratch(tA, tB, m, n, k) * int(unsafe.Sizeof(z))
}
