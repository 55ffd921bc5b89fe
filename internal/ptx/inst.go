package ptx

// lanes is the number of threads of a warp.
const lanes = 32

// allLanes is the mask of a full warp.
const allLanes = ^uint32(0)

type (
	// words and longs are a register in all lanes of a warp. Registers of 8 and
	// 16 bits live in words, the upper bits zero.
	words = [lanes]uint32
	longs = [lanes]uint64
)

// regs are the registers of a warp. Slot 0 of w and of l is scratch space. A
// predicate is a mask of lanes; slot 0 of p is false, slot 1 true.
type regs struct {
	w []words
	l []longs
	p []uint32
}

// A kind says which part of the interpreter executes an instruction.
type kind uint8

const (
	kNone   kind = iota
	kWord        // fn into a word register
	kLong        // fn into a long register
	kDivide      // as kWord or kLong, after a check of the divisor
	kSetp        // compare into a predicate
	kPred        // logic on predicates
	kUnpack      // mov {a, b}, c
	kParam       // ld.param
	kGlobalLoad
	kGlobalStore
	kGlobalAtom
	kSharedLoad
	kSharedStore
	kSharedAtom
	kLocalLoad
	kLocalStore
	kGenericLoad
	kGenericStore
	kBranch
	kBarrier
	kClusterArrive
	kClusterWait
	kMapa
	kWarpSync
	kShuffle
	kVote
	kTensor     // mma
	kMatrixLoad // ldmatrix; if long, .trans
	kActiveMask
	kCopy       // cp.async
	kCopyCommit // … .commit_group
	kCopyWait   // … .wait_group of d groups; if long, .wait_all
	kGridWait   // griddepcontrol.wait
	kReturn
	kNop
	kTrap
)

// ofBlock reports whether all threads of a block must take part.
func (k kind) ofBlock() bool { return k == kBarrier || k == kClusterArrive || k == kClusterWait }

type (
	// An opFn computes register d from a, b and c in all lanes; what it
	// computes in lanes that are not active is thrown away.
	opFn func(r *regs, d, a, b, c int32)
	// A cmpFn returns the mask of lanes in which a comparison holds.
	cmpFn func(r *regs, a, b int32) uint32
)

// An inst is a decoded instruction. The operands are slots.
type inst struct {
	kind       kind
	neg        bool // execute where the predicate is false
	long       bool // kDivide, kUnpack: of 64 bits
	pred       int32
	d, a, b, c int32
	target     int32 // of a branch
	line       int32
	fn         opFn
	cmp        cmpFn
	logic      func(a, b uint32) uint32
	mem        *memOp
	sync       *syncOp
	mma        *mmaOp
	op         string
}

// ends reports whether no thread goes on to the next instruction.
func (in *inst) ends() bool {
	return in.pred < 0 && (in.kind == kBranch || in.kind == kReturn || in.kind == kTrap)
}

// A space is a state space.
type space uint8

const (
	generic space = iota
	globalSpace
	constSpace
	sharedSpace
	localSpace
	paramSpace
)

var spaceNames = [...]string{generic: "generic", globalSpace: "global", constSpace: "constant", sharedSpace: "shared", localSpace: "local", paramSpace: "parameter"}

func (s space) String() string { return spaceNames[s] }

// A memOp is the memory part of an instruction: the base register is in.a.
type memOp struct {
	space  space
	size   int // of an element: 1, 2, 4 or 8 bytes
	vec    int // number of elements
	signed bool
	nc     bool // ld.global.nc
	// cluster says that the address may be in the shared memory of another block.
	cluster bool
	off     uint64
	class   byte     // of the registers
	regs    [4]int32 // data
	cache   int      // index of the instruction's last allocation
	// counted is the index of a shared-memory instruction in the counts, from 1 on.
	counted int
	atom    func(old, a, b uint64) uint64
	source  *inst // of a copy: the load
	// shared and local are what a generic access becomes where the address lies
	// in one of these windows.
	shared, local *inst
}

// bytes returns the bytes that a lane accesses.
func (m *memOp) bytes() int { return m.size * m.vec }

// extend widens a loaded element to its register.
func (m *memOp) extend(v uint64) uint64 {
	if m.signed {
		shift := uint(64 - 8*m.size)
		v = uint64(int64(v<<shift) >> shift)
	}
	switch m.class {
	case 'h':
		return v & 0xffff
	case 'w':
		return v & 0xffffffff
	}
	return v
}

// set writes an element into a lane of its register.
func (m *memOp) set(r *regs, j int, lane int, v uint64) {
	v = m.extend(v)
	if m.class == 'l' {
		r.l[m.regs[j]][lane&31] = v
	} else {
		r.w[m.regs[j]][lane&31] = uint32(v)
	}
}

// get reads an element from a lane of its register.
func (m *memOp) get(r *regs, j int, lane int) uint64 {
	if m.class == 'l' {
		return r.l[m.regs[j]][lane&31]
	}
	return uint64(r.w[m.regs[j]][lane&31])
}

// A syncOp is the part of an instruction that lanes execute together.
type syncOp struct {
	mode    byte  // shuffle: u, d, b, i; vote: a(ll), o(r), u(ni), b(allot)
	members int32 // slot of the member mask
	pred    int32 // slot of the second destination, or -1
}
