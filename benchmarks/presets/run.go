package presets

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"driftless/benchmarks"
	"driftless/dataset"
	"driftless/engine/device"
)

// Hooks is what a run of a preset calls.
type Hooks struct {
	// Load returns a data set.
	Load func(name string) (*dataset.Set, error)

	// Choosing follows the choice of learning rates; text is what has just ended.
	Choosing func(part *Part, done, all int, text string)

	// Part is called with a part's experiment before it runs. The experiment runs under the
	// context and is followed by the observer; done is called with its end, and its error ends
	// the run.
	Part func(ctx context.Context, part *Part, e *benchmarks.Experiment) (context.Context, benchmarks.Observer, func() error, error)

	// Kept is called when a part has ended, with the results so far.
	Kept func(*Results) error
}

// Run trains the parts one after another and returns what they came to. When the context ends
// it returns what ran, with the context's error.
func (p *Preset) Run(ctx context.Context, dev device.Device, h Hooks) (*Results, error) {
	res := &Results{Preset: p.Name, Changed: p.Changed, Version: benchmarks.Version(), Date: time.Now().UTC().Format("2006-01-02"), Interrupted: true}
	for i := range p.Parts {
		part := &p.Parts[i]
		set, err := h.Load(part.Data)
		if err != nil {
			return res, err
		}
		ran, err := p.run(ctx, part, set, dev, h)
		if ran != nil {
			res.Parts = append(res.Parts, *ran)
		}
		if err == nil && i == len(p.Parts)-1 {
			res.Interrupted = false
		}
		if ran != nil {
			if e := h.Kept(res); e != nil {
				return res, e
			}
		}
		if err != nil {
			return res, err
		}
	}
	return res, nil
}

// run trains a part. The results are nil where nothing of it ran.
func (p *Preset) run(ctx context.Context, part *Part, set *dataset.Set, dev device.Device, h Hooks) (*PartResult, error) {
	arms, chosen := part.crossed(part.LRs), map[string]*Chosen{}
	if part.Choose != nil {
		var err error
		if chosen, err = part.choose(ctx, set, dev, h); err != nil {
			return nil, err
		}
		arms = nil
		for _, a := range part.arms() {
			arms = append(arms, atLR(a, chosen[a].LR))
		}
	}
	c := part.config(arms)
	c.Command = p.Command
	e, err := benchmarks.New(ctx, c, set, dev)
	if err != nil {
		return nil, err
	}
	e.Run.Title = part.title()
	if part.Title == "" {
		e.Run.Title = p.Title
	}
	ctx, o, done, err := h.Part(ctx, part, e)
	if err != nil {
		return nil, err
	}
	err = e.Compare(ctx, o)
	if err != nil && !errors.Is(err, context.Canceled) {
		return nil, errors.Join(err, done())
	}
	ran := p.result(part, &e.Run)
	for i := range ran.Arms {
		ran.Arms[i].Chosen = chosen[ran.Arms[i].Form()]
	}
	if e := done(); e != nil {
		return ran, e
	}
	return ran, err
}

func (p *Part) title() string {
	if p.Title != "" {
		return p.Title
	}
	return p.Name
}

// choose trains every arm at every learning rate of the grid on the training images that are
// not held out, one arm after another, and returns the choice of each.
func (p *Part) choose(ctx context.Context, set *dataset.Set, dev device.Device, h Hooks) (map[string]*Chosen, error) {
	// The same share of a smaller set, such as the synthetic one.
	n := p.Choose.HoldOut
	if set.Train.N <= 2*n {
		n = set.Train.N / 6
	}
	held, err := set.HoldOut(n)
	if err != nil {
		return nil, err
	}
	out, arms := map[string]*Chosen{}, p.arms()
	for i, arm := range arms {
		c := p.grid(arm)
		e, err := benchmarks.New(ctx, c, held, dev)
		if err != nil {
			return nil, err
		}
		if err := e.Compare(ctx, benchmarks.Observer{}); err != nil {
			return nil, err
		}
		ch := &Chosen{HeldOut: n, Steps: c.Steps, Seeds: e.Run.Arms[0].Seeds}
		for _, a := range e.Run.Arms {
			ch.Grid = append(ch.Grid, GridPoint{LR: a.LR, Accuracy: round4(a.TestAccuracy.Mean)})
		}
		ch.pick()
		out[arm] = ch
		h.Choosing(p, i+1, len(arms), fmt.Sprintf("%s: lr %v", arm, ch.LR))
	}
	return out, nil
}

// pick takes the learning rate of the highest accuracy, of equal ones the smallest; the smallest
// of all where every one diverged.
func (c *Chosen) pick() {
	slices.SortFunc(c.Grid, func(a, b GridPoint) int { return int(math.Copysign(1, a.LR-b.LR)) })
	best := math.Inf(-1)
	c.LR = c.Grid[0].LR
	for _, g := range c.Grid {
		if a := float64(g.Accuracy); a > best {
			best, c.LR = a, g.LR
		}
	}
}
