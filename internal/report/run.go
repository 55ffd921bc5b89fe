package report

import (
	"encoding/json"
	"math"
	"time"
)

// Values of Arm.Grad and Arm.Norm that findings know. Other values are described
// by their numbers alone.
const (
	NormNone        = "none"        // Arm.Norm: no normalization, the arm others are compared with
	GradNaive       = "naive"       // Arm.Grad: statistics are constants to the gradient and refreshed between steps
	GradCompensated = "compensated" // Arm.Grad: outside the graph, but a refresh moves its change into the parameters
)

// Stat is a mean over seeds with its sample standard deviation (divisor n−1, NaN
// for one seed). The zero Stat stands for "not measured".
type Stat struct {
	Mean, Std float64
}

// StatOf returns the statistics of xs, one value a seed. A value that is not
// finite makes the mean so too: a diverged seed is not averaged away.
func StatOf(xs []float64) Stat {
	if len(xs) == 0 {
		return Stat{math.NaN(), math.NaN()}
	}
	n := float64(len(xs))
	var sum float64
	for _, x := range xs {
		sum += x
	}
	mean := sum / n
	if len(xs) == 1 {
		return Stat{mean, math.NaN()}
	}
	var squares float64
	for _, x := range xs {
		d := x - mean
		squares += d * d
	}
	return Stat{mean, math.Sqrt(squares / (n - 1))}
}

// MarshalJSON writes {mean, std}, null where not finite or not measured.
func (s Stat) MarshalJSON() ([]byte, error) {
	s = s.orNaN()
	return json.Marshal(struct {
		Mean number `json:"mean"`
		Std  number `json:"std"`
	}{number(s.Mean), number(s.Std)})
}

// orNaN makes the zero Stat a NaN.
func (s Stat) orNaN() Stat {
	if s == (Stat{}) {
		return Stat{math.NaN(), math.NaN()}
	}
	return s
}

// Arm is one column of a comparison: a network under one normalization, trained
// once for each seed.
type Arm struct {
	Name   string // unique in the run, for example "center:naive"
	Norm   string // registered name of the normalization; NormNone for none
	Grad   string // what the gradient knows of the statistics, for example GradNaive
	Affine bool   // a trained shift (and scale, if the method has one) follows the normalization
	Seeds  []int

	FinalLoss    Stat // training loss at the end
	TestAccuracy Stat // test accuracy at the end, fraction in [0, 1]
	// TestAccuracyReestimated is the test accuracy with the statistics estimated
	// anew over the training set with the final parameters (the zero Stat if
	// that was not measured).
	TestAccuracyReestimated Stat

	DivergedAt []*int          // for each of Seeds, the step at which the loss stopped being finite, or nil
	StepsTo    map[string]*int // see StepsTo
	MaxAbsBias []float64       // largest absolute bias of each hidden layer at the end, over seeds

	SecondsPerStep float64 // measured, training only; 0 if unknown
	Finding        string  // see Finding; empty makes WriteReport compute it
}

// MarshalJSON writes the fields in lower camel case, null where a number is not
// finite.
func (a Arm) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name                    string          `json:"name"`
		Norm                    string          `json:"norm"`
		Grad                    string          `json:"grad"`
		Affine                  bool            `json:"affine"`
		Seeds                   []int           `json:"seeds"`
		FinalLoss               Stat            `json:"finalLoss"`
		TestAccuracy            Stat            `json:"testAccuracy"`
		TestAccuracyReestimated Stat            `json:"testAccuracyReestimated"`
		DivergedAt              []*int          `json:"divergedAt"`
		StepsTo                 map[string]*int `json:"stepsTo"`
		MaxAbsBias              []number        `json:"maxAbsBias"`
		SecondsPerStep          number          `json:"secondsPerStep"`
		Finding                 string          `json:"finding"`
	}{
		a.Name, a.Norm, a.Grad, a.Affine, a.Seeds,
		a.FinalLoss, a.TestAccuracy, a.TestAccuracyReestimated,
		a.DivergedAt, a.StepsTo, numbers(a.MaxAbsBias), number(a.SecondsPerStep), a.Finding,
	})
}

// Run is everything a report shows. Empty texts and zero numbers in the header
// are left out of it.
type Run struct {
	Title   string    // heading, for example "compare: 4 normalizations"
	Command string    // the command line, to run it again
	Version string    // of the program
	Started time.Time // printed in its own time zone

	Device      string // as the device names itself, for example "cpu/avx2"
	Data        string // name and sizes of the data set
	Synthetic   bool   // the data are generated, marked on every picture
	Interrupted bool   // stopped before Steps, marked on every picture

	Net       string // for example "784-100-100-100-10 sigmoid"
	Classes   int    // number of classes; guessing has loss ln(Classes)
	Batch     int    // examples a step
	Steps     int    // steps that were asked for
	EvalEvery int    // steps between evaluations
	LR        float64
	Optimizer string

	PercentileUnit int // the unit of the last hidden layer that Point.Percentiles follow, counting from 0
	PercentileRows int // leading rows of the test set they are taken over

	Config any // shown as YAML at the end of the report; nil shows none

	Arms   []Arm
	Points []Point // points of an arm that Arms does not hold are not shown
}
