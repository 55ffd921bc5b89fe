package engine_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"testing"

	"driftless/engine"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// rig notes what is visible of a machine.
type rig struct {
	new   func(g *G.ExprGraph, opts ...G.VMOpt) G.VM
	close []func() error
	notes []string
}

// note writes down what somebody sees.
func (r *rig) note(what string, seen ...any) {
	for i, s := range seen {
		switch s := s.(type) {
		case error:
			seen[i] = "an error"
		case *G.Node:
			seen[i] = show(s.Value())
		case G.Value:
			seen[i] = show(s)
		}
	}
	r.notes = append(r.notes, strings.TrimSpace(what+": "+fmt.Sprintln(seen...)))
}

// show is the content of a value in row-major order, its shape and its element type.
func show(v G.Value) string {
	if v == nil {
		return "nil"
	}
	if d, ok := v.(*tensor.Dense); ok && (d.RequiresIterator() || d.DataOrder().IsColMajor()) {
		v = d.Materialize().(*tensor.Dense)
	}
	return fmt.Sprintf("%v%v %.5g", v.Dtype(), v.Shape(), v.Data())
}

// machine makes a machine; one that cannot be made is nil.
func (r *rig) machine(g *G.ExprGraph, opts ...G.VMOpt) (vm G.VM) {
	defer func() {
		if p := recover(); p != nil {
			vm = failing{}
		}
	}()
	vm = r.new(g, opts...)
	r.close = append(r.close, vm.Close)
	return vm
}

// failing is a machine that could not be made.
type failing struct{}

func (failing) RunAll() error { return errors.New("no machine") }
func (failing) Reset()        {}
func (failing) Close() error  { return nil }

// run makes a machine for the graph, runs it once and resets it.
func (r *rig) run(g *G.ExprGraph, opts ...G.VMOpt) G.VM {
	vm := r.machine(g, opts...)
	r.again(vm)
	return vm
}

// again runs the machine once more.
func (r *rig) again(vm G.VM) {
	if err := vm.RunAll(); err != nil {
		r.note("run", err)
	}
	vm.Reset()
}

// contractOn runs a case and returns its notes; a panic is one, and the last.
func contractOn(c contractCase, machine func(g *G.ExprGraph, opts ...G.VMOpt) G.VM) []string {
	r := &rig{new: machine}
	func() {
		defer func() {
			if p := recover(); p != nil {
				r.notes = append(r.notes, "a panic")
				if os.Getenv("CONTRACT") != "" {
					fmt.Println("panic:", p)
				}
			}
		}()
		c.do(r)
	}()
	for _, f := range r.close {
		_ = f()
	}
	return r.notes
}

// contractCase is something that programs rely on.
type contractCase struct {
	name string
	do   func(r *rig)
	ours []string // where we do better on purpose: what is seen instead
	dies bool     // stock ends the process, or spoils it
}

func contract() []contractCase {
	var all []contractCase
	for _, c := range [][]contractCase{valueCases(), inputCases(), readCases(), optionCases(), machineCases()} {
		all = append(all, c...)
	}
	return all
}

// TestContract: what a program sees of Gorgonia's TapeMachine it sees of ours.
func TestContract(t *testing.T) {
	log.SetOutput(io.Discard)
	defer log.SetOutput(os.Stderr)
	seen := map[string]bool{}
	for _, c := range contract() {
		if seen[c.name] {
			t.Fatalf("two cases are called %q", c.name)
		}
		seen[c.name] = true
		t.Run(c.name, func(t *testing.T) {
			var want []string
			if !c.dies {
				want = contractOn(c, func(g *G.ExprGraph, o ...G.VMOpt) G.VM { return G.NewTapeMachine(g, o...) })
			}
			got := contractOn(c, func(g *G.ExprGraph, o ...G.VMOpt) G.VM { return engine.NewTapeMachine(g, o...) })
			stock := strings.Join(want, "\n")
			if c.ours != nil {
				want = c.ours
				if stock == strings.Join(c.ours, "\n") {
					t.Errorf("stock does the same:\n%s", stock)
				}
			}
			if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
				t.Errorf("ours:\n%s\nwant:\n%s", g, w)
			}
			if testing.Verbose() {
				t.Logf("stock:\n%s", stock)
			}
		})
	}
}
