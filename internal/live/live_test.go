package live

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// count is news that change with a number.
type count struct{ n atomic.Int64 }

func (c *count) news() []News {
	return []News{{"fixed", "fixed", []byte("1")}, {"n", "n", fmt.Append(nil, c.n.Load())}}
}

func serve(t *testing.T, h http.Handler) *Server {
	t.Helper()
	s, err := Serve("127.0.0.1:0", h)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func soon() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	time.AfterFunc(20*time.Second, cancel)
	return ctx
}

// listen returns the events of a stream in order, until it ends.
func listen(t *testing.T, client *http.Client, url string) (func() (event, data string, ok bool), func()) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %s", resp.Status)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<24)
	return func() (event, data string, ok bool) {
		for lines.Scan() {
			if e, is := strings.CutPrefix(lines.Text(), "event: "); is {
				event = e
			}
			if d, is := strings.CutPrefix(lines.Text(), "data: "); is {
				return event, d, true
			}
		}
		return "", "", false
	}, func() { resp.Body.Close() }
}

// Of 200 clients each sees the newest number and the last word, and what came between at most
// once, in order; then nothing is left of any.
func TestManyClients(t *testing.T) {
	defer goleak.VerifyNone(t)
	const clients = 200
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	client := &http.Client{Transport: transport}
	defer transport.CloseIdleConnections()
	var c count
	stream := NewStream(c.news)
	server := serve(t, stream)
	var wg, here sync.WaitGroup
	here.Add(clients)
	for range clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			next, end := listen(t, client, server.URL())
			defer end()
			here.Done()
			last, fixed := int64(-1), 0
			for {
				event, data, ok := next()
				if !ok {
					t.Error("the stream ended without its last word")
					return
				}
				switch event {
				case "fixed":
					fixed++
				case "n":
					var n int64
					if _, err := fmt.Sscan(data, &n); err != nil || n <= last {
						t.Errorf("number %s after %d", data, last)
					}
					last = n
				case "bye":
					if fixed > 1 || last > 500 {
						t.Errorf("%d times what does not change, numbers up to %d", fixed, last)
					}
					if _, _, more := next(); more {
						t.Error("there was more after the last word")
					}
					return
				}
			}
		}()
	}
	here.Wait()
	for range 500 {
		c.n.Add(1)
		stream.Poke()
		time.Sleep(time.Millisecond)
	}
	stream.Close(soon(), News{"bye", "bye", []byte("{}")})
	wg.Wait()
	server.Close(soon())
}

// Clients that read nothing cost neither the others nor memory, and do not hold up the end.
func TestSlowClients(t *testing.T) {
	defer goleak.VerifyNone(t)
	big := make([]byte, 1<<20)
	clients := 100
	if testing.Short() {
		clients = 20
	}
	var n atomic.Int64
	stream := NewStream(func() []News {
		data := []byte(fmt.Sprintf("%d %s", n.Load(), strings.Repeat("x", len(big))))
		return []News{{"big", "big", data}}
	})
	server := serve(t, stream)
	addr := strings.TrimSuffix(strings.TrimPrefix(server.URL(), "http://"), "/")
	for range clients {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", addr)
	}
	for stream.listeners() < clients {
		time.Sleep(5 * time.Millisecond)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	next, end := listen(t, &http.Client{Transport: transport}, server.URL())
	defer end()
	var before, after runtime.MemStats
	for i := range 12 {
		n.Add(1)
		stream.Poke()
		if _, _, ok := next(); !ok {
			t.Fatal("the client that reads was dropped")
		}
		if i == 2 {
			runtime.GC()
			runtime.ReadMemStats(&before)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("nine news more for %d clients that read nothing take %d MB", clients, grown>>20)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	start := time.Now()
	stream.Close(ctx)
	server.Close(ctx)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the end took %v", took)
	}
	for deadline := time.Now().Add(15 * time.Second); stream.listeners() > 0 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
}

// Nobody listening, nothing is made; who comes is told what there is.
func TestNewsAreMadeForListeners(t *testing.T) {
	defer goleak.VerifyNone(t)
	var c count
	var calls atomic.Int64
	stream := NewStream(func() []News { calls.Add(1); return c.news() })
	server := serve(t, stream)
	c.n.Store(7)
	for range 5 {
		stream.Poke()
		time.Sleep(10 * time.Millisecond)
	}
	if n := calls.Load(); n != 0 {
		t.Errorf("news were made %d times for nobody", n)
	}
	transport := &http.Transport{}
	next, end := listen(t, &http.Client{Transport: transport}, server.URL())
	_, first, _ := next()
	_, second, _ := next()
	if first != "1" || second != "7" {
		t.Errorf("who comes is told %q and %q", first, second)
	}
	end()
	transport.CloseIdleConnections()
	stream.Close(soon())
	server.Close(soon())
}

func TestTooManyClients(t *testing.T) {
	defer goleak.VerifyNone(t)
	stream := NewStream(func() []News { return nil })
	for range mostClients {
		if !stream.enter() {
			t.Fatal("a place was refused")
		}
	}
	server := serve(t, stream)
	resp, err := http.Get(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one too many gets %s", resp.Status)
	}
	for range mostClients {
		stream.leave()
	}
	stream.Close(soon())
	http.DefaultClient.CloseIdleConnections()
	server.Close(soon())
}

// What is asked by another name, or with another method, is refused.
func TestGuard(t *testing.T) {
	defer goleak.VerifyNone(t)
	server := serve(t, Page(func() ([]byte, string, error) { return []byte("<p>hello"), "default-src 'none'", nil }))
	defer server.Close(soon())
	defer http.DefaultClient.CloseIdleConnections()
	ask := func(method, host string) (*http.Response, string) {
		req, err := http.NewRequest(method, server.URL(), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	for host, status := range map[string]int{"": 200, "localhost": 200, "LOCALHOST:9000": 200, "127.0.0.1:80": 200, "[::1]:80": 200, "192.168.0.2": 200,
		"evil.example": 403, "evil.example:80": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403, "[evil]": 403} {
		resp, body := ask(http.MethodGet, host)
		if resp.StatusCode != status {
			t.Errorf("Host %q: %s", host, resp.Status)
		}
		if leaks := strings.Contains(body, "hello"); leaks != (status == 200) {
			t.Errorf("Host %q reads %q", host, body)
		}
		if policy := resp.Header.Get("Content-Security-Policy"); policy != "default-src 'none'; frame-ancestors 'none'" {
			t.Errorf("Host %q: policy %q", host, policy)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"} {
		if resp, _ := ask(method, ""); resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %s, allowed are %q", method, resp.Status, resp.Header.Get("Allow"))
		}
	}
	if resp, body := ask(http.MethodHead, ""); resp.StatusCode != 200 || body != "" {
		t.Errorf("HEAD: %s %q", resp.Status, body)
	}
}

// The name that a server was told is one of its own.
func TestOwnName(t *testing.T) {
	for _, c := range []struct {
		host, name string
		want       bool
	}{{"box.lan:80", "box.lan", true}, {"box.lan", "", false}, {"", "", false}, {"other.lan", "box.lan", false}} {
		if got := known(c.host, c.name); got != c.want {
			t.Errorf("known(%q, %q) is %v", c.host, c.name, got)
		}
	}
}

func TestAddressesThatDoNotDo(t *testing.T) {
	defer goleak.VerifyNone(t)
	taken := serve(t, http.NotFoundHandler())
	defer taken.Close(soon())
	addr := strings.TrimSuffix(strings.TrimPrefix(taken.URL(), "http://"), "/")
	for in, want := range map[string]string{
		"8080":            `"8080" is no address to serve on: give a host and a port`,
		addr:              "cannot serve on " + addr + ": bind: address already in use",
		"127.0.0.1:99999": "cannot serve on 127.0.0.1:99999: ",
	} {
		if _, err := Serve(in, nil); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", in, err, want)
		}
	}
}
