//go:build gpu

package cuda

import (
	"strings"
	"time"
)

// Whether clusters are faster than a graph of launches is a count of first order, of an H100 at
// 1.9 GHz, as kernels/cuda/steps.md has it: products, launches and meetings. What works column by
// column takes the same in both, and is left out. The constants are assumptions: no device has
// been timed.
const (
	choiceClock   = 1.9   // cycles of a nanosecond
	choiceGap     = 950.0 // cycles before a launch that begins early
	choiceMeeting = 570.0 // cycles until a cluster has met
	choiceForms   = 77.0  // products that a block of a cluster forms a cycle: 60 % of 128 lanes
	choiceStep    = 60.0  // cycles of a step along k beside its instructions: its barrier
	choiceTiles   = 100.0 // the same as choiceForms for tiles of a product, by sass.md: gemm_nn_64's
	choiceNarrow  = 8.3   // cycles of a row of the right operand in a narrow strip: a step's, of 32 rows
	choiceStrip   = 13.7  // the same in a strip
	choiceUpdate  = 23.6  // the same in updates, which are side by side: a step's, of 16 rows
	choiceHead    = 8.0   // cycles of a product of a thread of a head
)

// stepTime is the count's time of a step in clusters.
func (c *clustered) stepTime() time.Duration {
	cycles := 0.0
	for i := range c.steps {
		s := &c.steps[i]
		if strings.HasPrefix(s.Kernel, "gemm") {
			cycles += float64(s.M*s.N*s.K) / (choiceForms * float64(c.blocks))
		}
		if s.Wait {
			cycles += choiceMeeting
		}
	}
	return cyclesTime(cycles)
}

// graphTime is the count's time of a step by launches.
func graphTime(actions []*action, replicas, multiprocessors int) time.Duration {
	cycles := 0.0
	for _, a := range actions {
		for _, l := range a.launches {
			cycles += choiceGap + l.productCycles(replicas, multiprocessors)
		}
	}
	return cyclesTime(cycles)
}

func cyclesTime(cycles float64) time.Duration { return time.Duration(cycles / choiceClock) }

// productCycles is what the products of a launch take: the longer of what one block takes and of
// what the replicas' blocks take of all multiprocessors.
func (l *launch) productCycles(replicas, multiprocessors int) float64 {
	together := func(products int) float64 {
		return float64(products*replicas) / (choiceTiles * float64(multiprocessors))
	}
	product := func(l *launch) (along, products int) {
		along = l.int("k")
		return along, l.rows * l.cols * along
	}
	switch {
	case l.kernel.Name == "head":
		_, block := l.kernel.Grid(l.rows, l.cols, 1)
		return float64((l.rows*l.cols+block[0]-1)/block[0]*l.int("k")) * choiceHead
	case len(l.table) > 0:
		longest, all := 0.0, 0
		for _, op := range l.table {
			if !strings.HasPrefix(op.kernel.Name, "gemm") {
				continue
			}
			along, products := product(op)
			alone := float64(along)
			switch l.kernel.Name { // a strip has 64 rows at a time
			case "narrow_strip":
				alone *= choiceNarrow * float64((op.rows+63)/64)
			case "strip":
				alone *= choiceStrip * float64((op.rows+63)/64)
			default:
				alone *= choiceUpdate
			}
			longest, all = max(longest, alone), all+products
		}
		return max(longest, together(all))
	case strings.HasPrefix(l.kernel.Name, "gemm"):
		along, products := product(l)
		return max(float64(along)*choiceUpdate, together(products))
	}
	return 0
}

// chooseClusters says whether the count decides; tests of clusters take them wherever they fit.
var chooseClusters = true

// preferGraph is why a Program that fits clusters goes by launches all the same; "" if it does not.
func preferGraph(c *clustered, actions []*action, replicas, multiprocessors int) string {
	clusters, launches := c.stepTime(), graphTime(actions, replicas, multiprocessors)
	if clusters <= launches {
		return ""
	}
	return misfitf("by a count of first order products and meetings take %.0f µs a step in clusters of %d blocks, products and launches %.0f",
		clusters.Seconds()*1e6, c.blocks, launches.Seconds()*1e6).Error()
}
