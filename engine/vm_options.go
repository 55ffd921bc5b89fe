package engine

import (
	"errors"
	"fmt"
	"log"
	"reflect"
	"slices"
	"sync"

	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// vmOptions are what Gorgonia's options ask of a machine. An option is a function on
// Gorgonia's own machines, so it is applied to a TapeMachine, and read off its fields.
type vmOptions struct {
	eval, trace, nan, inf bool
	watch                 []*G.Node    // trace these alone
	watchIDs              []int64      // and those of these numbers
	bind                  bool         // add gradients up in dual values
	bindTo                []*G.Node    // of these alone
	graph                 *G.ExprGraph // that was compiled already; nil: the machine's
	untilReset            bool
	stock                 bool // all by Gorgonia's own code
	resultsOnly           bool
	seed                  int64
	engine                tensor.Engine // of the Values that are handed over
	logger                *log.Logger
	format                string // of values in the log
	watchAll              bool
}

// traces reports whether TraceExec asks for a node's value.
func (o vmOptions) traces(n *G.Node) bool {
	return o.trace && (len(o.watch) == 0 || slices.Contains(o.watch, n))
}

// watches reports whether WithWatchlist names a node.
func (o vmOptions) watches(n *G.Node) bool {
	return o.watchAll && o.logger != nil || slices.Contains(o.watch, n) || slices.Contains(o.watchIDs, n.ID())
}

// tape returns a TapeMachine of a graph of its own, to apply options to.
func tape() G.VM {
	g := G.NewGraph()
	x := G.NewScalar(g, tensor.Float64, G.WithName("x"), G.WithValue(1.0))
	G.Must(G.Neg(x))
	return G.NewTapeMachine(g)
}

// tapeField reads a field of a machine, which is unexported.
func tapeField(m G.VM, name string) reflect.Value { return reflect.ValueOf(m).Elem().FieldByName(name) }

// tapeFlags are the bits in which a TapeMachine stores options, learned by setting them; ok is
// false if it lacks one of the fields that we read.
var tapeFlags = sync.OnceValue(func() (f struct {
	trace, nan, inf, bind, watchAll uint16
	ok                              bool
}) {
	m := tape()
	for name, want := range map[string]reflect.Type{"evalMode": reflect.TypeFor[bool](), "runFlags": reflect.TypeFor[uint16](),
		"watchNodes": reflect.TypeFor[G.Nodes](), "bindNodesDV": reflect.TypeFor[G.Nodes](), "watchNodeIDs": reflect.TypeFor[[]G.NodeID](),
		"logger": reflect.TypeFor[*log.Logger](), "valueFmt": reflect.TypeFor[string](), "logFlags": reflect.TypeFor[uint16](),
		"Engine": reflect.TypeFor[tensor.Engine]()} {
		if v := tapeField(m, name); !v.IsValid() || v.Type() != want {
			return f
		}
	}
	if v := tapeField(m, "p"); !v.IsValid() || v.Kind() != reflect.Pointer {
		return f
	}
	bit := func(field string, o G.VMOpt) uint16 {
		m := tape()
		before := tapeField(m, field).Uint()
		o(m)
		return uint16(tapeField(m, field).Uint() ^ before)
	}
	f.trace, f.nan, f.inf, f.bind = bit("runFlags", G.TraceExec()), bit("runFlags", G.WithNaNWatch()), bit("runFlags", G.WithInfWatch()), bit("runFlags", G.BindDualValues())
	f.watchAll = bit("logFlags", G.WithWatchlist())
	f.ok = true
	return f
})

// readOptions returns what options ask for, or an error that says which of them a VM
// cannot do.
func readOptions(opts []G.VMOpt) (o vmOptions, err error) {
	if len(opts) == 0 {
		return vmOptions{engine: G.StandardEngine{}}, nil
	}
	f := tapeFlags()
	if !f.ok {
		return o, fmt.Errorf("the machine options of this version of gorgonia cannot be read: leave them out")
	}
	m := tape()
	before := tapeField(m, "p").Pointer()
	for i, opt := range opts {
		if err := tryOption(m, opt); err != nil {
			return o, fmt.Errorf("option %d: %w", i+1, err)
		}
	}
	flags := uint16(tapeField(m, "runFlags").Uint())
	o = vmOptions{eval: tapeField(m, "evalMode").Bool(), trace: flags&f.trace != 0, nan: flags&f.nan != 0, inf: flags&f.inf != 0,
		engine: tapeField(m, "Engine").Interface().(tensor.Engine), logger: (*log.Logger)(tapeField(m, "logger").UnsafePointer()),
		format: tapeField(m, "valueFmt").String(), watchAll: uint16(tapeField(m, "logFlags").Uint())&f.watchAll != 0,
		bind: flags&f.bind != 0, watch: nodesOf(tapeField(m, "watchNodes")), bindTo: nodesOf(tapeField(m, "bindNodesDV"))}
	ids := tapeField(m, "watchNodeIDs")
	for i := range ids.Len() {
		o.watchIDs = append(o.watchIDs, ids.Index(i).Int())
	}
	if tapeField(m, "p").Pointer() != before {
		if o.graph = precompiled(m); o.graph == nil {
			return o, fmt.Errorf("WithPrecompiled is not supported with this version of gorgonia: make the machine of the graph")
		}
	}
	return o, nil
}

// precompiled returns the graph of a TapeMachine's program, or nil.
func precompiled(m G.VM) *G.ExprGraph {
	prog := reflect.ValueOf(m).MethodByName("Prog")
	if !prog.IsValid() || prog.Type().NumIn() != 0 || prog.Type().NumOut() != 1 {
		return nil
	}
	graph := prog.Call(nil)[0].MethodByName("Graph")
	if !graph.IsValid() || graph.Type() != reflect.TypeFor[func() *G.ExprGraph]() {
		return nil
	}
	return graph.Call(nil)[0].Interface().(*G.ExprGraph)
}

// honoured are the fields of a TapeMachine that options may change: readOptions reads them, and buf,
// locMap, cpumem and gpumem change with those.
var honoured = map[string]bool{"evalMode": true, "runFlags": true, "watchNodes": true, "bindNodesDV": true, "valueFmt": true, "logFlags": true, "buf": true,
	"p": true, "locMap": true, "cpumem": true, "gpumem": true, "Engine": true, "logger": true, "watchNodeIDs": true}

// tryOption applies an option, which may change none but the honoured fields.
func tryOption(m G.VM, opt G.VMOpt) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("gorgonia's TapeMachine does not take it: %v", r)
		}
	}()
	if opt == nil {
		return errors.New("it is nil: leave it out")
	}
	before := map[string]string{}
	look(reflect.ValueOf(m).Elem(), func(field, content string) { before[field] = content })
	opt(m)
	look(reflect.ValueOf(m).Elem(), func(field, content string) {
		if content == before[field] || honoured[field] || err != nil {
			return
		}
		if err = fmt.Errorf("it changes %q of a TapeMachine, which this machine does not have", field); field == "watchRegs" {
			err = errors.New("WithWatchlist of registers is not supported: name nodes")
		}
	})
	return err
}

// look calls f with the name of each field of a struct, and of structs in it, and a text
// that differs where it has changed.
func look(v reflect.Value, f func(field, content string)) {
	for i := range v.NumField() {
		name, x := v.Type().Field(i).Name, v.Field(i)
		switch x.Kind() {
		case reflect.Struct:
			look(x, f)
		case reflect.Slice:
			f(name, fmt.Sprint(x.Len()))
		case reflect.Pointer, reflect.Map, reflect.Chan, reflect.Func:
			f(name, fmt.Sprint(x.Pointer()))
		case reflect.Interface:
			if x.IsNil() {
				f(name, "nil")
			} else {
				f(name, x.Elem().Type().String())
			}
		default:
			f(name, fmt.Sprint(x))
		}
	}
}

// notFinite returns what is watched for and found in a slice of numbers, or "".
func (o vmOptions) notFinite(data any) string {
	if !o.nan && !o.inf {
		return ""
	}
	switch x := data.(type) {
	case []float32:
		return notFinite(o, x)
	case []float64:
		return notFinite(o, x)
	}
	return ""
}

func notFinite[T float32 | float64](o vmOptions, x []T) string {
	for _, v := range x {
		switch {
		case o.nan && v != v:
			return "NaN"
		case o.inf && v == v && v-v != 0:
			return "Inf"
		}
	}
	return ""
}

func nodesOf(v reflect.Value) []*G.Node {
	out := make([]*G.Node, v.Len())
	for i := range out {
		out[i] = (*G.Node)(v.Index(i).UnsafePointer())
	}
	return out
}

// setTraining puts Gorgonia's operations that behave in training otherwise than in
// evaluation, such as its Dropout, into the one mode or the other.
func setTraining(nodes []*G.Node, on bool) error {
	for _, n := range nodes {
		if op, ok := n.Op().(G.TrainModeOp); ok {
			if err := op.SetTraining(on); err != nil {
				return fmt.Errorf("node %q: %w", program.Label(n), err)
			}
		}
	}
	return nil
}
