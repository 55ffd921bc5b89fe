// Package cpu runs Programs on the processor with the kernels of package
// kernels.
//
// Each replica has one arena of state. Binding turns each instruction into a
// closure over offsets that does a share of it, rows or columns from lo to hi;
// running allocates nothing.
//
// # Who works on what
//
// A device has as many slots for workers as there are processors (runtime.GOMAXPROCS)
// when it is made, and its sessions share them. With at least as many replicas to train as
// slots, each worker trains one at a time, for many steps, and meets nobody: that is the
// fastest way to train several; replicas that wait for a slot get it after some
// milliseconds. Otherwise workers form a team for one replica: the Program's schedule
// says along which axis each instruction is shared and where the team must meet, which
// takes some hundred nanoseconds, once or twice a layer. A step too small to gain from a
// worker does not get one. While another program uses some of the processors, those that
// are free form the team, and one worker goes on alone where there are none. Workers live
// as long as the process, and waking one allocates nothing.
//
// Runs of instructions that work row by row or column by column, a normalization with its
// activation, say, are done strip by strip, so that what one instruction writes is still in
// the cache for the next. Of large chains of them a worker keeps what lies between in rooms of
// its own, of a strip each.
//
// # Bits
//
// A share's bits do not depend on where it begins and ends, so that neither the
// number of workers nor the instruction set (see package kernels) shows in any
// result; the package's tests demand ==.
//
// # Files
//
//	cpu.go      Device and session: replicas, state, reading and writing
//	lead.go     a Run's goroutine: alone or as the first of a team
//	pace.go     decides, from measured windows, between one worker and a team
//	squad.go    the other members: how they are called, look, join and go
//	worker.go   the goroutines that serve them
//	team.go     how workers meet
//	env.go      a worker's view, and the loop over steps, blocks, instructions
//	bind.go     tensors and rectangles of them
//	instr.go    the kernel of each instruction
//	product.go  … of matrix products
//	conv.go     … of convolutions
//	parted.go   … of normalizations whose columns are too few to share
//	data.go     … of what brings in the batch
//	random.go   … of what draws random numbers
//	effect.go   … of what writes state, and of operations of the host
//	solo.go     one instruction by itself, for a device that has no kernel for it
package cpu
