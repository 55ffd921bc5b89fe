// Command gen writes the vector kernels of package gemm, one family a run.
//
// main.go picks the family; width.go adds to package vec what they need; the other files
// are the families: tile.go the register tiles, quad.go those of few columns,
// epilogue.go how both end, masked.go the sums under a mask, pack.go copies and
// transposes, bits.go transposes of masks, peak.go a burst of FMAs.
package main

import (
	"flag"
	"log"

	"driftless/kernels/internal/vec"

	. "github.com/mmcloughlin/avo/build"
)

var families = map[string]func(){
	"tile512":    func() { tiles(avx512) },
	"tile256":    func() { tiles(avx2) },
	"tile512f64": func() { tiles(double(avx512)) },
	"tile256f64": func() { tiles(double(avx2)) },
	"quad":       quads,
	"masked":     func() { each(masked) },
	"pack":       func() { each(pack) },
	"bits":       func() { transposeBits(avx2); transposeBits(avx512) },
	"peak":       func() { each(peak); sweep(avx2); sweep(avx512) },
}

func main() {
	family := flag.String("family", "", "family of kernels to write")
	flag.Parse()
	write := families[*family]
	if write == nil {
		log.Fatalf("gen: no family %q", *family)
	}
	ConstraintExpr("!noasm")
	write()
	Generate()
}

// each writes a family for both widths, with lanes of float32 and of float64.
func each(write func(w width)) {
	vec.All(func(v vec.V) { write(width{v}) })
}
