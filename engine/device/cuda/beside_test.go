//go:build gpu

package cuda

import (
	"context"
	"fmt"
	"math"
	"testing"

	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/program"
)

// beside are sessions of two replicas, with seeds of their own, on the CPU and on a device.
type beside struct {
	layout      *program.Layout
	cpu, device device.Session
}

// besideCPU opens them for the time of the test.
func besideCPU(t *testing.T, l *program.Layout, d device.Device) *beside {
	t.Helper()
	opened := func(d device.Device) device.Session {
		s, err := d.Open(l, 2)
		must(t, err)
		t.Cleanup(func() { s.Close() })
		must(t, s.Write(program.StateSeed, 1, []int64{9}))
		return s
	}
	return &beside{l, opened(cpu.New()), opened(d)}
}

// run runs a program on both, for so many steps, and then for so many more.
func (b *beside) run(t *testing.T, p *program.Program, steps ...int) {
	t.Helper()
	for _, s := range []device.Session{b.cpu, b.device} {
		for _, n := range steps {
			must(t, s.Run(context.Background(), p, n))
		}
	}
}

// same demands equal bits of both replicas.
func (b *beside) same(t *testing.T, when string) {
	t.Helper()
	n := &net{layout: b.layout}
	for r := range 2 {
		n.same(t, fmt.Sprintf("replica %d%s", r, when), b.cpu, r, b.device, r)
	}
}

// wave returns numbers that repeat nothing.
func wave(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(math.Sin(float64(5*i + 1)))
	}
	return v
}

// wideWave returns those of wave in float64.
func wideWave(n int) []float64 {
	v := make([]float64, n)
	for i, x := range wave(n) {
		v[i] = float64(x)
	}
	return v
}
