package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"driftless/internal/report"
)

var runFiles = []string{"config.yaml", "curves.png", "metrics.jsonl", "report.html", "run.json"}

// keptFiles are those of a run that keeps checkpoints.
var keptFiles = append([]string{"checkpoints"}, runFiles...)

func wantKeys(t *testing.T, what string, v any, keys string) {
	t.Helper()
	got := slices.Sorted(maps.Keys(v.(map[string]any)))
	if want := slices.Sorted(slices.Values(strings.Fields(keys))); !slices.Equal(got, want) {
		t.Errorf("%s has the keys\n%v, want\n%v", what, got, want)
	}
}

const trainKeys = `runDir device data synthetic interrupted net norm grad affine seed steps seconds stepsPerSecond finalLoss
	testAccuracy testAccuracyReestimated divergedAt weights weightsStep finding`

func TestTrain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	got := call(t, with(dir, "train", "--json", "--seed", "7")...)
	want(t, got, exitDone)
	v := got.object(t)
	wantKeys(t, "train --json", v, trainKeys)
	for key, w := range map[string]any{"runDir": dir, "net": "784-16-8-10 sigmoid", "norm": "batchnorm", "grad": "graph", "affine": true, "seed": 7.0, "steps": 20.0,
		"divergedAt": nil, "interrupted": false, "synthetic": false,
		"weights": filepath.Join(dir, "weights.safetensors"), "weightsStep": 20.0} {
		if v[key] != w {
			t.Errorf("%s is %v, want %v", key, v[key], w)
		}
	}
	for _, key := range []string{"seconds", "stepsPerSecond", "finalLoss", "testAccuracy", "testAccuracyReestimated"} {
		if x, ok := v[key].(float64); !ok || !(x > 0) {
			t.Errorf("%s is %v", key, v[key])
		}
	}
	if n := names(t, dir); !slices.Equal(n, append(slices.Clone(keptFiles), "weights.safetensors")) {
		t.Errorf("the run directory holds %v", n)
	}

	// The weights that were kept give the accuracy that was reported.
	// A file and its directory are the same to eval, which knows the data set.
	for _, what := range []string{filepath.Join(dir, "weights.safetensors"), dir} {
		got = call(t, "eval", what, "--data-dir", dataDirOfTests, "--json")
		want(t, got, exitDone)
		e := got.object(t)
		wantKeys(t, "eval --json", e, "weights step trainedOn device data synthetic net norm testLoss testAccuracy")
		if e["testAccuracy"] != v["testAccuracy"] || e["net"] != v["net"] || e["trainedOn"] != "mnist" || e["step"] != 20.0 {
			t.Errorf("eval gives %v on %v, train gave %v", e, e["net"], v["testAccuracy"])
		}
	}
}

// --plan lists the compiled step, with times, before the run, in 80 columns.
func TestPlan(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train by the same code")
	}
	t.Parallel()
	for _, json := range []bool{false, true} {
		args := with(filepath.Join(t.TempDir(), "run"), "train", "--plan")
		if json {
			args = append(args, "--json")
		}
		got := call(t, args...)
		want(t, got, exitDone)
		text := got.out
		if json {
			got.object(t) // standard output holds nothing else
			text = got.err
		}
		for _, w := range []string{"block train", "standardize, affine", "update sgd", "fc1.weight", "µs", "peak", "a step: "} {
			if !strings.Contains(text, w) {
				t.Errorf("json %v: the plan lacks %q:\n%s", json, w, text)
			}
		}
		if raw := regexp.MustCompile(`%[0-9a-f]+[,)]|\bfalse\b`).FindString(text); raw != "" {
			t.Errorf("the plan names %q, which nobody wrote:\n%s", raw, text)
		}
		for line := range strings.Lines(got.out) {
			if !json && utf8.RuneCountInString(strings.TrimRight(line, "\n")) > 80 && !strings.Contains(line, t.Name()) {
				t.Errorf("%d columns: %s", utf8.RuneCountInString(line), line)
			}
		}
	}
}

// The pace that progress shows is that of training: listing the plan does not count.
func TestPaceLeavesOutThePlan(t *testing.T) {
	t.Parallel()
	got := call(t, with(filepath.Join(t.TempDir(), "run"), "train", "--plan", "--json")...)
	want(t, got, exitDone)
	m := regexp.MustCompile(`step 20/20 .* ([0-9]+) steps/s`).FindStringSubmatch(got.err)
	if m == nil {
		t.Fatalf("no progress is shown:\n%s", got.err)
	}
	// The last progress comes before the end, so that its pace is no less than the run's.
	shown, err := strconv.ParseFloat(m[1], 64)
	if whole := got.object(t)["stepsPerSecond"].(float64); err != nil || shown < whole-1 {
		t.Errorf("progress shows %v steps/s, the run has %v, %v", shown, whole, err)
	}
}

// Without --json a run ends with a summary that fits a screen of 80 columns and
// 24 lines.
func TestSummary(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train by the same code")
	}
	t.Chdir(t.TempDir())
	// The learning rate makes the loss a long number, which is a divergence.
	got := call(t, append([]string{"train", "--norm", "none", "--lr", "1e30"}, append(slices.Clone(small), "--data", "synthetic")...)...)
	want(t, got, exitFailed)
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	if len(lines) > 24 {
		t.Errorf("the summary has %d lines", len(lines))
	}
	for _, line := range lines {
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("%d columns: %s", utf8.RuneCountInString(line), line)
		}
	}
	if strings.Contains(got.out, "weights:") {
		t.Errorf("weights of a run that was evaluated once, when it had diverged:\n%s", got.out)
	}
	for _, w := range []string{"SYNTHETIC", "training loss", "test accuracy", "report: runs/train-synthetic-", "diverged", "steps/s"} {
		if !strings.Contains(got.out, w) {
			t.Errorf("the summary does not mention %q:\n%s", w, got.out)
		}
	}
	for _, w := range []string{"step 10/20", "loss ", "acc ", "steps/s", "ETA "} {
		if !strings.Contains(got.err, w) {
			t.Errorf("progress does not mention %q:\n%s", w, got.err)
		}
	}
}

// Compare prints its keys, and the same seed gives the same metrics whatever the
// number of threads.
func TestCompare(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var got output
	var dirs [2]string
	for i := range dirs {
		runtime.GOMAXPROCS(2 - i)
		dirs[i] = filepath.Join(t.TempDir(), "run")
		got = call(t, with(dirs[i], "compare", "--json", "--norms", "none,center,whiten,batchnorm", "--grad", "naive", "--seeds", "2")...)
		want(t, got, exitDone)
	}
	dir := dirs[1]
	if one, two := metrics(t, dirs[1]), metrics(t, dirs[0]); one != two {
		t.Errorf("the metrics differ: with GOMAXPROCS 1\n%swith 2\n%s", one, two)
	}
	v := got.object(t)
	wantKeys(t, "compare --json", v, "runDir device data synthetic interrupted arms")
	arms := v["arms"].([]any)
	if len(arms) != 4 || v["runDir"] != dir {
		t.Fatalf("%d arms in %v", len(arms), v["runDir"])
	}
	for i, w := range []string{"none none", "center naive", "whiten naive", "batchnorm graph"} {
		a := arms[i].(map[string]any)
		wantKeys(t, "an arm", a, `name norm grad affine seeds finalLoss testAccuracy testAccuracyReestimated divergedAt curve stepsTo maxAbsBias
			secondsPerStep finding`)
		if g := fmt.Sprint(a["norm"], " ", a["grad"]); g != w {
			t.Errorf("arm %d is %s, want %s", i, g, w)
		}
		for _, key := range []string{"finalLoss", "testAccuracy", "testAccuracyReestimated"} {
			wantKeys(t, key, a[key], "mean std")
			if _, ok := a[key].(map[string]any)["std"].(float64); !ok {
				t.Errorf("%s of two seeds has no standard deviation: %v", key, a[key])
			}
		}
		wantKeys(t, "stepsTo", a["stepsTo"], "0.90 0.95 0.97")
		if g := fmt.Sprint(a["seeds"], a["divergedAt"]); g != "[1 2][<nil> <nil>]" && g != "[1 2] [<nil> <nil>]" {
			t.Errorf("seeds and divergedAt: %s", g)
		}
		curve := a["curve"].([]any)
		if len(curve) != 3 || len(a["maxAbsBias"].([]any)) != 2 {
			t.Fatalf("curve %v, maxAbsBias %v", curve, a["maxAbsBias"])
		}
		for k, p := range curve {
			wantKeys(t, "a point", p, "step seeds loss testAccuracy")
			if s := p.(map[string]any)["step"]; s != float64(10*k) {
				t.Errorf("point %d is at step %v", k, s)
			}
		}
	}
	if n := names(t, dir); !slices.Equal(n, keptFiles) {
		t.Errorf("the run directory holds %v", n)
	}
	if n := strings.Count(read(t, dir, "metrics.jsonl"), "\n"); n != 24 {
		t.Errorf("metrics.jsonl has %d lines, want 4 arms × 2 seeds × 3 evaluations", n)
	}
}

func TestDrift(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train by the same code")
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	got := call(t, "drift", "--json", "--out", dir)
	want(t, got, exitDone)
	v := got.object(t)
	wantKeys(t, "drift --json", v, "arms agrees")
	for _, a := range v["arms"].([]any) {
		wantKeys(t, "an arm", a, `name lr steps lossFirst lossLast biasFirst biasLast biasPredicted maxAbsBiasGradient collapseStep collapsePredicted agrees`)
	}
	if n := names(t, dir); v["agrees"] != true || !slices.Equal(n, []string{"config.yaml", "drift.png"}) {
		t.Errorf("agrees %v, files %v", v["agrees"], n)
	}
	if png := read(t, dir, "drift.png"); !strings.HasPrefix(png, "\x89PNG") {
		t.Error("drift.png is no PNG")
	}
	got = call(t, "drift", "--explain")
	if want(t, got, exitDone); got.err != "" || !strings.Contains(got.out, "b") {
		t.Errorf("--explain prints %q and %q", got.out, got.err)
	}
}

// metrics returns a run's metrics.jsonl without what depends on the machine's
// speed.
func metrics(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(read(t, dir, "metrics.jsonl")) {
		var p map[string]any
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		delete(p, "seconds")
		data, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&out, string(data))
	}
	return out.String()
}

// A loss that is not finite ends train with exit code 1, but only its arm and
// seed in compare.
func TestDivergence(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train by the same code")
	}
	t.Parallel()
	diverge := []string{"--activation", "relu", "--init-sd", "4", "--lr", "10"}
	for _, c := range []struct {
		flags     []string
		want, not string
	}{
		{diverge, "none diverged: the loss after", "--init-sd"},
		{[]string{"--activation", "relu", "--init-sd", "1e13"}, "none diverged before its first step: the loss of the initial weights", "--lr"},
	} {
		dir := filepath.Join(t.TempDir(), "train")
		got := call(t, append(with(dir, "train", "--json", "--norm", "none"), c.flags...)...)
		want(t, got, exitFailed)
		if m := got.message(t); !strings.Contains(m, c.want) || strings.Contains(m, c.not) {
			t.Errorf("message %q, want %q without %q", m, c.want, c.not)
		}
		v := got.object(t)
		wantKeys(t, "train --json", v, trainKeys)
		if at, ok := v["divergedAt"].(float64); !ok || at != v["steps"] || v["finalLoss"] != nil || v["testAccuracy"] != nil || v["weights"] != nil {
			t.Errorf("a diverged run says %v", v)
		}
		if n := names(t, dir); !slices.Equal(n, keptFiles) {
			t.Errorf("the run directory holds %v", n)
		}
	}

	got := call(t, append(with(filepath.Join(t.TempDir(), "compare"), "compare", "--json", "--norms", "none,batchnorm", "--seeds", "2"), diverge...)...)
	want(t, got, exitDone)
	arms := got.object(t)["arms"].([]any)
	for i, diverges := range []bool{true, false} {
		a := arms[i].(map[string]any)
		for _, at := range a["divergedAt"].([]any) {
			if (at != nil) != diverges {
				t.Errorf("%v: divergedAt %v", a["name"], at)
			}
		}
		if mean := a["finalLoss"].(map[string]any)["mean"]; (mean == nil) != diverges {
			t.Errorf("%v: final loss %v", a["name"], mean)
		}
		if n := len(a["curve"].([]any)); !diverges && n != 3 {
			t.Errorf("%v: %d points", a["name"], n)
		}
	}
}

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   string
	}{{[]float64{0.25, 0.75}, "0.500 ± 0.354"}, {[]float64{0.5}, "0.500"}, {[]float64{math.NaN()}, "-"}, {nil, "-"}, {[]float64{0, 0}, "0.000 ± 0.000"}, {[]float64{1.5e30}, "1.5e+30"}} {
		if got := spread(report.StatOf(c.values), 3); got != c.want {
			t.Errorf("spread of %v is %q, want %q", c.values, got, c.want)
		}
	}
}
