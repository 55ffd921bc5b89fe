package main

import (
	"fmt"

	"driftless/kernels/internal/vec"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// chains is the number of independent chains of FMAs in a burst: enough for two
// units of latency five.
const chains = 12

// peak writes a kernel that does nothing but FMAs.
func peak(w width) {
	TEXT("burst"+w.Name, NOSPLIT, "func(n int)")
	Doc("burst" + w.Name + " does n times 12 vector FMAs.")
	n := vec.Arg("n")
	x := w.New()
	w.Clear(x)
	sums := w.vectors(chains)
	for _, v := range sums {
		w.Clear(v)
	}
	Label("loop")
	for _, v := range sums {
		w.AddFMA(x, x, v)
	}
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// sweep writes a kernel that does nothing but read: 256 bytes a round.
func sweep(w width) {
	TEXT("sweep"+w.Name, NOSPLIT, "func(n int, x *byte)")
	Doc(fmt.Sprintf("sweep%s reads n ≥ 1 times %d bytes in a row.", w.Name, sweepBytes))
	Pragma("noescape")
	n, x := vec.Arg("n"), vec.Arg("x")
	sums := w.vectors(sweepBytes / w.Bytes)
	for _, v := range sums {
		w.Clear(v)
	}
	Label("loop")
	for j, v := range sums {
		w.AddTo(w.column(x, j), v)
	}
	ADDQ(U32(sweepBytes), x)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// sweepBytes is what a round of a sweep reads.
const sweepBytes = 256
