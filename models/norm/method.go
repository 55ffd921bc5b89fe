package norm

import (
	"cmp"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
)

// Method is a normalization with its settings: a pointer to a struct, whose exported fields
// with a tag are the settings. New and Parse make one with its defaults. What a method does
// to a network is what else it implements.
type Method interface {
	// Name returns the name that the method is registered under.
	Name() string

	// Validate reports the first setting that cannot work, in a sentence that begins
	// with the method's name.
	Validate() error
}

// Output is a method that normalizes what a linear layer gives, before the activation.
type Output interface {
	Method

	// Output adds the normalization of x [rows, features] to its graph.
	Output(s *Scope, x *G.Node) (*G.Node, error)
}

// Weights is a method that computes a linear layer's weights [in, width] from parameters
// of its own.
type Weights interface {
	Method

	Weights(s *Scope, in int) (*G.Node, error)
}

// Input is a method that follows what linear layers take, h [rows, in], in graphs that
// train or refresh.
type Input interface {
	Method

	Input(s *Scope, h *G.Node) error
}

// Gradient is a method that changes gradients between differentiation and update.
type Gradient interface {
	Method

	// Gradient returns what the optimizer gets in place of the gradients w and b of a
	// linear layer's weights and bias.
	Gradient(s *Scope, l Linear, w, b *G.Node) (gw, gb *G.Node, err error)
}

// Linear is a linear layer of a graph, z = h·W + b, and what shortcuts add.
type Linear struct {
	H    *G.Node // [rows, in]
	W, B *G.Node // [in, width], [width]
	Z    *G.Node // [rows, width]; its Deriv is the gradient of the loss
}

// Activator is a method that has a function of its own in place of a hidden layer's
// activation f.
type Activator interface {
	Method

	// Activate adds what a hidden layer gives for z [rows, features].
	Activate(s *Scope, z *G.Node, f Activation) (*G.Node, error)
}

// Activation is an elementwise function.
type Activation struct {
	Of    func(z *G.Node) (*G.Node, error) // the function
	Slope func(y *G.Node) (*G.Node, error) // its derivative, from its value y
}

// HasShortcuts reports whether a method is for networks in which a linear layer takes what
// every layer before it gives, z_k = b_k + Σ_{i<k} h_i·W_ik with h_0 the network's input.
func HasShortcuts(m Method) bool {
	s, ok := m.(interface{ Shortcuts() bool })
	return ok && s.Shortcuts()
}

// Compensator is a method whose refresh changes state and parameters of all layers
// together, such that the network's function stays.
type Compensator interface {
	Refresher

	// Compensate adds late Assign nodes to the graph of the layers, which has no rows and
	// runs after what refreshes statistics.
	Compensate(layers []Parameters) error
}

// Parameters are those of a layer of the network, in a graph without rows.
type Parameters struct {
	// W are the weights [width of i, width] of what layer i gives, 0 being the network's
	// input; nil for those that the layer does not take.
	W []*G.Node
	B *G.Node // [width]
	// Norm is the scope of the hidden layer's state, nil for the output layer.
	Norm *Scope
}

// Estimator is a method whose statistics can be estimated over many rows: by sweeps in
// order, each of which may use what the ones before found.
type Estimator interface {
	Method

	Passes() []Pass

	// Finish adds, to a graph of its own, Assign nodes that derive further state from
	// what the passes found. It may add nothing.
	Finish(s *Scope) error
}

// Pass is one sweep over rows: the mean of a node's rows, or with Outer of their outer
// products, becomes a statistic.
type Pass struct {
	Into  string // the statistic's name, such as "running_mean"
	Outer bool
	Node  func(s *Scope, x *G.Node) (*G.Node, error) // nil: x itself
}

// Refresher is a method that keeps statistics outside the graph and refreshes them
// between steps.
type Refresher interface {
	Method

	// Refresh says from which rows and how often; a zero Schedule: not with these
	// settings.
	Refresh() Schedule
}

// Rows says which rows statistics are refreshed from.
type Rows uint8

// The rows. From a batch and from a sample by a forward pass in a Refreshing graph; from
// all rows by the passes of an Estimator, layer after layer.
const (
	RowsNone     Rows = iota
	RowsOfBatch       // the batch of the step just done
	RowsOfSample      // a fixed seeded sample of the training rows
	RowsOfAll         // all training rows
	RowsOfStart       // a sample as before, once: later a Compensator uses what training graphs find
)

// Whitener is a method that whitens by statistics of before the step, which go stale until
// they are found anew.
type Whitener interface {
	Refresher

	// Whitened returns a node [rows, n] of an evaluation graph whose covariance is the
	// identity, or less, on the rows that the statistics were last found from: h is what
	// linear layer fc takes, and x what it gives, nil for the output layer. It returns nil
	// for a layer that it whitens nothing of.
	Whitened(fc, norm *Scope, h, x *G.Node) (*G.Node, error)
}

// Schedule is when and from what a method's state is refreshed: once before the first
// step, so that every arm starts from statistics of its data, then after every so many
// steps.
type Schedule struct {
	Rows   Rows
	Every  int // steps; 0: only before the first
	Sample int // rows of the sample, at most

	// LeastRows is the number of rows that a layer's width needs.
	LeastRows func(width int) int
}

// Class is what becomes of a method's statistics when a step is taken; reports and
// findings go by it.
type Class string

// The classes.
const (
	Plain         Class = "none"
	Uncompensated Class = "naive" // Ioffe & Szegedy 2015, section 2
	InGraph       Class = "graph"
	Compensated   Class = "compensated"
	Fixed         Class = "fixed"
	GradientOnly  Class = "gradient"
)

// Classes lists the classes in the order of tables.
var Classes = []Class{Plain, Uncompensated, Compensated, GradientOnly, Fixed, InGraph}

// Meaning says what becomes of the statistics, in some words.
func (c Class) Meaning() string {
	return map[Class]string{
		Plain:         "no statistics",
		Uncompensated: "statistics are constants for the gradient: the next refresh undoes what a step did",
		InGraph:       "the gradient goes through the normalization",
		Compensated:   "statistics outside the graph, but a refresh moves its change into the parameters",
		Fixed:         "statistics are never refreshed",
		GradientOnly:  "statistics change the gradient and never the network's function",
	}[c]
}

// Info describes a registered method.
type Info struct {
	Name  string
	Title string // what it computes, in some 60 characters, for a table
	Paper string // author and year, "" for none
	// Look is the number of the colour and dash that the method has in every report, from 1,
	// its own among the methods of this package; 0: one made of its name.
	Look int

	// New returns the method with its defaults, which are PyTorch's where it has the
	// method and the type does not say otherwise.
	New func() Method

	// Treatments are the ways in which the gradient can treat the statistics, for a
	// method that has several; an arm's name then says which.
	Treatments []Treatment
	// Instead is what to use for a treatment that the method does not have, "" where
	// there is nothing to treat.
	Instead string
}

// Treatment is how the gradient treats a method's statistics.
type Treatment string

// The treatments.
const (
	Naive Treatment = "naive" // as constants
	Graph Treatment = "graph" // differentiating through them
)

// Infos describes the registered methods: none first, then by class and name.
func Infos() []Info {
	var out []Info
	for _, i := range registry {
		out = append(out, i)
	}
	rank := func(i Info) int { return slices.Index(Classes, ClassOf(i.New())) }
	slices.SortFunc(out, func(a, b Info) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Name, b.Name)) })
	return out
}

// Names returns the methods' names, in the order of Infos.
func Names() []string {
	var out []string
	for _, i := range Infos() {
		out = append(out, i.Name)
	}
	return out
}

// Forms returns every method with its defaults, once for each treatment that it has.
func Forms() []Method {
	var out []Method
	for _, i := range Infos() {
		for _, t := range i.Treatments {
			m := i.New()
			setTreatment(m, t)
			out = append(out, m)
		}
		if i.Treatments == nil {
			out = append(out, i.New())
		}
	}
	return out
}

// Lookup returns the method registered under a name, and reports whether there is one.
func Lookup(name string) (Info, bool) {
	i, ok := registry[name]
	return i, ok
}

// New returns the method of that name with its defaults.
func New(name string) (Method, error) {
	i, ok := registry[name]
	if !ok {
		return nil, Unknown("norm", name, Names())
	}
	return i.New(), nil
}

// Must returns the method that Parse reads from a name in the source, with statistics in
// the graph where there is a choice. It panics where there is none.
func Must(arm string) Method {
	a, err := Parse(arm, Graph)
	if err == nil {
		err = a.Method.Validate()
	}
	if err != nil {
		panic(err)
	}
	return a.Method
}

// ClassOf returns a method's class, which for some depends on their settings.
func ClassOf(m Method) Class {
	if c, ok := m.(interface{ Class() Class }); ok {
		return c.Class()
	}
	return InGraph
}

// CancelsBias reports whether a bias before the normalization does not change what comes
// out of it.
func CancelsBias(m Method) bool {
	c, ok := m.(interface{ CancelsBias() bool })
	return ok && c.CancelsBias()
}

// SettingError is a setting that cannot work.
type SettingError struct {
	Arm    string // which arm
	Reason string // begins with the setting's key
}

func (e *SettingError) Error() string { return e.Arm + ": " + e.Reason }

// Invalid returns the error of Validate for a setting that cannot work. The text begins with
// the setting's key, says what is wrong with its value and what would do.
func Invalid(m Method, format string, args ...any) error {
	return &SettingError{String(m), fmt.Sprintf(format, args...)}
}
