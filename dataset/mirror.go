package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// patience is how long a download may take: as long as something comes every so
// often, and a second for every rate bytes on top of the first silence. So a server
// that never answers costs one silence, and a file of n bytes at most a silence and
// n/rate seconds.
type patience struct {
	silence time.Duration // without a byte, from the request on
	rate    int64         // bytes a second
}

func (p patience) String() string {
	return fmt.Sprintf("given up after %v without data or below %d KB a second", p.silence, p.rate/1000)
}

// mirror is a source: the files below the URL base, which ends with a slash. A
// redirect is followed to HTTPS only.
func mirror(base string, client *http.Client, p patience) source {
	secure := *client
	secure.CheckRedirect = onlyHTTPS
	return source{base, p.String(), func(context.Context) (opener, error) {
		return func(ctx context.Context, name string) (io.ReadCloser, error) {
			b := watch(ctx, p)
			req, err := http.NewRequestWithContext(b.ctx, http.MethodGet, base+name, nil)
			if err != nil {
				b.stop()
				return nil, err
			}
			resp, err := secure.Do(req)
			if err != nil {
				if u := (*url.Error)(nil); errors.As(err, &u) {
					err = u.Err // less the method and the URL
				}
				if b.ctx.Err() != nil {
					err = context.Cause(b.ctx)
				}
				b.stop()
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if resp.StatusCode != http.StatusOK {
				resp.Body.Close()
				b.stop()
				return nil, fmt.Errorf("%s: the server answered %s", name, resp.Status)
			}
			b.body = resp.Body
			return b, nil
		}, nil
	}}
}

// onlyHTTPS is a client's rule for redirects.
func onlyHTTPS(req *http.Request, via []*http.Request) error {
	if req.URL.Scheme != "https" {
		return fmt.Errorf("the server redirects to %s, which is not HTTPS", req.URL.Redacted())
	}
	if len(via) > 5 {
		return fmt.Errorf("the server redirects more than %d times", len(via)-1)
	}
	return nil
}

// watchedBody is the body of a response whose reads fail when patience ends. The
// time runs from the request on.
type watchedBody struct {
	patience
	ctx    context.Context // of the request
	cancel context.CancelCauseFunc
	body   io.ReadCloser
	start  time.Time
	timer  *time.Timer

	mu       sync.Mutex
	received int64
	why      error // what the timer will say
}

// watch starts the time of a request.
func watch(ctx context.Context, p patience) *watchedBody {
	b := &watchedBody{patience: p, start: time.Now()}
	b.ctx, b.cancel = context.WithCancelCause(ctx)
	b.why = fmt.Errorf("the server sent nothing for %v", p.silence)
	b.timer = time.AfterFunc(p.silence, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.cancel(b.why)
	})
	return b
}

// got grants the time that n more bytes earn.
func (b *watchedBody) got(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.received += int64(n)
	whole := b.silence + time.Duration(float64(b.received)/float64(b.rate)*float64(time.Second))
	left := whole - time.Since(b.start)
	b.why = fmt.Errorf("the server is too slow: it sent %d bytes in %v", b.received, whole.Round(time.Millisecond))
	if b.silence < left {
		left, b.why = b.silence, fmt.Errorf("the server sent nothing for %v", b.silence)
	}
	b.timer.Reset(left)
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if n > 0 {
		b.got(n)
	}
	// Even io.EOF: a server that notices the cancelling may end its answer as
	// if it were complete.
	if err != nil && b.ctx.Err() != nil {
		err = context.Cause(b.ctx)
	}
	return n, err
}

func (b *watchedBody) Close() error {
	err := b.body.Close()
	b.stop()
	return err
}

// stop ends the time.
func (b *watchedBody) stop() {
	b.timer.Stop()
	b.cancel(nil)
}
