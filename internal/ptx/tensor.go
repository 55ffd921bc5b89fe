package ptx

import "math"

// Products on tensor cores: mma.sync of 16×8 sums, with operands in TF32 (8 along k) or BF16
// (16, two of which are a register). The registers of lane 4g+t hold
//
//	A  row g of words t, row g+8 of words t, the same of words t+4
//	B  column g of word t, and of word t+4
//	C  columns 2t and 2t+1 of row g, the same of row g+8; so does D
//
// How a tensor core adds up is not specified. Here it is a chain of fma in order of k that
// begins with the element of C.

// mmaOps are the instructions, with whether their operands are BF16.
var mmaOps = map[string]bool{
	"mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32":  false,
	"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32": true,
}

// An mmaOp is the part of an mma that is its own: its operands' type, and the slots of its
// registers.
type mmaOp struct {
	bf16    bool
	d, a, c [4]int32
	b       [2]int32
}

// needs80 checks that the file is for devices that have TF32 and BF16.
func (s *statement) needs80() {
	if s.file.m.target < 80 || s.file.m.version < 70 {
		s.fail("needs sm_80 and PTX 7.0")
	}
}

// tensorProduct decodes mma.
func (s *statement) tensorProduct() {
	bf16, ok := mmaOps[s.op]
	if !ok {
		s.unknown()
	}
	s.needs80()
	s.want(4)
	m := &mmaOp{bf16: bf16}
	s.in.kind, s.in.mma = kTensor, m
	for i, slots := range [][]int32{m.d[:], m.a[:], m.b[:], m.c[:]} {
		v := s.ops[i].elems
		if s.ops[i].kind != opVec || len(v) != len(slots) {
			s.fail("a vector of %d is wanted", len(slots))
		}
		for j, o := range v {
			if i == 0 {
				slots[j] = s.dest(o, 'w')
			} else {
				slots[j] = s.source(o, 'f')
			}
		}
	}
}

// tensor executes an mma.
func (w *worker) tensor(wp *warp, in *inst) bool {
	const wide = 16
	o, k := in.mma, 8
	var a [16][wide]float64
	var b [8][wide]float64
	if o.bf16 {
		k = 16
		for lane := range lanes {
			g, t := lane/4, lane%4*2
			for i, slot := range o.a {
				v, row := wp.w[slot][lane], &a[g+i%2*8]
				row[t+i/2*8], row[t+i/2*8+1] = widened(v<<16), widened(v&^0xffff)
			}
			for i, slot := range o.b {
				v := wp.w[slot][lane]
				b[g][t+i*8], b[g][t+i*8+1] = widened(v<<16), widened(v&^0xffff)
			}
		}
	} else {
		var unrounded uint32
		for lane := range lanes {
			g, t := lane/4, lane%4
			low := uint32(0)
			for i, slot := range o.a {
				v := wp.w[slot][lane]
				a[g+i%2*8][t+i/2*4] = widened(v)
				low |= v
			}
			for i, slot := range o.b {
				v := wp.w[slot][lane]
				b[g][t+i*4] = widened(v)
				low |= v
			}
			if low&^tf32Mask != 0 {
				unrounded |= 1 << lane
			}
		}
		if unrounded != 0 {
			return w.fail(wp, in, unrounded, NotRounded, "%s with an operand that cvt.rna.tf32.f32 has not rounded", in.op)
		}
	}
	var d [4]words
	for lane := range lanes {
		g, t := lane/4, lane%4*2
		for i := range d {
			x, y := &a[g+i/2*8], &b[t+i%2]
			s := wp.w[o.c[i]][lane]
			for p := range k { // as fmaLoop
				v := x[p]*y[p] + widened(s)
				n := math.Float64bits(v)
				if n<<1-897<<53 < (2047-897)<<53 && n&(1<<29-1) != 1<<28 {
					s = math.Float32bits(float32(v))
				} else {
					s = fma32(math.Float32bits(float32(x[p])), math.Float32bits(float32(y[p])), s)
				}
			}
			d[i][lane] = s
		}
	}
	for i, slot := range o.d {
		wp.w[slot] = d[i]
	}
	return true
}

func widened(x uint32) float64 { return float64(f32(x)) }

// tf32Mask has the bits of a float32 that a TF32 has.
const tf32Mask = 0xffffe000

// roundTF32 rounds a float32 to TF32; ties go away from zero.
func roundTF32(x uint32) uint32 {
	if f32(x) != f32(x) {
		return nan32 & tf32Mask
	}
	return (x + 0x1000) & tf32Mask
}

// roundBF16 rounds a float32 to BF16; ties go to even.
func roundBF16(x uint32) uint32 {
	if f32(x) != f32(x) {
		return 0x7fff
	}
	return (x + 0x7fff + x>>16&1) >> 16
}

func registerRoundings() {
	register("cvt.rna.tf32.f32", "wf", w1(each1(roundTF32)))
	register("cvt.rn.bf16x2.f32", "wff", w2(each2(func(high, low uint32) uint32 { return roundBF16(high)<<16 | roundBF16(low) })))
}
