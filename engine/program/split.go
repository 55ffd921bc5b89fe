package program

import (
	"math"
	"slices"
)

// What it costs, in ns, when two workers share a step: measured on a Xeon, where it is most.
const (
	lineCost    = 11   // a cache line that the other worker wrote
	meetCost    = 1000 // a meeting, with waiting for the slower one
	productCost = 1.0 / 150
	otherCost   = 1.0 / 20 // a floating-point operation, in a product or outside
)

// chooseAxes chooses the axis along which each instruction is shared, so that as little as possible
// changes worker and as few meetings as possible are needed. It is dynamic programming over the
// instructions in order: of all ways to come to one, it keeps the cheapest that ends by rows and
// the cheapest that ends by columns. A first round tells which worker holds which part of the
// state when a step begins. Time grows in proportion to the block.
func chooseAxes(b *Block) {
	s := newSplitter(b)
	s.round(b)
	s.begin()
	for i, axis := range s.round(b) {
		b.Instrs[i].Axis = axis
		b.Instrs[i].Extent = extent(b.Instrs[i], axis)
	}
}

// moved returns the bytes that each of two workers has from the other before each instruction, when
// steps follow one another.
func moved(b *Block) []int {
	s := newSplitter(b)
	bytes := make([]int, len(b.Instrs))
	for range 2 {
		s.begin()
		w := s.ways[0]
		for i, in := range b.Instrs {
			now, sum := uses(in, s.rate), 0.0
			for _, u := range now {
				sum += w.has[s.ids[bufferOf(u.t)]-1].missing(u)
			}
			bytes[i] = int(sum)
			s.take(w, i, now)
		}
	}
	return bytes
}

// splitter holds, of two ways to share what came so far, what each worker has.
type splitter struct {
	ids  map[any]int // of buffers: scratch by its base, state by its place
	kept []bool      // of each buffer: it is state
	rate *Tensor
	ways [2]*way
	// The buffers of which the two ways may know different things.
	differ []int
}

// way is one way to share the instructions so far.
type way struct {
	cost float64
	met  int // instruction at which the workers last met
	has  []holding
}

// holding is what a worker has of a buffer.
type holding struct {
	how         how // its part, of n
	n           int
	known       bool
	written     int // the instruction that wrote it last, -1: none in this round
	read        int // likewise, that read it
	readOthers  bool
	writtenPart use
}

func newSplitter(b *Block) *splitter {
	s := &splitter{ids: map[any]int{}, rate: rateOf(b)}
	for _, in := range b.Instrs {
		for _, u := range uses(in, s.rate) {
			if key := bufferOf(u.t); s.ids[key] == 0 {
				s.ids[key] = len(s.ids) + 1
				s.kept = append(s.kept, u.t.Space == SpaceReplica)
			}
		}
	}
	for k := range s.ways {
		s.ways[k] = &way{has: make([]holding, len(s.ids))}
	}
	s.begin()
	return s
}

// bufferOf is what identifies the memory of a tensor.
func bufferOf(t *Tensor) any {
	if t.Space == SpaceReplica {
		return t.Base().Off
	}
	return t.Base()
}

// begin begins a round with what the cheaper way has of the state.
func (s *splitter) begin() {
	if s.ways[1].cost < s.ways[0].cost {
		s.ways[0], s.ways[1] = s.ways[1], s.ways[0]
	}
	for id, h := range s.ways[0].has {
		h.known = h.known && s.kept[id]
		h.written, h.read, h.readOthers = -1, -1, false
		s.ways[0].has[id], s.ways[1].has[id] = h, h
	}
	for _, w := range s.ways {
		w.cost, w.met = 0, 0
	}
	s.differ = s.differ[:0]
}

// round goes through the block and returns the axes of the cheapest way.
func (s *splitter) round(b *Block) []Axis {
	type choice struct {
		axis Axis
		from int // way
	}
	choices := make([][2]choice, len(b.Instrs))
	for i, in := range b.Instrs {
		best := [2]float64{math.Inf(1), math.Inf(1)}
		var touched [2][]use
		for _, axis := range axesOf(in) {
			in.Axis, in.Extent = axis, extent(in, axis)
			now := uses(in, s.rate)
			for from, w := range s.ways {
				if math.IsInf(w.cost, 1) {
					continue
				}
				to := from // whoever is alone leaves it as it was
				if axis != Alone {
					to = int(axis - ByRows)
				}
				if cost := w.cost + s.cost(w, i, in, now); cost < best[to] {
					best[to], choices[i][to], touched[to] = cost, choice{axis, from}, now
				}
			}
		}
		s.follow(choices[i][0].from, choices[i][1].from, best)
		for to, w := range s.ways {
			if !math.IsInf(best[to], 1) {
				s.take(w, i, touched[to])
			}
			w.cost = best[to]
		}
	}
	axes := make([]Axis, len(b.Instrs))
	to := 0
	if s.ways[1].cost < s.ways[0].cost {
		to = 1
	}
	for i, c := range slices.Backward(choices) {
		axes[i], to = c[to].axis, c[to].from
	}
	return axes
}

// follow has the ways go on from those two, as far as they go on.
func (s *splitter) follow(from0, from1 int, cost [2]float64) {
	switch on0, on1 := !math.IsInf(cost[0], 1), !math.IsInf(cost[1], 1); {
	case on0 && on1 && from0 == from1:
		s.same(from0)
	case on0 && from0 == 1 || on1 && from1 == 0:
		s.ways[0], s.ways[1] = s.ways[1], s.ways[0]
	}
}

// same has both ways know what one knows.
func (s *splitter) same(one int) {
	w, other := s.ways[one], s.ways[1-one]
	for _, id := range s.differ {
		other.has[id] = w.has[id]
	}
	other.met = w.met
	s.differ = s.differ[:0]
}

// cost is what an instruction adds to a way.
func (s *splitter) cost(w *way, i int, in *Instr, now []use) float64 {
	rate := otherCost
	if in.Op.Product() {
		rate = productCost
	}
	most := 0
	for k := range 2 {
		lo, hi := in.Share(2, k)
		most = max(most, hi-lo)
	}
	cost := in.Flops() * rate * float64(most) / float64(max(1, in.Extent))
	for _, u := range now {
		cost += lineCost * w.has[s.ids[bufferOf(u.t)]-1].missing(u) / 64
	}
	if s.meets(w, i, now) {
		cost += meetCost
	}
	return cost
}

// meets reports whether the workers have to meet before they touch this.
func (s *splitter) meets(w *way, i int, now []use) bool {
	return i == 0 || slices.ContainsFunc(now, func(u use) bool {
		h := &w.has[s.ids[bufferOf(u.t)]-1]
		return h.written >= w.met && !ownPart(h.writtenPart, u) || u.write && h.read >= w.met && (h.readOthers || !h.holds(u))
	})
}

// take notes what an instruction has touched.
func (s *splitter) take(w *way, i int, now []use) {
	if s.meets(w, i, now) {
		w.met = i
	}
	for _, u := range now {
		id := s.ids[bufferOf(u.t)] - 1
		h := &w.has[id]
		if u.write {
			h.written, h.writtenPart, h.read, h.readOthers = i, u, -1, false
		} else {
			h.read, h.readOthers = i, h.readOthers || u.how == anyPart
		}
		if u.write || !h.known || h.how != anyPart {
			h.how, h.n, h.known = u.how, u.n, true
		}
		s.differ = append(s.differ, id)
	}
}

// holds reports whether a worker has all that it is to touch.
func (h *holding) holds(u use) bool {
	return !h.known || h.how == anyPart || h.how == u.how && h.n == u.n
}

// missing is the bytes that a worker has to get from another.
func (h *holding) missing(u use) float64 {
	switch bytes := float64(u.t.Bytes()); {
	case h.holds(u):
		return 0
	case u.how == anyPart || u.how == leaderPart || h.how == leaderPart:
		return bytes / 2
	default: // of its half, half
		return bytes / 4
	}
}
