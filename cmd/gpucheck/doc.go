// Command gpucheck checks and times the CUDA device of the machine that it runs on,
// and writes one Markdown report.
//
//	make gpu-check                            # builds and runs it: needs Go and a C compiler
//	make gpu-check ARGS="-device virtual"     # the same on the virtual PTX device, small
//	make gpu-check ARGS="-plan quarter-hour"  # what matters most, in 400 s
//	make gpu-bundle                           # a folder that needs neither, for another machine
//
// # Parts
//
// In the order of their worth, in which they run:
//
//	machine      the driver, the devices, which of them is checked, which tools there are,
//	             and what nvidia-smi tells
//	graphs       CUDA graphs replayed, and steps in clusters of blocks, against kernels
//	             launched one by one
//	bits         networks trained on the CPU and on the device, one after the other: every
//	             state after 1, 10 and 1,000 steps, and an evaluation at the end
//	replicas     three networks at once against the same three alone
//	plan         the launches of a step, with their times
//	bench        a training step of 1, 10 and 50 networks, and of a wide one: graphs, with
//	             and without launches that begin early, plain launches, clusters where the
//	             device runs them, and the CPU
//	precision    products on tensor cores, whose operands are rounded to TF32 or BF16:
//	             against their specification, and steps of the wide network beside float32
//	conformance  the tests of package engine/device/cuda on that device: the device
//	             conformance suite, every normalization, optimizer and activation
//	             against the CPU
//	ncu          Nsight Compute's sections SpeedOfLight, LaunchStats and
//	             MemoryWorkloadAnalysis of 24 launches
//	pytorch      the steps of bench beside PyTorch's
//	sanitizer    compute-sanitizer's memcheck, initcheck, synccheck and racecheck over
//	             some steps
//	cli          driftless train on the device and on the CPU: the same weights file
//
// Every bit has to be equal, except that any NaN equals any other. Where bits differ, the
// report says by how much. In precision nothing has the bits of float32, and the section
// says so: a product has the bits of its specification on the virtual device, and on a GPU
// an error within the bound that package gemm states; a training has its own bits again.
//
// The virtual device has compute capability 9.0 here, as the first GPUs with clusters, but
// 7.5 in cli; the tests of conformance do on it as on hardware.
//
// # Plans
//
// -plan names the parts and the time for all of them:
//
//	all           every part, in an hour
//	quarter-hour  machine to ncu, in 400 s: what to do first where a device is there for a
//	              quarter of an hour
//	rest          machine and the others, in 330 s: what to do then
//
// -only and -skip choose otherwise, and -budget is another time: 60 s are for machine, 60
// for graphs, bits, replicas and plan, 100 for bench and precision, 110 for conformance, 60
// for ncu; 200 for pytorch, 40 for sanitizer, 15 for cli. Each part in its turn gets its
// share of what is left, but at least what it takes to find anything; if less than that is
// left, the part is left out, and the report says so. The others get what a part does not
// use. With less than five minutes for conformance its tests run in their short form.
//
// Each part runs in a process of its own, of this very binary (flag -part), and tells
// what it finds line by line, and the report is written anew, in one piece, as soon as
// something is told: whenever the run is cut off, that is there. So a part that crashes,
// hangs or loses the device ends alone, with what it had found and the reason in the report. One whose time is up keeps what it has, and says
// what is missing, which is no failure; one that does not notice that its time is up is
// stopped, and has failed. The processes that a part starts end with it, and it ends with
// gpucheck, however that ends.
//
// NVIDIA's driver reports the fault of a kernel with a later call, and refuses all calls from then
// on. So a part with a fault runs again, kernel by kernel, in a section of its own with what is at
// fault; and the tests of conformance go on in another process.
//
// The exit code is 0 if every check that ran passed, 1 if one failed or a part did not
// come to its end, 2 for wrong flags, 130 if it was interrupted. What is not installed
// (nvidia-smi, compute-sanitizer, ncu, PyTorch, a C compiler for torch.compile) is no
// failure: the report says what is missing and what is left out for it.
//
// # Bench
//
// A group of rows is timed once as soon as it is ready, then all round by round, each
// round beginning with another one. A row is the median of the rounds, and their range. A
// step is a batch taken by index from the rows that lie on the device, forward, backward,
// SGD. PyTorch (see pytorch_cuda.py) gets the same images, initial weights and order of
// rows, and shows that it comes to the same loss; each of its rows is timed in turn with
// ours.
//
// # Files
//
// -out names a folder, made if need be, for gpu-check.md, or a file *.md. Beside it is what programs
// printed, as it came: gpu-check-conformance.txt, -ncu.csv, -sanitizer.txt. Temporary
// files are in a folder below TMPDIR, /tmp or else beside the report, in the first of
// these where programs can be run; it is removed at the end, or, if gpucheck was killed, by
// the next one that has its folder there. Parts have it as TMPDIR and, unless these are
// set, for the driver's cache of compiled PTX (CUDA_CACHE_PATH), PyTorch's caches and HOME.
//
// -suite names the folder with the binaries cuda.test and driftless, plain or
// gzipped, and with the kernels' machine code, cubins (see package engine/device/cuda);
// without it they are looked for beside this binary. -data is the folder of
// the data sets; without MNIST there the images are drawn by the program, and the
// report says so.
package main
