package benchmarks

import "driftless/internal/report"

// CompareOutput is what `driftless compare --json` prints.
type CompareOutput struct {
	RunDir      string      `json:"runDir"`
	Device      string      `json:"device"`
	Data        string      `json:"data"`
	Synthetic   bool        `json:"synthetic"`
	Interrupted bool        `json:"interrupted"`
	Arms        []ArmOutput `json:"arms"`
}

// ArmOutput is one arm of CompareOutput. Means and standard deviations are over
// seeds; they are null where a seed diverged. MaxAbsBias is over those that did not,
// and empty where all did.
type ArmOutput struct {
	Name                    string          `json:"name"`
	Norm                    string          `json:"norm"`
	Grad                    string          `json:"grad"`
	Affine                  bool            `json:"affine"`
	Seeds                   []int           `json:"seeds"`
	FinalLoss               report.Stat     `json:"finalLoss"`
	TestAccuracy            report.Stat     `json:"testAccuracy"`
	TestAccuracyReestimated report.Stat     `json:"testAccuracyReestimated"`
	DivergedAt              []*int          `json:"divergedAt"`
	Curve                   []CurvePoint    `json:"curve"`
	StepsTo                 map[string]*int `json:"stepsTo"`
	StoppedAt               []*int          `json:"stoppedAt,omitempty"` // see report.Arm; with a patience
	Chosen                  *ChosenOutput   `json:"chosen,omitempty"`    // with validation
	MaxAbsBias              []report.Number `json:"maxAbsBias"`
	SecondsPerStep          report.Number   `json:"secondsPerStep"`
	Finding                 string          `json:"finding"`
}

// ChosenOutput is what the evaluation of the highest validation accuracy came to, of each seed.
type ChosenOutput struct {
	TestAccuracy report.Stat `json:"testAccuracy"`
	Steps        []int       `json:"steps"`
}

func chosen(a *report.Arm) *ChosenOutput {
	if a.Chosen.N == 0 {
		return nil
	}
	return &ChosenOutput{a.Chosen, a.ChosenSteps}
}

// CurvePoint is the mean over the seeds that were evaluated at a step.
type CurvePoint struct {
	Step         int           `json:"step"`
	Seeds        int           `json:"seeds"` // how many they are
	Loss         report.Number `json:"loss"`
	TestAccuracy report.Number `json:"testAccuracy"`
}

// Output returns what was compared, for JSON.
func (e *Experiment) Output(runDir string) CompareOutput {
	out := CompareOutput{RunDir: runDir, Device: e.Run.Device, Data: e.Run.Data, Synthetic: e.Run.Synthetic, Interrupted: e.Run.Interrupted}
	for i, a := range e.Run.Arms {
		o := ArmOutput{Name: a.Name, Norm: a.Norm, Grad: a.Grad, Affine: a.Affine, Seeds: a.Seeds, FinalLoss: a.FinalLoss, TestAccuracy: a.TestAccuracy,
			TestAccuracyReestimated: a.TestAccuracyReestimated, DivergedAt: a.DivergedAt, StoppedAt: a.StoppedAt, Chosen: chosen(&a), StepsTo: a.StepsTo,
			SecondsPerStep: report.Number(a.SecondsPerStep), Finding: a.Finding, Curve: curve(e.points[i]), MaxAbsBias: report.Numbers(a.MaxAbsBias)}
		out.Arms = append(out.Arms, o)
	}
	return out
}

// curve averages an arm's points over seeds, step by step.
func curve(ps []report.Point) []CurvePoint {
	at := map[int]int{}
	out := []CurvePoint{}
	for _, p := range ps {
		i, ok := at[p.Step]
		if !ok {
			i = len(out)
			at[p.Step] = i
			out = append(out, CurvePoint{Step: p.Step})
		}
		out[i].Loss += report.Number(p.Loss)
		out[i].TestAccuracy += report.Number(p.TestAccuracy)
		out[i].Seeds++
	}
	for i := range out {
		out[i].Loss /= report.Number(out[i].Seeds)
		out[i].TestAccuracy /= report.Number(out[i].Seeds)
	}
	return out
}

// TrainOutput is what `driftless train --json` prints.
type TrainOutput struct {
	RunDir                  string        `json:"runDir"`
	Device                  string        `json:"device"`
	Data                    string        `json:"data"`
	Synthetic               bool          `json:"synthetic"`
	Interrupted             bool          `json:"interrupted"`
	Net                     string        `json:"net"`
	Norm                    string        `json:"norm"`
	Grad                    string        `json:"grad"`
	Affine                  bool          `json:"affine"`
	Seed                    int64         `json:"seed"`
	Steps                   int           `json:"steps"`
	Seconds                 report.Number `json:"seconds"`
	StepsPerSecond          report.Number `json:"stepsPerSecond"`
	FinalLoss               report.Number `json:"finalLoss"`
	TestAccuracy            report.Number `json:"testAccuracy"`
	TestAccuracyReestimated report.Number `json:"testAccuracyReestimated"`
	DivergedAt              *int          `json:"divergedAt"`
	Weights                 *string       `json:"weights"`               // the file that was kept
	WeightsStep             *int          `json:"weightsStep"`           // the step whose weights the file holds
	StoppedAt               *int          `json:"stoppedAt,omitempty"`   // with a patience, where it was stopped early
	Chosen                  *ChosenOutput `json:"chosen,omitempty"`      // with validation
	BestWeights             *string       `json:"bestWeights,omitempty"` // with validation and checkpoints, the file of the weights of Chosen
	Finding                 string        `json:"finding"`
}
