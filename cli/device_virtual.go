package cli

import (
	"fmt"

	"driftless/dataset"
	"driftless/engine/device"
)

// virtualRows is the number of test rows that a run on the virtual device evaluates.
const virtualRows = 500

// sparing has a training on the virtual device evaluate once, at its end, on few
// rows, and says so.
func (s *settings) sparing(dev device.Device, set *dataset.Set, t *terminal) {
	if dev.Name() != "virtual" {
		return
	}
	s.EvalEvery, s.NoReestimate = s.Steps, true
	n := min(virtualRows, set.Test.N)
	set.Test = set.Test.Slice(0, n)
	fmt.Fprintf(t.err, "device: virtual: evaluates once, after the last step, on %d test rows\n", n)
}
