package cuda

import "driftless/kernels/gemm"

// Option changes how a device runs Programs; but for Precision, never what it computes.
type Option func(*options)

type options struct {
	plain      bool
	noClusters bool
	inTurn     bool
	keep       bool
	precision  gemm.Precision
	warn       func(message string)
}

// OneByOne are the environment variables with which a driver waits for each kernel, and so tells
// which one is at fault: no graphs and no clusters, and NVIDIA's own for launches that are waited for.
const OneByOne = "DRIFTLESS_CUDA_GRAPHS=0 CUDA_LAUNCH_BLOCKING=1"

// PlainLaunches has every kernel launched by itself: no graphs, and no clusters. So has the
// environment variable DRIFTLESS_CUDA_GRAPHS, if it is 0.
func PlainLaunches() Option { return func(o *options) { o.plain = true } }

// NoClusters has no Program run many steps in one launch, in clusters of blocks (see the
// package comment), which devices of compute capability 9.0 and later do where it fits. So has
// the environment variable DRIFTLESS_CUDA_CLUSTERS, if it is 0.
func NoClusters() Option { return func(o *options) { o.noClusters = true } }

// InTurn has no launch of a graph begin before the one before has ended, as those may on devices of
// compute capability 9.0 and later. So has the environment variable DRIFTLESS_CUDA_DEPENDENT, if it is 0.
func InTurn() Option { return func(o *options) { o.inTurn = true } }

// Precision has the operands of matrix products rounded, so that tensor cores can form them:
// faster, and with fewer bits than the other devices. New fails where the device's compute
// capability is below 8.0. The device's name then says so. See the package comment.
func Precision(p gemm.Precision) Option { return func(o *options) { o.precision = p } }

// Keep keeps the device's context and the kernels loaded when no session is open, for
// the life of the process and for all Devices of the same device: the next session opens
// faster. Without it the last session that closes leaves nothing behind.
func Keep() Option { return func(o *options) { o.keep = true } }

// Warn has f told, once for each Program of a session, which of its instructions run on the
// host, and of a driver that refuses graphs or clusters, or takes no machine code. It is called
// from a goroutine of the session's.
func Warn(f func(message string)) Option { return func(o *options) { o.warn = f } }

// Code describes the machine code of the kernels: see the package comment.
type Code struct {
	Folder  string   // where it is looked for
	Archs   []string // for which architectures there is some, such as sm_90
	Missing []string // files that one of them lacks, or has of other PTX only
	Chosen  string   // which of them the device takes, "" if the driver compiles the PTX
}

// Counters is what a session has done so far. Its sessions implement
//
//	interface{ Counters() Counters }
type Counters struct {
	Launches      int   // kernels launched by themselves
	GraphLaunches int   // graphs launched
	GraphKernels  int   // kernels in them
	Dependent     int   // those of them that may begin before the one before has ended
	HostCalls     int   // instructions that ran on the host, once for each replica
	HostBytes     int64 // copied between host and device for them, both ways

	ClusterLaunches int // launches of many steps in clusters
	ClusterSteps    int // steps in them
}
