//go:build gpu

package cuda

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"driftless/engine/program"
	"driftless/models/norm"
)

var update = flag.Bool("update", false, "write kernels/cuda/steps.md anew; read what changed")

// The device of the model: an H100 with 132 multiprocessors.
const (
	modelClock  = 1.9e9                  // Hz
	modelMemory = 3e12                   // bytes a second
	modelGap    = 1000 * time.Nanosecond // from the end of a launch of a graph to the first instruction of the next
	modelEarly  = 500 * time.Nanosecond  // the same where that has begun early
	modelStep   = 60.0                   // cycles until a step along k has met the barrier and its first operands
	modelSums   = 400 * time.Nanosecond  // an operation of a table that is no product: sums in float64, one after the other
	modelTouch  = 500 * time.Nanosecond  // a launch that only moves elements: the latency of memory
	modelLoss   = 1000 * time.Nanosecond // what a head does beside its product
	modelPlain  = 8.0                    // cycles of a product in a head, whose operands come from the cache
	modelDevice = "sm_90"
)

// innerLoop is a row of kernels/cuda/sass.md.
type innerLoop struct{ instructions, cycles float64 }

// innerLoops reads what the machine code of the model's device takes.
func innerLoops(t *testing.T) map[string]innerLoop {
	t.Helper()
	text, err := os.ReadFile("../../../kernels/cuda/sass.md")
	if os.IsNotExist(err) {
		t.Skip("the sources are not here")
	}
	must(t, err)
	loops := map[string]innerLoop{}
	for line := range strings.Lines(string(text)) {
		cell := strings.Split(line, " | ")
		if len(cell) < 12 || cell[0] != "| "+modelDevice {
			continue
		}
		n, err := strconv.ParseFloat(cell[2], 64)
		must(t, err)
		c, err := strconv.ParseFloat(cell[10], 64)
		must(t, err)
		loops[cell[1]] = innerLoop{n, c}
	}
	return loops
}

// productTime is that of a product over k in a launch of so many blocks, by a kernel's loop.
func productTime(loop innerLoop, along, k, blocks, threads, processors int) time.Duration {
	steps := float64((k + along - 1) / along)
	alone := steps * (loop.instructions + modelStep)
	together := float64((blocks+processors-1)/processors*threads/32) * steps * loop.cycles
	return time.Duration(max(alone, together) / modelClock * 1e9)
}

// launchTime is the model's time of a launch without what comes before it.
func launchTime(t *testing.T, l *launch, loops map[string]innerLoop, processors int) time.Duration {
	t.Helper()
	grid, block := l.kernel.Grid(l.rows, l.cols, 1)
	blocks := grid[0] * grid[1]
	loopOf := func(name string) innerLoop {
		loop, ok := loops[name]
		if !ok {
			t.Fatalf("sass.md has no loop of %s for %s", name, modelDevice)
		}
		return loop
	}
	name := l.kernel.Name
	switch {
	case name == "head":
		rounds := (l.rows*l.cols + block[0] - 1) / block[0]
		return time.Duration(float64(rounds*l.int("k"))*modelPlain/modelClock*1e9) + modelLoss
	case len(l.table) > 0:
		var sum, longest time.Duration
		strip := strings.HasSuffix(name, "strip")
		for _, op := range l.table {
			switch {
			case !strings.HasPrefix(op.kernel.Name, "gemm"):
				if strip {
					sum += modelSums
				}
			case strip:
				threads := block[0]
				if name == "narrow_strip" { // of whose warps half form sums
					threads /= 2
				}
				sum += time.Duration((op.rows+63)/64) * productTime(loopOf(name), 32, op.int("k"), blocks, threads, processors)
			default: // side by side
				longest = max(longest, productTime(loopOf(name), 16, op.int("k"), blocks, block[0], processors))
			}
		}
		return sum + longest
	case strings.HasPrefix(name, "gemm"):
		along := 16
		if name == "gemm_nn_32" {
			along = 32
		}
		return productTime(loopOf(name), along, l.int("k"), blocks, block[0], processors)
	}
	bytes := 0
	for i := range l.operands {
		if x := l.operands[i].tensor; x != nil && x.Space != program.SpaceShared {
			bytes += x.Rows * x.Cols * x.DType.Size()
		}
	}
	return modelTouch + time.Duration(float64(bytes)/modelMemory*1e9)
}

// TestStepTimes compares the times that a first-order model gives the launches of a step with
// kernels/cuda/steps.md, which says what the model is.
func TestStepTimes(t *testing.T) {
	onlyVirtual(t, "describes a model's device")
	withClusters(t)
	loops := innerLoops(t)
	var b strings.Builder
	fmt.Fprintf(&b, `# Steps by a first-order model

Written by go test -tags gpu ./engine/device/cuda -run TestStepTimes -update, from the launches of
a step on an H100 (132 multiprocessors at 1.9 GHz) and the inner loops of sass.md for %s.

A product takes the longer of two: what its warps take of the busiest multiprocessor by the cycles
of sass.md; and what one warp takes, an instruction a cycle and %.0f cycles a step along k for the
barrier. Other launches take %v and their operands' bytes at %.0f TB/s, as if no column's sum
took longer; other operations of strips take %v; a head %.0f cycles a product of a thread, and %v.
Before each launch there are %v, or %v if it begins early. The constants are assumptions: no
device has been timed.

`, modelDevice, modelStep, modelTouch, modelMemory/1e12, modelSums, modelPlain, modelLoss, modelGap, modelEarly)
	wide := paper(norm.Must("batchnorm"))
	wide.hidden, wide.batch, wide.rows = []int{1024, 1024, 1024}, 512, 600
	for _, net := range []struct {
		name string
		c    config
	}{{"784-100-100-100-10, batches of 60", paper(norm.Must("batchnorm"))}, {"784-1024-1024-1024-10, batches of 512", wide}} {
		n := net.c.compile(t)
		s := n.open(t, open(t, NoClusters()), 3).(*session)
		var whole *bound
		must(t, s.do(func() (err error) { whole, err = s.bind(n.train); return err }))
		processors := s.dev.context.multiprocessors
		var sum, products time.Duration
		var rows strings.Builder
		for _, k := range whole.blocks {
			launches := []*launch{k.begin}
			for _, a := range k.actions {
				launches = append(launches, a.launches...)
			}
			for _, l := range launches {
				if l == nil {
					continue
				}
				before, does := modelGap, launchTime(t, l, loops, processors)
				if l.early {
					before = modelEarly
				}
				grid, block := l.kernel.Grid(l.rows, l.cols, 1)
				fmt.Fprintf(&rows, "| %s | %d | %d | %.1f | %.1f |\n", l.kernel.Name, grid[0]*grid[1], block[0], before.Seconds()*1e6, does.Seconds()*1e6)
				sum += before + does
				if strings.HasPrefix(l.kernel.Name, "gemm") {
					products += does
				}
			}
		}
		fmt.Fprintf(&b, "## %s, batch normalization, SGD: %.0f µs\n\n", net.name, sum.Seconds()*1e6)
		if products > 0 {
			fmt.Fprintf(&b, "Of these the products take %.0f µs.\n\n", products.Seconds()*1e6)
		}
		b.WriteString("| launch | blocks | threads each | before, µs | µs |\n|---|---:|---:|---:|---:|\n" + rows.String() + "\n")
		must(t, s.Close())
	}
	content := strings.TrimSuffix(b.String(), "\n")
	const file = "../../../kernels/cuda/steps.md"
	if *update {
		must(t, os.WriteFile(file, []byte(content), 0o644))
	}
	committed, err := os.ReadFile(file)
	must(t, err)
	if string(committed) != content {
		t.Error("kernels/cuda/steps.md is out of date: see what changed with git diff after -update")
	}
}
