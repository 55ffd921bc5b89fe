// Package vec is what the generators of kernels share: one description of a
// computation becomes assembly for AVX2 and for AVX-512, through avo.
//
// Only programs in <family>/internal/gen import it; nothing that is built into
// Driftless does.
//
// # Vectors
//
// A [V] is a vector width and the type of its lanes, float32 or float64. Its methods emit one operation each and return a new
// register, so that a sequence of IEEE operations reads like its plain Go:
//
//	q := v.Add(v.Mul(r, c0), c1) // q = r·c0 + c1, two roundings
//
// Operands come in the order of the formula (Sub(a, b) is a-b), not in that of
// the Go assembler. The last operand may be memory, such as a constant of
// [V.Const], except where the comment says otherwise. Nothing is fused unless
// FMA is called. Registers that live on from one round of a loop to the next are
// written by Move, or by the methods that say so.
//
// [All] emits a kernel for both widths and both types: T stands for the type in a
// [V.Signature]. Kernels of float32 that compute in float64, too, have methods that end
// in 64, and widen a vector to two, low lanes first.
//
// # Masks
//
// A [Mask] holds a truth value a lane: a K register with AVX-512, else a vector
// of all ones or all zeros a lane. [V.Tail] makes the mask of the last columns of
// a row; masked loads do not touch the memory of lanes that are off.
//
// # Loops
//
// [V.Columns] and [Columns.Each] emit the loop along a row, a vector at a time and
// then a masked rest; [Rows] the loop over rows around it:
//
//	vec.All(func(v vec.V) {
//		vec.Text("halve"+v.Name, v.Signature("func(m, d int, x *T, ldx int, y *T, ldy int)"), "halve… sets y = x/2 …")
//		m, x, y := vec.Arg("m"), vec.Arg("x"), vec.Arg("y")
//		cols := v.Columns(vec.Arg("d"))
//		vec.Rows(m, []vec.Row{{x, vec.Step("ldx")}, {y, vec.Step("ldy")}}, func() {
//			cols.Each(func(s vec.Span) { s.Store(v.Mul(s.Load(x), v.Const("half", 0.5)), y) })
//		})
//		vec.End()
//	})
//
// A processor's scheduler sees no further than a hundred instructions, of which one
// long chain takes most: [Columns.EachBy] and [Interleave] emit several chains in
// turns.
//
// # Pitfalls
//
// An argument named g is a register to the assembler. Zero a register by Zero:
// avo takes VPXORD x, x for a use of x. A register of which a part was written is
// live in the others since the function began. avo also gives AVX2 the registers
// 16 to 31, which only AVX-512 has: a test looks for them.
//
// # Lengths of calls
//
// Assembly cannot be preempted. Call it from a Go function that is not inlined
// (//go:noinline: its stack check is where the garbage collector stops it), on
// blocks of rows that take well under 100 µs. kernels.Pick chooses among tables of functions;
// where arguments point to the stack, functions are called by their names instead, since the
// compiler lets whatever goes through a table escape.
package vec
