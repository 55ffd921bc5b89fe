package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	driver "driftless/internal/cuda"
)

// report is what becomes the Markdown file.
type report struct {
	mu            sync.Mutex    // guards what changes
	changed       chan struct{} // holds one where the file is behind
	path          string
	began         time.Time
	plan          string
	budget        time.Duration
	quick         bool
	device, title string // as -device takes it, and in words
	virtual, none bool
	interrupted   bool
	finished      bool
	sections      []*section
}

// section is what a part has told.
type section struct {
	title       string
	events      []event
	device      event  // of the part machine
	left        string // why it is left out
	cut         bool   // its time was up
	running     bool
	err         error
	interrupted bool
	given, took time.Duration
}

func newReport(o options, now time.Time) *report {
	return &report{changed: make(chan struct{}, 1), path: o.out, began: now, plan: o.plan, budget: o.budget, quick: o.quick, virtual: o.virtual(), device: o.device}
}

func (s *section) add(e event) {
	switch {
	case e.Device != "":
		s.device = e
		return
	case e.Left != "":
		s.left = e.Left
		return
	case e.Cut:
		s.cut = true
		return
	case e.Key != "":
		if i := slices.IndexFunc(s.events, func(old event) bool { return old.Key == e.Key }); i >= 0 {
			s.events[i] = e
			return
		}
	}
	s.events = append(s.events, e)
}

// checks counts those that passed and all.
func (s *section) checks() (passed, all int) {
	for _, e := range s.events {
		if e.Check == "" {
			continue
		}
		if all++; e.OK {
			passed++
		}
	}
	return passed, all
}

// verdict is a section's result in a word or two.
func (s *section) verdict() string {
	passed, all := s.checks()
	text := fmt.Sprintf("PASS: %s", plural(all, "check"))
	switch {
	case passed < all:
		return fmt.Sprintf("FAIL: %d of %d checks", all-passed, all)
	case s.interrupted:
		return "interrupted"
	case s.err != nil:
		return "FAIL: did not come to its end"
	case s.running:
		return "running"
	case s.left != "" && all == 0:
		return "left out"
	case all == 0:
		text = "no check"
	}
	if s.cut {
		text += fmt.Sprintf(", then its %.0f s were up", s.given.Seconds())
	}
	return text
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// failures lists what failed, a line each.
func (s *section) failures() []string {
	var out []string
	for _, e := range s.events {
		if e.Check != "" && !e.OK {
			out = append(out, "FAIL "+e.Check+": "+firstLine(e.Text))
		}
	}
	if s.err != nil && !s.interrupted {
		out = append(out, firstLine(s.err.Error()))
	}
	return out
}

// faulty reports whether a kernel was at fault.
func (s *section) faulty() bool {
	return s.err != nil && strings.Contains(s.err.Error(), driver.Restart) ||
		slices.ContainsFunc(s.events, event.faulty)
}

// say prints the section's result, and what failed.
func (s *section) say(w io.Writer) {
	fmt.Fprintf(w, "%s (%.1f s)\n", s.verdict(), s.took.Seconds())
	if s.left != "" {
		fmt.Fprintln(w, "  "+s.left)
	}
	for _, f := range s.failures() {
		fmt.Fprintln(w, "  "+f)
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func (s *section) failed() bool {
	passed, all := s.checks()
	return passed < all || s.err != nil && !s.interrupted
}

func (r *report) failed() bool {
	for _, s := range r.sections {
		if s.failed() {
			return true
		}
	}
	return false
}

// summary is the result in one line.
func (r *report) summary() string {
	passed, all, broken, left, cut := 0, 0, 0, 0, 0
	for _, s := range r.sections {
		p, a := s.checks()
		passed, all = passed+p, all+a
		if s.err != nil && !s.interrupted {
			broken++
		}
		if s.left != "" {
			left++
		}
		if s.cut {
			cut++
		}
	}
	text := fmt.Sprintf("PASS: %s", plural(all, "check"))
	switch {
	case r.none:
		text = "FAIL: no device to check"
	case passed < all:
		text = fmt.Sprintf("FAIL: %d of %s", all-passed, plural(all, "check"))
	case broken > 0:
		text = fmt.Sprintf("FAIL: %s passed", plural(all, "check"))
	case r.interrupted:
		text = fmt.Sprintf("interrupted: %s passed until then", plural(all, "check"))
	case !r.finished:
		text = fmt.Sprintf("not finished: %s passed so far", plural(all, "check"))
	}
	if broken > 0 && !r.none {
		text += fmt.Sprintf(", %s did not come to its end", plural(broken, "part"))
	}
	if left > 0 {
		text += fmt.Sprintf(", %s left out", plural(left, "part"))
	}
	if cut > 0 {
		text += fmt.Sprintf(", %s cut short", plural(cut, "part"))
	}
	if r.virtual {
		text += ", on a virtual PTX device"
	}
	return text
}

// change changes the report, of which keep writes what is new.
func (r *report) change(f func()) {
	r.mu.Lock()
	f()
	r.mu.Unlock()
	select {
	case r.changed <- struct{}{}:
	default: // it is to be written as it is
	}
}

// keep writes the report, while the parts run, as soon as it changes, but at most ten times a
// second: whenever the program is killed, the file has what had been told. An error is said
// when the report is written at the end. It stops when the function that it returns is called.
func (r *report) keep() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-r.changed:
				_ = r.write()
				time.Sleep(100 * time.Millisecond)
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// write writes the report; the file is never half written.
func (r *report) write() error {
	r.mu.Lock()
	text := r.markdown()
	r.mu.Unlock()
	tmp := r.path + ".tmp"
	if err := os.WriteFile(tmp, []byte(text), 0o644); err != nil {
		return fmt.Errorf("-out: the report cannot be written: %w", err)
	}
	if err := os.Rename(tmp, r.path); err != nil {
		return fmt.Errorf("-out: the report cannot be written: %w", err)
	}
	return nil
}

func (r *report) markdown() string {
	var b strings.Builder
	b.WriteString("# GPU check\n\n")
	if r.virtual {
		b.WriteString("> **Verified on a virtual PTX device, not on NVIDIA hardware.** The kernels' PTX was\n" +
			"> interpreted on the CPU. Times in this report say nothing about a GPU.\n\n")
	}
	title := r.title
	if title == "" {
		title = "none (" + r.device + " asked for)"
	}
	fmt.Fprintf(&b, "- device: **%s**\n- result: **%s**\n- date: %s, plan %s, budget %v\n- build: %s, %s/%s\n", title, r.summary(),
		r.began.UTC().Format("2006-01-02 15:04 UTC"), r.plan, r.budget, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if r.quick {
		b.WriteString("- quick: tiny networks and few steps, which show that everything runs and no more\n")
	}
	if len(r.sections) == 0 {
		b.WriteString("\nNothing has run yet.\n")
		return b.String()
	}
	b.WriteString("\n| part | result | seconds |\n|---|---|---|\n")
	for _, s := range r.sections {
		fmt.Fprintf(&b, "| %s | %s | %.1f |\n", s.title, s.verdict(), s.took.Seconds())
	}
	for _, s := range r.sections {
		s.markdown(&b)
	}
	return b.String()
}

// markdown writes a section: failures first, then tables and notes as they came, what was
// told amid a table's rows behind them, and the checks that passed.
func (s *section) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n", s.title, s.verdict())
	if s.left != "" {
		fmt.Fprintf(b, "\nLeft out: %s.\n", strings.TrimSuffix(s.left, "."))
	}
	if s.err != nil {
		fmt.Fprintf(b, "\n**The part did not come to its end:**\n\n%s", fenced(s.err.Error()))
	}
	for _, e := range s.events {
		if e.Check != "" && !e.OK {
			fmt.Fprintf(b, "\n**FAIL %s**\n\n%s", e.Check, fenced(e.Text))
		}
	}
	for i, e := range s.events {
		switch {
		case e.Head != nil:
			fmt.Fprintf(b, "\n%s|%s\n", line(e.Head), strings.Repeat("---|", len(e.Head)))
			for _, row := range s.events[i+1:] {
				if row.Head != nil {
					break
				}
				if row.Row != nil {
					b.WriteString(line(row.Row))
				}
			}
		case e.Check == "" && e.Text != "":
			fmt.Fprintf(b, "\n%s\n", e.Text)
		}
	}
	var passed []string
	for _, e := range s.events {
		if e.Check != "" && e.OK {
			text := "- PASS " + e.Check
			if e.Text != "" {
				text += ": " + e.Text
			}
			passed = append(passed, text)
		}
	}
	if len(passed) > 0 {
		fmt.Fprintf(b, "\n<details><summary>%s passed</summary>\n\n%s\n\n</details>\n", plural(len(passed), "check"), strings.Join(passed, "\n"))
	}
}

// fenced puts text into a block of code, which it cannot end.
func fenced(text string) string {
	return "```\n" + strings.ReplaceAll(strings.TrimSpace(text), "```", "'''") + "\n```\n"
}

// line is a row of a table.
func line(cells []string) string {
	out := "|"
	for _, c := range cells {
		out += " " + strings.NewReplacer("|", `\|`, "\n", " ").Replace(c) + " |"
	}
	return out + "\n"
}
