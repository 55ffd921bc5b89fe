package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	driver "driftless/internal/cuda"
	"driftless/kernels"

	"github.com/spf13/cobra"
)

// environment is what driftless finds to run on.
type environment struct {
	Build buildInfo `json:"build"`
	CPU   cpuInfo   `json:"cpu"`
	CUDA  cudaInfo  `json:"cuda"`
}

type buildInfo struct {
	Go       string `json:"go"`
	Platform string `json:"platform"`
	CUDA     bool   `json:"cuda"` // has CUDA support
}

type cpuInfo struct {
	Model   string   `json:"model"` // "" if not known
	Cores   int      `json:"cores"` // that this process may use
	Workers int      `json:"workers"`
	ISA     string   `json:"isa"`  // that the kernels use
	ISAs    []string `json:"isas"` // that they could use
}

type cudaInfo struct {
	Available bool         `json:"available"`
	Reason    string       `json:"reason"`  // why not
	Driver    string       `json:"driver"`  // the newest CUDA version that it supports
	Library   string       `json:"library"` // its file
	Devices   []cudaDevice `json:"devices"`
}

type cudaDevice struct {
	Ordinal           int    `json:"ordinal"`
	Name              string `json:"name"`
	Memory            int64  `json:"memory"` // bytes
	ComputeCapability string `json:"computeCapability"`
	Multiprocessors   int    `json:"multiprocessors"`
	Usable            bool   `json:"usable"` // new enough for the kernels
}

func newEnv(t *terminal) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "env",
		Short: "What there is to run on: the CPU, the CUDA driver and its devices",
		Args:  noArguments,
	}
	jsonFlag(cmd.Flags(), &asJSON)
	cmd.RunE = func(*cobra.Command, []string) error {
		if err := kernels.CheckEnv(); err != nil {
			return wrong("%w", err)
		}
		e := findEnvironment()
		if asJSON {
			return printJSON(t.out, e)
		}
		return e.print(t.out)
	}
	return cmd
}

func findEnvironment() environment {
	e := environment{
		Build: buildInfo{Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, CUDA: driver.Built},
		CPU:   cpuInfo{Model: cpuModel(), Cores: runtime.NumCPU(), Workers: min(runtime.GOMAXPROCS(0), runtime.NumCPU()), ISA: kernels.CurrentISA().String()},
		CUDA:  cudaInfo{Devices: []cudaDevice{}},
	}
	for _, isa := range kernels.ISAs() {
		e.CPU.ISAs = append(e.CPU.ISAs, isa.String())
	}
	info, err := driver.Status()
	if err == nil {
		err = driver.Require()
	}
	if err == nil && info.Virtual {
		err = errors.New("this process has the virtual device in the driver's place")
	}
	if e.CUDA.Available = err == nil; err != nil {
		e.CUDA.Reason = err.Error()
	}
	if info.Version != 0 {
		e.CUDA.Driver = info.Version.String()
	}
	e.CUDA.Library = info.Library
	for _, d := range info.Devices {
		e.CUDA.Devices = append(e.CUDA.Devices, cudaDevice{d.Ordinal, d.Name, d.Memory, fmt.Sprintf("%d.%d", d.Major, d.Minor), d.Multiprocessors, d.Usable()})
	}
	return e
}

// print writes a line for each thing found.
func (e environment) print(w io.Writer) error {
	var b strings.Builder
	model := e.CPU.Model
	if model == "" {
		model = "unknown model"
	}
	support := map[bool]string{true: "with CUDA support", false: "without CUDA support"}[e.Build.CUDA]
	fmt.Fprintf(&b, "build   %s, %s, %s\n", e.Build.Go, e.Build.Platform, support)
	cores := "1 core"
	if e.CPU.Cores != 1 {
		cores = fmt.Sprintf("%d cores", e.CPU.Cores)
	}
	fmt.Fprintf(&b, "cpu     %s, %s, %s (of %s)\n", model, cores, e.CPU.ISA, strings.Join(e.CPU.ISAs, ", "))
	if e.CUDA.Driver != "" {
		fmt.Fprintf(&b, "driver  CUDA %s, %s\n", e.CUDA.Driver, e.CUDA.Library)
	}
	for _, d := range e.CUDA.Devices {
		note := ""
		if !d.Usable {
			note = fmt.Sprintf(": too old, %d.%d is needed", driver.MinMajor, driver.MinMinor)
		}
		fmt.Fprintf(&b, "cuda:%d  %s, compute capability %s, %.1f GiB%s\n", d.Ordinal, d.Name, d.ComputeCapability, float64(d.Memory)/(1<<30), note)
	}
	if !e.CUDA.Available {
		fmt.Fprintf(&b, "cuda    none: %s\n", e.CUDA.Reason)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cpuModel returns the CPU's name where the system tells.
func cpuModel() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
