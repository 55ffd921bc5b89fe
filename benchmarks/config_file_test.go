package benchmarks

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"driftless/engine/device/cpu"
	"driftless/engine/optim"
	"driftless/internal/report"

	"go.yaml.in/yaml/v3"
)

// Keys of an arm's own change that arm alone, and its name has them.
func TestArmsOwnRecipes(t *testing.T) {
	c := quick("none:batch=10:lr=0.25", "batchnorm:hidden=8-4:optimizer=adam:beta1=0.5", "center:naive:net=lenet-average:activation=relu:init-sd=0.125",
		"none:optimizer=momentum:momentum=0.5:nesterov=on:weight-decay=0.01")
	wd := 0.25
	c.WeightDecay = &wd
	got, err := c.Arms()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		name string
		rule optim.Optimizer
		is   bool
	}{
		{"none:batch=10:lr=0.25", optim.Optimizer{Kind: "sgd", LR: .25, WeightDecay: .25}, got[0].Batch == 10 && len(got[0].Hidden) == 2},
		{"batchnorm:hidden=8-4:optimizer=adam:beta1=0.5", optim.Optimizer{Kind: "adam", LR: .1, Beta1: .5, Beta2: .999, Eps: 1e-8, WeightDecay: .25}, reflect.DeepEqual(got[1].Hidden, []int{8, 4})},
		{"center:naive:net=lenet-average:activation=relu:init-sd=0.125", optim.Optimizer{Kind: "sgd", LR: .1, WeightDecay: .25}, got[2].Net == netLeNetAverage && got[2].Hidden == nil && got[2].Activation == "relu" && got[2].InitSD == .125},
		{"none:optimizer=momentum:momentum=0.5:nesterov=on:weight-decay=0.01", optim.Optimizer{Kind: "momentum", LR: .1, Mu: .5, Nesterov: true, WeightDecay: .01}, true},
	} {
		a := got[i]
		// A name says each key once, in the order of Recipe.
		again, err := c.spec(a.Name)
		if err != nil || again.Name != a.Name || !sameKeys(a.Name, want.name) {
			t.Errorf("arm %d is called %q, and read again %q: %v", i, a.Name, again.Name, err)
		}
		if a.Rule != want.rule || !want.is || again.Rule != a.Rule {
			t.Errorf("%s: %+v", a.Name, a)
		}
	}
}

// sameKeys reports whether two names have the same parts after the first.
func sameKeys(a, b string) bool {
	x, y := strings.Split(a, ":"), strings.Split(b, ":")
	count := map[string]int{}
	for _, p := range x {
		count[p]++
	}
	for _, p := range y {
		count[p]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return x[0] == y[0]
}

// A schedule's parameters reach the arms whose schedule has them, and cosine and linear end with
// the run; a run of it has the rates that the schedule says.
func TestSchedules(t *testing.T) {
	c := quick("none", "none:lr-schedule=step:lr-gamma=0.5", "none:lr-schedule=cosine:warm-up=1", "batchnorm:lr-schedule=linear:lr-end=0.5:clip-norm=2:optimizer=adam")
	every := 4
	c.LREvery = &every
	got, err := c.Arms()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []optim.Schedule{
		{}, {Kind: "step", Every: 4, Gamma: 0.5}, {Kind: "cosine", Total: c.Steps, WarmUp: 1}, {Kind: "linear", Total: c.Steps, End: 0.5},
	} {
		if got[i].Rule.Schedule != want {
			t.Errorf("%s: %+v, want %+v", got[i].Name, got[i].Rule.Schedule, want)
		}
	}
	if got[3].Rule.ClipNorm != 2 || got[0].Rule.ClipNorm != 0 {
		t.Errorf("clipped to %v and %v", got[3].Rule.ClipNorm, got[0].Rule.ClipNorm)
	}
	c.Norms, c.LRSchedule = []string{"none"}, "step"
	if got := c.scheduleText(); got != "times 0.1 every 4 steps" {
		t.Errorf("in words it is %q", got)
	}
	for arm, want := range map[string]string{
		"none:lr-schedule=cyclic":              "unknown learning-rate schedule",
		"none:lr-schedule=cosine:warm-up=1000": "all of which are its warm-up",
		"none:lr-schedule=constant:lr-end=0.5": "has no end",
		"none:lr-schedule=step:lr-every=0":     "cannot decay every 0 steps",
		"none:clip-norm=-1":                    "cannot be bounded by -1",
	} {
		if err := quick(arm).Validate(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "arm ") {
			t.Errorf("%s: %v, want %q", arm, err, want)
		}
	}
	c = quick("none", "batchnorm:lr-schedule=constant")
	c.LRSchedule, c.WarmUp = "cosine", &[]int{600}[0]
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "--warm-up: the cosine schedule ends after") {
		t.Errorf("a warm-up that one arm has no room for: %v", err)
	}
	c = quick("none:lr-schedule=step")
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "say how many by --lr-every") {
		t.Errorf("a schedule step without lr-every: %v", err)
	}
}

func TestArmsOwnRecipesThatCannotWork(t *testing.T) {
	for arm, want := range map[string]string{
		"none:lr=x":                     `arm "none:lr=x": lr=x is not a number`,
		"none:batch=0":                  "batch 0 is outside 1",
		"none:batch=1.5":                "batch=1.5 is not a whole number",
		"none:hidden=8-x":               `hidden=8-x: "x" is not a positive layer size`,
		"none:hidden=8:net=lenet":       "net and hidden both say",
		"none:net=foo":                  "--net \"foo\" is none",
		"none:nesterov=yes":             "nesterov=yes is neither on nor off",
		"none:momentum=0.5":             "sgd has no momentum (0.5 given)",
		"none:optimizer=lion":           `unknown optimizer "lion"`,
		"none:optimizer=adam:beta2=1.5": "betas 0.9, 1.5 are outside [0, 1)",
		"none:weight-decay=-1":          "weight decay -1 is not",
		"none:lr=1:lr=2":                "lr is given twice",
		"none:activation=foo":           `activation "foo"`,
		"none:init-sd=-1":               "-1",
	} {
		c := quick(arm)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "arm ") {
			t.Errorf("%s: %v, want %q", arm, err, want)
		}
	}
	c := quick("none", "none:optimizer=adam")
	c.Momentum = new(float64)
	*c.Momentum = .5
	if err := c.Validate(); err == nil || err.Error() != "--momentum: sgd has no momentum (0.5 given): the optimizer momentum has" {
		t.Errorf("a constant that no arm has: %v", err)
	}
	c.Norms = append(c.Norms, "none:optimizer=momentum")
	if err := c.Validate(); err != nil {
		t.Errorf("a constant that one arm has: %v", err)
	}
}

// TestConfigComesBack: what a run records reads back as what trains the same, with every
// setting in it, also over another base.
func TestConfigComesBack(t *testing.T) {
	wd := 0.001
	for name, change := range map[string]func(*Config){
		"plain": func(*Config) {},
		"settings": func(c *Config) {
			c.Settings = map[string]string{"eps": "0.5", "affine": "off"}
			c.Grad = "naive"
		},
		"recipes": func(c *Config) {
			c.Norms = []string{"none:lr=0.5:batch=10", "batchnorm:optimizer=adamw", "center:naive:net=cnn-4-8:activation=relu"}
			c.WeightDecay = &wd
		},
		"momentum":     func(c *Config) { c.Optimizer, c.WeightDecay = "momentum", &wd },
		"convolutions": func(c *Config) { c.Net, c.Hidden, c.Probes = "lenet:average", nil, []string{"norms"} },
		"precision":    func(c *Config) { c.Precision = "tf32" },
		"float32":      func(c *Config) { c.Precision = "float32" }, // the default, which is not recorded
		"sizes":        func(c *Config) { c.Net, c.Hidden, c.Device = "784-20-10", nil, "cpu" },
	} {
		c := quick("none", "center", "batchnorm:eps=0.25", "whiten:naive:stats=full:interval=7", "prong:T=9")
		change(&c)
		path := filepath.Join(t.TempDir(), "config.yaml")
		write(t, path, c)
		base := Defaults()
		base.Norms, base.Steps, base.Binarize = []string{"none"}, 7, false
		got, err := ReadConfig(path, base)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := got.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		want, err := c.Arms()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		arms, err := got.Arms()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range want {
			if arms[i].Name != want[i].Name || !reflect.DeepEqual(arms[i].Method, want[i].Method) || arms[i].Rule != want[i].Rule {
				t.Errorf("%s: %s came back as %s: %+v with %+v, was %+v with %+v", name, want[i].Name, arms[i].Name, arms[i].Method, arms[i].Rule, want[i].Method, want[i].Rule)
			}
			a, b := c.of(want[i]), got.of(arms[i])
			if a.net(named) != b.net(named) || a.Batch != b.Batch || a.InitSD != b.InitSD {
				t.Errorf("%s: %s came back with another network or batch", name, want[i].Name)
			}
		}
		if got.Steps != c.Steps || got.EvalEvery != c.EvalEvery || got.Seed != c.Seed || got.Seeds != c.Seeds || got.Binarize != c.Binarize || got.Device != c.Device || got.reduced() != c.reduced() || !reflect.DeepEqual(got.Probes, c.Probes) {
			t.Errorf("%s: %+v came back as %+v", name, c, got)
		}
		// And what that run would record is the same text.
		again := filepath.Join(t.TempDir(), "config.yaml")
		write(t, again, got)
		if a, b := contents(t, path), contents(t, again); a != b {
			t.Errorf("%s: recorded anew it differs:\n%s\n%s", name, a, b)
		}
	}
}

func write(t *testing.T, path string, c Config) {
	t.Helper()
	r, err := c.Resolved("cpu/go")
	if err != nil {
		t.Fatal(err)
	}
	data, err := yaml.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func contents(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestReadConfigIsStrict(t *testing.T) {
	for file, want := range map[string]string{
		"":                              "it is empty",
		"lr":                            "line 1: a configuration is a list of keys",
		"lr: 0.1\nlearning-rate: 2":     `line 2: unknown key "learning-rate"`,
		"step: 3":                       `unknown key "step" (did you mean "steps"?)`,
		"name: demo\nparts: []":         "it is of a preset, which driftless compare --preset runs again",
		"lr: fast":                      "line 1: lr is not a number",
		"lr:":                           "line 1: lr is not a number",
		"batch: 1.5":                    "line 1: batch is not a whole number",
		"batch: 6\nlr: 1\nbatch: 7":     "line 3: batch stands there twice",
		"binarize: 3":                   "line 1: binarize is not true or false",
		"hidden: 100":                   "line 1: hidden is not a list",
		"data: [a]":                     "line 1: data is not a text",
		"net: lenet\nhidden: [3]":       "net and hidden both say",
		"arms: none":                    "line 1: arms is not a list of arms",
		"arms:\n- none\n- arm: foo":     `line 3: unknown norm "foo"`,
		"arms:\n- {arm: none, lr: 3}":   `line 2: unknown key of an arm "lr"`,
		"arms:\n- {settings: {eps: 3}}": "line 2: an arm without its name",
		"arms:\n- {arm: batchnorm, settings: {epz: 3}}":   `line 2: unknown setting of batchnorm "epz" (did you mean "eps"?)`,
		"arms:\n- {arm: batchnorm, settings: {eps: [3]}}": "line 2: eps of batchnorm is not one value",
		"arms:\n- [a]":        "line 2: an arm is a name",
		"lr: 1\n---\nlr: 2":   "it holds more than one YAML document",
		"lr: [":               "line 1",
		"lr: &a 1\nsteps: *b": "unknown anchor",
	} {
		path := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(path, []byte(file), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := ReadConfig(path, Defaults())
		if err == nil || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %q", file, err, want)
		}
	}
	if _, err := ReadConfig(filepath.Join(t.TempDir(), "none.yaml"), Defaults()); err == nil || !strings.Contains(err.Error(), "cannot read") {
		t.Errorf("a file that is not there: %v", err)
	}
}

func FuzzReadConfig(f *testing.F) {
	f.Add([]byte("lr: 0.1\nhidden: [3, 4]\narms: [none, {arm: batchnorm, settings: {eps: 1}}]"))
	f.Add([]byte("settings: {eps: 1}\nran: {version: x}"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseConfig(data, Defaults())
		if err != nil {
			return
		}
		_ = c.Validate()
	})
}

// TestArmsOfOtherRecipesTrain: arms with networks, batches and optimizers of their own run side
// by side, each as it would alone.
func TestArmsOfOtherRecipesTrain(t *testing.T) {
	run := func(norms ...string) report.Run {
		c := quick(norms...)
		c.Untimed, c.Seeds = true, 1
		e, err := New(t.Context(), c, tiny(40), cpu.New())
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Compare(t.Context(), Observer{}); err != nil {
			t.Fatal(err)
		}
		return e.Run
	}
	names := []string{"none", "batchnorm:hidden=8:batch=10", "none:optimizer=adam:lr=0.01", "center:naive:init-sd=0.5:activation=tanh"}
	all := run(names...)
	for i, n := range names {
		alone := run(n)
		if alone.Arms[0].FinalLoss.Mean != all.Arms[i].FinalLoss.Mean || !(alone.Arms[0].FinalLoss.Mean > 0) {
			t.Errorf("%s: %v in company, %v alone", n, all.Arms[i].FinalLoss, alone.Arms[0].FinalLoss)
		}
	}
	if all.Arms[0].FinalLoss.Mean == all.Arms[2].FinalLoss.Mean {
		t.Error("adam trains as sgd does")
	}
}
