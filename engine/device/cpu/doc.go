// Package cpu runs Programs on the processor with the kernels of package
// kernels.
//
// Each replica has one arena of state; each worker has one arena of scratch. A
// Run hands replicas to as many workers as there are processors
// (runtime.GOMAXPROCS), across all sessions of the process: a replica runs all
// the steps asked for on one worker, so steps need no synchronisation and a
// replica's bits depend on nothing but its own state. Binding turns each
// instruction into a closure over offsets; running allocates nothing.
package cpu
