package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"

	"driftless/engine/device/cuda"
	driver "driftless/internal/cuda"
)

// An event is what a part tells: a check, a table's head or row, a note, that it is left
// out or has run out of time, or, from the part machine, the device. It is one line of
// JSON.
type event struct {
	Check   string   `json:",omitempty"` // its name
	OK      bool     `json:",omitempty"`
	Text    string   `json:",omitempty"` // of a check or note
	Head    []string `json:",omitempty"`
	Row     []string `json:",omitempty"`
	Key     string   `json:",omitempty"` // of a row or check: it takes the place of the last with this key
	Left    string   `json:",omitempty"` // why the part is left out
	Cut     bool     `json:",omitempty"` // its time is up
	Device  string   `json:",omitempty"` // as -device takes it
	Title   string   `json:",omitempty"` // of the device, in words
	Virtual bool     `json:",omitempty"`
}

// faulty reports whether the event tells of a kernel's fault, after which the process can do nothing.
func (e event) faulty() bool { return strings.Contains(e.Text, driver.Restart) }

// teller writes events.
type teller struct {
	mu     sync.Mutex
	enc    *json.Encoder
	warned map[string]bool
}

func newTeller(w io.Writer) *teller {
	return &teller{enc: json.NewEncoder(w), warned: map[string]bool{}}
}

func (t *teller) tell(e event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.enc.Encode(e) // nobody listens if that fails
}

// check reports whether something is as it should be.
func (t *teller) check(ok bool, name, format string, args ...any) {
	t.tell(event{Check: name, OK: ok, Text: fmt.Sprintf(format, args...)})
}

func (t *teller) note(format string, args ...any) { t.tell(event{Text: fmt.Sprintf(format, args...)}) }

// leave tells that the part is left out, and why.
func (t *teller) leave(format string, args ...any) { t.tell(event{Left: fmt.Sprintf(format, args...)}) }

func (t *teller) table(head ...string) { t.tell(event{Head: head}) }

func (t *teller) row(cells ...any) { t.keyed("", cells...) }

// keyed tells a row in the place of the last with this key.
func (t *teller) keyed(key string, cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = fmt.Sprint(c)
	}
	t.tell(event{Row: row, Key: key})
}

// options adds to a device's that it tells its warnings, each once.
func (t *teller) options(opts ...cuda.Option) []cuda.Option {
	return append(opts, cuda.Warn(func(message string) {
		t.mu.Lock()
		known := t.warned[message]
		t.warned[message] = true
		t.mu.Unlock()
		if !known {
			t.note("The device said: %s", message)
		}
	}))
}
