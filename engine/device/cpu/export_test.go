package cpu

import (
	"testing"

	"driftless/engine/device"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/kernels/gather"
	"driftless/models/norm"
)

// Packages engine and models import this one, so tests that use them are in package cpu_test. What
// these need of the package is here, and what its own tests need of them.

// NewDevice is newDevice.
func NewDevice(workers int, least float64) *Device { return newDevice(workers, least) }

// Network is a training with everything that goes with it.
type Network struct {
	Layout             *program.Layout
	First, Train, Test *program.Program
	Initialize         func(s device.Session, replica int, seed int64) error
	Weights            int // of the first layer
}

// BuildNetwork makes a small network, BuildDouble one in float64, BuildLeNet LeNet with batch norm,
// BuildPaper the paper's on dense rows.
var (
	BuildNetwork func(t testing.TB, n norm.Method, o optim.Optimizer, act string, share float64, mp gather.Map, dt program.DType) Network
	BuildDouble  func(t testing.TB, n norm.Method, o optim.Optimizer, act string, share float64, mp gather.Map) Network
	BuildLeNet   func(t testing.TB, dt program.DType) Network
	BuildPaper   func(t testing.TB) (*program.Layout, *program.Program)
)
