package dataset

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A source is a place that files can be fetched from.
type source struct {
	name  string // for log lines and errors
	limit string // when it is given up, for log lines; "" where it answers at once
	// prepare makes the source ready, once, before the first file.
	prepare func(ctx context.Context) (opener, error)
}

// An opener opens a file of a source by its name with ".gz". The content may be
// gzipped or plain.
type opener func(ctx context.Context, name string) (io.ReadCloser, error)

// folder is a source: the files in a folder of this machine.
func folder(path string) source {
	return source{name: path, prepare: func(context.Context) (opener, error) {
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
// that download puts into the module cache within the time limit.
func goModule(module, sub string, limit time.Duration, download func(ctx context.Context, module string) (dir string, err error)) source {
	given := fmt.Sprintf("given up after %v", limit)
	return source{"the Go module " + module, given, func(ctx context.Context) (opener, error) {
		timed, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		dir, err := download(timed, module)
		if err != nil && timed.Err() != nil && ctx.Err() == nil {
			return nil, errors.New(given)
		}
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
	cmd.WaitDelay = goGrace
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
