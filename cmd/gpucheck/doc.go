// Command gpucheck checks and times the CUDA device of the machine that it runs on,
// and writes one Markdown report.
//
//	make gpu-check                         # builds and runs it: needs Go and a C compiler
//	make gpu-check ARGS="-device virtual"  # the same on the virtual PTX device, small
//	make gpu-bundle                        # a folder that needs neither, for another machine
//
// # Parts
//
//	machine      the driver, the devices, and which of them is checked
//	conformance  the tests of package engine/device/cuda on that device: the device
//	             conformance suite, every normalization, optimizer and activation
//	             against the CPU
//	bits         networks trained on the CPU and on the device: every state after 1,
//	             10 and 1,000 steps, and an evaluation at the end
//	graphs       CUDA graphs replayed against kernels launched one by one
//	replicas     three networks at once against the same three alone
//	sanitizer    compute-sanitizer's memcheck, racecheck, initcheck and synccheck over
//	             some steps, where it is installed
//	cli          driftless train on the device and on the CPU: the same weights file
//	bench        a training step of 1, 10 and 50 networks, beside PyTorch where it is
//	             installed
//	plan         the launches of a step, with their times
//
// The demand is equality of every bit; that a NaN is a NaN is enough. Where it is
// not met, the report says by how much.
//
// Each part runs in a process of its own, of this very binary (flag -part), under a
// time limit, and tells what it finds line by line. So a part that crashes, hangs or
// loses the device ends alone, with what it had found and the reason in the report.
// The report is written anew after each part.
//
// The exit code is 0 if every check passed, 1 if one failed or a part did not come to
// its end, 2 for wrong flags, 130 if it was interrupted. What is not installed
// (compute-sanitizer, PyTorch) is no failure: the report says what is missing.
//
// # Bench
//
// All rows are timed in one run, round by round, each round beginning with another
// one. A row is the median of the rounds, and their range. A step is a batch taken by
// index from the rows that lie on the device, forward, backward, SGD. PyTorch (see
// pytorch_cuda.py) gets the same images, initial weights and order of rows, and shows
// that it comes to the same loss.
//
// # Files of the checks
//
// -suite names the folder with the binaries cuda.test and driftless, plain or
// gzipped; without it they are looked for beside this binary. -data is the folder of
// the data sets; without MNIST there the images are drawn by the program, and the
// report says so.
package main
