package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/device/cuda"
	driver "driftless/internal/cuda"
)

// ordinal is the number of the device that -device names. The first that is usable
// is found by asking the driver.
func ordinal(name string) (int, error) {
	if number, ok := strings.CutPrefix(name, "cuda:"); ok {
		return strconv.Atoi(number)
	}
	if err := driver.Require(); err != nil {
		return 0, err
	}
	info, err := driver.Status()
	if err != nil {
		return 0, err
	}
	for _, d := range info.Devices {
		if d.Usable() {
			return d.Ordinal, nil
		}
	}
	return 0, fmt.Errorf("no device is usable")
}

// openDevice returns the device that is checked; tests of this package check the CPU.
func openDevice(name string, opts ...cuda.Option) (device.Device, error) {
	switch name {
	case "cpu":
		return cpu.New(), nil
	case "virtual":
		return cuda.NewVirtual(opts...)
	}
	n, err := ordinal(name)
	if err != nil {
		return nil, err
	}
	return cuda.New(n, opts...)
}

// machine describes what there is, and names the device that is checked.
func machine(ctx context.Context, o options, t *teller) error {
	model := "unknown model"
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	t.table("what", "which")
	t.row("CPU", fmt.Sprintf("%s, %d processors, Driftless uses %s", model, runtime.NumCPU(), cpu.New().Name()))
	if data, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		t.row("kernel", strings.TrimSpace(string(data)))
	}
	n := 0
	if o.virtual() {
		if err := driver.UseVirtual(); err != nil {
			return err
		}
	} else {
		var err error
		if n, err = ordinal(o.device); err != nil {
			return err
		}
	}
	info, err := driver.Status()
	if err != nil {
		return err
	}
	d, err := info.Device(n)
	if err != nil {
		return err
	}
	name, title := fmt.Sprintf("cuda:%d", n), d.String()
	if info.Virtual {
		name, title = "virtual", "virtual PTX device, not NVIDIA hardware"
	} else {
		t.row("driver library", info.Library)
		if v := driverVersion(ctx); v != "" {
			t.row("driver", v)
			title += ", driver " + v
		}
		title += fmt.Sprintf(", CUDA %v", info.Version)
	}
	t.row("newest CUDA of the driver", info.Version)
	for _, d := range info.Devices {
		t.row(fmt.Sprintf("device %d", d.Ordinal), fmt.Sprintf("%v, %d multiprocessors, %d KiB of shared memory a block", d, d.Multiprocessors, d.SharedPerBlock>>10))
	}
	t.row("checked", name)
	if !info.Virtual {
		if text := smi(ctx, "--query-gpu=index,name,pstate,clocks.sm,clocks.max.sm,power.limit,temperature.gpu,utilization.gpu", "--format=csv"); text != "" {
			t.note("nvidia-smi at the start:\n\n%s", fenced(text))
		}
	}
	// Whether it can be used is not known before something does.
	dev, err := openDevice(name)
	if err != nil {
		return err
	}
	net, err := tiny.compile(caseNone, synthetic())
	if err != nil {
		return err
	}
	s, err := net.open(dev, 1)
	if err != nil {
		return fmt.Errorf("%s cannot be used: %w", name, err)
	}
	err = s.Run(net.train, 1)
	if e := s.Close(); err == nil {
		err = e
	}
	t.check(err == nil, "the device trains one step", "%s", reasonOf(err))
	t.tell(event{Device: name, Title: title, Virtual: info.Virtual})
	return nil
}

// reasonOf is an error's text, or nothing.
func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// driverVersion is the version of NVIDIA's driver, such as 550.54.14.
func driverVersion(ctx context.Context) string {
	if v := smi(ctx, "--query-gpu=driver_version", "--format=csv,noheader"); v != "" {
		return strings.TrimSpace(firstLine(v))
	}
	data, err := os.ReadFile("/proc/driver/nvidia/version")
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(firstLine(string(data))), " ")
}

// smi returns what nvidia-smi prints, or nothing where it is not installed.
func smi(ctx context.Context, args ...string) string {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "nvidia-smi", args...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
