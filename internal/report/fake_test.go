package report

import (
	"math"
	"math/rand/v2"
	"time"
)

// fakeArm is how one arm of fakeRun behaves.
type fakeArm struct {
	name, norm, grad string
	affine           bool
	loss, accuracy   float64 // where training settles
	rate             float64 // how fast, in 1/steps
	bias, exponent   float64 // largest bias at the end and its growth exponent
	weight           float64 // weight rms at the end
	lag              float64 // accuracy lost to lagging running statistics
	millis           float64
	spread           float64 // half-width of the unit's percentile band at the end
	divergedSeed     int     // 0: none
	divergedStep     int
}

var fakeArms = []fakeArm{
	{name: "none", norm: NormNone, loss: .31, accuracy: .912, rate: 1. / 1800, bias: .028, exponent: .6, weight: .06, millis: 1.1, spread: 1.2},
	{name: "center:naive", norm: "center", grad: GradNaive, loss: 11.7, accuracy: .097, rate: 1. / 300, bias: 8, exponent: .9, weight: 1.7, millis: 1.3, spread: 5,
		divergedSeed: 2, divergedStep: 3150},
	{name: "standardize:naive", norm: "standardize", grad: GradNaive, affine: true, loss: .30, accuracy: .912, rate: 1. / 900, bias: .82, exponent: .05, weight: .14, lag: .21, millis: 1.5, spread: 3},
	{name: "center:compensated", norm: "center", grad: GradCompensated, loss: .22, accuracy: .941, rate: 1. / 1000, bias: .3, exponent: .4, weight: .1, millis: 1.4, spread: 1.6},
	{name: "batchnorm", norm: "batchnorm", grad: "graph", affine: true, loss: .11, accuracy: .966, rate: 1. / 500, bias: 3e-8, exponent: .5, weight: .07, millis: 1.6, spread: 1.5},
}

// fakeRun makes up a comparison in the image of MNIST runs: three seeds, three
// hidden layers, 5,000 steps.
func fakeRun() Run {
	run := Run{
		Title: "compare: five normalizations", Command: "driftless compare --data mnist --lr 0.1 --seeds 3",
		Version: "v0.1.0", Started: time.Date(2025, 3, 14, 9, 26, 53, 0, time.UTC),
		Device: "cpu/avx2", Data: "MNIST, 60,000 training and 10,000 test rows",
		Net: "784-100-100-100-10, sigmoid", Classes: 10, Batch: 60, Steps: 5000, EvalEvery: 50,
		LR: 0.1, Optimizer: "SGD", PercentileUnit: 7, PercentileRows: 1000,
		Config: map[string]any{"lr": 0.1, "batch": 60, "arms": []string{"none", "center:naive"}},
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for look, f := range fakeArms {
		arm := Arm{Name: f.name, Look: look, Norm: f.norm, Grad: f.grad, Affine: f.affine, Seeds: []int{1, 2, 3},
			SecondsPerStep: f.millis / 1000, DivergedAt: make([]*int, 3)}
		var points []Point
		for i, seed := range arm.Seeds {
			shift := 1 + .08*rng.NormFloat64()
			var last Point
			for step := 0; step <= run.Steps; step += run.EvalEvery {
				if seed == f.divergedSeed && step > f.divergedStep {
					arm.DivergedAt[i] = &f.divergedStep
					break
				}
				last = f.point(rng, seed, step, run.Steps, shift)
				points = append(points, last)
			}
			arm.Reestimated = append(arm.Reestimated, Number(last.TestAccuracy+f.lag))
		}
		run.Arms = append(run.Arms, arm)
		run.Points = append(run.Points, points...)
	}
	run.Summarize()
	return run
}

func (f fakeArm) point(rng *rand.Rand, seed, step, steps int, shift float64) Point {
	t, noise := float64(step), func(size float64) float64 { return 1 + size*rng.NormFloat64() }
	left := math.Exp(-t * f.rate * shift)
	grown := math.Pow(t/float64(steps), f.exponent)
	p := Point{
		Arm: f.name, Seed: seed, Step: step,
		Loss:         (f.loss + (2.33-f.loss)*left) * noise(.05),
		TestLoss:     (1.05*f.loss + (2.33-f.loss)*left) * noise(.02),
		TestAccuracy: min(1, max(0, (f.accuracy-f.lag+(.1-f.accuracy+f.lag)*left)*noise(.004))),
		Seconds:      t * f.millis / 1000,
	}
	for layer := range 3 {
		size := math.Pow(.6, float64(layer)) * shift
		b := f.bias * grown * size
		p.BiasRMS = append(p.BiasRMS, .5*b*noise(.02))
		p.BiasMaxAbs = append(p.BiasMaxAbs, b)
		p.WeightRMS = append(p.WeightRMS, (.05+(f.weight-.05)*grown)*size/shift)
	}
	middle, width := .2*math.Sin(t/900), .1+(f.spread-.1)*(1-left)
	p.Percentiles = [3]float64{middle - width*noise(.02), middle + .03*rng.NormFloat64(), middle + 1.05*width*noise(.02)}
	return p
}
