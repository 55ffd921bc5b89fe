package cli

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"driftless/benchmarks"
	"driftless/internal/report"
)

// eventFiles are the event files below a run directory, as paths in it.
func eventFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, eventsFolder, "*", "*", "events.out.tfevents.*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// records counts the whole records of an event file, and the bytes after them.
func records(t *testing.T, path string) (n, rest int) {
	t.Helper()
	data := []byte(read(t, path))
	for ; len(data) >= 16 && uint64(len(data)) >= 16+binary.LittleEndian.Uint64(data); n++ {
		data = data[16+binary.LittleEndian.Uint64(data):]
	}
	return n, len(data)
}

// TestEventFiles: there is one for each seed of each arm with two records for each
// evaluation, and none without the flag.
func TestEventFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train by the same code")
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	got := call(t, with(dir, "compare", "--norms", "none,center:naive:lr=0.2", "--seeds", "2", "--tensorboard")...)
	want(t, got, exitDone)
	if !strings.Contains(got.out, "events: tensorboard --logdir "+filepath.Join(dir, eventsFolder)) {
		t.Errorf("the summary does not say where the events are: %s", got.out)
	}
	var folders []string
	for _, f := range eventFiles(t, dir) {
		rel, _ := filepath.Rel(filepath.Join(dir, eventsFolder), filepath.Dir(f))
		folders = append(folders, filepath.ToSlash(rel))
		if n, rest := records(t, f); n != 1+2*3 || rest != 0 { // the version, then steps 0, 10 and 20
			t.Errorf("%s has %d records, and %d bytes after them", f, n, rest)
		}
	}
	if want := []string{"center-naive-lr=0.2/seed1", "center-naive-lr=0.2/seed2", "none/seed1", "none/seed2"}; !slices.Equal(folders, want) {
		t.Errorf("the folders are %v, want %v", folders, want)
	}
	plain := filepath.Join(t.TempDir(), "run")
	got = call(t, with(plain, "train")...)
	want(t, got, exitDone)
	if !missing(filepath.Join(plain, eventsFolder)) || strings.Contains(got.out, "events:") {
		t.Error("without the flag there are events")
	}
	b := &board{folders: map[string]string{}}
	if one, two, again := b.folder("a:b"), b.folder("a/b"), b.folder("a:b"); one != "a-b" || two != "a-b-2" || again != one {
		t.Errorf("arms share a folder: %q, %q, %q", one, two, again)
	}
}

// TestEventsOfAKilledRun: a run that is killed leaves the records before it, and of the one
// that it was writing at most a part.
func TestEventsOfAKilledRun(t *testing.T) {
	t.Parallel()
	for range 3 {
		dir := filepath.Join(t.TempDir(), "run")
		cmd, _ := start(t, filepath.Join(dir, "weights.safetensors"), with(dir, "train", "--steps", "100000000", "--eval-every", "1", "--tensorboard")...)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		files := eventFiles(t, dir)
		if len(files) != 1 {
			t.Fatalf("the run left %v", files)
		}
		if n, rest := records(t, files[0]); n < 3 || rest > 1<<20 {
			t.Errorf("the run left %d records, and %d bytes after them", n, rest)
		}
	}
}

// TestEventsThatCannotBeWritten: they end the run, with the file's name.
func TestEventsThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "run")
	dir, err := report.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, eventsFolder), nil, 0o644); err != nil { // where the folder should be
		t.Fatal(err)
	}
	ctx, rec := newRecorder(t.Context(), dir, &terminal{err: io.Discard}, &benchmarks.Experiment{})
	watch := rec.observer()
	(&settings{tensorboard: true}).events(rec, &watch)
	watch.State("none", 1, 0, 0.1, nil)
	if err := context.Cause(ctx); err == nil || !strings.Contains(err.Error(), filepath.Join(path, eventsFolder)) {
		t.Errorf("the run ends with %v", err)
	}
}

// TestTensorBoardReads: TensorBoard's reader finds the numbers of metrics.jsonl, and the
// histograms of every tensor that is kept, in files that end within a record as well.
func TestTensorBoardReads(t *testing.T) {
	t.Parallel()
	needPython(t)
	dir := filepath.Join(t.TempDir(), "run")
	want(t, call(t, with(dir, "compare", "--norms", "none,batchnorm", "--seeds", "2", "--lr", "0.25", "--tensorboard", "--probe", "norms")...), exitDone)
	for _, f := range eventFiles(t, dir) {
		data := read(t, f)
		if err := os.WriteFile(f, []byte(data+data[:20]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var found map[string]struct {
		Scalars    map[string]map[string]float64
		Histograms map[string]map[string][3]float64
	}
	text := python(t, "read_events.py", filepath.Join(dir, eventsFolder))
	if err := json.Unmarshal([]byte(text[strings.IndexByte(text, '{'):]), &found); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	lines := 0
	for line := range bytes.Lines([]byte(read(t, dir, report.MetricsFile))) {
		var p report.Point
		if err := json.Unmarshal(line, &p); err != nil {
			t.Fatal(err)
		}
		lines++
		f, step := found[fmt.Sprintf("%s/seed%d", p.Arm, p.Seed)], fmt.Sprint(p.Step)
		for tag, want := range map[string]float64{"loss": p.Loss, "test/loss": p.TestLoss, "test/accuracy": p.TestAccuracy, "learning_rate": 0.25,
			"bias_rms/layer1": p.BiasRMS[0], "bias_max_abs/layer2": p.BiasMaxAbs[1], "weight_rms/layer2": p.WeightRMS[1]} {
			if got, ok := f.Scalars[tag][step]; !ok || got != float64(float32(want)) {
				t.Errorf("%s, seed %d, step %d: %s is %v, want %v", p.Arm, p.Seed, p.Step, tag, got, want)
			}
		}
		for key, xs := range p.Probes {
			for i, x := range xs {
				if got := f.Scalars[fmt.Sprintf("probes/%s/layer%d", key, i+1)][step]; len(xs) > 1 && x-x == 0 && got != float64(float32(x)) {
					t.Errorf("%s, step %d: probe %s of layer %d is %v, want %v", p.Arm, p.Step, key, i+1, got, x)
				}
			}
		}
		if h := f.Histograms["fc1/bias"][step]; h[2] != 16 || float64(float32(math.Max(h[1], -h[0]))) != float64(float32(p.BiasMaxAbs[0])) {
			t.Errorf("%s, step %d: the histogram of fc1's bias is %v, its largest is %v", p.Arm, p.Step, h, p.BiasMaxAbs[0])
		}
		if h := f.Histograms["fc1/weight"][step]; h[2] != 784*16 {
			t.Errorf("%s, step %d: the histogram of fc1's weights is %v", p.Arm, p.Step, h)
		}
		if _, ok := f.Histograms["norm1/running_var"][step]; ok != (p.Arm == "batchnorm") {
			t.Errorf("%s: histogram of a running variance: %v", p.Arm, ok)
		}
	}
	if lines != 12 || len(found) != 4 {
		t.Errorf("%d lines and %d folders, want 12 and 4", lines, len(found))
	}
}
