package program_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"driftless/engine"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/models"
	"driftless/models/norm"
)

// TestMeetings: workers meet when the values that they exchange make them, and never because
// scratch memory is used again. Without normalization a worker of the small net keeps its samples
// forward and backward, and its rows of the weights in the update: it meets the others when the
// step begins and before the update. A team shares the wide net's products by columns, and so any net's
// with batch norm: then it meets once a layer on either way, and once more before weights change that
// the others have yet to read.
func TestMeetings(t *testing.T) {
	for _, c := range []struct {
		net, norm    string
		hidden, rows int
		want         int
	}{
		{"small", "none", 100, 60, 2}, {"small", "batchnorm", 100, 60, 9},
		{"wide", "none", 1024, 512, 8}, {"wide", "batchnorm", 1024, 512, 9},
	} {
		p := denseProgram(t, norm.Must(c.norm), c.hidden, c.rows)
		met := 0
		for _, in := range p.Blocks[0].Instrs {
			if in.Wait {
				met++
			}
		}
		for line := range strings.Lines(p.String()) {
			if utf8.RuneCountInString(line) > 81 {
				t.Errorf("a line of the listing is longer than 80 columns: %s", line)
			}
		}
		if tells := fmt.Sprintf("two workers meet %d times, each has ", c.want); !strings.Contains(p.String(), tells) || !strings.Contains(p.String(), "⇄") {
			t.Errorf("the listing lacks %q:\n%v", tells, p)
		}
		// A worker steps half of the rows of 784×100 weights, whose rows are 112 floats apart, and multiplies by all.
		if exchanged := "⇄ 176 kB: A × B(x, fc1.weight)"; c.net == "small" && c.norm == "none" && !strings.Contains(p.String(), exchanged) {
			t.Errorf("the listing lacks %q:\n%v", exchanged, p)
		}
		if met != c.want {
			t.Errorf("%s net, %s: a team meets %d times a step, not %d:\n%v", c.net, c.norm, met, c.want, p)
		}
	}
}

// denseProgram compiles the training step of a net of three hidden layers on dense rows of 784.
func denseProgram(t *testing.T, n norm.Method, hidden, batch int) *program.Program {
	t.Helper()
	m := models.MLP{Inputs: 784, Hidden: []int{hidden, hidden, hidden}, Classes: 10, Activation: "sigmoid", InitSD: 0.05, Norm: n}.Network()
	l := program.NewLayout(program.Float32)
	must(t, m.AddState(l))
	_, err := l.AddData("x", program.Float32, 1024, 784, nil)
	must(t, err)
	add(t, l, "y", 1024, 1)
	b, err := m.Build(norm.Training, batch)
	must(t, err)
	training := m.Training(b, models.Source{Images: "x", Labels: "y"})
	training.Optimizer = optim.SGD(0.1)
	p, err := engine.Compile(l, training)
	must(t, err)
	return p
}
