package benchmarks

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"driftless/engine/optim"
)

// Recipe is what one arm may have otherwise than the others: the network but for its
// normalization, the size of a batch, and the optimizer. An arm's name gives its own values by
// their keys, which are the tags: "batchnorm:lr=0.5:hidden=200-100:optimizer=adam".
type Recipe struct {
	// Net is lenet, lenet:average, channels such as cnn:32,64, or layer sizes such as
	// 784-100-100-100-10; or it is empty, and Hidden are the sizes of the hidden layers.
	Net        string  `yaml:"net,omitempty"`
	Hidden     []int   `yaml:"hidden,flow,omitempty"`
	Activation string  `yaml:"activation"`
	InitSD     float64 `yaml:"init-sd"` // standard deviation of the initial weights

	Batch     int     `yaml:"batch"`     // rows
	Optimizer string  `yaml:"optimizer"` // as optim.New takes it
	LR        float64 `yaml:"lr"`

	// Constants of the optimizer; nil is its default (see optim.New). Those for all arms reach
	// the arms whose optimizer has them.
	Momentum    *float64 `yaml:"momentum,omitempty"`
	Nesterov    *bool    `yaml:"nesterov,omitempty"`
	Beta1       *float64 `yaml:"beta1,omitempty"`
	Beta2       *float64 `yaml:"beta2,omitempty"`
	WeightDecay *float64 `yaml:"weight-decay,omitempty"`
	ClipNorm    *float64 `yaml:"clip-norm,omitempty"` // bound of the gradients' norm

	// LRSchedule is a kind of optim.Schedule, "" for a constant rate; cosine and linear end with
	// the run. The rest are its parameters, which reach the arms whose schedule has them.
	LRSchedule string   `yaml:"lr-schedule,omitempty"`
	LREvery    *int     `yaml:"lr-every,omitempty"` // of step: steps between decays
	LRGamma    *float64 `yaml:"lr-gamma,omitempty"` // of step: what one multiplies by
	LREnd      *float64 `yaml:"lr-end,omitempty"`   // of cosine and linear: the last rate, as a share of LR
	WarmUp     *int     `yaml:"warm-up,omitempty"`  // steps
}

// recipeKey is a field of a Recipe.
type recipeKey struct {
	key   string
	value reflect.Value
}

// keys lists the fields in their order.
func (r *Recipe) keys() []recipeKey {
	v := reflect.ValueOf(r).Elem()
	var out []recipeKey
	for i := range v.NumField() {
		out = append(out, recipeKey{yamlKey(v.Type().Field(i)), v.Field(i)})
	}
	return out
}

// RecipeKeys lists the keys that an arm may give beside its method's.
func RecipeKeys() []string { return slices.Clone(recipeKeys) }

var recipeKeys = func() (out []string) {
	for _, k := range new(Recipe).keys() {
		out = append(out, k.key)
	}
	return out
}()

func yamlKey(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return key
}

// set gives a field the value of a text, as an arm's name has it.
func (k recipeKey) set(text string) error {
	v := k.value
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Float64:
		x, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("%s=%s is not a number", k.key, text)
		}
		v.SetFloat(x)
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%s=%s is not a whole number", k.key, text)
		}
		v.SetInt(int64(n))
	case reflect.Bool:
		if text != "on" && text != "off" {
			return fmt.Errorf("%s=%s is neither on nor off", k.key, text)
		}
		v.SetBool(text == "on")
	case reflect.Slice:
		sizes, bad, ok := Sizes(text, "-")
		if !ok {
			return fmt.Errorf("%s=%s: %q is not a positive layer size; give sizes such as 100-100", k.key, text, Short(bad))
		}
		v.Set(reflect.ValueOf(sizes))
	default:
		v.SetString(text)
	}
	return nil
}

// text is the value as an arm's name has it, "" where there is none.
func (k recipeKey) text() string {
	v := k.value
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	switch x := v.Interface().(type) {
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	case bool:
		return onOff(x)
	case []int:
		var parts []string
		for _, n := range x {
			parts = append(parts, strconv.Itoa(n))
		}
		return strings.Join(parts, "-")
	default:
		return fmt.Sprint(x)
	}
}

func onOff(on bool) string { return map[bool]string{true: "on", false: "off"}[on] }

// own gives an arm's recipe the values of its name. An arm that says what its network is takes
// nothing of it from the others.
func (r *Recipe) own(given map[string]string) error {
	_, net := given["net"]
	_, hidden := given["hidden"]
	switch {
	case net && hidden:
		return fmt.Errorf("net and hidden both say what the network is: give one of them")
	case net:
		r.Hidden = nil
	case hidden:
		r.Net = ""
	}
	for _, k := range r.keys() {
		if text, ok := given[k.key]; ok {
			if err := k.set(text); err != nil {
				return err
			}
		}
	}
	r.Net = netOfName(r.Net)
	return nil
}

// netOfName reads a network's name from an arm's, where - stands for the marks that have
// another meaning there: lenet-average, cnn-32-64.
func netOfName(s string) string {
	if rest, ok := strings.CutPrefix(s, "cnn-"); ok {
		return netCNN + strings.ReplaceAll(rest, "-", ",")
	}
	if s == strings.ReplaceAll(netLeNetAverage, ":", "-") {
		return netLeNetAverage
	}
	return s
}

// constant is a constant of optimizers, by its key in a Recipe.
type constant struct {
	key   string
	of    func(o *optim.Optimizer) any // a pointer to it
	sound any                          // a value that every optimizer takes which has the constant
}

var constants = []constant{
	{"momentum", func(o *optim.Optimizer) any { return &o.Mu }, 0.5},
	{"nesterov", func(o *optim.Optimizer) any { return &o.Nesterov }, true},
	{"beta1", func(o *optim.Optimizer) any { return &o.Beta1 }, 0.5},
	{"beta2", func(o *optim.Optimizer) any { return &o.Beta2 }, 0.5},
	{"weight-decay", func(o *optim.Optimizer) any { return &o.WeightDecay }, 0.5},
	{"clip-norm", func(o *optim.Optimizer) any { return &o.ClipNorm }, 0.5},
	{"lr-every", func(o *optim.Optimizer) any { return &o.Schedule.Every }, 1},
	{"lr-gamma", func(o *optim.Optimizer) any { return &o.Schedule.Gamma }, 0.5},
	{"lr-end", func(o *optim.Optimizer) any { return &o.Schedule.End }, 0.5},
	{"warm-up", func(o *optim.Optimizer) any { return &o.Schedule.WarmUp }, 0},
}

// fits reports whether an optimizer has the constant.
func (c constant) fits(o optim.Optimizer) bool {
	reflect.ValueOf(c.of(&o)).Elem().Set(reflect.ValueOf(c.sound))
	return o.Validate() == nil
}

// in is the constant's field of a recipe, a pointer.
func (c constant) in(r *Recipe) reflect.Value {
	for _, k := range r.keys() {
		if k.key == c.key {
			return k.value
		}
	}
	panic("no key " + c.key + " in a recipe")
}

// set gives an optimizer the recipe's value and reports whether there is one.
func (c constant) set(o *optim.Optimizer, r *Recipe) bool {
	v := c.in(r)
	if v.IsNil() {
		return false
	}
	reflect.ValueOf(c.of(o)).Elem().Set(v.Elem())
	return true
}

// keep gives a recipe the optimizer's value, unless it is 0 and so need not be said.
func (c constant) keep(o *optim.Optimizer, r *Recipe) {
	v := reflect.ValueOf(c.of(o)).Elem()
	if v.IsZero() {
		return
	}
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	c.in(r).Set(p)
}

// rule returns the optimizer of the recipe, for a run of so many steps. A constant that this
// optimizer does not have is an error if the arm itself gives it, by the keys in given; one for
// all arms is left out, and left says why, by its key.
func (r *Recipe) rule(steps int, given []string) (o optim.Optimizer, left map[string]error, err error) {
	o, err = optim.New(r.Optimizer, r.LR)
	if err != nil {
		return o, nil, err
	}
	switch o.Schedule.Kind = optim.ScheduleKind(r.LRSchedule); o.Schedule.Kind {
	case optim.ScheduleCosine, optim.ScheduleLinear:
		o.Schedule.Total = steps
	case optim.ScheduleStep:
		if r.LREvery == nil {
			return o, nil, fmt.Errorf("the schedule step decays every so many steps: say how many by --lr-every, or lr-every in the arm")
		}
		o.Schedule.Every = *r.LREvery
	}
	if err := o.Validate(); err != nil {
		return o, nil, err
	}
	left = map[string]error{}
	for _, c := range constants {
		before := o
		if !c.set(&o, r) {
			continue
		}
		switch err := o.Validate(); {
		case err == nil:
		case slices.Contains(given, c.key):
			return o, nil, err
		case c.fits(before):
			return o, nil, usage("--%s: %w", c.key, err)
		default:
			o, left[c.key] = before, err
		}
	}
	if w := o.Schedule.WarmUp; w >= steps {
		return o, nil, usage("--warm-up %d is not shorter than the training of %d steps", w, steps)
	}
	return o, left, nil
}

// scheduleText says what becomes of the learning rate and the gradients, "" where both stay what
// they are.
func (c Config) scheduleText() string {
	o, _, err := c.rule(c.Steps, nil)
	if err != nil {
		return "" // which Config.Arms says
	}
	var parts []string
	switch s := o.Schedule; s.Kind {
	case optim.ScheduleStep:
		parts = append(parts, fmt.Sprintf("times %v every %d steps", s.Factor(s.WarmUp+s.Every), s.Every))
	case optim.ScheduleCosine, optim.ScheduleLinear:
		parts = append(parts, fmt.Sprintf("%s to %v of it", s.Kind, s.End))
	}
	if n := o.Schedule.WarmUp; n > 0 {
		parts = append(parts, fmt.Sprintf("warmed up over %d steps", n))
	}
	if o.ClipNorm > 0 {
		parts = append(parts, fmt.Sprintf("gradients of norm at most %v", o.ClipNorm))
	}
	return strings.Join(parts, ", ")
}
