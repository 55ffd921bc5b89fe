package benchmarks_test

import (
	"context"
	"fmt"
	"log"

	"driftless/benchmarks"
	"driftless/dataset"
	"driftless/engine/device/cpu"
)

// A data set made of slices: is a point inside the circle or around it?
func Example() {
	split := func(n, shift int) dataset.Split {
		s := dataset.Split{N: n, Rows: 1, Cols: 2, Channels: 1} // two features
		for i := range n {
			x, y := float32((i*7+shift)%41)/20-1, float32((i*13+shift)%37)/18-1
			inside := 0
			if x*x+y*y < 0.5 {
				inside = 1
			}
			s.Features, s.Labels = append(s.Features, x, y), append(s.Labels, inside)
		}
		return s
	}
	set := &dataset.Set{Name: "circle", Train: split(600, 0), Test: split(200, 5), Classes: 2}

	c := benchmarks.Defaults()
	c.Norms, c.Hidden, c.Activation, c.LR, c.Steps, c.EvalEvery = []string{"none", "batchnorm"}, []int{16}, "tanh", 0.5, 600, 600
	e, err := benchmarks.New(context.Background(), c, set, cpu.New())
	if err != nil {
		log.Fatal(err)
	}
	if err := e.Compare(context.Background(), benchmarks.Observer{}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.Run.Data)
	for _, a := range e.Run.Arms {
		fmt.Printf("%s: more than nine in ten are right: %v\n", a.Name, a.TestAccuracy.Mean > 0.9)
	}
	// Output:
	// circle (float features as they are; 600 + 200 rows)
	// none: more than nine in ten are right: false
	// batchnorm: more than nine in ten are right: true
}
