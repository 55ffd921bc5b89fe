// Package ptx is a virtual CUDA device: it interprets PTX, the text that CUDA
// kernels are compiled to, so that the very files that run on a GPU can be
// verified where there is none.
//
//	mod, err := ptx.Load("gemm.ptx", src)           // parse; unknown things are errors
//	mem := ptx.NewMemory(1 << 30)                   // device memory
//	x, err := mem.Alloc(4*n, "x")                   // uninitialised
//	err = mem.Write(x, bytes)                       // host to device
//	err = mod.Kernel("gemm").Launch(mem, grid, block, dynamicShared, params)
//	err = mem.Read(x, bytes)                        // device to host
//
// An error of Launch is a [*Fault]. It names the kernel, the line of the PTX
// file, the block and the thread, and says what happened.
//
// # How it runs
//
// Blocks are spread over goroutines. Threads run in warps of 32 lanes: lanes at
// the same instruction execute it together; where they diverge, the group that
// is first in the program runs until it meets the others. Shuffles, votes and
// barriers wait for the lanes that they name, wherever these are.
//
// The results are those of IEEE arithmetic, bit for bit: every operation is
// rounded once, fma.rn.f32 included. NaN is 0x7fffffff in single precision, as
// on a GPU, and 0x7ff8000000000000 in double precision. They do not depend on
// the number of goroutines or on how these are scheduled: blocks of a kernel
// with atomics on global memory run one after the other, blocks of other
// kernels cannot see each other, or the launch fails. When a launch on
// several goroutines fails it is rolled back and repeated on one, so that
// the same fault, the first in the order of blocks and warps, is reported
// each time.
//
// # What it understands
//
// PTX 6.0 to 8.x for sm_70 to sm_90 as clang writes it from CUDA C++, 64-bit
// addresses. Everything else is refused by [Load], with file and line. The
// instructions, with u, s, b, f standing for the types that PTX allows:
//
//	integer     add sub mul.lo mul.hi mul.wide mad.lo mad.hi mad.wide div rem
//	            min max abs neg, of 16, 32 and 64 bits
//	bits        and or xor not shl shr shf bfe bfi prmt lop3 popc clz brev
//	float       add.rn sub.rn mul.rn div.rn fma.rn sqrt.rn rcp.rn min max abs
//	            neg copysign, f32 and f64; min.NaN and max.NaN for sm_80
//	conversion  cvt between integers of 8 to 64 bits, f32 and f64: rn rz rm rp,
//	            rni rzi rmi rpi, sat; cvta
//	            cvt.rna.tf32.f32, cvt.rn.bf16x2.f32, for sm_80
//	products    mma.sync.aligned.row.col with f32 sums: m16n8k8 of tf32, m16n8k16 of bf16,
//	            for sm_80: a chain of fma in order of k, where a GPU adds as it likes
//	matrices    ldmatrix.sync.aligned.m8n8.x4, with and without .trans, of b16 from shared memory
//	data        mov, also of packed registers, of predicates and of addresses;
//	            selp; setp with all comparisons; and or xor not of predicates
//	memory      ld and st: global, shared, local, param, const and generic; v2,
//	            v4, volatile, nc; ld and st of shared::cluster, mapa for them
//	copies      cp.async.ca and .cg of 4, 8 and 16 bytes from global to shared memory,
//	            commit_group, wait_group, wait_all, for sm_80
//	atomics     atom and red: add min max and or xor exch cas inc dec of
//	            integers, global and shared
//	control     bra, ret, exit, trap, @p and @!p
//	threads     bar.sync 0, bar.warp.sync, shfl.sync, vote.sync, activemask,
//	            membar, fence; barrier.cluster.arrive, barrier.cluster.wait
//	launches    griddepcontrol.wait, griddepcontrol.launch_dependents, for sm_90
//	registers   %tid %ntid %ctaid %nctaid %laneid %lanemask_*; %cluster_ctaid
//	            %cluster_nctaid %clusterid %nclusterid %cluster_ctarank %cluster_nctarank
//
// and the directives .global and .const with numeric initialisers, .shared
// with and without size, .local, .reg, .maxntid, .reqntid, .minnctapersm,
// .maxnreg and .pragma "nounroll".
//
// Refused on purpose: .approx, .full and .ftz, whose results differ between
// devices or from the CPU's; add.f32 and mul.f32 without .rn, which an assembler
// may fuse; floating-point atomics, whose result depends on the order of
// threads; and a register that is read but never written, unless the compiler's
// comment says that it leaves it undefined. Calls of functions are not
// supported; device functions must be inlined.
//
// # What it finds
//
//   - Accesses outside of an allocation, into the red zones around it, after
//     Free, or misaligned for their size; the same for shared and local memory,
//     with red zones between shared variables.
//   - Reads of bytes that nothing has written: global memory since Alloc, shared
//     memory since the block began, local memory since the thread began.
//   - Races in shared memory: two threads access the same bytes, one of them
//     writes, and no barrier lies between. bar.sync orders all threads of the
//     block, bar.warp.sync those of the warp; lock step alone orders nothing.
//   - In a cluster of blocks (LaunchClusters) the same between all of its threads, in the
//     shared memory of any block. The cluster's barrier orders what came before a thread
//     arrived there for what comes after another has waited, and nothing that a thread
//     does between the two. An address of another block that is used for the own one, or
//     that lies beyond its memory; access to a block's memory before the cluster's first
//     barrier, when the block may not have begun, or with no barrier of the cluster
//     before the block returns.
//   - Shared memory that is read or written between a cp.async that writes it and the wait
//     for its group, by any thread, its own included; such memory without a barrier
//     between the wait and another thread's access; a source that changes meanwhile.
//   - In a launch that may begin before the one before has ended (LaunchDependent): access
//     to global memory by a thread that has not executed griddepcontrol.wait, or a thread
//     that returns without it, so that the launch after would not wait for the one before.
//   - Races in global memory during a launch: the same between threads of a
//     block; between blocks any write to what another block accesses. Atomic
//     operations do not race with each other, but do with plain accesses, even
//     of the same thread, that no barrier orders. A write to what the launch reads
//     through ld.global.nc is a race, too.
//   - Barriers that some threads of the block, or of the cluster, have left behind or
//     pass by; arriving twice at a cluster's barrier, or waiting there without having
//     arrived; shuffles and votes whose lanes do not take part, and products on tensor
//     cores and loads of matrices without all 32; their operands in TF32 that no conversion has rounded.
//   - Endless loops, by a budget of instructions; integer division by zero;
//     writes to constants; trap; launches with too many threads, too much
//     shared memory, or the wrong size of parameters.
//   - In host code: copies out of range, reads of bytes that were never written,
//     double free and free of what is no allocation; [Memory.Live] lists leaks.
//
// # What it cannot find
//
//   - Anything that did not happen in the launch: a race or overrun on a path
//     that the data did not take.
//   - Orders that fences and atomics make. Blocks that hand data to each other
//     through a flag in memory, and those of a cluster that do it through global memory
//     at all, are reported as racing, and a thread that waits for another by spinning
//     never sees it come: blocks and warps run one after the other.
//   - An index that leaves one array and lands in another one within the same
//     allocation, or beyond the red zone of a shared array.
//   - A barrier for part of a warp (bar.warp.sync with a mask) counts as ordering
//     the whole warp.
//   - Reads of registers that are written on some paths only.
//   - Speed, coalescing, register pressure, and whatever the driver's compiler makes of
//     the PTX. Bank conflicts are counted on request: [Memory.CountShared].
//   - Races between a launch and copies: launches are synchronous here.
//
// # Adding an instruction
//
// If it computes one register from up to three, register it in the alu file of
// its class and add a reference to the test beside it; a test fails if that is
// missing. Else decode it in statement.other and execute it in worker.step.
package ptx
