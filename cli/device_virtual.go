package cli

import (
	"fmt"
	"strings"

	"driftless/dataset"
	"driftless/engine/device"
)

// virtualRows is the number of test rows that a run on the virtual device evaluates.
const virtualRows = 500

// sparing has a training on the virtual device evaluate once, at its end, on few
// rows, and says so. A run that goes on is evaluated as on the device where it began.
func (s *settings) sparing(dev device.Device, set *dataset.Set, t *terminal) {
	name := dev.Name()
	if s.resume != "" {
		name = s.RanOn
	}
	if kind, _, _ := strings.Cut(name, ","); kind != "virtual" {
		return
	}
	s.EvalEvery, s.NoReestimate = s.Steps, true
	n := min(virtualRows, set.Test.N)
	set.Test = set.Test.Slice(0, n)
	fmt.Fprintf(t.err, "device: virtual: evaluates once, after the last step, on %d test rows\n", n)
}
