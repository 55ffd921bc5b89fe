package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// module is where the cu module's files lie.
type module struct{ Dir, Version string }

// findModule asks the go command, which downloads the module where it must.
func findModule() (module, error) {
	const path = "gorgonia.org/cu"
	var m module
	out, err := command("go", "list", "-m", "-json=Dir,Version", path)
	if err == nil {
		err = json.Unmarshal(out, &m)
	}
	if err == nil && m.Dir == "" {
		if out, err = command("go", "mod", "download", "-json", path); err == nil {
			err = json.Unmarshal(out, &m)
		}
	}
	if err == nil && m.Dir == "" {
		err = errors.New("the go command names no folder for it")
	}
	if err != nil {
		return m, fmt.Errorf("finding the module %s: %w", path, err)
	}
	return m, nil
}

func command(name string, args ...string) ([]byte, error) {
	out, err := exec.Command(name, args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%s %s: %s", name, strings.Join(args, " "), strings.TrimSpace(string(exit.Stderr)))
	}
	return out, err
}

// versioned are the functions that cuda.h maps, by macro, to a later symbol of
// the driver than the bare name, which stays for programs of CUDA 3. The
// module's header went through the preprocessor and lost these lines.
const versioned = `
cuDeviceTotalMem cuCtxCreate cuCtxDestroy cuCtxPopCurrent cuCtxPushCurrent
cuDevicePrimaryCtxRelease cuDevicePrimaryCtxReset cuDevicePrimaryCtxSetFlags
cuModuleGetGlobal cuLinkCreate cuLinkAddData cuLinkAddFile
cuMemGetInfo cuMemAlloc cuMemAllocPitch cuMemFree cuMemGetAddressRange
cuMemAllocHost cuMemHostGetDevicePointer cuMemHostRegister
cuMemcpyHtoD cuMemcpyDtoH cuMemcpyDtoD cuMemcpyDtoA cuMemcpyAtoD cuMemcpyHtoA cuMemcpyAtoH cuMemcpyAtoA
cuMemcpyHtoDAsync cuMemcpyDtoHAsync cuMemcpyDtoDAsync cuMemcpyHtoAAsync cuMemcpyAtoHAsync
cuMemcpy2D cuMemcpy2DUnaligned cuMemcpy3D cuMemcpy2DAsync cuMemcpy3DAsync
cuMemsetD8 cuMemsetD16 cuMemsetD32 cuMemsetD2D8 cuMemsetD2D16 cuMemsetD2D32
cuArrayCreate cuArrayGetDescriptor cuArray3DCreate cuArray3DGetDescriptor
cuTexRefSetAddress cuTexRefGetAddress cuGraphicsResourceSetMapFlags cuGraphicsResourceGetMappedPointer
cuStreamDestroy cuStreamBeginCapture cuStreamWriteValue32 cuStreamWaitValue32 cuEventDestroy`

// extra are functions of the header that this project calls and cu does not.
const extra = `
cuGetErrorName cuGetErrorString cuModuleLoadDataEx
cuMemHostAlloc cuMemFreeHost cuFuncGetAttribute cuFuncSetAttribute
cuStreamBeginCapture cuStreamEndCapture cuStreamIsCapturing
cuGraphInstantiate cuGraphLaunch cuGraphGetNodes cuGraphDestroy cuGraphExecDestroy`

// later are functions that the driver has and the header is too old for.
// Drivers differ in which of the instantiations they have: see shim.c.
var later = []string{
	"CUresult cuGraphInstantiate_v2(CUgraphExec* phGraphExec, CUgraph hGraph, CUgraphNode* phErrorNode, char* logBuffer, size_t bufferSize)",
	"CUresult cuGraphInstantiateWithFlags(CUgraphExec* phGraphExec, CUgraph hGraph, unsigned long long flags)",
	"CUresult cuLaunchKernelEx(const CUlaunchConfig* config, CUfunction f, void** kernelParams, void** extra)",
	"CUresult cuOccupancyMaxActiveClusters(int* numClusters, CUfunction f, const CUlaunchConfig* config)",
}

// laterTypes are what later takes that the header is too old for, with those of their
// members and values that this project uses.
const laterTypes = `#define CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED 14
#define CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION 4
#define CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION 6
typedef struct CUlaunchAttribute_st {
  int id;
  char pad[4];
  union {
    char pad[64];
    struct { unsigned x, y, z; } clusterDim;
    int programmaticStreamSerializationAllowed;
  } value;
} CUlaunchAttribute;
typedef struct CUlaunchConfig_st {
  unsigned gridDimX, gridDimY, gridDimZ, blockDimX, blockDimY, blockDimZ, sharedMemBytes;
  CUstream hStream;
  CUlaunchAttribute *attrs;
  unsigned numAttrs;
} CUlaunchConfig;`

// byHand are the functions that shim.c writes itself: they work without a driver.
var byHand = []string{"cuInit", "cuDriverGetVersion", "cuDeviceGetCount"}

// api is what the header declares and what of it is called.
type api struct {
	version string
	body    string              // declarations, from the first of CUDA's own
	protos  map[string][]string // parameters by function name
	called  map[string]bool
	symbol  map[string]string // by function name, where the two differ
}

// firstLine starts the header's CUDA part; what is before came from libc.
const firstLine = "typedef uint32_t cuuint32_t;"

var (
	comment   = regexp.MustCompile(`(?s)/\*.*?\*/`)
	space     = regexp.MustCompile(`\s+`)
	prototype = regexp.MustCompile(`(?:^|\s)CUresult (cu[A-Z]\w*)\((.*)\)$`)
	goCall    = regexp.MustCompile(`\bC\.(cu[A-Z]\w*)`)
	cCall     = regexp.MustCompile(`\b(cu[A-Z]\w*)\s*\(`)
	lastWord  = regexp.MustCompile(`(\w+)(\[\])?$`)
)

func readAPI(m module) (*api, error) {
	text, err := os.ReadFile(filepath.Join(m.Dir, "cmd", "genlib", "cuda.h"))
	if err != nil {
		return nil, err
	}
	i := strings.Index(string(text), firstLine)
	if i < 0 {
		return nil, fmt.Errorf("cu %s: its cuda.h has no line %q: this generator does not know that version", m.Version, firstLine)
	}
	a := &api{version: m.Version, body: strings.TrimSpace(string(text)[i:]),
		protos: map[string][]string{}, called: map[string]bool{}, symbol: map[string]string{"cuTexRefSetAddress2D": "cuTexRefSetAddress2D_v3"}}
	for decl := range strings.SplitSeq(comment.ReplaceAllString(a.body, ""), ";") {
		a.addPrototype(decl)
	}
	for _, decl := range later {
		a.called[a.addPrototype(decl)] = true
	}
	for _, name := range strings.Fields(versioned) {
		a.symbol[name] = name + "_v2"
	}
	for _, name := range strings.Fields(extra) {
		a.called[name] = true
	}
	if err := a.scan(m.Dir); err != nil {
		return nil, err
	}
	for name := range a.called {
		if a.protos[name] == nil {
			return nil, fmt.Errorf("cu %s: %s is called, but its cuda.h does not declare it", m.Version, name)
		}
	}
	return a, nil
}

// addPrototype returns the name of the function that decl declares, if it
// declares one.
func (a *api) addPrototype(decl string) string {
	p := prototype.FindStringSubmatch(strings.TrimSpace(space.ReplaceAllString(decl, " ")))
	if p == nil {
		return ""
	}
	params := []string{}
	if args := strings.TrimSpace(p[2]); args != "" && args != "void" {
		for param := range strings.SplitSeq(args, ",") {
			params = append(params, strings.TrimSpace(param))
		}
	}
	a.protos[p[1]] = params
	return p[1]
}

// scan finds the calls in the cu package itself; its subpackages bind other
// libraries.
func (a *api) scan(dir string) error {
	for _, pattern := range []string{"*.go", "*.c"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			call := goCall
			if strings.HasSuffix(file, ".c") {
				call = cCall
			}
			for _, found := range call.FindAllStringSubmatch(string(text), -1) {
				if name := found[1]; a.protos[name] != nil { // else a type or a C helper of cu's own
					a.called[name] = true
				}
			}
		}
	}
	return nil
}

// header is the cuda.h to compile against.
func (a *api) header() string {
	var b strings.Builder
	fmt.Fprintf(&b, "/* Generated from gorgonia.org/cu %s (cmd/genlib/cuda.h). DO NOT EDIT. */\n", a.version)
	b.WriteString("#pragma once\n#include <stddef.h>\n#include <stdint.h>\n#include <stdlib.h>\n\n")
	// What the preprocessor took away and cu's sources use.
	b.WriteString("#define CUDA_VERSION 11000\n#define CU_TRSF_READ_AS_INTEGER 0x01\n#define CU_TRSF_NORMALIZED_COORDINATES 0x02\n\n")
	for _, name := range slices.Sorted(maps.Keys(a.symbol)) {
		if a.protos[name] != nil {
			fmt.Fprintf(&b, "#define %s %s\n", name, a.symbol[name])
		}
	}
	fmt.Fprintf(&b, "\n%s\n\n/* Of later drivers. */\n%s\n%s;\n", a.body, laterTypes, strings.Join(later, ";\n"))
	return b.String()
}

// trampolines is one line T(symbol, (parameters), (arguments)) a function.
func (a *api) trampolines() string {
	var b strings.Builder
	fmt.Fprintf(&b, "/* Code generated by driftless/internal/cuda/gen from gorgonia.org/cu %s. DO NOT EDIT. */\n", a.version)
	for _, name := range slices.Sorted(maps.Keys(a.called)) {
		if slices.Contains(byHand, name) {
			continue
		}
		params, args := a.protos[name], []string{}
		for _, p := range params {
			args = append(args, lastWord.FindStringSubmatch(p)[1])
		}
		if len(params) == 0 {
			params = []string{"void"}
		}
		symbol := name
		if s := a.symbol[name]; s != "" {
			symbol = s
		}
		fmt.Fprintf(&b, "T(%s, (%s), (%s))\n", symbol, strings.Join(params, ", "), strings.Join(args, ", "))
	}
	return b.String()
}
