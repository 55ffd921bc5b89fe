package program

import (
	"fmt"
	"slices"
)

// pass is a step from what lowering emits to what a device runs.
type pass struct {
	name string
	run  func(b *Block, l *Layout)
}

// passes are run in this order.
var passes = []pass{
	{"fuse planes", block(fusePlanes)},
	{"fuse transposes", block(fuseTransposes)},
	{"fuse epilogues", block(fuseEpilogues)},
	{"fuse norms", block(fuseNorms)},
	{"fuse loss", block(fuseLoss)},
	{"predicate", block(predicate)},
	{"fuse averages", block(fuseAverages)},
	{"hoist updates", block(hoist)},
	{"fuse updates", block(fuseUpdates)},
	{"fuse patches", block(fusePatches)},
	{"mask", mask},
	{"lay out", block(layOut)},
	{"share", block(chooseAxes)},
	{"sum early", block(sumEarly)},
	{"chain", block(chains)},
	{"plan", block(plan)},
	{"schedule", block(schedule)},
}

func block(f func(*Block)) func(*Block, *Layout) { return func(b *Block, _ *Layout) { f(b) } }

// order is what passes rely on: the first is done when the second begins.
var order = [][2]string{
	// It looks for transposes of images' channels, which of one image are those of a matrix.
	{"fuse planes", "fuse transposes"},
	// They join instructions without a look at when those are due.
	{"fuse planes", "predicate"},
	{"fuse transposes", "predicate"},
	{"fuse epilogues", "predicate"},
	{"fuse norms", "predicate"},
	{"fuse loss", "predicate"},
	// An average takes the place of a copy that is due as often: so it must know when it is due.
	{"predicate", "fuse averages"},
	// An update becomes the epilogue of a product beside it that is due as often and has no
	// other epilogue yet.
	{"fuse epilogues", "fuse updates"},
	{"predicate", "fuse updates"},
	{"hoist updates", "fuse updates"},
	// They know dense products only, and whether those take transposes.
	{"fuse transposes", "fuse updates"},
	{"fuse epilogues", "mask"},
	{"fuse updates", "mask"},
	{"fuse epilogues", "fuse patches"},
	{"fuse updates", "fuse patches"},
	// Buffers get their places when all instructions have theirs.
	{"fuse averages", "lay out"},
	{"fuse patches", "lay out"},
	{"mask", "lay out"},
	// Who touches what follows from the places of values.
	{"lay out", "share"},
	// Sums go to what is shared along their axis, to be chained with it.
	{"share", "sum early"},
	{"sum early", "chain"},
	// Instructions of one chain are shared along one axis, and what lives within it gets no place.
	{"share", "chain"},
	{"chain", "plan"},
	// Buffers share a place where workers meet anyway, and they meet where buffers share a place.
	{"plan", "schedule"},
}

func init() {
	if err := inOrder(passes, order); err != nil {
		panic("program: " + err.Error())
	}
}

// inOrder returns an error if passes do not follow one another as they must.
func inOrder(passes []pass, order [][2]string) error {
	at := func(name string) int {
		return slices.IndexFunc(passes, func(p pass) bool { return p.name == name })
	}
	for i, p := range passes {
		if at(p.name) != i {
			return fmt.Errorf("there are two passes %q", p.name)
		}
	}
	for _, o := range order {
		switch first, then := at(o[0]), at(o[1]); {
		case first < 0 || then < 0:
			return fmt.Errorf("pass %q or %q, of which one is to follow the other, does not exist", o[0], o[1])
		case first >= then:
			return fmt.Errorf("pass %q must come before %q", o[0], o[1])
		}
	}
	return nil
}
