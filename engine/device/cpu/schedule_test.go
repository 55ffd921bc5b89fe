package cpu

import "testing"

// Without normalization a worker keeps its samples forward and backward, and its rows of the
// weights in the update. The team meets when the step begins, before the update, before the loss's
// mean, and twice because a column sum takes the place of what another worker may still be reading.
func TestFewMeetings(t *testing.T) {
	_, p := BuildPaper(t)
	met := 0
	for _, in := range p.Blocks[0].Instrs {
		if in.Wait {
			met++
		}
	}
	if met != 5 {
		t.Errorf("a team meets %d times a step, not 5:\n%v", met, p)
	}
}
