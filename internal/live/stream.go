package live

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"
)

// News is what an event tells. The last News of a key are all that counts.
type News struct {
	Key   string
	Event string // name of the server-sent event
	Data  []byte // of one line; not changed afterwards
}

// Stream sends news as server-sent events.
type Stream struct {
	news func() []News
	ctx  context.Context // ends with Close
	stop context.CancelFunc
	done chan struct{} // closed when the goroutine that makes news has ended
	poke chan struct{} // holds one sign that there may be news

	mu      sync.Mutex
	items   []item // in the order in which they were told
	number  uint64 // of the newest item
	changed chan struct{}
	closed  bool
	clients sync.WaitGroup
	count   int
}

type item struct {
	News
	number uint64
}

const (
	mostClients = 256
	leastPause  = 250 * time.Millisecond // between news
	share       = 20                     // making news takes at most 1/share of the time
	mostWait    = 10 * time.Second       // that a client may take for what it is sent
	heartbeat   = 15 * time.Second       // keeps a connection alive, and finds out that it is not
)

// NewStream returns a stream of what news returns, all of it each time, in the order in which
// clients are to be told; what has not changed is not told again. It is called by one
// goroutine at a time, after a Poke or when somebody comes.
func NewStream(news func() []News) *Stream {
	s := &Stream{news: news, done: make(chan struct{}), poke: make(chan struct{}, 1), changed: make(chan struct{})}
	s.ctx, s.stop = context.WithCancel(context.Background())
	go s.run()
	return s
}

// Poke says that there may be news. It does not wait.
func (s *Stream) Poke() {
	select {
	case s.poke <- struct{}{}:
	default: // it is known
	}
}

// run makes news until the stream is closed.
func (s *Stream) run() {
	defer close(s.done)
	for {
		select {
		case <-s.poke:
		case <-s.ctx.Done():
			return
		}
		if s.listeners() == 0 {
			continue // who comes pokes
		}
		start := time.Now()
		s.tell(s.news(), false)
		select {
		case <-time.After(max(leastPause, share*time.Since(start))):
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *Stream) listeners() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// tell puts news in the place of older ones and wakes the clients.
func (s *Stream) tell(news []News, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	for _, n := range news {
		i := slices.IndexFunc(s.items, func(have item) bool { return have.Key == n.Key })
		if i >= 0 {
			if bytes.Equal(s.items[i].Data, n.Data) {
				continue
			}
			s.items = slices.Delete(s.items, i, i+1)
		}
		s.number++
		s.items = append(s.items, item{n, s.number})
	}
	s.closed = last
	close(s.changed)
	s.changed = make(chan struct{})
}

// Close tells the last news and nothing but them to those who listen, ends what they are
// sent, and waits until they have it or the context ends.
func (s *Stream) Close(ctx context.Context, last ...News) {
	s.stop()
	<-s.done
	s.mu.Lock()
	s.items = nil
	s.mu.Unlock()
	s.tell(last, true)
	gone := make(chan struct{})
	go func() {
		s.clients.Wait()
		close(gone)
	}()
	select {
	case <-gone:
	case <-ctx.Done():
	}
}

// since returns what is newer than a number, the number of the newest, what is closed when
// there is more, and whether there will be none.
func (s *Stream) since(seen uint64) (fresh []item, newest uint64, changed <-chan struct{}, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range s.items {
		if it.number > seen {
			fresh = append(fresh, it)
		}
	}
	return fresh, s.number, s.changed, s.closed
}

// enter counts a client in, unless there are too many.
func (s *Stream) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.count == mostClients {
		return false
	}
	s.count++
	s.clients.Add(1)
	return true
}

func (s *Stream) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count--
	s.clients.Done()
}

// ServeHTTP sends the news to one client until it leaves or the stream is closed.
func (s *Stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		http.Error(w, "the run has ended, or too many listen", http.StatusServiceUnavailable)
		return
	}
	defer s.leave()
	s.Poke()
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return
	}
	c := http.NewResponseController(w)
	send := func(parts ...[]byte) error { // which are not copied: many clients share them
		if err := c.SetWriteDeadline(time.Now().Add(mostWait)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		for _, p := range parts {
			if _, err := w.Write(p); err != nil {
				return err
			}
		}
		return c.Flush()
	}
	if send([]byte(": welcome\n\n")) != nil {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for seen := uint64(0); ; {
		fresh, newest, changed, closed := s.since(seen)
		for _, it := range fresh {
			if send([]byte("event: "+it.Event+"\ndata: "), it.Data, []byte("\n\n")) != nil {
				return
			}
		}
		if seen = newest; closed {
			return
		}
		select {
		case <-changed:
		case <-beat.C:
			if send([]byte(": still here\n\n")) != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}
