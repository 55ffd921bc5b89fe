package cli

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"driftless/internal/live"
	"driftless/internal/report"

	"github.com/spf13/pflag"
)

// anyPort is where pages are served unless the user says otherwise: on this machine only.
const anyPort = "127.0.0.1:0"

// liveFlag declares --live, whose value may be left out.
func liveFlag(f *pflag.FlagSet, addr *string) {
	f.StringVar(addr, "live", "", "serve the page while it trains, here or, as --live=host:port, at an address")
	f.Lookup("live").NoOptDefVal = anyPort
}

// broadcast serves a run's page while the run goes on. A nil one does nothing.
type broadcast struct {
	server *live.Server
	stream *live.Stream

	mu       sync.Mutex
	run      report.Run // as of the last evaluation
	follower report.Follower
	version  int          // of run
	drawn    *report.Page // of run, nil where it has changed
}

// newBroadcast serves the run at the address, and says where; an empty address serves
// nothing.
func newBroadcast(addr string, run *report.Run, t *terminal) (*broadcast, error) {
	if addr == "" {
		return nil, nil
	}
	b := &broadcast{}
	b.update(run)
	b.stream = live.NewStream(b.news)
	mux := http.NewServeMux()
	mux.Handle("/{$}", live.Page(b.page))
	mux.Handle("/events", b.stream)
	var err error
	if b.server, err = live.Serve(addr, mux); err != nil {
		b.stream.Close(context.Background())
		return nil, wrong("--live: %w", err)
	}
	fmt.Fprintf(t.err, "live: %s\n", b.server.URL())
	return b, nil
}

// follow makes the broadcast follow a recorder's run, and returns what ends it.
func (b *broadcast) follow(r *recorder) (end func()) {
	r.live = b
	b.update(r.run)
	return func() { b.end(r.t, r.run) }
}

// update takes what there is of the run. The experiment makes new points and lists each time,
// and changes the arms alone.
func (b *broadcast) update(run *report.Run) {
	if b == nil {
		return
	}
	b.mu.Lock()
	b.run, b.drawn, b.version = *run, nil, b.version+1
	b.run.Arms = slices.Clone(run.Arms)
	b.mu.Unlock()
	if b.stream != nil {
		b.stream.Poke()
	}
}

func (b *broadcast) page() ([]byte, string, error) {
	b.mu.Lock()
	page, run, version := b.drawn, b.run, b.version
	b.mu.Unlock()
	if page == nil { // which takes a while: training does not wait for it
		run.Arms = slices.Clone(run.Arms)
		run.Summarize()
		drawn, err := run.Page(true)
		if err != nil {
			return nil, "", err
		}
		page = &drawn
		b.mu.Lock()
		if version == b.version {
			b.drawn = page
		}
		b.mu.Unlock()
	}
	return page.HTML, page.Policy, nil
}

// news is called by one goroutine.
func (b *broadcast) news() []live.News {
	b.mu.Lock()
	run := b.run
	b.mu.Unlock()
	run.Arms = slices.Clone(run.Arms)
	news, err := b.follower.News(run)
	if err != nil {
		return nil // the page that is there stays
	}
	var out []live.News
	for _, n := range news {
		out = append(out, live.News(n))
	}
	return out
}

// end sends the page of the run as it ended, and stops. Browsers that do not take it soon, or
// before a second interrupt, keep what they have.
func (b *broadcast) end(t *terminal, run *report.Run) {
	if b == nil {
		return
	}
	ctx, cancel := context.WithTimeout(t.rush, 3*time.Second)
	defer cancel()
	var last []live.News
	if page, err := run.Page(false); err == nil && ctx.Err() == nil {
		if n, err := b.follower.End(page); err == nil {
			last = append(last, live.News(n))
		}
	}
	b.stream.Close(ctx, last...)
	b.server.Close(ctx)
	fmt.Fprintln(t.err, "live: ended with the run; pages that are open keep what they show")
}
