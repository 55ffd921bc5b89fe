package benchmarks

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/program"
	"driftless/internal/report"
)

// An arm that panics keeps what it has measured, and so do the others.
func TestPanicKeepsWhatRan(t *testing.T) {
	c := quick("none", "batchnorm")
	c.EvalEvery = 5
	e, err := New(t.Context(), c, tiny(60), cpu.New())
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	err = e.Compare(t.Context(), Observer{Evaluated: func(run *report.Run, arm string, step int, _ []report.Point) {
		if kept = len(run.Points); step == 10 {
			panic("at step 10 of " + arm)
		}
	}})
	var fault *PanicError
	if !errors.As(err, &fault) || len(fault.Stack) == 0 || !strings.HasPrefix(err.Error(), "at step 10 of ") {
		t.Errorf("error %v, want the panic's value with its stack", err)
	}
	if n := len(e.Run.Points); n < kept || kept < 3*c.Seeds || !e.Run.Interrupted {
		t.Errorf("%d points are left of %d, interrupted: %v", n, kept, e.Run.Interrupted)
	}
}

// expiring is a context whose time is up when over is closed.
type expiring struct {
	context.Context
	over chan struct{}
}

func (c expiring) Done() <-chan struct{} { return c.over }

func (c expiring) Err() error {
	select {
	case <-c.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// A run whose time is up keeps what one that is interrupted keeps.
func TestTimeUpKeepsWhatRan(t *testing.T) {
	set, dev := tiny(60), cpu.New()
	c := quick("batchnorm")
	c.Seeds, c.Steps, c.EvalEvery = 1, 1_000_000, 1_000_000
	e, err := New(t.Context(), c, set, dev)
	if err != nil {
		t.Fatal(err)
	}
	ctx := expiring{t.Context(), make(chan struct{})}
	path := filepath.Join(t.TempDir(), WeightsFile)
	out, err := e.Train(ctx, Observer{Step: func(_ string, step int) {
		if step == 300 {
			close(ctx.over)
		}
	}}, path)
	if !errors.Is(err, context.DeadlineExceeded) || !out.Interrupted || out.Steps < 300 {
		t.Fatalf("error %v, %+v", err, out)
	}
	if last := e.points[0][len(e.points[0])-1]; last.Step != out.Steps || out.WeightsStep == nil || *out.WeightsStep != out.Steps {
		t.Errorf("stopped after step %d: the last evaluation is that of step %d, weights are %v", out.Steps, last.Step, out.WeightsStep)
	}

	// Before the first step there is nothing to keep, and that is no failure.
	if e, err = New(t.Context(), c, set, dev); err != nil {
		t.Fatal(err)
	}
	if err = e.Compare(ctx, Observer{}); !errors.Is(err, context.DeadlineExceeded) || !e.Run.Interrupted || e.Run.Arms[0].Finding == "" {
		t.Errorf("error %v, %+v", err, e.Run)
	}
}

// Training time is that of training: neither the timing of steps nor their plan counts.
func TestPlanIsNoTraining(t *testing.T) {
	c := quick("none")
	c.Seeds = 1
	e, err := New(t.Context(), c, tiny(60), cpu.New())
	if err != nil {
		t.Fatal(err)
	}
	var planned time.Time
	out, err := e.Train(t.Context(), Observer{Plan: func(_, _ string) { planned = time.Now() }}, "")
	if most := time.Since(planned).Seconds(); err != nil || float64(out.Seconds) > most {
		t.Errorf("training took %v s of at most %v, %v", out.Seconds, most, err)
	}
}

// deafDevice opens sessions that cannot be told a learning rate, and counts those open.
type deafDevice struct {
	device.Device
	open int
}

type deafSession struct {
	device.Session
	dev *deafDevice
}

var errDeaf = errors.New("no learning rate")

func (d *deafDevice) Open(l *program.Layout, replicas int) (device.Session, error) {
	s, err := d.Device.Open(l, replicas)
	d.open++
	return deafSession{s, d}, err
}

func (s deafSession) Write(name string, replica int, src any) error {
	if name == program.StateLR {
		return errDeaf
	}
	return s.Session.Write(name, replica, src)
}

func (s deafSession) Close() error {
	s.dev.open--
	return s.Session.Close()
}

// A session that cannot be set up is closed.
func TestFailedTimingClosesItsSession(t *testing.T) {
	dev := &deafDevice{Device: cpu.New()}
	e, err := New(t.Context(), quick("none"), tiny(60), dev)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Compare(t.Context(), Observer{}); !errors.Is(err, errDeaf) || dev.open != 0 {
		t.Errorf("error %v; %d sessions are left open", err, dev.open)
	}
}
