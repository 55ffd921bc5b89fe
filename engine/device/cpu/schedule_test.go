package cpu

import "testing"

// Without normalization a worker keeps its samples forward and backward, and its rows of the
// weights in the update: the team meets before the update and at the end, besides the beginning.
func TestFewMeetings(t *testing.T) {
	_, p := BuildPaper(t)
	met := 0
	for _, in := range p.Blocks[0].Instrs {
		if in.Wait {
			met++
		}
	}
	if met != 3 {
		t.Errorf("a team meets %d times a step, not 3:\n%v", met, p)
	}
}
