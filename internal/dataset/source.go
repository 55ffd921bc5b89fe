package dataset

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A source is a place that files can be fetched from.
type source struct {
	name string // for log lines and errors
	// prepare makes the source ready, once, before the first file.
	prepare func(ctx context.Context) (opener, error)
}

// An opener opens a file of a source by its name with ".gz". The content may be
// gzipped or plain.
type opener func(ctx context.Context, name string) (io.ReadCloser, error)

// folder is a source: the files in a folder of this machine.
func folder(path string) source {
	return source{path, func(context.Context) (opener, error) {
		if _, err := os.Stat(path); err != nil {
			return nil, errors.New("there is no such folder")
		}
		return inFolder(path), nil
	}}
}

func inFolder(path string) opener {
	return func(_ context.Context, name string) (io.ReadCloser, error) {
		f, _, err := openRegular(filepath.Join(path, name))
		if err != nil {
			return nil, err // not f: a nil *os.File would be a non-nil ReadCloser
		}
		return f, nil
	}
}

// goModule is a source: the folder sub of a Go module, given as path@version,
// that download puts into the module cache.
func goModule(module, sub string, download func(ctx context.Context, module string) (dir string, err error)) source {
	return source{"the Go module " + module, func(ctx context.Context) (opener, error) {
		dir, err := download(ctx, module)
		if err != nil {
			return nil, err
		}
		return inFolder(filepath.Join(dir, sub)), nil
	}}
}

// goModDownload has the go command download a module and returns its folder in
// the module cache. The command runs in a module of its own in a temporary
// folder, so no go.mod, go.work or go.sum of the user is read or written.
func goModDownload(ctx context.Context, module string) (string, error) {
	goCommand, err := exec.LookPath("go")
	if err != nil {
		return "", errors.New("the go command is not on the PATH")
	}
	tmp, err := os.MkdirTemp("", "driftless-fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	// Without it, a go.mod in a parent of the temporary folder would be used.
	if err := os.WriteFile(filepath.Join(tmp, "go.mod"), []byte("module fetch\n"), 0o644); err != nil {
		return "", err
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, goCommand, "mod", "download", "-json", module)
	cmd.Dir = tmp
	cmd.Env = append(os.Environ(), "GO111MODULE=on", "GOWORK=off", "GOFLAGS=", "PWD="+tmp)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 5 * time.Second // for a git that go started
	runErr := cmd.Run()

	var answer struct{ Dir, Error string }
	jsonErr := json.Unmarshal(stdout.Bytes(), &answer)
	switch {
	case answer.Error != "":
		return "", fmt.Errorf("go mod download: %s", oneLine(strings.TrimPrefix(answer.Error, module+": ")))
	case runErr != nil:
		return "", fmt.Errorf("go mod download: %w: %s", runErr, oneLine(stderr.String()))
	case jsonErr != nil || answer.Dir == "":
		return "", errors.New("go mod download did not say where the module is")
	}
	return answer.Dir, nil
}

// oneLine puts a message of several lines on one.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// stallAfter is how long a download may go without a byte.
const stallAfter = 30 * time.Second

// httpClient has limits on connecting and on the first byte of an answer; the
// body is limited by mirror. It honours HTTPS_PROXY.
var httpClient = &http.Client{Transport: &http.Transport{
	Proxy:                 http.ProxyFromEnvironment,
	DialContext:           (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
	TLSHandshakeTimeout:   15 * time.Second,
	ResponseHeaderTimeout: stallAfter,
	IdleConnTimeout:       stallAfter,
	ForceAttemptHTTP2:     true,
}}

// mirror is a source: the files below the URL base, which ends with a slash. A
// body that delivers nothing for the duration stall is given up.
func mirror(base string, client *http.Client, stall time.Duration) source {
	return source{base, func(context.Context) (opener, error) {
		return func(ctx context.Context, name string) (io.ReadCloser, error) {
			ctx, cancel := context.WithCancelCause(ctx)
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+name, nil)
			if err != nil {
				cancel(nil)
				return nil, err
			}
			resp, err := client.Do(req)
			if err != nil {
				cancel(nil)
				if u := (*url.Error)(nil); errors.As(err, &u) {
					err = u.Err // less the method and the URL
				}
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if resp.StatusCode != http.StatusOK {
				resp.Body.Close()
				cancel(nil)
				return nil, fmt.Errorf("%s: the server answered %s", name, resp.Status)
			}
			timer := time.AfterFunc(stall, func() {
				cancel(fmt.Errorf("the server sent nothing for %v", stall))
			})
			return &stallingBody{ctx, cancel, resp.Body, timer, stall}, nil
		}, nil
	}}
}

// stallingBody is the body of a response whose reads fail after stall without
// data.
type stallingBody struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	body   io.ReadCloser
	timer  *time.Timer
	stall  time.Duration
}

func (b *stallingBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if n > 0 {
		b.timer.Reset(b.stall)
	}
	// Even io.EOF: a server that notices the cancelling may end its answer as
	// if it were complete.
	if err != nil && b.ctx.Err() != nil {
		err = context.Cause(b.ctx)
	}
	return n, err
}

func (b *stallingBody) Close() error {
	b.timer.Stop()
	err := b.body.Close()
	b.cancel(nil)
	return err
}
