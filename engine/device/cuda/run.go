//go:build gpu

package cuda

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"driftless/engine/program"
	driver "driftless/internal/cuda"
	"driftless/kernels/cuda/fused"
)

// serial lets one session at a time run a Program with operations that may keep
// state between their calls, as Gorgonia's pooling does.
var serial sync.Mutex

// Run implements device.Session.
func (s *session) Run(ctx context.Context, p *program.Program, n int) error {
	return s.with(p, func(b *bound) error {
		if n <= 0 {
			return nil
		}
		if p.Counts() {
			ctx = context.Background()
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return s.run(ctx, b, n)
	})
}

// with calls f with a Program that is ready to run. What the session knows of its step
// counts is forgotten if that fails.
func (s *session) with(p *program.Program, f func(*bound) error) error {
	return s.do(func() error {
		b, err := s.bind(p)
		if err != nil {
			return err
		}
		if err := s.reserve(b); err != nil {
			return err
		}
		if b.serial {
			serial.Lock()
			defer serial.Unlock()
		}
		if err := s.refresh(b); err != nil {
			return err
		}
		if err = f(b); err != nil {
			s.count.known = false
			s.unknown()
			if !s.dev.virtual {
				err = b.blame(err)
			}
		}
		s.stale(b)
		return err
	})
}

// blame adds to the error of a fault of a kernel which kernels it may be: a driver reports a fault
// with whatever call comes after it, and does not tell of which.
func (b *bound) blame(err error) error {
	var e *driver.Error
	if !errors.As(err, &e) || !e.Sticky() {
		return err
	}
	var kernels []string
	for _, k := range b.blocks {
		launches := []*launch{k.begin}
		for _, a := range k.actions {
			launches = append(launches, a.launches...)
		}
		for _, l := range launches {
			if l != nil && !slices.Contains(kernels, l.kernel.Name) {
				kernels = append(kernels, l.kernel.Name)
			}
		}
	}
	if b.cluster != nil {
		kernels = []string{b.cluster.begin.kernel.Name, "cluster"}
	}
	return fmt.Errorf("%w; of the kernels %s one is at fault: with %s in the environment the error names it, and compute-sanitizer tells the access",
		err, strings.Join(kernels, ", "), OneByOne)
}

// run runs n steps and waits for them. It ends early when ctx does, between rounds.
func (s *session) run(ctx context.Context, b *bound, n int) error {
	groups, err := s.groups(b)
	if err != nil {
		return err
	}
	for _, g := range groups {
		end, err := s.steps(ctx, b, g, n)
		if err != nil {
			return err
		}
		for r := g.first; r < g.first+g.count; r++ {
			s.count.done[r] += end - g.done
		}
	}
	return s.wait()
}

// steps queues n steps of a group and returns the steps done then. Steps in a row
// that do the same go by graphs where they can.
func (s *session) steps(ctx context.Context, b *bound, g group, n int) (int64, error) {
	r, err := s.prepared(b, g.view)
	if err != nil {
		return 0, err
	}
	now := g.done
	for n > 0 {
		d := b.due(now)
		alike, then := 1, d.next
		for alike < min(n, graphSteps) && (d.graph || b.cluster != nil) {
			next := b.due(then)
			if next.key != d.key {
				break
			}
			alike, then = alike+1, next.next
		}
		if err := s.alike(ctx, b, r, d, alike); err != nil {
			return 0, err
		}
		now, n = then, n-alike
	}
	return now, nil
}

// due is what a step does: which of the periodic blocks and instructions are due,
// whether a graph can do it, and the steps done after it.
type due struct {
	key   string // the same where the same is due
	graph bool
	at    int64 // the steps done before it
	next  int64
}

// due returns what is due in the step that follows now steps.
func (b *bound) due(now int64) due {
	d := due{graph: b.noGraphs == "", at: now, next: now}
	var key []byte
	periodic := func(every, now int64) bool {
		if every <= 1 {
			return true
		}
		is := now%every == 0
		if is {
			key = append(key, '1')
		} else {
			key = append(key, '0')
		}
		return is
	}
	for i := range b.blocks {
		k, at := &b.blocks[i], d.next
		if !periodic(k.every, at) {
			continue
		}
		d.graph = d.graph && k.rounds == 1
		for _, a := range k.actions {
			if !periodic(a.every, at) {
				continue
			}
			d.graph = d.graph && a.host == nil
			for _, l := range a.launches {
				if l.varies != nil { // a graph has the numbers that it was captured with
					key = binary.LittleEndian.AppendUint64(key, math.Float64bits(l.varies.now()))
				}
			}
			if a.tick {
				d.next += int64(k.rounds)
			}
		}
	}
	d.key = string(key)
	return d
}

// prepared is a Program's launches, ready for a view.
type prepared struct {
	view
	begin   []*ready    // of each block, nil where there is none
	actions [][][]ready // of each block, of each action
	tables  uint64      // where the operations of fused launches are, 0 if there are none
}

// prepared returns the launches for a view, made once.
func (s *session) prepared(b *bound, v view) (*prepared, error) {
	if r := b.views[v]; r != nil {
		return r, nil
	}
	r := &prepared{view: v}
	var tables []byte
	for i := range b.blocks {
		k := &b.blocks[i]
		consts := b.consts + uint64(k.consts)
		for _, a := range k.actions {
			for _, l := range a.launches {
				tables = append(tables, l.operations(s, consts, v)...)
			}
		}
	}
	if len(tables) > 0 {
		var err error
		if r.tables, err = s.allocate(int64(len(tables)), "the operations of fused launches"); err != nil {
			return nil, err
		}
		if err := s.toDevice(r.tables, tables); err != nil {
			return nil, errors.Join(err, s.release(r.tables))
		}
	}
	table := r.tables
	for i := range b.blocks {
		k := &b.blocks[i]
		consts := b.consts + uint64(k.consts)
		var begin *ready
		if k.begin != nil {
			p := k.begin.prepare(s, consts, v, 0)
			begin = &p
		}
		r.begin = append(r.begin, begin)
		actions := make([][]ready, len(k.actions))
		for j, a := range k.actions {
			for _, l := range a.launches {
				actions[j] = append(actions[j], l.prepare(s, consts, v, table))
				table += uint64(len(l.table) * fused.OpBytes)
			}
		}
		r.actions = append(r.actions, actions)
	}
	b.views[v] = r
	return r, nil
}

// step queues one step, kernel by kernel; now is the number of steps done before it.
func (s *session) step(ctx context.Context, b *bound, r *prepared, now int64) error {
	for i := range b.blocks {
		k, at := &b.blocks[i], now
		if k.every > 1 && at%k.every != 0 {
			continue
		}
		if k.rounds > 0 && k.begin != nil {
			if err := s.launch(r.begin[i], 0, 0); err != nil {
				return err
			}
		}
		for round := range k.rounds {
			if round > 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			valid := k.batch
			if k.total > 0 {
				valid = min(k.batch, k.total-round*k.batch)
			}
			for j := range k.actions {
				a := &k.actions[j]
				if a.every > 1 && at%a.every != 0 {
					continue
				}
				if a.tick {
					now++
				}
				if err := s.timer.mark(s, i, j, true); err != nil {
					return err
				}
				if a.host != nil {
					if err := s.onHost(a.host, b, k, r.view, at, round, valid); err != nil {
						return err
					}
				}
				for l := range r.actions[i][j] {
					if err := s.launch(&r.actions[i][j][l], round, valid); err != nil {
						return err
					}
				}
				if err := s.timer.mark(s, i, j, false); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
