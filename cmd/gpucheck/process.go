package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// patience is how long a part may take to end: once when its time is up, and once more
// when it has been asked to.
var patience = 5 * time.Second

// wait waits for a process.
var wait = (*exec.Cmd).Wait

// runProcess runs a part's process, which ends by itself after the time that it was given,
// and passes its events on. Its error says why the process did not come to its end. The
// process leads a group of its own, so that nothing that it started outlives it or this
// process.
func runProcess(ctx context.Context, given time.Duration, self string, args, env []string, add func(event)) error {
	limited, cancel := context.WithTimeout(ctx, given+patience)
	defer cancel()
	cmd := exec.CommandContext(limited, self, args...)
	cmd.Env = env
	ownGroup(cmd)
	cmd.Cancel = func() error { return interruptGroup(cmd.Process.Pid) }
	cmd.WaitDelay = patience // then it is killed
	out, errs := &listener{add: add}, &tail{}
	cmd.Stdout, cmd.Stderr = out, errs
	if _, err := cmd.StdinPipe(); err != nil { // its leash: see runPart
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	waited := make(chan error, 1)
	go func(wait func(*exec.Cmd) error) { waited <- wait(cmd) }(wait)
	var err error
	select {
	case err = <-waited:
	case <-time.After(given + 3*patience): // it had been killed one patience before
		return fmt.Errorf("it did not end within its %.1f s, and cannot be killed: the driver does not let it go\n%s", given.Seconds(), strings.TrimSpace(errs.String()))
	}
	endGroup(cmd.Process.Pid)
	reason := strings.TrimSpace(out.rest() + errs.String())
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errors.New("interrupted")
	case limited.Err() != nil:
		return fmt.Errorf("it did not end within its %.1f s, and was stopped: it hangs, or was amid something long\n%s", given.Seconds(), reason)
	case reason == "":
		return err
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == exitFailed {
		return errors.New(reason)
	}
	return fmt.Errorf("%w\n%s", err, reason)
}

// command returns a command that is interrupted when ctx ends, and killed if it goes on.
func command(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = patience / 2
	return cmd
}

// listener is a writer that passes events on, line by line, and keeps all other text.
type listener struct {
	add   func(event)
	part  []byte // of a line
	stray tail
}

func (l *listener) Write(p []byte) (int, error) {
	l.part = append(l.part, p...)
	for {
		line, rest, ok := bytes.Cut(l.part, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		l.part = rest
		var e event
		if json.Unmarshal(line, &e) == nil {
			l.add(e)
		} else if len(bytes.TrimSpace(line)) > 0 {
			_, _ = l.stray.Write(append(bytes.Clone(line), '\n'))
		}
	}
}

// rest returns the text that was no event.
func (l *listener) rest() string { return l.stray.String() + string(l.part) }

// tail keeps the beginning and the end of what is written to it: Go prints a
// crash's reason first, Python last.
type tail struct {
	mu         sync.Mutex
	head, last []byte
	cut        bool
}

const tailBytes = 3000

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	if room := tailBytes - len(t.head); room > 0 {
		take := min(room, len(p))
		t.head, p = append(t.head, p[:take]...), p[take:]
	}
	t.last = append(t.last, p...)
	if over := len(t.last) - tailBytes; over > 0 {
		t.last, t.cut = append([]byte(nil), t.last[over:]...), true
	}
	return n, nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cut {
		return string(t.head) + "\n…\n" + string(t.last)
	}
	return string(t.head) + string(t.last)
}
