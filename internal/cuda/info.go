package cuda

import (
	"errors"
	"fmt"
	"strings"
)

// The reasons for which Status finds no device, to be told apart with
// errors.Is. The error's text has the driver's own words and what to do.
var (
	ErrNotBuilt   = errors.New("this binary is built without CUDA support")
	ErrNoLibrary  = errors.New("no CUDA driver")
	ErrBadLibrary = errors.New("libcuda.so.1 is not a CUDA driver")
	ErrTooOld     = errors.New("the CUDA driver is too old")
	ErrInit       = errors.New("the CUDA driver does not start")
	ErrNoDevice   = errors.New("the CUDA driver finds no device")
)

// Restart is what the text of an Error says that is Sticky.
const Restart = "the process must be restarted"

// Unavailable says why CUDA cannot be used.
type Unavailable struct {
	Reason error  // one of the errors above
	Detail string // in the driver's, or the system's, words; may be empty
	Advice string // what to do about it
}

// Error is one line: reason, detail, advice.
func (u *Unavailable) Error() string {
	s := u.Reason.Error()
	if u.Detail != "" {
		s += ": " + u.Detail
	}
	if u.Advice != "" {
		s += " (" + u.Advice + ")"
	}
	return s
}

// Unwrap returns the reason.
func (u *Unavailable) Unwrap() error { return u.Reason }

// Version is what a driver supports, as cuDriverGetVersion writes it: 12040 is
// CUDA 12.4.
type Version int

// String returns "12.4" for 12040.
func (v Version) String() string { return fmt.Sprintf("%d.%d", int(v)/1000, int(v)%1000/10) }

// Info is what is known of the driver and its devices.
type Info struct {
	Virtual bool         // the driver is the virtual one
	Version Version      // the newest CUDA version that the driver supports, 0 if not known
	Library string       // the driver's file, "" if virtual or none
	Devices []DeviceInfo // in the driver's order, which CUDA_VISIBLE_DEVICES changes
}

// DeviceInfo describes a device.
type DeviceInfo struct {
	Ordinal         int
	Name            string
	Memory          int64 // in bytes
	Major, Minor    int   // compute capability
	Multiprocessors int
	SharedPerBlock  int    // bytes of shared memory that a block may opt in to
	PCI             string // where it is, as nvidia-smi takes it: 00000000:65:00.0
	Mode            ComputeMode
}

// ComputeMode says how many processes may have a context on a device.
type ComputeMode int

// The modes that nvidia-smi sets today.
const (
	AnyProcess ComputeMode = 0
	Prohibited ComputeMode = 2
	Exclusive  ComputeMode = 3 // one process at a time
)

// String returns one line, such as "NVIDIA A100-SXM4-40GB, compute capability
// 8.0, 39.4 GiB".
func (d DeviceInfo) String() string {
	return fmt.Sprintf("%s, compute capability %d.%d, %.1f GiB", d.Name, d.Major, d.Minor, float64(d.Memory)/(1<<30))
}

// MinMajor and MinMinor are the compute capability that the kernels of this
// project are compiled for; drivers translate them for later devices.
const MinMajor, MinMinor = 7, 5

// Usable reports whether the device can run the kernels of this project.
func (d DeviceInfo) Usable() bool { return d.problem() == "" }

// problem is why a device is not usable, or "".
func (d DeviceInfo) problem() string {
	switch {
	case d.Major < MinMajor || d.Major == MinMajor && d.Minor < MinMinor:
		return fmt.Sprintf("is too old: compute capability %d.%d or later is needed", MinMajor, MinMinor)
	case d.Mode == Prohibited:
		return "is closed to all: nvidia-smi shows its compute mode as Prohibited"
	}
	return ""
}

// Device returns device n if there is one and it is Usable, else an error that
// lists those there are.
func (i Info) Device(n int) (DeviceInfo, error) {
	if n < 0 || n >= len(i.Devices) {
		return DeviceInfo{}, fmt.Errorf("no CUDA device %d: the driver has %s", n, i.list())
	}
	if d := i.Devices[n]; !d.Usable() {
		return DeviceInfo{}, fmt.Errorf("CUDA device %d (%s) %s; the driver has %s", n, d, d.problem(), i.list())
	}
	return i.Devices[n], nil
}

func (i Info) list() string {
	if len(i.Devices) == 0 {
		return "none"
	}
	s := ""
	for _, d := range i.Devices {
		s += fmt.Sprintf("; %d: %s", d.Ordinal, d)
	}
	return s[2:]
}

// Require returns nil if there is a device that can run the kernels of this
// project, and what is in the way if there is none.
func Require() error {
	info, err := Status()
	if err != nil {
		return err
	}
	why := ""
	for _, d := range info.Devices {
		if d.Usable() {
			return nil
		}
		why += fmt.Sprintf("; %d (%s) %s", d.Ordinal, d, d.problem())
	}
	return &Unavailable{Reason: ErrNoDevice, Detail: "none is usable: " + strings.TrimPrefix(why, "; "), Advice: "use --device cpu, or a machine with a newer GPU"}
}
