package ptx

// An aluOp is an instruction that computes one register from up to three.
type aluOp struct {
	// sig has a letter for the destination and each source: h, w and l are
	// registers of 16, 32 and 64 bits, f and d are w and l of floating-point
	// type, p is a predicate.
	sig  string
	fn   opFn
	kind kind // of the special cases; kNone means kWord or kLong
}

// aluOps has all of them by full name.
var aluOps = map[string]aluOp{}

// compares has the setp instructions, whose signature has sources only.
var compares = map[string]struct {
	sig string
	fn  cmpFn
}{}

// predOps has the logic on predicates.
var predOps = map[string]struct {
	sources int
	fn      func(a, b uint32) uint32
}{
	"and.pred": {2, func(a, b uint32) uint32 { return a & b }},
	"or.pred":  {2, func(a, b uint32) uint32 { return a | b }},
	"xor.pred": {2, func(a, b uint32) uint32 { return a ^ b }},
	"not.pred": {1, func(a, _ uint32) uint32 { return ^a }},
	"mov.pred": {1, func(a, _ uint32) uint32 { return a }},
}

func init() {
	registerInteger()
	registerBits()
	registerFloat()
	registerConversions()
	registerRoundings()
	registerMoves()
	registerCompares()
}

func register(name, sig string, fn opFn) { aluOps[name] = aluOp{sig: sig, fn: fn} }

// The following make an opFn of a loop over lanes.

func w1(f func(d, a *words)) opFn {
	return func(r *regs, d, a, _, _ int32) { f(&r.w[d], &r.w[a]) }
}

func w2(f func(d, a, b *words)) opFn {
	return func(r *regs, d, a, b, _ int32) { f(&r.w[d], &r.w[a], &r.w[b]) }
}

func w3(f func(d, a, b, c *words)) opFn {
	return func(r *regs, d, a, b, c int32) { f(&r.w[d], &r.w[a], &r.w[b], &r.w[c]) }
}

func l1(f func(d, a *longs)) opFn {
	return func(r *regs, d, a, _, _ int32) { f(&r.l[d], &r.l[a]) }
}

func l2(f func(d, a, b *longs)) opFn {
	return func(r *regs, d, a, b, _ int32) { f(&r.l[d], &r.l[a], &r.l[b]) }
}

func l3(f func(d, a, b, c *longs)) opFn {
	return func(r *regs, d, a, b, c int32) { f(&r.l[d], &r.l[a], &r.l[b], &r.l[c]) }
}

// The following make a loop over lanes of a function of one lane. It is called
// through a pointer, which is good enough for instructions that are not hot.

func each1[T any](f func(a T) T) func(d, a *[lanes]T) {
	return func(d, a *[lanes]T) {
		for i := range d {
			d[i] = f(a[i])
		}
	}
}

func each2[T any](f func(a, b T) T) func(d, a, b *[lanes]T) {
	return func(d, a, b *[lanes]T) {
		for i := range d {
			d[i] = f(a[i], b[i])
		}
	}
}

func each3[T any](f func(a, b, c T) T) func(d, a, b, c *[lanes]T) {
	return func(d, a, b, c *[lanes]T) {
		for i := range d {
			d[i] = f(a[i], b[i], c[i])
		}
	}
}
