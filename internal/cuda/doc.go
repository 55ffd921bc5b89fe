// Package cuda finds NVIDIA's driver when the program runs, not when it is
// built, stands behind gorgonia.org/cu, adds what cu does not bind, and has a
// virtual driver that runs the same program on machines without a GPU.
//
// # Builds
//
// Without the build tag gpu the package needs no C compiler, and Status says
// that there is no CUDA support. With it, on Linux, it needs a C compiler and no
// CUDA toolkit:
//
//	eval "$(make env)"
//	go build -tags gpu ./cmd/driftless
//
// "make env" runs gen, which derives the cuda.h that cu compiles against from
// the cu module itself, writes an archive without members that satisfies cu's
// -lcuda, both below the folder build, and prints CGO_CFLAGS and CGO_LDFLAGS for
// them. A toolkit that is installed is not looked at, so that another version's
// header cannot break the build.
//
// # Loader
//
// cu calls C functions such as cuMemAlloc. trampolines.h, which gen writes and
// "go generate" renews, lists all that cu and this package call; shim.c defines
// each as a hidden function that jumps to the driver's. The first call of any
// opens libcuda.so.1, from where the system's loader looks or else from the folders
// that vendors use (loader.go lists them). A binary therefore starts everywhere, names
// no libcuda in its dynamic section, and costs nothing until it uses the driver. cuInit,
// which cu calls as its package is initialised, does nothing; the driver's own is called
// at first use.
//
// Status describes the driver and its devices, or says why there are none: no
// library, a file that is no driver, a driver too old (by its version, or a
// symbol of required.h that it lacks), a driver whose cuInit fails, no device.
// While there is no driver cu counts 0 devices, and its other calls return
// CUDA_ERROR_NO_DEVICE or what cuInit returned. A symbol that the driver lacks
// and required.h does not list answers CUDA_ERROR_NOT_SUPPORTED.
//
// NVIDIA's libraries of CUDA 11.4, 12.2, 12.4, 13.0 and 13.2 have been loaded on a
// machine without a device (TestNVIDIAsLibraries).
//
// # Use
//
//	if err := cuda.Require(); err != nil { … }      // err says what to do
//	info, err := cuda.Status()
//	runtime.LockOSThread()                          // for as long as the context is used
//	ctx, err := cu.Device(0).RetainPrimaryCtx()
//	err = cu.SetCurrentContext(ctx)                 // of this thread
//	mod, err := cuda.LoadPTX("gemm.ptx", source)
//	fn, err := mod.Function("gemm")
//	stream, err := cu.MakeStream(cu.NonBlocking)
//	err = cuda.Explain("gemm", fn.Launch(…, stream, args))
//	…
//	err = cu.Device(0).ReleasePrimaryCtx()
//	err = cu.SetCurrentContext(cu.CUContext{})      // before the thread is unlocked
//
// A context is current on a thread of the system, so one goroutine, locked to
// its thread, makes all the calls. cu.Ctx, which hands each call to such a
// goroutine, costs a hundred microseconds a call: Function.Launch and the
// package's functions cost less than one. cu copies 8 bytes from where each
// argument of a launch points to, so a smaller argument needs a variable of 8
// bytes around it.
//
// cuda adds: BeginCapture, EndCapture, Instantiate, LaunchGraph; AllocPinned;
// Attribute and SetAttribute of kernels; LaunchClusters and
// LaunchDependent; LoadPTX, whose error has the compiler's
// log, and LoadCubin; Explain, which puts an error of cu into the driver's words.
//
// After a fault of a kernel, such as an access to an illegal address, NVIDIA's driver
// fails every call of the process: the process must be restarted, as the error then
// says. The virtual driver recovers when the context is released.
//
// # Virtual driver
//
// UseVirtual, called before anything uses the driver, puts package virtual in
// its place: one device that interprets PTX (package ptx) and finds what a
// device would pass over, such as reads of memory that nothing has written,
// races, and work that lacks a dependency. Virtual returns it, for its seed, its
// counters and its reports of leaks; LastFault has the text of what went wrong.
// The entry points that it has are those of required.h.
//
// To add a driver function: if cu does not call it, name it in gen (extra, or
// later if the header lacks it), run "go generate"; if drivers without it are of
// no use, or the virtual driver should have it, name it in required.h and export
// it from a virtual_*.go.
package cuda

//go:generate go run ./gen -trampolines trampolines.h
