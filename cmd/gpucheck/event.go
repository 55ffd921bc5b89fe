package main

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// An event is what a part tells: a check, a table's head or row, a note, or, from
// the part machine, the device. It is one line of JSON.
type event struct {
	Check   string   `json:",omitempty"` // its name
	OK      bool     `json:",omitempty"`
	Text    string   `json:",omitempty"` // of a check or note
	Head    []string `json:",omitempty"`
	Row     []string `json:",omitempty"`
	Device  string   `json:",omitempty"` // as -device takes it
	Title   string   `json:",omitempty"` // of the device, in words
	Virtual bool     `json:",omitempty"`
}

// teller writes events.
type teller struct {
	mu  sync.Mutex
	enc *json.Encoder
}

func newTeller(w io.Writer) *teller { return &teller{enc: json.NewEncoder(w)} }

func (t *teller) tell(e event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.enc.Encode(e) // nobody listens if that fails
}

// check tells whether something is as it should be.
func (t *teller) check(ok bool, name, format string, args ...any) {
	t.tell(event{Check: name, OK: ok, Text: fmt.Sprintf(format, args...)})
}

func (t *teller) note(format string, args ...any) { t.tell(event{Text: fmt.Sprintf(format, args...)}) }

func (t *teller) table(head ...string) { t.tell(event{Head: head}) }

func (t *teller) row(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = fmt.Sprint(c)
	}
	t.tell(event{Row: row})
}
