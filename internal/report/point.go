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

	Loss         float64 // training loss, mean cross-entropy in nats
	TestLoss     float64 // the same on the test set
	TestAccuracy float64 // fraction in [0, 1]

	BiasRMS    []float64 // root mean square of each hidden layer's bias
	BiasMaxAbs []float64 // largest absolute bias of each hidden layer
	WeightRMS  []float64 // root mean square of each hidden layer's weights

	// Percentiles are the 15th, 50th and 85th percentile of the input to one
	// unit of the last hidden layer (Run.PercentileUnit).
	Percentiles [3]float64

	// Seconds is Step times the arm's measured seconds per step. It is the only
	// value of a line that depends on the machine's speed.
	Seconds float64
}

// number is a float64 whose JSON is null when it is not finite, because JSON has
// no NaN and no infinities.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if !finite(float64(n)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// numbers converts a list; its JSON is never null, so that a net without hidden
// layers has empty lists.
func numbers(xs []float64) []number {
	out := make([]number, len(xs))
	for i, x := range xs {
		out[i] = number(x)
	}
	return out
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// MarshalJSON writes the keys arm, seed, step, loss, testLoss, testAccuracy,
// biasRms, biasMaxAbs, weightRms, percentiles and seconds, in this order, with
// null for numbers that are not finite.
func (p Point) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Arm          string   `json:"arm"`
		Seed         int      `json:"seed"`
		Step         int      `json:"step"`
		Loss         number   `json:"loss"`
		TestLoss     number   `json:"testLoss"`
		TestAccuracy number   `json:"testAccuracy"`
		BiasRMS      []number `json:"biasRms"`
		BiasMaxAbs   []number `json:"biasMaxAbs"`
		WeightRMS    []number `json:"weightRms"`
		Percentiles  []number `json:"percentiles"`
		Seconds      number   `json:"seconds"`
	}{
		p.Arm, p.Seed, p.Step,
		number(p.Loss), number(p.TestLoss), number(p.TestAccuracy),
		numbers(p.BiasRMS), numbers(p.BiasMaxAbs), numbers(p.WeightRMS),
		numbers(p.Percentiles[:]), number(p.Seconds),
	})
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
