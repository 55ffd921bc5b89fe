package ptx

import "math/bits"

// Loads of matrices by ldmatrix: four of 8×8 elements of 16 bits. Lane 8i+r has the address of row r of
// matrix i, 16 bytes. Register i of lane 4g+t takes elements 2t and 2t+1 of row g of matrix
// i, and with .trans of column g.

// matrixOps are the instructions, with whether they take columns.
var matrixOps = map[string]bool{
	"ldmatrix.sync.aligned.m8n8.x4.shared.b16":       false,
	"ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16": true,
}

// matrixLoad decodes ldmatrix.
func (s *statement) matrixLoad() {
	columns, ok := matrixOps[s.op]
	if !ok {
		s.unknown()
	}
	if s.file.m.target < 75 || s.file.m.version < 65 {
		s.fail("needs sm_75 and PTX 6.5")
	}
	s.want(2)
	s.k.counts++
	s.k.matrices = true
	m := &memOp{space: sharedSpace, size: 4, vec: 4, counted: s.k.counts}
	s.in.kind, s.in.mem, s.in.long = kMatrixLoad, m, columns
	s.data(m, s.ops[0], 'w', true)
	s.address(m, s.ops[1])
	if m.class != 'w' {
		s.fail("registers of 32 bits are wanted")
	}
}

// matrices executes ldmatrix.
func (w *worker) matrices(wp *warp, in *inst) bool {
	if w.tally != nil {
		w.countShared(wp, in, allLanes)
	}
	var rows [lanes][4]uint32
	ord := w.order(wp)
	for lane := range lanes {
		at, ok := w.sharedAddress(wp, in, lane)
		if !ok {
			return false
		}
		cells := w.sharedCells(at, in.mem.bytes())
		for c := range cells {
			if !w.sharedRead(wp, in, lane, &cells[c], &ord) {
				return false
			}
		}
		copy(rows[lane][:], w.shared[at>>2:])
	}
	for i, slot := range in.mem.regs {
		d, matrix := &wp.w[slot], rows[8*i:8*i+8]
		for lane := range lanes {
			g, t := lane/4, lane%4
			if !in.long {
				d[lane] = matrix[g][t]
				continue
			}
			shift := 16 * (g % 2)
			d[lane] = matrix[2*t][g/2]>>shift&0xffff | matrix[2*t+1][g/2]>>shift<<16
		}
	}
	return true
}

// wholeWarp returns the lanes that mma and ldmatrix need, which are all 32.
func (w *worker) wholeWarp(wp *warp, in *inst, m uint32) (need uint32, ok bool) {
	if wp.all != allLanes || wp.live != allLanes {
		return 0, w.fail(wp, in, m, BadShuffle, "%s needs 32 threads of the warp, and it has %d", in.op, bits.OnesCount32(wp.all&wp.live))
	}
	return allLanes, true
}
