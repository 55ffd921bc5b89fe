//go:build unix

package cpu

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"driftless/engine/device"
	"driftless/engine/program"
)

// asCompetitor makes the test binary a program that keeps one processor busy.
const asCompetitor = "DRIFTLESS_TEST_COMPETES"

var spun int

func TestMain(m *testing.M) {
	if os.Getenv(asCompetitor) != "" {
		for i := 0; ; i++ {
			spun = i
		}
	}
	os.Exit(m.Run())
}

// competitor is a process that wants a processor while it is not stopped.
type competitor struct{ cmd *exec.Cmd }

func compete(b *testing.B) competitor {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asCompetitor+"=1", "GOMAXPROCS=1")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	c := competitor{cmd}
	c.want(false)
	return c
}

func (c competitor) want(processor bool) {
	sig := syscall.SIGSTOP
	if processor {
		sig = syscall.SIGCONT
	}
	_ = c.cmd.Process.Signal(sig) // it lives as long as the benchmark
}

// paperSession opens a session of one or more workers that trains the paper's net on
// dense rows.
func paperSession(b *testing.B, dev *Device) (device.Session, *program.Program) {
	b.Helper()
	l, p := BuildPaper(b)
	s, err := dev.Open(l, 1)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s, p
}

// BenchmarkPace trains the paper's net on two workers while another process wants a
// processor every other half second, and reports for the halves in which it does and in
// which it does not the steps of 100 ms by one worker, by a team that stays whatever
// happens, and as pace decides; and for how long after each change it is behind the
// better one.
func BenchmarkPace(b *testing.B) {
	const half, slice, rounds = 500 * time.Millisecond, 10 * time.Millisecond, 6
	other := compete(b)
	var steps [3][2][]float64 // of each way, free and busy: steps a slice, averaged over rounds, along a half
	for range b.N {
		for way, dev := range []*Device{newDevice(1, leastWork), newDevice(2, 0), newDevice(2, leastWork)} {
			s, p := paperSession(b, dev)
			for busy := range 2 {
				if steps[way][busy] == nil {
					steps[way][busy] = make([]float64, half/slice)
				}
			}
			for round := range 2 * rounds {
				busy := round % 2
				other.want(busy == 1)
				begin := time.Now()
				for {
					at := time.Since(begin)
					if at >= half {
						break
					}
					const few = 32
					if err := s.Run(context.Background(), p, few); err != nil {
						b.Fatal(err)
					}
					from, to := float64(at)/float64(slice), float64(time.Since(begin))/float64(slice)
					for i := int(from); i < len(steps[way][busy]) && float64(i) < to; i++ {
						share := min(to, float64(i+1)) - max(from, float64(i))
						steps[way][busy][i] += few * share / (to - from) / rounds / float64(b.N)
					}
				}
			}
			other.want(false)
		}
	}
	for busy, name := range []string{"free", "busy"} {
		var rate [3]float64
		for way := range steps {
			later := slices.Clone(steps[way][busy])[len(steps[way][busy])/5:]
			for _, n := range later {
				rate[way] += n / float64(len(later)) * float64(100*time.Millisecond/slice)
			}
		}
		b.ReportMetric(rate[0], name+"-alone")
		b.ReportMetric(rate[1], name+"-team")
		b.ReportMetric(rate[2], name+"-pace")
		best := max(rate[0], rate[1]) / float64(100*time.Millisecond/slice)
		if testing.Verbose() {
			for way := range steps {
				for _, n := range steps[way][busy] {
					fmt.Printf(" %3.0f", 100*n/best)
				}
				fmt.Println()
			}
		}
	}
}
