package program

import (
	"fmt"
	"math/rand/v2"
	"reflect"

	"driftless/kernels/elem"

	G "gorgonia.org/gorgonia"
)

// lowerDropout multiplies by a mask of its own, which the gradient shares: 1 over the share that is kept, or 0.
func (c *compiler) lowerDropout(n *G.Node) (value, error) {
	drop, training := field(n, "probability"), field(n, "isTraining")
	if !drop.IsValid() || !drop.CanFloat() || !training.IsValid() || training.Kind() != reflect.Bool {
		return value{}, fmt.Errorf("node %q: Dropout of this version of gorgonia is not known", Label(n))
	}
	x, err := c.lower(Children(n)[0])
	if err != nil {
		return x, err
	}
	m := c.scratch(n.Shape(), Label(n))
	h := &dropout{drop: drop, training: training, key: rand.Uint64()}
	c.emit(&Instr{Op: OpHost, Out: []*Tensor{m}, Host: h, Serial: true, Hidden: true, Nodes: []string{Label(n)}})
	c.kept[n] = m
	return c.binary(elem.Mul, x, value{t: m}, n.Shape(), Label(n)), nil
}

// dropout makes masks: number i of those of all runs is from a hash of key + i (Steele, Lea and Flood, 2014: SplitMix64).
// As Gorgonia's, the numbers differ from machine to machine.
type dropout struct {
	drop, training reflect.Value // fields of the operation, which a machine sets
	key            uint64
}

// Call implements Host.
func (h *dropout) Call(_, out []any) error {
	keep := 1 - h.drop.Float()
	if !h.training.Bool() {
		keep = 1
	}
	switch m := out[0].(type) {
	case []float32:
		fillMask(m, keep, &h.key)
	case []float64:
		fillMask(m, keep, &h.key)
	}
	return nil
}

func fillMask[T float32 | float64](m []T, keep float64, key *uint64) {
	kept := T(1 / keep)
	for i := range m {
		*key += 0x9e3779b97f4a7c15
		z := *key
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		z ^= z >> 31
		if m[i] = 0; float64(z>>11)*0x1p-53 < keep {
			m[i] = kept
		}
	}
}
