//go:build gpu

package cuda

import (
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"driftless/engine/program"
	"driftless/kernels/gemm"
	"driftless/models/norm"
)

var update = flag.Bool("update", false, "write kernels/cuda/steps.md anew; read what changed")

// The device of the model: an H100 with 132 multiprocessors.
const (
	modelClock  = choiceClock * 1e9                         // Hz
	modelMemory = 3e12                                      // bytes a second
	modelCache  = 5.5e12                                    // the same from the second-level cache, where operands of products are
	modelGap    = 1000 * time.Nanosecond                    // from the end of a launch of a graph to the first instruction of the next
	modelEarly  = choiceGap / choiceClock * time.Nanosecond // the same where that has begun early
	modelStep   = choiceStep                                // cycles until a step along k has met the barrier and its first operands
	modelSums   = 400 * time.Nanosecond                     // an operation of a table that is no product: sums in float64, one after the other
	modelTouch  = 500 * time.Nanosecond                     // a launch that only moves elements: the latency of memory
	modelLoss   = 1000 * time.Nanosecond                    // what a head does beside its product
	modelPlain  = choiceHead                                // cycles of a product in a head, whose operands come from the cache
	modelDevice = "sm_90"
)

// innerLoop is a row of kernels/cuda/sass.md: a warp's instructions, how many of them are
// products, and the cycles of a multiprocessor that these take, and that all take.
type innerLoop struct{ instructions, products, ofProducts, cycles float64 }

// alone is the cycles that a warp takes if it is alone: an instruction each, and its products
// what one of the four schedulers' units takes.
func (l innerLoop) alone() float64 { return l.instructions - l.products + 4*l.ofProducts }

// innerLoops reads what the machine code of the model's device takes.
func innerLoops(t *testing.T) map[string]innerLoop {
	t.Helper()
	text, err := os.ReadFile("../../../kernels/cuda/sass.md")
	if os.IsNotExist(err) {
		t.Skip("the sources are not here")
	}
	must(t, err)
	loops := map[string]innerLoop{}
	var head []string
	for line := range strings.Lines(string(text)) {
		cell := strings.Split(line, " | ")
		switch {
		case cell[0] == "| architecture":
			head = cell
		case len(cell) == len(head) && cell[0] == "| "+modelDevice:
			number := func(column string) float64 {
				x, err := strconv.ParseFloat(cell[slices.Index(head, column)], 64)
				must(t, err)
				return x
			}
			loops[cell[1]] = innerLoop{number("instructions"), number("products"), number("of products"), number("cycles")}
		}
	}
	return loops
}

// productTime is that of a product over k in a launch of so many blocks, by a kernel's loop;
// each block reads so many bytes of the operands for each of k.
func productTime(loop innerLoop, along, k, blocks, threads, read, processors int) time.Duration {
	steps := float64((k + along - 1) / along)
	alone := steps * (loop.alone() + modelStep)
	together := float64((blocks+processors-1)/processors*threads/32) * steps * loop.cycles
	brought := float64(blocks*read*k) / modelCache * modelClock
	return time.Duration(max(alone, together, brought) / modelClock * 1e9)
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
				if strip && op.rows > maxStripRows {
					sum += touch(op)
				} else if strip {
					sum += modelSums
				}
			case strip:
				threads := block[0]
				if name == "narrow_strip" { // of whose warps half form sums
					threads /= 2
				}
				sum += time.Duration((op.rows+63)/64) * productTime(loopOf(name), 32, op.int("k"), blocks, threads, 4*(min(op.rows, 64)+l.cols/blocks), processors)
			default: // side by side
				longest = max(longest, productTime(loopOf(name), 16, op.int("k"), blocks, block[0], 4*64, processors))
			}
		}
		return sum + longest
	case isProduct(l):
		size := 4
		if l.inBF16() {
			size = 2
		}
		return productTime(loopOf(name), stepOf(name), l.int("k"), blocks, block[0], size*(l.kernel.TileRows+l.kernel.TileCols), processors)
	}
	return touch(l)
}

// touch is the time of what only goes over its operands.
func touch(l *launch) time.Duration {
	bytes := 0
	for i := range l.operands {
		if x := l.operands[i].tensor; x != nil && x.Space != program.SpaceShared {
			bytes += x.Rows * x.Cols * x.DType.Size()
		}
	}
	return modelTouch + time.Duration(float64(bytes)/modelMemory*1e9)
}

// stepOf is how far a step of a product's loop goes along k, as gemm.cu, tensor.cu and bfloat.cu say.
func stepOf(kernel string) int {
	tensor := strings.HasPrefix(kernel, "tensor")
	if kernel == "gemm_nn_32" || tensor && !(strings.Contains(kernel, "tf32") && strings.HasSuffix(kernel, "_128")) {
		return 32
	}
	return 16
}

// isProduct reports whether a launch is a product by itself.
func isProduct(l *launch) bool { return len(l.table) == 0 && l.kernel.TileRows > 1 }

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

A product takes the longest of three: what its warps take of the busiest multiprocessor by the cycles
of sass.md; what one warp takes, an instruction a cycle, what its products take of one of the four
schedulers' units, and %.0f cycles a step along k for the barrier; and what its blocks read of the
operands, at %.1f TB/s from the second-level cache. Other launches take %v and their operands'
bytes at %.0f TB/s, as if no column's sum took longer, and so do operations of strips over more than
%d rows; other operations of strips take %v; a head
%.0f cycles a product of a thread, and %v. Before each launch there are %v, or %v if it begins
early. The constants are assumptions: no device has been timed.

`, modelDevice, modelStep, modelCache/1e12, modelTouch, modelMemory/1e12, maxStripRows, modelSums, modelPlain, modelLoss, modelGap, modelEarly)
	wide := paper(norm.Must("batchnorm"))
	wide.hidden, wide.batch, wide.rows = []int{1024, 1024, 1024}, 512, 600
	const wideName = "784-1024-1024-1024-10, batches of 512"
	for _, net := range []struct {
		name      string
		c         config
		precision gemm.Precision
	}{
		{"784-100-100-100-10, batches of 60", paper(norm.Must("batchnorm")), gemm.Float32},
		{wideName, wide, gemm.Float32},
		{wideName + ", products in TF32", wide, gemm.TF32},
		{wideName + ", products in BF16", wide, gemm.BF16},
	} {
		n := net.c.compile(t)
		s := n.open(t, open(t, NoClusters(), Precision(net.precision)), 3).(*session)
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
				if isProduct(l) {
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

// TestChoiceCounts compares what the choice of clusters counts with what sass.md says now.
func TestChoiceCounts(t *testing.T) {
	onlyVirtual(t, "describes a model's device")
	loops := innerLoops(t)
	row := func(kernel string, rows float64) float64 { return (loops[kernel].instructions + choiceStep) / rows }
	tiles := loops["gemm_nn_64"]
	for _, c := range []struct {
		name         string
		choice, want float64
	}{
		{"choiceTiles", choiceTiles, 32 * tiles.products / tiles.cycles},
		{"choiceNarrow", choiceNarrow, row("narrow_strip", 32)},
		{"choiceStrip", choiceStrip, row("strip", 32)},
		{"choiceUpdate", choiceUpdate, row("updates", 16)},
	} {
		if math.Abs(c.choice/c.want-1) > 0.01 {
			t.Errorf("%s is %.4g, and by sass.md %.4g", c.name, c.choice, c.want)
		}
	}
}
