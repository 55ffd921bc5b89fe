//go:build gpu

package cuda

/*
#cgo CFLAGS: -Wall
#cgo LDFLAGS: -ldl -lpthread
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"strings"

	"gorgonia.org/cu"
)

// Built reports whether this binary has CUDA support: build tag gpu.
const Built = true

// folders are where drivers are installed that the system's loader need not know of: those
// of distributions, of the container toolkit and cluster plug-ins, of Windows' subsystem,
// of NixOS, and last the toolkit's libraries for older drivers.
var folders = []string{
	"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib64/nvidia", "/usr/lib/nvidia", "/usr/lib",
	"/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/usr/lib/wsl/lib", "/run/opengl-driver/lib", "/usr/local/cuda/compat", "/opt/cuda/compat",
}

func init() { search(folders) }

// search says where the driver is looked for besides the loader's path, before that
// happens.
func search(folders []string) { C.shim_search(C.CString(strings.Join(folders, ":"))) }

// Status opens the driver, if nothing has yet, and describes it. If there is no
// device, the error is an *Unavailable, and the Info is what is known besides.
func Status() (Info, error) {
	r := C.shim_load()
	info := Info{Version: Version(r.version), Library: C.GoString(&r.path[0])}
	detail := C.GoString(&r.detail[0])
	if state := r.state; state != C.SHIM_REAL && state != C.SHIM_VIRTUAL {
		return info, unavailable(state, info, detail, int(r.init_error))
	}
	info.Virtual = r.state == C.SHIM_VIRTUAL
	info.Version = Version(cu.Version())
	n, err := cu.NumDevices()
	if err != nil {
		return info, &Unavailable{Reason: ErrInit, Detail: Explain("counting the devices", err).Error(), Advice: adviceInit}
	}
	for i := range n {
		d, err := describe(i)
		if err != nil {
			return info, &Unavailable{Reason: ErrInit, Detail: err.Error(), Advice: adviceInit}
		}
		info.Devices = append(info.Devices, d)
	}
	if n == 0 {
		return info, &Unavailable{Reason: ErrNoDevice, Detail: "it counts 0 devices", Advice: adviceNoDevice}
	}
	return info, nil
}

const (
	adviceNone     = "install NVIDIA's driver and see that nvidia-smi works, or use --device cpu"
	adviceInit     = "see that nvidia-smi works, or use --device cpu"
	adviceNoDevice = "see that nvidia-smi lists a GPU and that CUDA_VISIBLE_DEVICES does not hide it, or use --device cpu"
	adviceOld      = "install NVIDIA's driver 450 or later, or use --device cpu"
)

// Results of cuInit that say what is in the way, and that cu's header is too old for.
const (
	stubLibrary    = 34  // of the library that the CUDA toolkit has for linking on machines without a driver
	notReady       = 802 // a daemon of the driver is missing
	driverMismatch = 803 // the library is of another version than the kernel's module
	noCompatible   = 804 // the library is a toolkit's, for older drivers, and not for this device
)

// unavailable puts into words why the driver was not loaded.
func unavailable(state C.enum_shim_state, info Info, detail string, initError int) error {
	where := ""
	if info.Library != "" {
		where = info.Library + " "
	}
	switch state {
	case C.SHIM_NO_LIBRARY:
		if strings.HasPrefix(detail, "libcuda.so.1:") && strings.Contains(detail, "No such file") {
			return &Unavailable{Reason: ErrNoLibrary, Detail: detail, Advice: adviceNone}
		}
		return &Unavailable{Reason: ErrNoLibrary, Detail: "it is there and cannot be loaded: " + detail,
			Advice: "reinstall NVIDIA's driver for this machine's architecture, or use --device cpu"}
	case C.SHIM_BAD_LIBRARY:
		return &Unavailable{Reason: ErrBadLibrary, Detail: where + "has no symbol " + detail,
			Advice: "see what puts this file on the loader's path (LD_LIBRARY_PATH?), or use --device cpu"}
	case C.SHIM_TOO_OLD:
		return &Unavailable{Reason: ErrTooOld, Advice: adviceOld,
			Detail: fmt.Sprintf("%ssupports CUDA %s, and %s is needed", where, info.Version, Version(C.SHIM_MIN_VERSION))}
	case C.SHIM_INCOMPLETE:
		return &Unavailable{Reason: ErrTooOld, Detail: where + "has no symbol " + detail, Advice: adviceOld}
	case C.SHIM_INIT_FAILED:
		u := &Unavailable{Reason: ErrInit, Detail: fmt.Sprintf("%scuInit: %s", where, codeText(initError)), Advice: adviceInit}
		switch initError {
		case C.CUDA_ERROR_NO_DEVICE:
			u.Reason, u.Advice = ErrNoDevice, adviceNoDevice
		case stubLibrary:
			u.Advice = "this is the CUDA toolkit's library for linking: take its folder off LD_LIBRARY_PATH"
		case notReady:
			u.Advice = "on machines whose GPUs are joined by NVSwitch, see that nvidia-fabricmanager runs, of the driver's version; or use --device cpu"
		case driverMismatch, noCompatible:
			u.Advice = "take folders with another libcuda.so.1, such as /usr/local/cuda/compat, off LD_LIBRARY_PATH, or restart the machine if its driver is new; or use --device cpu"
		}
		return u
	}
	return fmt.Errorf("cuda: loader in state %d", state)
}

func describe(i int) (d DeviceInfo, err error) {
	try := func(what string, e error) {
		if e != nil && err == nil {
			err = Explain(fmt.Sprintf("device %d: its %s", i, what), e)
		}
	}
	dev, e := cu.GetDevice(i)
	try("handle", e)
	d.Ordinal = i
	d.Name, e = dev.Name()
	try("name", e)
	d.Memory, e = dev.TotalMem()
	try("memory", e)
	attribute := func(to *int, a cu.DeviceAttribute, what string) {
		*to, e = dev.Attribute(a)
		try(what, e)
	}
	attribute(&d.Major, cu.ComputeCapabilityMajor, "compute capability")
	attribute(&d.Minor, cu.ComputeCapabilityMinor, "compute capability")
	attribute(&d.Multiprocessors, cu.MultiprocessorCount, "number of multiprocessors")
	attribute(&d.SharedPerBlock, cu.DeviceAttribute(C.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN), "shared memory")
	var mode, domain, bus, slot int
	attribute(&mode, cu.ComputeMode, "compute mode")
	attribute(&domain, cu.PciDomainID, "place")
	attribute(&bus, cu.PciBusID, "place")
	attribute(&slot, cu.PciDeviceID, "place")
	d.Mode, d.PCI = ComputeMode(mode), fmt.Sprintf("%08X:%02X:%02X.0", domain, bus, slot)
	return d, err
}
