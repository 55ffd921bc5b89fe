package presets

import (
	"fmt"
	"slices"

	"driftless/benchmarks"
)

// Override is what a quick look changes; what is zero stays.
type Override struct {
	Data      string
	Steps     int
	EvalEvery int
	Seed      int64
	Seeds     int
}

// Apply changes the preset, and notes in Changed where that makes it another experiment. Of
// parts on different data sets, Data keeps those on that set; if there are none, those on the
// first part's set, which are moved to it.
func (p *Preset) Apply(o Override) error {
	changed := func(what string, was, is any) {
		if s := fmt.Sprintf("%s %v, not %v", what, is, was); was != is && !slices.Contains(p.Changed, s) {
			p.Changed = append(p.Changed, s)
		}
	}
	p.apply(o.Data, changed)
	for i := range p.Parts {
		part := &p.Parts[i]
		for _, f := range []struct {
			what string
			to   *int
			v    int
		}{{"steps", &part.Steps, o.Steps}, {"eval-every", &part.EvalEvery, o.EvalEvery}, {"seeds", &part.Seeds, o.Seeds}} {
			if f.v != 0 {
				changed(f.what, *f.to, f.v)
				*f.to = f.v
			}
		}
		if o.Seed != 0 {
			changed("first seed", part.Seed, o.Seed)
			part.Seed = o.Seed
		}
		if o.Steps != 0 && o.EvalEvery == 0 && part.EvalEvery > part.Steps {
			part.EvalEvery = part.Steps
		}
		if c := part.Choose; c != nil {
			if o.Steps != 0 {
				c.Steps = min(c.Steps, o.Steps)
			}
			if o.Seeds != 0 {
				c.Seeds = min(c.Seeds, o.Seeds)
			}
		}
	}
	if err := p.validate(); err != nil {
		return &benchmarks.UsageError{Err: err}
	}
	return nil
}

func (p *Preset) apply(data string, changed func(what string, was, is any)) {
	if data == "" {
		return
	}
	keep := data
	if !slices.ContainsFunc(p.Parts, func(q Part) bool { return q.Data == data }) {
		keep = p.Parts[0].Data
	}
	p.Parts = slices.DeleteFunc(p.Parts, func(q Part) bool { return q.Data != keep })
	for i := range p.Parts {
		part := &p.Parts[i]
		changed("data", part.Data, data)
		part.Data = data
	}
}
