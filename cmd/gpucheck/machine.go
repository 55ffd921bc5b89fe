package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/device/cuda"
	driver "driftless/internal/cuda"
)

// ordinal is the number of the device that -device names; cuda is none yet.
func ordinal(name string) (int, bool) {
	n, err := strconv.Atoi(strings.TrimPrefix(name, "cuda:"))
	return n, err == nil
}

// useVirtual has the virtual device in the driver's place, of the compute capability from which
// on a device has all that our kernels use.
var useVirtual = sync.OnceValue(func() error {
	if err := driver.UseVirtual(); err != nil {
		return err
	}
	return driver.SetVirtualCapability(90)
})

// openDevice returns the device that is checked; tests of this package check the CPU.
func openDevice(name string, opts ...cuda.Option) (device.Device, error) {
	switch name {
	case "cpu":
		return cpu.New(), nil
	case "virtual":
		if err := useVirtual(); err != nil {
			return nil, err
		}
		return cuda.NewVirtual(opts...)
	}
	n, ok := ordinal(name)
	if !ok {
		return nil, fmt.Errorf("%q names no device: use cuda:N", name)
	}
	return cuda.New(n, opts...)
}

// machine describes what there is, and names the device that is checked.
func machine(ctx context.Context, o options, t *teller) error {
	t.table("what", "which")
	t.row("CPU", fmt.Sprintf("%s, %d processors, Driftless uses %s", cpuModel(), runtime.NumCPU(), cpu.New().Name()))
	if data, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		t.row("kernel", strings.TrimSpace(string(data)))
	}
	if visible, set := os.LookupEnv("CUDA_VISIBLE_DEVICES"); set {
		t.row("CUDA_VISIBLE_DEVICES", fmt.Sprintf("%q: the driver numbers these alone", visible))
	}
	if o.virtual() {
		if err := useVirtual(); err != nil {
			return err
		}
	}
	info, err := driver.Status()
	if err != nil {
		return err
	}
	t.row("newest CUDA of the driver", info.Version)
	if !info.Virtual {
		t.row("driver library", info.Library)
	} else {
		t.row("compute capability", "that of device 0 in all parts but cli, which has 7.5")
	}
	for _, d := range info.Devices {
		text := fmt.Sprintf("%v, %d multiprocessors, %d KiB of shared memory a block", d, d.Multiprocessors, d.SharedPerBlock>>10)
		if d.Mode == driver.Exclusive {
			text += ", for one process at a time"
		}
		t.row(fmt.Sprintf("device %d", d.Ordinal), text)
	}
	d, err := firstThatTrains(o, info, t)
	if err != nil {
		return err
	}
	name, title := fmt.Sprintf("cuda:%d", d.Ordinal), d.String()
	if info.Virtual {
		name, title = "virtual", "virtual PTX device, not NVIDIA hardware"
	} else {
		title += fmt.Sprintf(", CUDA %v", info.Version)
		if v := driverVersion(ctx); v != "" {
			t.row("driver", v)
			title += ", driver " + v
		}
	}
	t.row("checked", name)
	t.tell(event{Device: name, Title: title, Virtual: info.Virtual})
	machineCode(d, info.Virtual, t)
	tellTools(o, t)
	if !info.Virtual {
		tellSMI(ctx, d, t)
	}
	return nil
}

// firstThatTrains returns the device that -device names, or the first with which a step
// can be trained: whether a device can be used is not known before something does.
func firstThatTrains(o options, info driver.Info, t *teller) (driver.DeviceInfo, error) {
	candidates := info.Devices
	if n, ok := ordinal(o.device); ok || info.Virtual {
		d, err := info.Device(n)
		if err != nil {
			return d, err
		}
		candidates = []driver.DeviceInfo{d}
	} else if err := driver.Require(); err != nil {
		return driver.DeviceInfo{}, err
	}
	net, err := tiny.compile(caseNone, synthetic())
	if err != nil {
		return driver.DeviceInfo{}, err
	}
	for _, d := range candidates {
		if !d.Usable() {
			continue
		}
		name := o.device
		if !info.Virtual {
			name = fmt.Sprintf("cuda:%d", d.Ordinal)
		}
		if err = trainsOne(net, name); err == nil {
			t.check(true, "the device trains one step", "")
			return d, nil
		}
		err = fmt.Errorf("%s cannot be used: %w", name, err)
		t.note("%v", err)
	}
	return driver.DeviceInfo{}, err
}

func trainsOne(net *compiled, name string) error {
	dev, err := openDevice(name)
	if err != nil {
		return err
	}
	s, err := net.open(dev, 1)
	if err != nil {
		return err
	}
	err = s.Run(context.Background(), net.train, 1)
	if e := s.Close(); err == nil {
		err = e
	}
	return err
}

// machineCode tells what there is beside the PTX for a device. Where there is some, it
// must be of this very PTX, and whole.
func machineCode(d driver.DeviceInfo, virtual bool, t *teller) {
	c := cuda.MachineCode(d.Major, d.Minor)
	if len(c.Archs) == 0 {
		t.row("machine code of the kernels", "none in "+c.Folder+": the driver compiles their PTX")
		return
	}
	use := "the device takes that of " + c.Chosen
	switch {
	case virtual:
		use = "the virtual device takes none"
	case c.Chosen == "":
		use = "none for the device: the driver compiles the PTX"
	}
	t.row("machine code of the kernels", fmt.Sprintf("%s in %s; %s", strings.Join(c.Archs, ", "), c.Folder, use))
	text := "no file is missing"
	if len(c.Missing) > 0 {
		text = "missing: " + strings.Join(c.Missing, ", ")
	}
	t.check(len(c.Missing) == 0, "the machine code is that of these kernels", "%s", text)
}

// tellTools tells which of the tools are there that parts need.
func tellTools(o options, t *teller) {
	t.table("tool", "where", "without it")
	for _, tool := range []struct{ name, path, without string }{
		{"nvidia-smi", findSMI(), "clocks and temperature are not told"},
		{"ncu", findNCU(), "part ncu is left out"},
		{"compute-sanitizer", findSanitizer(), "part sanitizer is left out"},
		{o.python, find(o.python), "part pytorch is left out"},
		{"C compiler", findCompiler(), "part pytorch is without torch.compile, which needs one"},
	} {
		if tool.path == "" {
			tool.path = "**missing**"
		}
		t.row(tool.name, tool.path, tool.without)
	}
}

// tellSMI tells what nvidia-smi says of the device, which has another number there than in the
// driver. A version of nvidia-smi that lacks one of the properties refuses them all.
func tellSMI(ctx context.Context, d driver.DeviceInfo, t *teller) {
	text, err := smi(ctx, "-i", d.PCI, "--query-gpu=index,name,uuid,pci.bus_id,pstate,clocks.sm,clocks.max.sm,clocks.mem,power.limit,temperature.gpu,utilization.gpu,compute_mode,mig.mode.current", "--format=csv")
	if err != nil {
		var again error
		if text, again = smi(ctx); again != nil {
			t.note("nvidia-smi tells nothing: %v", err)
			return
		}
	}
	t.note("nvidia-smi at the start:\n\n%s", fenced(text))
}

// tellClocks tells the device's clocks, right after it has worked; nothing if they cannot be
// read.
func tellClocks(ctx context.Context, o options, t *teller) {
	n, ok := ordinal(o.device)
	if !ok {
		return
	}
	info, err := driver.Status()
	if err != nil || n >= len(info.Devices) {
		return
	}
	if text, err := smi(ctx, "-i", info.Devices[n].PCI, "--query-gpu=pstate,clocks.sm,clocks.mem,power.draw,temperature.gpu", "--format=csv"); err == nil {
		t.note("nvidia-smi after the last round:\n\n%s", fenced(text))
	}
}

func cpuModel() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(data)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return "unknown model"
}

// driverVersion is the version of NVIDIA's driver, such as 550.54.14, or nothing.
func driverVersion(ctx context.Context) string {
	for _, path := range []string{"/sys/module/nvidia/version", "/proc/driver/nvidia/version"} {
		if data, err := os.ReadFile(path); err == nil {
			return strings.Join(strings.Fields(firstLine(string(data))), " ")
		}
	}
	text, _ := smi(ctx, "--query-gpu=driver_version", "--format=csv,noheader")
	return firstLine(text)
}
