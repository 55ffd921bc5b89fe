package report

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata anew; read what changed")

// course is how one arm of a run made by hand goes: the same for every seed unless it
// says otherwise. Losses, accuracies and biases are those of steps 0, 100, 200 and so
// on; a shorter list ends the arm there.
type course struct {
	arm        Arm
	loss, acc  []float64
	bias       []float64 // largest of the second hidden layer; nil: no bias was measured
	spread     float64   // by which accuracies of neighbouring seeds differ
	diverged   map[int]int
	reestimate float64
	from       int // evaluations left out at the start
}

// made returns the run of some courses, of 400 steps unless it is changed.
func made(courses ...course) Run {
	run := Run{Classes: 10, Steps: 400, EvalEvery: 100, Optimizer: "sgd"}
	for _, c := range courses {
		a := c.arm
		if a.Seeds == nil {
			a.Seeds = []int{1, 2, 3}
		}
		a.DivergedAt = make([]*int, len(a.Seeds))
		for i, seed := range a.Seeds {
			at, diverges := c.diverged[seed]
			if diverges {
				a.DivergedAt[i] = &at
			}
			for j := c.from; j < len(c.loss); j++ {
				if diverges && 100*j > at {
					break
				}
				p := Point{Arm: a.Name, Seed: seed, Step: 100 * j, Loss: c.loss[j] * (1 + c.spread*float64(i)), TestAccuracy: c.acc[j] + c.spread*float64(i)}
				if c.bias != nil {
					p.BiasMaxAbs = []float64{c.bias[j] / 2, c.bias[j]}
				}
				run.Points = append(run.Points, p)
			}
			if c.reestimate > 0 {
				a.Reestimated = append(a.Reestimated, Number(c.reestimate))
			}
		}
		run.Arms = append(run.Arms, a)
	}
	return run
}

func changed(run Run, change func(*Run)) Run {
	change(&run)
	return run
}

// findingCases are runs that together bring out every sentence a finding can print.
func findingCases() []struct {
	name string
	run  Run
} {
	naive := Arm{Name: "center:naive", Norm: "center", Grad: GradNaive, CancelsBias: true}
	affine := naive
	affine.Name, affine.Affine = "center:naive:affine", true
	graph := Arm{Name: "batchnorm", Norm: "batchnorm", Grad: "graph", Affine: true, CancelsBias: true}
	layer := Arm{Name: "layernorm", Norm: "layernorm", Grad: "graph", Affine: true}
	compensated := Arm{Name: "prong", Norm: "prong", Grad: GradCompensated, CancelsBias: true}
	none := Arm{Name: "none", Norm: NormNone}
	single := graph
	single.Seeds = []int{7}

	learns := []float64{2.31, 1.2, .8, .6, .5}
	stuck := []float64{2.31, 6, 9, 11, 11.68}
	chance := []float64{2.31, 2.3, 2.3, 2.3, 2.301}
	rises := []float64{.1, .6, .85, .91, .942}
	poor := []float64{.1, .11, .1, .098, .097}
	growing := []float64{0, 2, 4, 6, 8}
	settled := []float64{0, .5, .8, .82, .83}
	rounding := []float64{0, 1e-8, 2e-8, 3e-8, 2.5e-8}
	plainBias := []float64{0, .01, .02, .03, .04}

	plain := course{arm: none, loss: learns, acc: []float64{.1, .5, .8, .88, .9}, bias: plainBias, spread: .004}
	slow := course{arm: none, loss: learns, acc: []float64{.1, .3, .5, .6, .7}, bias: plainBias}
	good := course{arm: graph, loss: learns, acc: rises, bias: rounding, spread: .002}
	blown := course{arm: naive, loss: stuck, acc: poor, bias: growing}
	with := func(c course, change func(*course)) course { change(&c); return c }
	cut := func(c course, evaluations int) course {
		c.loss, c.acc = c.loss[:evaluations], c.acc[:evaluations]
		if c.bias != nil {
			c.bias = c.bias[:evaluations]
		}
		return c
	}
	interrupt := func(r *Run) { r.Interrupted = true }

	return []struct {
		name string
		run  Run
	}{
		{"naive, blows up", made(blown)},
		{"naive, at chance", made(with(blown, func(c *course) { c.loss = chance }))},
		{"naive, learns", made(with(blown, func(c *course) { c.loss, c.acc = learns, rises }))},
		{"naive, classes not known", changed(made(blown), func(r *Run) { r.Classes = 0 })},
		{"naive with a trained shift, settled", made(course{arm: affine, loss: learns, acc: rises, bias: settled})},
		{"naive with a trained shift, growing", made(course{arm: affine, loss: learns, acc: rises, bias: growing})},
		{"naive, settled", made(with(blown, func(c *course) { c.bias = settled }))},
		{"naive, a fifth is no growth", made(with(blown, func(c *course) { c.bias = []float64{0, .5, 1, 1.1, 1.2} }))},
		{"naive, shrinking", made(with(blown, func(c *course) { c.bias = []float64{0, 2, 4, 3, 2} }))},
		{"naive, from nothing at half", made(with(blown, func(c *course) { c.bias = []float64{0, 0, 0, 3, 5} }))},
		{"naive, one evaluation after the start", changed(made(cut(blown, 2)), func(r *Run) { r.Steps = 100 })},
		{"naive, hardly moves", made(with(blown, func(c *course) { c.bias = []float64{0, 1e-7, 2e-7, 3e-7, 4e-7} }))},
		{"naive, the start was not evaluated", made(with(blown, func(c *course) { c.from = 1 }))},
		{"naive beside none", made(plain, blown)},
		{"in graph", made(good)},
		{"in graph, biases at zero", made(with(good, func(c *course) { c.bias = []float64{0, 0, 0, 0, 0} }))},
		{"in graph, from an initial bias", made(with(good, func(c *course) { c.bias = []float64{.1, .1, .1, .1, .1 + 1e-8} }))},
		{"in graph, Adam", changed(made(with(good, func(c *course) { c.bias = []float64{0, .004, .009, .012, .015} })), func(r *Run) { r.Arms[0].Optimizer, r.Arms[0].Adaptive = "adam", true })},
		{"in graph, noise at a huge learning rate", made(with(good, func(c *course) { c.bias = []float64{0, .004, .009, .012, .015} }))},
		{"in graph, biases are not cancelled", made(course{arm: layer, loss: learns, acc: rises, bias: growing})},
		{"in graph, no hidden bias", made(with(good, func(c *course) { c.bias = nil }))},
		{"in graph beside none", made(plain, good)},
		{"in graph beside a none that never arrives", made(slow, good)},
		{"in graph beside an equal none", made(with(plain, func(c *course) { c.acc = rises }), with(good, func(c *course) { c.spread = .004 }))},
		{"in graph, a little above none", made(with(plain, func(c *course) { c.acc, c.spread = []float64{.1, .5, .8, .88, .939}, .002 }), good)},
		{"in graph, another learning rate than none", made(with(plain, func(c *course) { c.arm.LR = 1 }), with(good, func(c *course) { c.arm.LR = 3 }))},
		{"in graph, another learning rate than a none that never arrives", changed(made(with(slow, func(c *course) { c.arm.LR = 3 }), good), func(r *Run) { r.LR = .5 })},
		{"in graph, otherwise than none in more than the norm", made(with(plain, func(c *course) { c.arm.LR = 1 }), with(good, func(c *course) { c.arm.LR, c.arm.Own = 3, []string{"batch=30", "optimizer=adam"} }))},
		{"in graph beside the none of its batch", made(with(slow, func(c *course) { c.arm.Name = "none" }), with(plain, func(c *course) { c.arm.Name, c.arm.LR, c.arm.Own = "none:batch=30", 1, []string{"batch=30"} }), with(good, func(c *course) { c.arm.LR, c.arm.Own = 3, []string{"batch=30"} }))},
		{"in graph beside the none of its learning rate", made(with(slow, func(c *course) { c.arm.Name, c.arm.LR = "none:lr=3", 3 }), with(plain, func(c *course) { c.arm.LR = 1 }), with(good, func(c *course) { c.arm.LR = 1 }))},
		{"compensated beside none", made(plain, course{arm: compensated, loss: learns, acc: rises, bias: settled})},
		{"running statistics apart from re-estimated ones", made(with(good, func(c *course) { c.acc, c.reestimate = []float64{.1, .4, .6, .65, .7}, .931 }))},
		{"running statistics as re-estimated ones", made(with(good, func(c *course) { c.reestimate = .945 }))},
		{"one seed", made(course{arm: single, loss: learns, acc: rises, bias: rounding})},
		{"one seed that does not arrive", made(course{arm: single, loss: learns, acc: slow.acc, bias: rounding})},
		{"one seed beside a none that does not arrive", made(with(slow, func(c *course) { c.arm.Seeds = []int{7} }), course{arm: single, loss: learns, acc: rises, bias: rounding})},
		{"one seed, diverged", made(with(blown, func(c *course) { c.arm.Seeds, c.diverged = []int{1}, map[int]int{1: 250} }))},
		{"one seed, above any sense", made(with(blown, func(c *course) {
			c.arm.Seeds, c.diverged, c.loss = []int{1}, map[int]int{1: 400}, []float64{2.31, 5, 1e2, 1e5, 4.5e30}
		}))},
		{"one seed, diverged at step 0", made(with(blown, func(c *course) { c.arm.Seeds, c.diverged = []int{1}, map[int]int{1: 0} }))},
		{"one of three diverged beside none", made(plain, with(blown, func(c *course) { c.diverged = map[int]int{2: 250} }))},
		{"two of three diverged, the third arrives", made(with(good, func(c *course) { c.diverged = map[int]int{1: 7, 3: 19} }))},
		{"all diverged", made(with(blown, func(c *course) { c.diverged = map[int]int{1: 250, 2: 199, 3: 360} }))},
		{"all diverged before an evaluation", made(with(blown, func(c *course) { c.diverged = map[int]int{1: 5, 2: 6, 3: 7} }))},
		{"none diverged, the other did not", made(with(plain, func(c *course) { c.diverged = map[int]int{1: 5, 2: 6, 3: 7} }), good)},
		{"one seed of none diverged", made(with(plain, func(c *course) { c.diverged = map[int]int{1: 5} }), good, blown)},
		{"two seeds above any sense", made(with(blown, func(c *course) {
			c.diverged, c.loss = map[int]int{1: 400, 2: 250}, []float64{2.31, 5, 1e2, 1e5, 4.5e30}
		}))},
		{"interrupted at once", changed(made(cut(plain, 1), cut(good, 1)), interrupt)},
		{"interrupted at unequal steps", changed(made(cut(plain, 3), cut(good, 4), cut(blown, 4)), interrupt)},
		{"interrupted where no step is common", changed(made(cut(plain, 2), with(good, func(c *course) { c.from = 2 })), interrupt)},
		{"interrupted, some arms did not run", changed(made(cut(plain, 3), course{arm: graph}), interrupt)},
		{"interrupted, one seed diverged", changed(made(with(cut(blown, 3), func(c *course) { c.diverged = map[int]int{2: 50} })), interrupt)},
		{"interrupted, two seeds diverged", changed(made(with(cut(blown, 3), func(c *course) { c.diverged = map[int]int{2: 50, 3: 60} })), interrupt)},
		{"one arm finished, none was interrupted before its goal", changed(made(cut(slow, 3), good), interrupt)},
		{"did not run", made(plain, course{arm: graph})},
		{"evaluated at the start only", made(cut(good, 1))},
		{"diverged, and nothing was evaluated", made(with(cut(blown, 0), func(c *course) { c.diverged = map[int]int{1: 5, 2: 6, 3: 7} }))},
	}
}

// What findings say of runs made by hand stands in testdata/findings.txt, which a
// person has read: nothing in it is false.
func TestFindings(t *testing.T) {
	var b strings.Builder
	for _, c := range findingCases() {
		c.run.Summarize()
		fmt.Fprintf(&b, "%s\n", c.name)
		for _, a := range c.run.Arms {
			if a.Norm == NormNone && len(c.run.Arms) > 1 && c.name != "interrupted at once" {
				continue // said by the first case that has it alone
			}
			fmt.Fprintf(&b, "  %s: %s\n", a.Name, a.Finding)
		}
	}
	plain := made(course{arm: Arm{Name: "none", Norm: NormNone}, loss: []float64{2.3, 1}, acc: []float64{.1, .5}, bias: []float64{0, .2}})
	plain.Summarize()
	fmt.Fprintf(&b, "none itself\n  %s\n", plain.Arms[0].Finding)
	path := filepath.Join("testdata", "findings.txt")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, wanted := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(got), len(wanted)) {
		g, w := "", ""
		if i < len(got) {
			g = got[i]
		}
		if i < len(wanted) {
			w = wanted[i]
		}
		if g != w {
			t.Fatalf("line %d of %s is\n%s\nnow it is\n%s\n(-update writes the file; read all of it)", i+1, path, w, g)
		}
	}
	if s := b.String(); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") || strings.Contains(s, "—") || strings.Contains(s, " 1 seeds") || strings.Contains(s, " 1 steps") {
		t.Error("a finding prints a number that is not there, or a wrong plural")
	}
}

func TestFindingOfAnUnknownArm(t *testing.T) {
	if got := Finding(Run{}, "x"); got != `No arm "x" in this run.` {
		t.Errorf("%q", got)
	}
}

func TestGrowthExponent(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		xs, ys []float64
		want   float64
	}{
		{[]float64{1, 2, 4}, []float64{3, 6, 12}, 1},
		{[]float64{1, 4, 16}, []float64{5, 10, 20}, .5},
		{[]float64{0, 1, 2, 4}, []float64{0, 3, 6, 12}, 1}, // zeros are left out
		{[]float64{1, 2}, []float64{1, 2}, nan},
		{[]float64{3, 3, 3}, []float64{1, 2, 3}, nan},
	} {
		got := GrowthExponent(c.xs, c.ys)
		if math.IsNaN(got) != math.IsNaN(c.want) || math.Abs(got-c.want) > 1e-12 {
			t.Errorf("GrowthExponent(%v, %v) = %v, want %v", c.xs, c.ys, got, c.want)
		}
	}
}
