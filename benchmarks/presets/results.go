package presets

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"driftless/internal/report"
)

// ResultsFile is the name of a run's results in its directory.
const ResultsFile = "results.json"

// Results is what a run of a preset came to: all that its tables and figures need.
type Results struct {
	Preset      string       `json:"preset"`
	Changed     []string     `json:"changed,omitempty"` // in what it is not the preset of that name
	Version     string       `json:"version"`           // of the program, with its commit
	Date        string       `json:"date"`
	Interrupted bool         `json:"interrupted"`
	Parts       []PartResult `json:"parts"`
}

// PartResult is what a part came to.
type PartResult struct {
	Name       string      `json:"name"`
	Title      string      `json:"title"`
	Device     string      `json:"device"`
	Data       string      `json:"data"`
	Synthetic  bool        `json:"synthetic"`
	Net        string      `json:"net"`
	InitSD     float64     `json:"initSD"`
	Optimizer  string      `json:"optimizer"`
	Batch      int         `json:"batch"`
	Steps      int         `json:"steps"`
	EvalEvery  int         `json:"evalEvery"`
	Targets    []float64   `json:"targets"`
	Unit       int         `json:"unit"` // whose input the percentiles are of
	UnitRows   int         `json:"unitRows"`
	Unfinished bool        `json:"unfinished,omitempty"` // it was interrupted
	Arms       []ArmResult `json:"arms"`
}

// ArmResult is what an arm came to.
type ArmResult struct {
	Name           string       `json:"name"`
	Norm           string       `json:"norm"`
	Class          string       `json:"class"`
	LR             float64      `json:"lr"`
	Chosen         *Chosen      `json:"chosen,omitempty"`
	SecondsPerStep float64      `json:"secondsPerStep"`
	FlopsPerStep   float64      `json:"flopsPerStep"`
	Growing        bool         `json:"growing"` // the largest hidden bias, see report.Run.Growing
	Steps          []int        `json:"steps"`   // of the evaluations kept
	Seeds          []SeedResult `json:"seeds"`
}

// Chosen is how an arm's learning rate was chosen.
type Chosen struct {
	LR      float64     `json:"lr"`
	HeldOut int         `json:"heldOut"` // images that were evaluated, of the training set
	Steps   int         `json:"steps"`
	Seeds   []int       `json:"seeds"`
	Grid    []GridPoint `json:"grid"`
}

// GridPoint is a learning rate and the mean accuracy on the images held out, null where a seed
// diverged.
type GridPoint struct {
	LR       float64       `json:"lr"`
	Accuracy report.Number `json:"accuracy"`
}

// SeedResult is what one seed came to. Curves hold the arm's steps, as far as it came.
type SeedResult struct {
	Seed       int                `json:"seed"`
	DivergedAt *int               `json:"divergedAt,omitempty"`
	Loss       report.Number      `json:"loss"`    // of training, at its last evaluation
	MaxBias    report.Number      `json:"maxBias"` // the largest, of any hidden layer
	Growth     []report.Number    `json:"growth"`  // exponent of each hidden layer's bias, see Growth
	StepsTo    map[string]*int    `json:"stepsTo"` // the first evaluation at or above each target, null: none
	Accuracies []report.Number    `json:"accuracy,omitempty"`
	Losses     []report.Number    `json:"losses,omitempty"`
	Biases     []report.Number    `json:"biases,omitempty"` // rms of the largest layer
	Unit       [][3]report.Number `json:"unit,omitempty"`   // percentiles, of the first seed
}

// Names of curves.
const (
	curveAccuracy, curveLoss, curveBias, curveUnit = "accuracy", "loss", "bias", "unit"
)

// Form is the arm's name without its learning rate.
func (a *ArmResult) Form() string { return formOf(a.Name) }

func formOf(arm string) string {
	form, _, _ := strings.Cut(arm, lrKey)
	return form
}

// result makes a part's results of its run.
func (p *Preset) result(part *Part, run *report.Run) *PartResult {
	out := &PartResult{Name: part.Name, Title: part.title(), Device: run.Device, Data: run.Data, Synthetic: run.Synthetic, Net: run.Net,
		InitSD: part.InitSD, Optimizer: run.Optimizer, Batch: run.Batch, Steps: run.Steps, EvalEvery: run.EvalEvery, Targets: part.Targets,
		Unit: run.PercentileUnit, UnitRows: run.PercentileRows, Unfinished: run.Interrupted}
	of := map[string]map[int][]report.Point{} // points by arm and seed
	for _, q := range run.Points {
		if of[q.Arm] == nil {
			of[q.Arm] = map[int][]report.Point{}
		}
		of[q.Arm][q.Seed] = append(of[q.Arm][q.Seed], q)
	}
	for i := range run.Arms {
		a := &run.Arms[i]
		r := ArmResult{Name: a.Name, Norm: a.Norm, Class: a.Grad, LR: a.LR, SecondsPerStep: sig(a.SecondsPerStep, 4), FlopsPerStep: sig(a.FlopsPerStep, 5),
			Growing: run.Growing(a.Name), Steps: p.kept(of[a.Name])}
		for j, seed := range a.Seeds {
			s := p.seed(part, r.Steps, of[a.Name][seed], j == 0)
			s.Seed, s.DivergedAt = seed, a.DivergedAt[j]
			r.Seeds = append(r.Seeds, s)
		}
		out.Arms = append(out.Arms, r)
	}
	return out
}

// kept returns the steps of an arm whose evaluations are kept: the preset's number of them,
// evenly over the run, and the checkpoints.
func (p *Preset) kept(seeds map[int][]report.Point) []int {
	var longest []report.Point
	for _, ps := range seeds {
		if len(ps) > len(longest) {
			longest = ps
		}
	}
	n := len(longest)
	var out []int
	for i, q := range longest {
		// The first, the last and every one that begins another of the equal parts between.
		if i == 0 || i == n-1 || n <= p.Points || i*(p.Points-1)/(n-1) != (i-1)*(p.Points-1)/(n-1) || slices.Contains(p.Checkpoints, q.Step) {
			out = append(out, q.Step)
		}
	}
	return out
}

// seed makes the results of one seed of its points.
func (p *Preset) seed(part *Part, steps []int, ps []report.Point, first bool) SeedResult {
	s := SeedResult{Loss: report.Number(math.NaN()), MaxBias: report.Number(math.NaN()), Growth: Growth(ps), StepsTo: map[string]*int{}}
	for _, t := range part.Targets {
		s.StepsTo[targetKey(t)] = nil
	}
	for _, q := range ps {
		for _, t := range part.Targets {
			if k := targetKey(t); s.StepsTo[k] == nil && q.TestAccuracy >= t {
				s.StepsTo[k] = &q.Step
			}
		}
		s.Loss, s.MaxBias = number(q.Loss, 4), number(largest(q.BiasMaxAbs), 3)
		if !slices.Contains(steps, q.Step) {
			continue
		}
		for _, c := range p.Curves {
			switch {
			case c == curveAccuracy:
				s.Accuracies = append(s.Accuracies, round4(q.TestAccuracy))
			case c == curveLoss:
				s.Losses = append(s.Losses, number(q.Loss, 4))
			case c == curveBias:
				s.Biases = append(s.Biases, number(largest(q.BiasRMS), 3))
			case c == curveUnit && first:
				s.Unit = append(s.Unit, [3]report.Number{number(q.Percentiles[0], 4), number(q.Percentiles[1], 4), number(q.Percentiles[2], 4)})
			}
		}
	}
	return s
}

// Growth returns the growth exponent of each hidden layer's bias: the least-squares slope of the
// logarithm of its rms against that of the step, over the evaluations of the last half of the
// run. It is 1 for linear growth, some 0.5 for a force that falls as the scale grows and for
// diffusion, 0 for none; NaN for fewer than three evaluations.
func Growth(ps []report.Point) []report.Number {
	if len(ps) == 0 {
		return nil
	}
	last := ps[len(ps)-1].Step
	var out []report.Number
	for layer := range ps[0].BiasRMS {
		var steps, rms []float64
		for _, q := range ps {
			if 2*q.Step >= last && layer < len(q.BiasRMS) {
				steps, rms = append(steps, float64(q.Step)), append(rms, q.BiasRMS[layer])
			}
		}
		out = append(out, number(report.GrowthExponent(steps, rms), 3))
	}
	return out
}

func targetKey(t float64) string { return strconv.FormatFloat(t, 'f', -1, 64) }

func largest(xs []float64) float64 {
	if len(xs) == 0 {
		return math.NaN()
	}
	return slices.Max(xs)
}

// sig rounds to significant digits, so that files stay small.
func sig(x float64, digits int) float64 {
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', digits, 64), 64)
	if err != nil {
		return x
	}
	return y
}

func number(x float64, digits int) report.Number { return report.Number(sig(x, digits)) }

// round4 rounds an accuracy to four decimals, of which test sets of 10,000 have no more.
func round4(x float64) report.Number { return report.Number(math.Round(x*1e4) / 1e4) }

// Encode returns the results as results.json holds them: an arm's line a seed.
func (r *Results) Encode() ([]byte, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	s := string(data)
	for _, begin := range []string{`{"name":`, `{"seed":`} {
		s = strings.ReplaceAll(s, begin, "\n"+begin)
	}
	return []byte(s + "\n"), nil
}

// Read returns the results that a file holds.
func Read(path string) (*Results, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read results: %w", err)
	}
	var r Results
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("%s does not hold the results of an experiment: %w", path, err)
	}
	return &r, nil
}
