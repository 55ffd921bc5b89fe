package virtual

import "slices"

// Modes of cuStreamBeginCapture.
const (
	CaptureGlobal      = 0
	CaptureThreadLocal = 1
	CaptureRelaxed     = 2
)

// Status of cuStreamIsCapturing.
const (
	CaptureNone   = 0
	CaptureActive = 1
	CaptureSpoilt = 2
)

// capture is a graph in the making.
type capture struct {
	c      *context
	mode   int
	thread Thread
	origin *stream
	part   []*stream // those that take part
	nodes  []*node   // each behind those it follows
	spoilt bool      // an error has made the graph useless
}

// node is work of a graph.
type node struct {
	what   string
	kernel bool
	run    func() error
	prev   []*node
}

// usable returns an error if an earlier error has spoilt the capture.
func (k *capture) usable() error {
	if k.spoilt {
		return fail(StreamCaptureInvalidated, "an earlier error has spoilt the capture: only its end is left")
	}
	return nil
}

// add records work.
func (k *capture) add(s *stream, what string, kernel bool, run func() error) error {
	if err := k.usable(); err != nil {
		return err
	}
	n := &node{what, kernel, run, s.captureTail}
	k.nodes = append(k.nodes, n)
	s.captureTail = []*node{n}
	return nil
}

// end takes the streams out of the capture.
func (k *capture) end() {
	for _, s := range k.part {
		s.capture, s.captureTail = nil, nil
	}
	k.c.captures = slices.DeleteFunc(slices.Clone(k.c.captures), func(o *capture) bool { return o == k })
}

// implicit refuses the legacy stream while a stream captures that would have to
// wait for it.
func (c *context) implicit(s *stream, doing string) error {
	if s != c.legacy {
		return nil
	}
	var err error
	for _, k := range c.captures {
		if slices.ContainsFunc(k.part, func(s *stream) bool { return !s.nonBlocking }) {
			k.spoilt = true
			err = fail(StreamCaptureImplicit, "%s on the legacy stream while a stream that was made without CU_STREAM_NON_BLOCKING is capturing", doing)
		}
	}
	return err
}

// unsafeCall returns an error for a call that the mode of a capture forbids.
func (c *context) unsafeCall(t Thread, doing string) error {
	var err error
	for _, k := range c.captures {
		if k.mode == CaptureGlobal || k.mode == CaptureThreadLocal && k.thread == t {
			k.spoilt = true
			err = fail(StreamCaptureUnsupported, "%s during a capture whose mode forbids it", doing)
		}
	}
	return err
}

// BeginCapture is cuStreamBeginCapture.
func (d *Driver) BeginCapture(t Thread, h Handle, mode int) Result {
	return d.call(t, func(c *context) error {
		s, err := c.stream(h)
		switch {
		case err != nil:
			return err
		case mode < CaptureGlobal || mode > CaptureRelaxed:
			return fail(InvalidValue, "capture mode %d", mode)
		case s == c.legacy:
			return fail(StreamCaptureUnsupported, "the legacy stream cannot capture")
		case s.capture != nil:
			return fail(IllegalState, "%v is capturing already", s)
		}
		k := &capture{c: c, mode: mode, thread: t, origin: s, part: []*stream{s}}
		s.capture, s.captureTail = k, nil
		c.captures = append(c.captures, k)
		return nil
	})
}

// captureWait is StreamWaitEvent where a stream or an event is of a capture.
func (c *context) captureWait(s *stream, e *event) error {
	k := s.capture
	if k != nil {
		if err := k.usable(); err != nil {
			return err
		}
	}
	switch {
	case e.capture == nil && e.rec == nil:
		return nil
	case e.capture == nil:
		k.spoilt = true
		return fail(StreamCaptureIsolation, "%v is capturing and cannot wait for work from before or outside of the capture", s)
	case !slices.Contains(c.captures, e.capture):
		if k != nil {
			k.spoilt = true
		}
		return fail(CapturedEvent, "the event was recorded in a capture that is over")
	case k == nil && s == c.legacy:
		e.capture.spoilt = true
		return fail(StreamCaptureUnsupported, "the legacy stream cannot take part in a capture")
	case k == nil:
		if err := e.capture.usable(); err != nil {
			return err
		}
		s.capture, s.captureTail = e.capture, slices.Clone(e.captured)
		e.capture.part = append(e.capture.part, s)
		return nil
	case k != e.capture:
		k.spoilt, e.capture.spoilt = true, true
		return fail(StreamCaptureMerge, "%v and the event belong to different captures", s)
	}
	tail := slices.Clone(s.captureTail)
	for _, n := range e.captured {
		if !slices.Contains(tail, n) {
			tail = append(tail, n)
		}
	}
	s.captureTail = tail
	return nil
}

// EndCapture is cuStreamEndCapture.
func (d *Driver) EndCapture(t Thread, h Handle, site string) (g Handle, r Result) {
	r = d.call(t, func(c *context) error {
		s, err := c.stream(h)
		if err != nil {
			return err
		}
		k := s.capture
		switch {
		case k == nil:
			return fail(IllegalState, "%v is not capturing", s)
		case k.origin != s:
			k.spoilt = true
			return fail(StreamCaptureUnmatched, "the capture began on %v, not on %v", k.origin, s)
		case k.thread != t && k.mode != CaptureRelaxed:
			return fail(StreamCaptureWrongThread, "the capture began on another thread; goroutines that capture must be locked to theirs")
		}
		tail := s.captureTail
		k.end()
		if err := k.usable(); err != nil {
			return err
		}
		for _, n := range leaves(k.nodes) {
			if !slices.Contains(tail, n) {
				return fail(StreamCaptureUnjoined, "%s is on a stream that was forked and not joined to %v", n.what, s)
			}
		}
		g = c.newHandle(&graph{k.nodes}, "a graph, captured "+site)
		return nil
	})
	return g, r
}

// leaves returns the nodes that no other follows.
func leaves(nodes []*node) (ends []*node) {
	followed := map[*node]bool{}
	for _, n := range nodes {
		for _, p := range n.prev {
			followed[p] = true
		}
	}
	for _, n := range nodes {
		if !followed[n] {
			ends = append(ends, n)
		}
	}
	return ends
}

// CaptureStatus is cuStreamIsCapturing.
func (d *Driver) CaptureStatus(t Thread, h Handle) (status int, r Result) {
	r = d.call(t, func(c *context) error {
		s, err := c.stream(h)
		if err != nil {
			return err
		}
		if err := c.implicit(s, "query of capture"); err != nil {
			return err
		}
		switch {
		case s.capture == nil:
			status = CaptureNone
		case s.capture.spoilt:
			status = CaptureSpoilt
		default:
			status = CaptureActive
		}
		return nil
	})
	return status, r
}

// graph is captured work; exec is the same made ready to launch.
type graph struct{ nodes []*node }

type exec struct {
	nodes  []*node
	leaves []*node
	last   *op // the end of its last execution
}

// GraphNodes is the count of cuGraphGetNodes.
func (d *Driver) GraphNodes(t Thread, h Handle) (n int, r Result) {
	r = d.call(t, func(c *context) error {
		g, err := find[*graph](c, h, "graph")
		if err == nil {
			n = len(g.nodes)
		}
		return err
	})
	return n, r
}

// GraphDestroy is cuGraphDestroy.
func (d *Driver) GraphDestroy(t Thread, h Handle) Result { return destroy[*graph](d, t, h, "graph") }

// ExecDestroy is cuGraphExecDestroy.
func (d *Driver) ExecDestroy(t Thread, h Handle) Result {
	return destroy[*exec](d, t, h, "executable graph")
}

func destroy[T any](d *Driver, t Thread, h Handle, what string) Result {
	return d.call(t, func(c *context) error {
		_, err := find[T](c, h, what)
		if err == nil {
			c.drop(h)
		}
		return err
	})
}

// Instantiate is cuGraphInstantiate.
func (d *Driver) Instantiate(t Thread, h Handle, site string) (e Handle, r Result) {
	r = d.call(t, func(c *context) error {
		if err := c.refused("cuGraphInstantiate"); err != nil {
			return err
		}
		g, err := find[*graph](c, h, "graph")
		if err == nil {
			e = c.newHandle(&exec{nodes: g.nodes, leaves: leaves(g.nodes)}, "an executable graph, made "+site)
		}
		return err
	})
	return e, r
}

// GraphLaunch is cuGraphLaunch.
func (d *Driver) GraphLaunch(t Thread, h, on Handle) Result {
	return d.call(t, func(c *context) error {
		if err := c.refused("cuGraphLaunch"); err != nil {
			return err
		}
		e, err := find[*exec](c, h, "executable graph")
		if err != nil {
			return err
		}
		s, err := c.stream(on)
		if err != nil {
			return err
		}
		if s.capture != nil {
			return s.capture.inline(s, e)
		}
		if err := c.enqueue(s, "start of a graph", false, nil, e.last); err != nil {
			return err
		}
		d.counters.GraphLaunches++
		start := s.tail
		ops := make(map[*node]*op, len(e.nodes))
		for _, n := range e.nodes {
			prev := []*op{start}
			for _, p := range n.prev {
				prev = append(prev, ops[p])
			}
			if n.kernel {
				d.counters.GraphKernels++
			}
			ops[n] = c.queue.add(n.what, n.run, prev...)
		}
		ends := []*op{}
		for _, n := range e.leaves {
			ends = append(ends, ops[n])
		}
		c.submit(s, "end of a graph", nil, ends...)
		e.last = s.tail
		return nil
	})
}

// inline records the launch of a graph in a capture.
func (k *capture) inline(s *stream, e *exec) error {
	if err := k.usable(); err != nil {
		return err
	}
	copies := map[*node]*node{}
	for _, n := range e.nodes {
		prev := s.captureTail
		if len(n.prev) > 0 {
			prev = nil
			for _, p := range n.prev {
				prev = append(prev, copies[p])
			}
		}
		copies[n] = &node{n.what, n.kernel, n.run, prev}
		k.nodes = append(k.nodes, copies[n])
	}
	if len(e.nodes) > 0 {
		s.captureTail = nil
	}
	for _, n := range e.leaves {
		s.captureTail = append(s.captureTail, copies[n])
	}
	return nil
}
