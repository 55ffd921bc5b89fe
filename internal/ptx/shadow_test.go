package ptx

import (
	"math/rand/v2"
	"testing"
)

// The access word of a cell keeps two accesses; a checker that keeps all of
// them must find the same races. With atomic operations the word may miss
// some, but never invents one.
func TestAccessWordAgainstFullHistory(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests run blocks at once")
	}
	type past struct {
		thread, event uint32
		kind          byte // r, w or a
	}
	threads := []uint32{0, 1, 31, 32, 40, 64}
	r := rand.New(rand.NewPCG(3, 4))
	races, missed := 0, 0
	for round := range 200_000 {
		kinds := "rrrw"
		if round%2 == 1 {
			kinds = "rrwaa"
		}
		var cell access
		var history []past
		event, barrier := uint32(1), uint32(1)
		synced := [3]uint32{1, 1, 1}
		for step := range 12 {
			switch r.IntN(6) {
			case 0:
				event++
				barrier = event
				synced = [3]uint32{event, event, event}
				continue
			case 1:
				event++
				synced[r.IntN(3)] = event
				continue
			}
			me := threads[r.IntN(len(threads))]
			kind := kinds[r.IntN(len(kinds))]
			race := false
			for _, p := range history {
				ordered := p.event < barrier || p.thread/32 == me/32 && p.event < synced[me/32]
				conflict := p.thread != me && (p.kind != 'r' || kind != 'r') && (p.kind != 'a' || kind != 'a')
				if p.kind == 'a' && kind != 'a' { // even of the same thread: the word does not tell them apart
					conflict = true
				}
				race = race || conflict && !ordered
			}
			o := order{event, barrier, synced[me/32]}
			ok := true
			switch kind {
			case 'r':
				ok = o.read(&cell, me)
			case 'w':
				_, ok = o.write(&cell, me)
			case 'a':
				_, ok = o.atomic(&cell, me)
			}
			if !ok && !race || ok && race && round%2 == 0 {
				t.Fatalf("round %d, step %d: %c by thread %d, race is %v, found %v, after %v (barrier %d, warps %d)", round, step, kind, me, race, !ok, history, barrier, synced)
			}
			if race {
				races++
				if ok {
					missed++
				}
				break
			}
			history = append(history, past{me, event, kind})
		}
	}
	t.Logf("%d races, %d missed, all with atomic operations", races, missed)
	if missed*20 > races {
		t.Error("too many are missed")
	}
}
