package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// Point is one evaluation of one seed of one arm: one line of metrics.jsonl.
// Lists per layer hold the hidden layers, input side first.
type Point struct {
	Arm  string // name of the arm, as in Arm.Name
	Seed int
	Step int // optimizer steps taken so far; 0 is the initial network

	Loss         float64 // training loss, mean cross-entropy in nats, of the steps up to this one; at step 0 of the first batch
	TestLoss     float64 // the same on the test set
	TestAccuracy float64 // fraction in [0, 1]

	// Validation is measured on rows of the training set that are not trained on; nil where
	// none are held out.
	Validation *Validation

	BiasRMS    []float64 // root mean square of each hidden layer's bias
	BiasMaxAbs []float64 // largest absolute bias of each hidden layer
	WeightRMS  []float64 // root mean square of the matrix that each hidden layer trains

	// Percentiles are the 15th, 50th and 85th percentile of the input to one
	// unit of the last hidden layer (Run.PercentileUnit).
	Percentiles [3]float64

	// Probes are the columns of instruments that looked into the training, by key: a number
	// for each hidden layer, or one for the network. It is nil where there were none.
	Probes map[string][]float64

	Precision string // as Run.Precision

	// Seconds is Step times the arm's measured seconds per step. It is the only
	// value of a line that depends on the machine's speed.
	Seconds float64
}

// Validation is an evaluation on held-out rows.
type Validation struct {
	Loss     float64 // mean cross-entropy in nats
	Accuracy float64 // fraction in [0, 1]
}

// Number is a float64 that JSON shows as null when it is not finite, because JSON has
// no NaN and no infinities; null is read as NaN.
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	if !finite(float64(n)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Number) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	return json.Unmarshal(data, (*float64)(n))
}

// Numbers converts a list; its JSON is never null, so that a net without hidden
// layers has empty lists.
func Numbers(xs []float64) []Number {
	out := make([]Number, len(xs))
	for i, x := range xs {
		out[i] = Number(x)
	}
	return out
}

func floats(xs []Number) []float64 {
	out := make([]float64, len(xs))
	for i, x := range xs {
		out[i] = float64(x)
	}
	return out
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// pointLine is a Point as metrics.jsonl has it.
type pointLine struct {
	Arm          string    `json:"arm"`
	Seed         int       `json:"seed"`
	Step         int       `json:"step"`
	Loss         Number    `json:"loss"`
	TestLoss     Number    `json:"testLoss"`
	TestAccuracy Number    `json:"testAccuracy"`
	BiasRMS      []Number  `json:"biasRms"`
	BiasMaxAbs   []Number  `json:"biasMaxAbs"`
	WeightRMS    []Number  `json:"weightRms"`
	Percentiles  [3]Number `json:"percentiles"`
	Seconds      Number    `json:"seconds"`

	Validation *validationLine `json:"validation,omitempty"`

	Probes map[string][]Number `json:"probes,omitempty"`

	Precision string `json:"precision,omitempty"`
}

type validationLine struct {
	Loss     Number `json:"loss"`
	Accuracy Number `json:"accuracy"`
}

// MarshalJSON writes the keys arm, seed, step, loss, testLoss, testAccuracy,
// biasRms, biasMaxAbs, weightRms, percentiles, seconds and, where there are any, validation,
// probes and precision, in this order, with null for numbers that are not finite.
func (p Point) MarshalJSON() ([]byte, error) {
	l := pointLine{Arm: p.Arm, Seed: p.Seed, Step: p.Step, Loss: Number(p.Loss), TestLoss: Number(p.TestLoss), TestAccuracy: Number(p.TestAccuracy),
		BiasRMS: Numbers(p.BiasRMS), BiasMaxAbs: Numbers(p.BiasMaxAbs), WeightRMS: Numbers(p.WeightRMS),
		Percentiles: [3]Number(Numbers(p.Percentiles[:])), Seconds: Number(p.Seconds), Probes: eachList(p.Probes, Numbers), Precision: p.Precision}
	if v := p.Validation; v != nil {
		l.Validation = &validationLine{Number(v.Loss), Number(v.Accuracy)}
	}
	return json.Marshal(l)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (p *Point) UnmarshalJSON(data []byte) error {
	var l pointLine
	if err := json.Unmarshal(data, &l); err != nil {
		return err
	}
	*p = Point{Arm: l.Arm, Seed: l.Seed, Step: l.Step, Loss: float64(l.Loss), TestLoss: float64(l.TestLoss), TestAccuracy: float64(l.TestAccuracy),
		BiasRMS: floats(l.BiasRMS), BiasMaxAbs: floats(l.BiasMaxAbs), WeightRMS: floats(l.WeightRMS),
		Percentiles: [3]float64(floats(l.Percentiles[:])), Seconds: float64(l.Seconds), Probes: eachList(l.Probes, floats), Precision: l.Precision}
	if v := l.Validation; v != nil {
		p.Validation = &Validation{float64(v.Loss), float64(v.Accuracy)}
	}
	return nil
}

// eachList converts the lists of a map, nil staying nil.
func eachList[T, U any](lists map[string][]T, f func([]T) []U) map[string][]U {
	if lists == nil {
		return nil
	}
	out := map[string][]U{}
	for key, list := range lists {
		out[key] = f(list)
	}
	return out
}

// encodeMetrics returns the points as JSON lines, ordered by the first appearance
// of their arm, then seed, then step. The argument keeps its order.
func encodeMetrics(points []Point) ([]byte, error) {
	rank := make(map[string]int)
	for _, p := range points {
		if _, ok := rank[p.Arm]; !ok {
			rank[p.Arm] = len(rank)
		}
	}
	sorted := slices.Clone(points)
	slices.SortStableFunc(sorted, func(a, b Point) int {
		if d := rank[a.Arm] - rank[b.Arm]; d != 0 {
			return d
		}
		if a.Seed != b.Seed {
			return cmp.Compare(a.Seed, b.Seed)
		}
		return cmp.Compare(a.Step, b.Step)
	})
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	for _, p := range sorted {
		if err := enc.Encode(p); err != nil {
			return nil, fmt.Errorf("encode evaluation of arm %q, seed %d, step %d: %w", p.Arm, p.Seed, p.Step, err)
		}
	}
	return buf.Bytes(), nil
}
