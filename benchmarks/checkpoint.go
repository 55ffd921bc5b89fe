package benchmarks

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"driftless/engine"
	"driftless/internal/atomicfile"
	"driftless/internal/report"

	"go.yaml.in/yaml/v3"
)

// CheckpointFolder is the folder of a run directory that holds its checkpoints.
const CheckpointFolder = "checkpoints"

const (
	checkpointsKept    = 2                // of an arm
	checkpointInterval = 30 * time.Second // of training, where no number of steps is given
)

// lockFile is the file of the folder that the process holds which trains there.
const lockFile = ".driftless-lock"

// checkpointName is a checkpoint's file: its arm, counted from 1, and step.
var checkpointName = regexp.MustCompile(`^arm([0-9]{1,9})-step([0-9]{1,9})\.safetensors$`)

// note is what a checkpoint holds besides the state of the training: all that is known of the
// arm's run up to there.
type note struct {
	Arm            string          `json:"arm"`
	Seeds          []int64         `json:"seeds"`
	Data           string          `json:"data"`   // checksum of the data set
	Config         string          `json:"config"` // what decides the run, in YAML
	SecondsPerStep float64         `json:"secondsPerStep"`
	DivergedAt     []*int          `json:"divergedAt"`
	StoppedAt      []*int          `json:"stoppedAt"`
	Reestimated    []report.Number `json:"reestimated"`
	Complete       bool            `json:"complete"` // the arm has come to its end
	Points         []report.Point  `json:"points"`
}

// checkpoints are those of one arm.
type checkpoints struct {
	folder string
	arm    int    // counted from 1
	data   string // checksum of the data set
	last   time.Time

	config string          // the configuration of the run, in YAML
	failed error           // of the last one that was to be written; nil: it was
	best   map[int64]error // of the weights of seeds that are now the best; nil: they were written
	unkept func(error)     // called where something cannot be written; nil: nobody asks
	wrote  bool

	passed []error // what is wrong with later ones than that
	found  string  // the one to go on from, "" for none; see goesOn
	note   note    // its
	step   int     // its
}

// goesOn reports whether the arm goes on from a checkpoint.
func (c *checkpoints) goesOn() bool { return c != nil && c.found != "" }

// Keep has Train and Compare keep checkpoints in a folder, which is made: of each arm the last
// two, one every Config.CheckpointEvery steps, one where the context ends and one at the end. A
// checkpoint is a safetensors file, whole or not there; Resume continues from it to the same
// bits, on any device. With validation the best weights of each seed are kept there as well. An
// arm whose graph keeps state in itself or draws random numbers has no checkpoints. The folder is
// the experiment's until Close, and Keep fails where it is another's.
func (e *Experiment) Keep(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("cannot create %s: %w", folder, atomicfile.Cause(err))
	}
	unlock, err := report.Lock(filepath.Join(folder, lockFile))
	if errors.Is(err, report.ErrLocked) {
		return fmt.Errorf("%s is in use: another process trains there%s", folder, report.StaleLock(filepath.Join(folder, lockFile)))
	} else if err != nil {
		return err
	}
	e.unlock = unlock
	atomicfile.Sweep(folder, 0)
	sum := e.set.Checksum()
	config, err := e.cfg.decides()
	if err != nil {
		return err
	}
	for i, a := range e.arms {
		if a.train.Hidden() == "" {
			a.checkpoints = &checkpoints{folder: folder, arm: i + 1, data: sum, config: config, best: map[int64]error{}}
		}
	}
	return nil
}

// Resume is Keep in a folder that an experiment of the same configuration and data has kept
// checkpoints in: Train and Compare go on from the last of each arm, and do nothing more for an
// arm that has come to its end. Run then holds what the checkpoints know. An arm without one
// begins anew. It fails with one sentence that names the file where a checkpoint is broken or of
// another experiment.
func (e *Experiment) Resume(folder string) error {
	if err := e.Keep(folder); err != nil {
		return err
	}
	for i, a := range e.arms {
		if a.checkpoints == nil {
			continue
		}
		if err := a.checkpoints.find(a, e.cfg.seeds()); err != nil {
			e.Close()
			return err
		}
		if !a.checkpoints.goesOn() {
			continue
		}
		t := a.checkpoints.training(a)
		a.secondsPerStep = t.checkpoints.note.SecondsPerStep
		e.Run.Arms[i].SecondsPerStep = a.secondsPerStep
		e.collect(i, t)
	}
	e.Run.Summarize()
	return nil
}

// Resumed returns the step of the checkpoint that each arm goes on from, by the arm's name, and
// reports whether every arm has come to its end.
func (e *Experiment) Resumed() (steps map[string]int, complete bool) {
	steps, complete = map[string]int{}, true
	for _, a := range e.arms {
		c := a.checkpoints
		if !c.goesOn() {
			complete = false
			continue
		}
		steps[a.Name], complete = c.step, complete && c.note.Complete
	}
	return steps, complete
}

// PassedOver says what is wrong with the checkpoints that Resume passed over for older ones.
func (e *Experiment) PassedOver() (errs []error) {
	for _, a := range e.arms {
		if a.checkpoints.goesOn() {
			errs = append(errs, a.checkpoints.passed...)
		}
	}
	return errs
}

// Kept reports whether there is a checkpoint to go on from.
func (e *Experiment) Kept() bool {
	return slices.ContainsFunc(e.arms, func(a *Arm) bool { c := a.checkpoints; return c.goesOn() || c != nil && c.wrote })
}

// decides is what of a configuration decides the bits of a run, in YAML: all but where it runs,
// how often it is kept, and what its data are called.
func (c Config) decides() (string, error) {
	c.Device, c.CheckpointEvery, c.Data = "", 0, ""
	r, err := c.Resolved("")
	if err != nil {
		return "", err
	}
	rec := r.(record)
	rec.Ran = ran{}
	text, err := yaml.Marshal(rec)
	return string(text), err
}

// firstDifference returns the first lines that differ.
func firstDifference(a, b string) (x, y string) {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range max(len(as), len(bs)) {
		if x, y = "", ""; i < len(as) {
			x = strings.TrimSpace(as[i])
		}
		if i < len(bs) {
			y = strings.TrimSpace(bs[i])
		}
		if x != y {
			break
		}
	}
	return x, y
}

// Close gives up the folder of Keep.
func (e *Experiment) Close() {
	if e.unlock != nil {
		e.unlock()
		e.unlock = nil
	}
}

// list returns the names of the arm's checkpoints with their steps, the last first.
func (c *checkpoints) list() (names []string, steps []int, err error) {
	entries, err := os.ReadDir(c.folder)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read %s: %w", c.folder, atomicfile.Cause(err))
	}
	of := map[int]string{}
	for _, f := range entries {
		m := checkpointName.FindStringSubmatch(f.Name())
		if m == nil {
			continue
		}
		arm, _ := strconv.Atoi(m[1]) // digits that fit
		step, _ := strconv.Atoi(m[2])
		if arm == c.arm {
			of[step] = f.Name()
			steps = append(steps, step)
		}
	}
	slices.Sort(steps)
	slices.Reverse(steps)
	for _, s := range steps {
		names = append(names, of[s])
	}
	return names, steps, nil
}

// find looks for the arm's last checkpoint. One that cannot be read, which no crash of the
// program leaves, is passed over for the one before it, and removed where there is one.
func (c *checkpoints) find(a *Arm, seeds []int64) error {
	names, steps, err := c.list()
	if err != nil {
		return err
	}
	var broken error // of the first
	for i, name := range names {
		path := filepath.Join(c.folder, name)
		text, err := engine.ReadNote(path)
		var n note
		if err == nil && json.Unmarshal(text, &n) != nil {
			err = fmt.Errorf("%s is no checkpoint of driftless train or compare", path)
		}
		if err != nil {
			broken = cmp.Or(broken, err)
			c.passed = append(c.passed, err)
			continue
		}
		switch {
		case n.Arm != a.Name || !slices.Equal(n.Seeds, seeds) || len(n.DivergedAt) != len(seeds) || len(n.StoppedAt) != len(seeds):
			return fmt.Errorf("%s is of arm %.80q with seeds %v, and the run has %q with seeds %v there: its configuration is another", path, n.Arm, n.Seeds, a.Name, seeds)
		case n.Config != c.config:
			was, is := firstDifference(n.Config, c.config)
			return fmt.Errorf("%s is of a run with another configuration (%q, now %q): a run goes on as it began", path, was, is)
		case !n.sound(a):
			return fmt.Errorf("%s is of another network or was changed", path)
		case n.Data != c.data:
			return fmt.Errorf("%s was kept in a training on other data: %s has changed since", path, a.set.Name)
		}
		c.found, c.note, c.step = path, n, steps[i]
		for _, name := range names[:i] {
			_ = os.Remove(filepath.Join(c.folder, name)) // at worst it stays, and is passed over again
		}
		return nil
	}
	if broken != nil {
		return fmt.Errorf("%w; without the arm's files in %s it begins anew", broken, c.folder)
	}
	return nil
}

// sound reports whether a note is what a run of the arm may have come to.
func (n *note) sound(a *Arm) bool {
	layers := len(a.net.Hidden)
	for _, p := range n.Points {
		if p.Arm != a.Name || p.Step < 0 || p.Step > a.cfg.Steps || len(p.BiasRMS) != layers || len(p.BiasMaxAbs) != layers || len(p.WeightRMS) != layers {
			return false
		}
	}
	return n.Reestimated == nil || len(n.Reestimated) == len(n.Seeds)
}

// training is the run up to the checkpoint that was found.
func (c *checkpoints) training(a *Arm) *training {
	t := &training{Arm: a, seeds: c.note.Seeds, points: make([][]report.Point, len(c.note.Seeds)),
		divergedAt: c.note.DivergedAt, stoppedAt: c.note.StoppedAt, reestimated: c.note.Reestimated, complete: c.note.Complete}
	for _, p := range c.note.Points {
		if r := slices.Index(t.seeds, int64(p.Seed)); r >= 0 {
			t.points[r] = append(t.points[r], p)
		}
	}
	return t
}

// hook has the training keep checkpoints as it goes on.
func (t *training) hook() {
	c := t.checkpoints
	if c == nil {
		return
	}
	if n := t.cfg.CheckpointEvery; n > 0 {
		t.trainer.Every(n, func(int) error { return t.checkpoint() })
		return
	}
	c.last = time.Now()
	every := stepEvery
	if s := t.secondsPerStep; s > 0 { // of long steps fewer, so that the time is met
		every = max(1, min(every, int(checkpointInterval.Seconds()/10/s)))
	}
	t.trainer.Every(every, func(int) error {
		if time.Since(c.last) < checkpointInterval {
			return nil
		}
		return t.checkpoint()
	})
}

// checkpoint keeps the training as it stands, unless it has made no step.
func (t *training) checkpoint() error {
	if t.checkpoints == nil || t.trainer.Step() == 0 {
		return nil
	}
	s, err := t.trainer.Snapshot()
	if err != nil {
		return err
	}
	t.keepSnapshot(s, false)
	return nil
}

// KeepError says that a checkpoint of an arm, or the best weights of a seed, could not be written,
// and later ones did not make up for it. The training went on.
type KeepError struct{ Err error }

func (e *KeepError) Error() string { return fmt.Sprintf("the training came to its end, but %v", e.Err) }

// Unwrap returns the cause.
func (e *KeepError) Unwrap() error { return e.Err }

// keepSnapshot writes a checkpoint, of the step that the training is at, and removes those before
// the last. That it cannot be written ends no training: the next one may be.
func (t *training) keepSnapshot(s *engine.Snapshot, complete bool) {
	c := t.checkpoints
	c.failed, c.last = t.writeSnapshot(s, complete), time.Now()
	if c.wrote = c.wrote || c.failed == nil; c.failed != nil && c.unkept != nil {
		c.unkept(c.failed)
	}
}

// lost is what the arm failed to keep and did not make up for, nil for nothing.
func (c *checkpoints) lost() error {
	if c == nil {
		return nil
	}
	err := c.failed
	for _, e := range c.best {
		err = cmp.Or(err, e)
	}
	return err
}

func (t *training) writeSnapshot(s *engine.Snapshot, complete bool) error {
	c := t.checkpoints
	text, err := json.Marshal(note{Arm: t.Name, Seeds: t.seeds, Data: c.data, Config: c.config, SecondsPerStep: t.secondsPerStep, DivergedAt: t.divergedAt, StoppedAt: t.stoppedAt,
		Reestimated: t.reestimated, Complete: complete, Points: t.all()})
	if err != nil {
		return err
	}
	if err := s.Write(filepath.Join(c.folder, fmt.Sprintf("arm%d-step%d.safetensors", c.arm, t.trainer.Step())), text); err != nil {
		return err
	}
	names, _, err := c.list()
	if err != nil {
		return err
	}
	for _, name := range names[min(len(names), checkpointsKept):] {
		_ = os.Remove(filepath.Join(c.folder, name)) // at worst it stays, and the next one tries again
	}
	return nil
}
