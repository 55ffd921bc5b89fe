package virtual

import "fmt"

// stream is a queue's order. The legacy stream has no handle of its own.
type stream struct {
	c           *context
	handle      Handle
	flags       int
	nonBlocking bool
	tail        *op
	capture     *capture // that it takes part in
	captureTail []*node  // what its next work in the capture follows
}

func (s *stream) String() string {
	if s == s.c.legacy {
		return "the legacy stream"
	}
	return fmt.Sprintf("stream %#x", uintptr(s.handle))
}

// Flags of cuStreamCreate and cuEventCreate.
const (
	StreamNonBlocking  = 1
	EventBlockingSync  = 1
	EventDisableTiming = 2
)

// legacyStream is a handle that means the same as 0.
const legacyStream Handle = 1

func (c *context) stream(h Handle) (*stream, error) {
	if h == 0 || h == legacyStream {
		return c.legacy, nil
	}
	return find[*stream](c, h, "stream")
}

// StreamCreate is cuStreamCreate.
func (d *Driver) StreamCreate(t Thread, flags int, site string) (h Handle, r Result) {
	r = d.call(t, func(c *context) error {
		if flags&^StreamNonBlocking != 0 {
			return fail(InvalidValue, "stream flags %#x", flags)
		}
		s := &stream{c: c, flags: flags, nonBlocking: flags == StreamNonBlocking}
		s.handle = c.newHandle(s, "a stream, made "+site)
		c.streams = append(c.streams, s)
		h = s.handle
		return nil
	})
	return h, r
}

// StreamDestroy is cuStreamDestroy. What is queued stays queued.
func (d *Driver) StreamDestroy(t Thread, h Handle) Result {
	return d.call(t, func(c *context) error {
		s, err := find[*stream](c, h, "stream")
		if err != nil {
			return err
		}
		if s.capture != nil {
			s.capture.spoilt = true
			return fail(StreamCaptureUnsupported, "destruction of %v, which is capturing", s)
		}
		c.drop(h)
		return nil
	})
}

// StreamFlags is cuStreamGetFlags.
func (d *Driver) StreamFlags(t Thread, h Handle) (flags int, r Result) {
	r = d.call(t, func(c *context) error {
		s, err := c.stream(h)
		if err == nil {
			flags = s.flags
		}
		return err
	})
	return flags, r
}

// StreamQuery is cuStreamQuery. Each call that finds the stream not ready has
// one piece of its work done.
func (d *Driver) StreamQuery(t Thread, h Handle) Result {
	return d.call(t, func(c *context) error {
		s, err := c.idle(h, "query")
		if err != nil {
			return err
		}
		return c.poll(s.tail, s.String())
	})
}

// StreamSynchronize is cuStreamSynchronize.
func (d *Driver) StreamSynchronize(t Thread, h Handle) Result {
	return d.call(t, func(c *context) error {
		s, err := c.idle(h, "synchronisation")
		if err != nil {
			return err
		}
		d.counters.Synchronize++
		return c.do(func(q *queue) error { return q.finish(s.tail) })
	})
}

// idle returns a stream, which must not be capturing.
func (c *context) idle(h Handle, doing string) (*stream, error) {
	s, err := c.stream(h)
	if err != nil {
		return nil, err
	}
	if s.capture != nil {
		s.capture.spoilt = true
		return nil, fail(StreamCaptureUnsupported, "%s of %v, which is capturing", doing, s)
	}
	if err := c.implicit(s, doing); err != nil {
		return nil, err
	}
	return s, nil
}

// poll does one piece of what o needs, unless o is done.
func (c *context) poll(o *op, what string) error {
	if o == nil || o.done {
		return nil
	}
	if err := c.do(func(q *queue) error { _, err := q.step(q.needs(o)); return err }); err != nil {
		return err
	}
	return fail(NotReady, "%s has work to do", what)
}

// enqueue adds work to a stream or, if that is capturing, to the capture.
func (c *context) enqueue(s *stream, what string, kernel bool, run func() error, also ...*op) error {
	if s.capture != nil {
		return s.capture.add(s, what, kernel, run)
	}
	if err := c.implicit(s, what); err != nil {
		return err
	}
	c.submit(s, what, run, also...)
	if c.queue.pending > maxPending {
		return c.do(func(q *queue) error { return q.drain(maxPending / 2) })
	}
	return nil
}

// submit adds work to a stream that is not capturing. Streams that are not
// NonBlocking and the legacy stream wait for each other.
func (c *context) submit(s *stream, what string, run func() error, also ...*op) {
	prev := append([]*op{s.tail}, also...)
	if s == c.legacy {
		for _, other := range c.streams {
			if !other.nonBlocking {
				prev = append(prev, other.tail)
			}
		}
		// Streams whose work the legacy stream follows now may be forgotten.
		kept := c.streams[:0]
		for _, other := range c.streams {
			if c.d.handles[other.handle] == any(other) {
				kept = append(kept, other)
			}
		}
		c.streams = kept
	} else if !s.nonBlocking {
		prev = append(prev, c.legacy.tail)
	}
	s.tail = c.queue.add(what, run, prev...)
}

// event is a CUDA event: rec is the work that it was recorded behind, captured the nodes of a
// capture that it was recorded behind; one of the two is nil.
type event struct {
	handle   Handle
	timing   bool
	rec      *op
	capture  *capture
	captured []*node
}

func (c *context) event(h Handle) (*event, error) { return find[*event](c, h, "event") }

// EventCreate is cuEventCreate.
func (d *Driver) EventCreate(t Thread, flags int, site string) (h Handle, r Result) {
	r = d.call(t, func(c *context) error {
		if flags&^(EventBlockingSync|EventDisableTiming) != 0 {
			return fail(InvalidValue, "event flags %#x", flags)
		}
		e := &event{timing: flags&EventDisableTiming == 0}
		e.handle = c.newHandle(e, "an event, made "+site)
		h = e.handle
		return nil
	})
	return h, r
}

// EventDestroy is cuEventDestroy.
func (d *Driver) EventDestroy(t Thread, h Handle) Result {
	return d.call(t, func(c *context) error {
		_, err := c.event(h)
		if err == nil {
			c.drop(h)
		}
		return err
	})
}

// EventRecord is cuEventRecord.
func (d *Driver) EventRecord(t Thread, h, on Handle) Result {
	return d.call(t, func(c *context) error {
		e, err := c.event(h)
		if err != nil {
			return err
		}
		s, err := c.stream(on)
		if err != nil {
			return err
		}
		if s.capture != nil {
			if err := s.capture.usable(); err != nil {
				return err
			}
			e.rec, e.capture, e.captured = nil, s.capture, s.captureTail
			return nil
		}
		if err := c.enqueue(s, "record of an event", false, nil); err != nil {
			return err
		}
		e.rec, e.capture, e.captured = s.tail, nil, nil
		return nil
	})
}

// StreamWaitEvent is cuStreamWaitEvent. An event that was never recorded is not
// waited for.
func (d *Driver) StreamWaitEvent(t Thread, h, on Handle) Result {
	return d.call(t, func(c *context) error {
		s, err := c.stream(h)
		if err != nil {
			return err
		}
		e, err := c.event(on)
		if err != nil {
			return err
		}
		if s.capture != nil || e.capture != nil {
			return c.captureWait(s, e)
		}
		if e.rec == nil {
			return nil
		}
		return c.enqueue(s, "wait for an event", false, nil, e.rec)
	})
}

// outside refuses to ask after an event that a capture recorded, or during a
// capture that forbids it.
func (c *context) outside(t Thread, h Handle, doing string) (*event, error) {
	e, err := c.event(h)
	if err != nil {
		return nil, err
	}
	if e.capture != nil {
		e.capture.spoilt = true
		return nil, fail(CapturedEvent, "%s of an event that was recorded in a capture", doing)
	}
	return e, c.unsafeCall(t, doing+" of an event")
}

// EventQuery is cuEventQuery. Each call that finds the event not reached has one
// piece of the work before it done.
func (d *Driver) EventQuery(t Thread, h Handle) Result {
	return d.call(t, func(c *context) error {
		e, err := c.outside(t, h, "query")
		if err != nil {
			return err
		}
		return c.poll(e.rec, "the stream that the event was recorded on")
	})
}

// EventSynchronize is cuEventSynchronize.
func (d *Driver) EventSynchronize(t Thread, h Handle) Result {
	return d.call(t, func(c *context) error {
		e, err := c.outside(t, h, "synchronisation")
		if err != nil {
			return err
		}
		d.counters.Synchronize++
		return c.do(func(q *queue) error { return q.finish(e.rec) })
	})
}

// EventElapsed is cuEventElapsedTime: milliseconds of this machine's time.
func (d *Driver) EventElapsed(t Thread, from, to Handle) (ms float64, r Result) {
	r = d.call(t, func(c *context) error {
		a, err := c.event(from)
		if err != nil {
			return err
		}
		b, err := c.event(to)
		if err != nil {
			return err
		}
		switch {
		case !a.timing || !b.timing:
			return fail(InvalidHandle, "an event was made without timing")
		case a.capture != nil || b.capture != nil:
			return fail(CapturedEvent, "an event was recorded in a capture")
		case a.rec == nil || b.rec == nil:
			return fail(InvalidHandle, "an event was never recorded")
		case !a.rec.done || !b.rec.done:
			return fail(NotReady, "an event is not reached yet")
		}
		ms = b.rec.stamp.Sub(a.rec.stamp).Seconds() * 1e3
		return nil
	})
	return ms, r
}
