package report

import (
	"cmp"
	"encoding/json"
	"fmt"
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

// Stat is a mean over N seeds with its sample standard deviation (divisor n−1, NaN for
// one seed). The zero Stat stands for "not measured".
type Stat struct {
	Mean, Std float64
	N         int
}

// StatOf returns the statistics of xs, one value a seed. A value that is not
// finite makes the mean so too: a diverged seed is not averaged away.
func StatOf(xs []float64) Stat {
	n := len(xs)
	s := Stat{math.NaN(), math.NaN(), n}
	if n == 0 {
		return s
	}
	var sum float64
	for _, x := range xs {
		sum += x
	}
	s.Mean = sum / float64(n)
	if n == 1 {
		return s
	}
	var squares float64
	for _, x := range xs {
		d := x - s.Mean
		squares += d * d
	}
	s.Std = math.Sqrt(squares / float64(n-1))
	return s
}

// MarshalJSON writes {mean, std}, null where not finite or not measured.
func (s Stat) MarshalJSON() ([]byte, error) {
	s = s.orNaN()
	return json.Marshal(struct {
		Mean Number `json:"mean"`
		Std  Number `json:"std"`
	}{Number(s.Mean), Number(s.Std)})
}

// orNaN makes a Stat of nothing NaN.
func (s Stat) orNaN() Stat {
	if s.N == 0 {
		return Stat{math.NaN(), math.NaN(), 0}
	}
	return s
}

// Arm is one column of a comparison: a network under one normalization, trained
// once for each seed.
type Arm struct {
	Name   string `json:"name"`   // unique in the run, for example "center:naive"
	Norm   string `json:"norm"`   // registered name of the normalization; NormNone for none
	Look   int    `json:"look"`   // number of the colour and dash that the normalization has in every report, from 1; 0: one made of its name
	Grad   string `json:"grad"`   // what the gradient knows of the statistics, for example GradNaive
	Affine bool   `json:"affine"` // a trained shift (and scale, if the method has one) follows the normalization
	// CancelsBias says that the normalization takes a bias before it out again, so
	// that its gradient through the statistics is 0.
	CancelsBias bool    `json:"cancelsBias"`
	LR          float64 `json:"lr"` // learning rate; 0: the run's
	Seeds       []int   `json:"seeds"`
	// Own is what its name gives, besides the learning rate, otherwise than for the run's
	// other arms, such as "batch=30".
	Own            []string `json:"own,omitempty"`
	Optimizer      string   `json:"optimizer"`
	Adaptive       bool     `json:"adaptive"`       // the optimizer divides a gradient by its own size, as Adam does
	SecondsPerStep float64  `json:"secondsPerStep"` // measured, training only; 0 if unknown
	FlopsPerStep   float64  `json:"flopsPerStep"`   // of the compiled step, a refresh of statistics at its share; 0 if unknown

	// DivergedAt holds for each of Seeds the step after which its loss was not finite
	// or above LossLimit, or nil.
	DivergedAt []*int `json:"divergedAt"`
	// StoppedAt holds for each of Seeds the step at which its training was ended early, for its
	// validation accuracy rose no more, or nil; it is nil where none can be.
	StoppedAt []*int `json:"stoppedAt,omitempty"`
	// Reestimated holds for each of Seeds the test accuracy with the statistics
	// estimated anew over the training set with the final parameters, NaN for one that
	// diverged; nil if that was not measured.
	Reestimated []Number `json:"reestimated"`

	// The rest is what Summarize and Finding make of that and of the points.

	FinalLoss               Stat            `json:"-"` // training loss of the last evaluation
	TestAccuracy            Stat            `json:"-"` // of the last evaluation, fraction in [0, 1]
	TestAccuracyReestimated Stat            `json:"-"`
	StepsTo                 map[string]*int `json:"-"` // see StepsTo
	Chosen                  Stat            `json:"-"` // test accuracy of each seed at the first evaluation of its highest validation accuracy
	ChosenSteps             []int           `json:"-"` // the steps of those, of the seeds that have any
	MaxAbsBias              []float64       `json:"-"` // largest absolute bias of each hidden layer at the end, mean over the seeds that did not diverge
	Finding                 string          `json:"-"` // empty makes WriteReport compute it

	of *Run // the run that it is of, in an overlay of several; nil: the one that has it
}

// own returns the run that an arm of r is of.
func (r *Run) own(a *Arm) *Run { return cmp.Or(a.of, r) }

// Run is everything a report shows. Empty texts and zero numbers in the header
// are left out of it. Its JSON is the record of a run directory; Config and Points have
// files of their own there.
type Run struct {
	Title   string    `json:"title"`   // heading, for example "compare: 4 normalizations"
	Command string    `json:"command"` // the command line, to run it again
	Version string    `json:"version"` // of the program
	Started time.Time `json:"started"` // the training, when its steps had been timed; printed in its own time zone

	Device string `json:"device"` // as the device names itself, for example "cpu/avx2"
	// Precision is to what operands of matrix products were rounded, for example "tf32"; empty:
	// they were not.
	Precision   string `json:"precision,omitempty"`
	Data        string `json:"data"`        // name and sizes of the data set
	Synthetic   bool   `json:"synthetic"`   // the data are generated, marked on every picture
	Interrupted bool   `json:"interrupted"` // stopped before Steps, marked on every picture

	// Net, Batch, LR and Optimizer are those of the arms whose names give none of their own.
	Net       string  `json:"net"`       // for example "784-100-100-100-10 sigmoid"
	Classes   int     `json:"classes"`   // number of classes; guessing has loss ln(Classes)
	Batch     int     `json:"batch"`     // examples a step
	Steps     int     `json:"steps"`     // steps that were asked for
	EvalEvery int     `json:"evalEvery"` // steps between evaluations
	LR        float64 `json:"lr"`        // learning rate
	Optimizer string  `json:"optimizer"`
	Schedule  string  `json:"schedule,omitempty"` // of the learning rate, in words; empty: constant

	PercentileUnit int `json:"percentileUnit"` // the unit of the last hidden layer that Point.Percentiles follow, counting from 0
	PercentileRows int `json:"percentileRows"` // leading rows of the test set they are taken over

	Instruments []Instrument `json:"instruments,omitempty"` // that looked into the training, see Point.Probes

	Config any `json:"-"` // shown as YAML at the end of the report; nil shows none

	Arms   []Arm   `json:"arms"`
	Points []Point `json:"-"` // points of an arm that Arms does not hold are not shown
}

// lrOf returns the learning rate of an arm.
func (r *Run) lrOf(a *Arm) float64 { return cmp.Or(a.LR, r.LR) }

// LRText is the learning rate as a heading has it, empty if it is not known: that of all arms,
// or that of those that have none of their own.
func (r *Run) LRText() string {
	if r.LR == 0 {
		return ""
	}
	rates := map[float64]bool{}
	for i := range r.Arms {
		rates[r.lrOf(&r.Arms[i])] = true
	}
	switch len(rates) {
	case 0:
		return fmt.Sprint(r.LR)
	case 1:
		return fmt.Sprint(r.lrOf(&r.Arms[0]))
	}
	return fmt.Sprint(r.LR) + " unless named"
}

// pointsOf returns the points of one arm, in the order of Points.
func (r *Run) pointsOf(arm string) []Point {
	var out []Point
	for _, p := range r.Points {
		if p.Arm == arm {
			out = append(out, p)
		}
	}
	return out
}

// Summarize makes of the points and of what each arm did the arms' results and
// findings.
func (r *Run) Summarize() {
	for i := range r.Arms {
		r.Arms[i].summarize(r.pointsOf(r.Arms[i].Name))
	}
	for i := range r.Arms {
		r.Arms[i].Finding = Finding(*r, r.Arms[i].Name)
	}
}
