package benchmarks

import (
	"encoding/json"
	"math"

	"driftless/internal/report"
)

// Number is a float64 that JSON shows as null when it is not finite.
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	if f := float64(n); math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

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
// seeds; they are null where a seed diverged.
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
	MaxAbsBias              []Number        `json:"maxAbsBias"`
	SecondsPerStep          Number          `json:"secondsPerStep"`
	Finding                 string          `json:"finding"`
}

// CurvePoint is the mean over the seeds that reached a step.
type CurvePoint struct {
	Step         int    `json:"step"`
	Loss         Number `json:"loss"`
	TestAccuracy Number `json:"testAccuracy"`
}

// Output returns the result for JSON.
func (r *Result) Output(runDir string) CompareOutput {
	out := CompareOutput{RunDir: runDir, Device: r.Run.Device, Data: r.Run.Data, Synthetic: r.Run.Synthetic, Interrupted: r.Run.Interrupted}
	for i, a := range r.Run.Arms {
		o := ArmOutput{Name: a.Name, Norm: a.Norm, Grad: a.Grad, Affine: a.Affine, Seeds: a.Seeds, FinalLoss: a.FinalLoss, TestAccuracy: a.TestAccuracy,
			TestAccuracyReestimated: a.TestAccuracyReestimated, DivergedAt: a.DivergedAt, StepsTo: a.StepsTo,
			SecondsPerStep: Number(a.SecondsPerStep), Finding: a.Finding, Curve: curve(points(r.runs[i]))}
		for _, b := range a.MaxAbsBias {
			o.MaxAbsBias = append(o.MaxAbsBias, Number(b))
		}
		out.Arms = append(out.Arms, o)
	}
	return out
}

// curve averages an arm's points over seeds, step by step.
func curve(ps []report.Point) []CurvePoint {
	at := map[int]int{}
	out := []CurvePoint{}
	var n []float64
	for _, p := range ps {
		i, ok := at[p.Step]
		if !ok {
			i = len(out)
			at[p.Step] = i
			out, n = append(out, CurvePoint{Step: p.Step}), append(n, 0)
		}
		out[i].Loss += Number(p.Loss)
		out[i].TestAccuracy += Number(p.TestAccuracy)
		n[i]++
	}
	for i := range out {
		out[i].Loss /= Number(n[i])
		out[i].TestAccuracy /= Number(n[i])
	}
	return out
}

// TrainOutput is what `driftless train --json` prints.
type TrainOutput struct {
	RunDir                  string `json:"runDir"`
	Device                  string `json:"device"`
	Data                    string `json:"data"`
	Synthetic               bool   `json:"synthetic"`
	Interrupted             bool   `json:"interrupted"`
	Net                     string `json:"net"`
	Norm                    string `json:"norm"`
	Grad                    string `json:"grad"`
	Affine                  bool   `json:"affine"`
	Seed                    int64  `json:"seed"`
	Steps                   int    `json:"steps"`
	Seconds                 Number `json:"seconds"`
	StepsPerSecond          Number `json:"stepsPerSecond"`
	FinalLoss               Number `json:"finalLoss"`
	TestAccuracy            Number `json:"testAccuracy"`
	TestAccuracyReestimated Number `json:"testAccuracyReestimated"`
	DivergedAt              *int   `json:"divergedAt"`
	Finding                 string `json:"finding"`
}
