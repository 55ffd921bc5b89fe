package dataset

import (
	ziparchive "archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	testModule  = "example.com/digits"
	testVersion = "v1.2.3"
)

// moduleProxy makes the go command see one module, with smallFiles in its
// folder data, and no network.
func moduleProxy(t *testing.T) {
	t.Helper()
	root := t.TempDir()
	folder := filepath.Join(root, "proxy", testModule, "@v")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(folder, testVersion+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	w := ziparchive.NewWriter(f)
	for name, content := range zipped() {
		part, err := w.Create(testModule + "@" + testVersion + "/data/" + name)
		if err != nil {
			t.Fatal(err)
		}
		part.Write(content)
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	write(t, folder, map[string][]byte{
		testVersion + ".mod":  []byte("module " + testModule + "\n"),
		testVersion + ".info": []byte(`{"Version":"` + testVersion + `"}`),
	})
	cache := filepath.Join(root, "cache")
	t.Cleanup(func() { // the go command writes folders that cannot be emptied
		filepath.WalkDir(cache, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				os.Chmod(path, 0o755)
			}
			return nil
		})
	})
	t.Setenv("GOMODCACHE", cache)
	t.Setenv("GOPROXY", "file://"+filepath.ToSlash(filepath.Join(root, "proxy")))
	t.Setenv("GONOSUMDB", "*")
	t.Setenv("GOTOOLCHAIN", "local")
}

// The go command finds the module whatever the user's Go settings are, and
// neither reads nor writes a go.mod or go.work above the temporary folder: these
// here would make it fail.
func TestGoModDownload(t *testing.T) {
	moduleProxy(t)
	user := t.TempDir()
	goMod := []byte("module user\n\ngo 9.9\n")
	write(t, user, map[string][]byte{"go.mod": goMod, "go.work": goMod})
	write(t, filepath.Join(user, "tmp"), nil)
	t.Setenv("TMPDIR", filepath.Join(user, "tmp"))
	t.Setenv("GOWORK", filepath.Join(user, "go.work"))
	t.Setenv("GOFLAGS", "-modfile="+filepath.Join(user, "go.mod"))
	t.Setenv("GO111MODULE", "off")
	t.Chdir(user)

	dir := t.TempDir()
	src := goModule(testModule+"@"+testVersion, "data", goModDownload)
	from, err := small(src, forbidden(t)).fetch(t.Context(), dir, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if want := "the Go module " + testModule + "@" + testVersion; from != want {
		t.Errorf("from %q, want %q", from, want)
	}
	checkFolder(t, filepath.Join(dir, "mnist"), fileNames...)

	if got, err := os.ReadFile("go.mod"); err != nil || string(got) != string(goMod) {
		t.Errorf("go.mod is now %q (%v)", got, err)
	}
	for _, pattern := range []string{"go.sum", "go.work.sum", "tmp/*"} {
		if left, _ := filepath.Glob(pattern); len(left) > 0 {
			t.Errorf("%v left behind", left)
		}
	}
}

func TestGoModDownloadErrors(t *testing.T) {
	moduleProxy(t)
	t.Run("unknown version", func(t *testing.T) {
		_, err := goModDownload(t.Context(), testModule+"@v9.9.9")
		if err == nil || !strings.Contains(err.Error(), "go mod download: reading file://") {
			t.Errorf("error %v, want what the go command says", err)
		}
	})
	t.Run("a module without the files", func(t *testing.T) {
		src := goModule(testModule+"@"+testVersion, "elsewhere", goModDownload)
		dir := t.TempDir()
		_, err := small(src).fetch(t.Context(), dir, func(string) {})
		if err == nil || !strings.Contains(err.Error(), fileNames[0]+".gz: no such file") {
			t.Errorf("error %v, want one that names the file", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := goModDownload(ctx, testModule+"@"+testVersion); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", err)
		}
	})
	t.Run("bad setting", func(t *testing.T) {
		t.Setenv("GOPROXY", "no-such-scheme://x")
		_, err := goModDownload(t.Context(), testModule+"@"+testVersion)
		if err == nil || !strings.Contains(err.Error(), "no-such-scheme") || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want one line with the reason", err)
		}
	})
	t.Run("no go command", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		_, err := goModDownload(t.Context(), testModule+"@"+testVersion)
		if err == nil || !strings.Contains(err.Error(), "not on the PATH") {
			t.Errorf("error %v, want one that says that there is no go command", err)
		}
	})
}

func TestFolder(t *testing.T) {
	shelf, dir := t.TempDir(), t.TempDir()
	write(t, shelf, zipped())
	from, err := small(folder(shelf), forbidden(t)).fetch(t.Context(), dir, func(string) {})
	if err != nil || from != shelf {
		t.Errorf("from %q, error %v, want %q and none", from, err, shelf)
	}
	checkFolder(t, filepath.Join(dir, "mnist"), fileNames...)
}

// serve starts a server and returns a mirror of it that gives up after stall.
func serve(t *testing.T, stall time.Duration, handler http.HandlerFunc) source {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	return mirror(server.URL+"/digits/", server.Client(), stall)
}

func TestMirror(t *testing.T) {
	for _, encoding := range []string{"", "gzip"} { // with "gzip" the client unpacks it
		src := serve(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
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
	name := fileNames[0] + ".gz"
	content := zipped()[name]
	for _, test := range []struct {
		what    string
		stall   time.Duration
		handler http.HandlerFunc
		err     string
	}{
		{"not found", time.Minute, http.NotFound, name + ": the server answered 404 Not Found"},
		{"server error", time.Minute, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, name + ": the server answered 503 Service Unavailable"},
		{"cut short", time.Minute, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			w.Write(content[:len(content)/2])
		}, name + ": it is truncated"},
		{"stalled", 50 * time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
			w.Write(content[:len(content)/2])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, name + ": the server sent nothing for 50ms"},
		{"endless", time.Minute, func(w http.ResponseWriter, _ *http.Request) {
			for err := error(nil); err == nil; {
				_, err = w.Write(make([]byte, 1<<16))
			}
		}, name + ": it is longer than"},
	} {
		t.Run(test.what, func(t *testing.T) {
			src := serve(t, test.stall, test.handler)
			dir := t.TempDir()
			_, err := small(src).fetch(t.Context(), dir, func(string) {})
			if err == nil || !strings.Contains(err.Error(), src.name+": "+test.err) {
				t.Errorf("error %v, want one with %q", err, test.err)
			}
			checkFolder(t, filepath.Join(dir, "mnist"))
		})
	}
}

func TestMirrorUnreachable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	url := server.URL + "/"
	server.Close()
	_, err := small(mirror(url, http.DefaultClient, time.Minute)).fetch(t.Context(), t.TempDir(), func(string) {})
	if err == nil || !strings.Contains(err.Error(), url+": "+fileNames[0]+".gz: dial tcp") {
		t.Errorf("error %v, want one that says that the connection failed", err)
	}
}

// Cancelling stops a download that waits for its server.
func TestMirrorCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	src := serve(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
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

// slowReader delivers a byte at a time, each after a wait.
type slowReader struct {
	io.Reader
	wait time.Duration
}

func (s slowReader) Read(p []byte) (int, error) {
	time.Sleep(s.wait)
	return s.Reader.Read(p[:1])
}

// A slow server is waited for as long as it sends something.
func TestMirrorSlow(t *testing.T) {
	content := idx([]byte{1, 2, 3, 4, 5, 6, 7, 8}, 8)
	synctest.Test(t, func(t *testing.T) { // on a clock of its own
		client := &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			body := slowReader{bytes.NewReader(content), stallAfter - time.Second}
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(body)}, nil
		})}
		open, err := mirror("https://digits.example/", client, stallAfter).prepare(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got, err := download(t.Context(), open, describe("labels", content))
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("read %v, error %v, want %v and none", got, err, content)
		}
	})
}
