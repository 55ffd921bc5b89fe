package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"driftless/engine/device"
	"driftless/engine/program"

	"gorgonia.org/tensor"
)

// Trainer runs a training Program up to the next due hook, hands over to the
// hook, and goes on.
type Trainer struct {
	session device.Session
	program *program.Program
	hooks   []hook
	stats   []*running
	step    int
}

type hook struct {
	every int
	do    func(step int) error
}

// Train compiles a training, puts it on the device and returns its Trainer. As
// Gorgonia's machines do, it puts the graph's BatchNorm and Dropout into training mode,
// which clears the running statistics of the former. These are states, each replica's own, and the
// operations have the first replica's after each Run.
func Train(t Training, dev device.Device) (*Trainer, error) {
	if t.Loss == nil {
		return nil, fmt.Errorf("train: no loss: set Training.Loss to a scalar node")
	}
	dt := program.Float32
	if t.Loss.Dtype() == tensor.Float64 {
		dt = program.Float64
	}
	l := program.NewLayout(dt)
	p, err := Compile(l, t)
	if err != nil {
		return nil, err
	}
	if err := setTraining(t.Loss.Graph().AllNodes(), true); err != nil {
		return nil, err
	}
	s, err := dev.Open(l, max(1, t.Replicas))
	if err != nil {
		return nil, err
	}
	for r := range s.Replicas() {
		if err := s.Write(program.StateSeed, r, []int64{t.Seed + int64(r)}); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return NewTrainer(s, p), nil
}

// NewTrainer returns a Trainer of a Program over a session at step 0.
func NewTrainer(s device.Session, p *program.Program) *Trainer {
	return &Trainer{session: s, program: p, stats: runningOf(p.Layout, true)}
}

// Every has f called after each n-th step, with the number of steps done, in
// the order of the calls to Every. The steps up to the next due hook run in one
// go on the device. An error of f ends Run and is returned.
func (t *Trainer) Every(n int, f func(step int) error) {
	t.hooks = append(t.hooks, hook{max(1, n), f})
}

// ErrDiverged matches, by errors.Is, the error of a Run that ended because no replica has a
// finite loss any more. The error itself is a *Diverged.
var ErrDiverged = errors.New("training diverged")

// Diverged says which replica was the last to diverge, and where.
type Diverged struct{ Replica, Step int }

func (d *Diverged) Error() string {
	return fmt.Sprintf("training diverged: the loss of replica %d is not finite at step %d: try a smaller learning rate", d.Replica, d.Step)
}

// Is reports whether target is ErrDiverged.
func (d *Diverged) Is(target error) bool { return target == ErrDiverged }

// interval is about how long steps run before Run asks the context again.
const interval = 100 * time.Millisecond

// Run trains n more steps. It ends early with the context's error, between steps, or
// with a *Diverged when every replica has met a non-finite loss; NonFinite tells which
// replicas have. Hooks that are due at the last step done still run.
func (t *Trainer) Run(ctx context.Context, n int) error {
	if err := t.diverged(); err != nil {
		return err
	}
	end := t.step + n
	for chunk := 1; t.step < end; {
		if err := ctx.Err(); err != nil {
			return err
		}
		next := min(end, t.step+chunk)
		for _, h := range t.hooks {
			next = min(next, (t.step/h.every+1)*h.every)
		}
		start := time.Now()
		if err := bring(t.stats, t.session); err != nil {
			return err
		}
		if err := follow(t.stats, t.session, t.session.Run(ctx, t.program, next-t.step)); err != nil {
			return fmt.Errorf("steps %d to %d: %w", t.step, next, err)
		}
		if took := time.Since(start); took < interval/2 && next-t.step == chunk { // not if a hook or the end made the chunk shorter
			chunk *= 2
		} else if took > interval {
			chunk = max(1, chunk/2)
		}
		t.step = next
		for _, h := range t.hooks {
			if t.step%h.every == 0 {
				if err := h.do(t.step); err != nil {
					return err
				}
			}
		}
		if err := t.diverged(); err != nil {
			return err
		}
	}
	return nil
}

// diverged returns a *Diverged if every replica has.
func (t *Trainer) diverged() error {
	last := &Diverged{Step: -1}
	for r := range t.session.Replicas() {
		at, err := t.NonFinite(r)
		if err != nil || at < 0 {
			return err
		}
		if at > last.Step {
			last = &Diverged{Replica: r, Step: at}
		}
	}
	return last
}

// Step returns the number of steps asked for so far.
func (t *Trainer) Step() int { return t.step }

// Session gives access to the named state.
func (t *Trainer) Session() device.Session { return t.session }

// Read copies a state tensor of replica 0; see device.Session for the others.
func (t *Trainer) Read(name string, dst any) error { return t.session.Read(name, 0, dst) }

// NonFinite returns the step at which a replica's loss ceased to be finite, or
// -1.
func (t *Trainer) NonFinite(replica int) (int, error) {
	var v [1]int64
	err := t.session.Read(program.StateNonFinite, replica, v[:])
	return int(v[0]), err
}

// Losses returns a replica's last n training losses, oldest first: fewer when
// it has done fewer steps or n exceeds program.LossRing.
func (t *Trainer) Losses(replica, n int) ([]float64, error) {
	var step [1]int64
	if err := t.session.Read(program.StateStep, replica, step[:]); err != nil {
		return nil, err
	}
	ring := make([]float64, program.LossRing)
	if t.program.Layout.DType == program.Float32 {
		r := make([]float32, program.LossRing)
		if err := t.session.Read(program.StateLosses, replica, r); err != nil {
			return nil, err
		}
		for i, v := range r {
			ring[i] = float64(v)
		}
	} else if err := t.session.Read(program.StateLosses, replica, ring); err != nil {
		return nil, err
	}
	n = min(n, int(step[0]), program.LossRing)
	out := make([]float64, n)
	for i := range out {
		out[i] = ring[(int(step[0])-n+i)%program.LossRing]
	}
	return out, nil
}

// MeanLoss returns the mean of a replica's last n training losses; NaN before
// the first step.
func (t *Trainer) MeanLoss(replica, n int) (float64, error) {
	l, err := t.Losses(replica, n)
	if err != nil || len(l) == 0 {
		return math.NaN(), err
	}
	s := 0.0
	for _, v := range l {
		s += v
	}
	return s / float64(len(l)), nil
}

// Close frees the session.
func (t *Trainer) Close() error { return t.session.Close() }
