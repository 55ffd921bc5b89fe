package report

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Document is a text with tables and pictures: what an experiment found, as a terminal, a
// Markdown file and a page show it.
type Document struct {
	Title    string
	Lead     []string // paragraphs
	Sections []Section
}

// Section is a part of a Document. What is empty is left out.
type Section struct {
	Name       string // by which a file can hold this section alone
	Heading    string
	Paragraphs []string
	Table      Table
	Figure     *Figure
	Notes      []string // a list, after the rest
}

// Table is rows of cells under a head; its first column is text, the others are aligned right.
type Table struct {
	Head    []string
	Rows    [][]string
	Caption string
	Bold    string // what bold cells (between **) are; a terminal shows none
}

// Section returns the section of that name.
func (d *Document) Section(name string) (Section, bool) {
	for _, s := range d.Sections {
		if s.Name == name {
			return s, true
		}
	}
	return Section{}, false
}

// Markdown prints the document with headings from the level on, its pictures taken from the
// folder.
func (d *Document) Markdown(level int, folder string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n\n", strings.Repeat("#", level), d.Title)
	for _, p := range d.Lead {
		fmt.Fprintf(&b, "%s\n\n", Wrap(p, 100))
	}
	for _, s := range d.Sections {
		if s.Heading != "" {
			fmt.Fprintf(&b, "%s %s\n\n", strings.Repeat("#", level+1), s.Heading)
		}
		b.WriteString(s.Markdown(folder))
	}
	return b.String()
}

// Markdown prints the section without its heading.
func (s *Section) Markdown(folder string) string {
	var b strings.Builder
	for _, p := range s.Paragraphs {
		fmt.Fprintf(&b, "%s\n\n", Wrap(p, 100))
	}
	if f := s.Figure; f != nil {
		fmt.Fprintf(&b, "![%s](%s%s)\n\n", f.Title, folder, f.File)
		if f.Caption != "" {
			fmt.Fprintf(&b, "*%s*\n\n", Wrap(f.Caption, 100))
		}
	}
	if t := s.Table; len(t.Rows) > 0 {
		row := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
		row(t.Head)
		b.WriteString("|---" + strings.Repeat("|--:", len(t.Head)-1) + "|\n")
		for _, r := range t.Rows {
			row(r)
		}
		b.WriteByte('\n')
		if c := t.caption(); c != "" {
			fmt.Fprintf(&b, "%s\n\n", Wrap(c, 100))
		}
	}
	for _, n := range s.Notes {
		fmt.Fprintf(&b, "- %s\n", strings.ReplaceAll(Wrap(n, 98), "\n", "\n  "))
	}
	if len(s.Notes) > 0 {
		b.WriteByte('\n')
	}
	return b.String()
}

// Text prints the document for a terminal of 80 columns; of its pictures only the captions.
func (d *Document) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", Wrap(d.Title, 80))
	for _, p := range d.Lead {
		fmt.Fprintf(&b, "\n%s\n", Wrap(p, 80))
	}
	for _, s := range d.Sections {
		if s.Heading != "" {
			fmt.Fprintf(&b, "\n== %s\n", s.Heading)
		}
		for _, p := range s.Paragraphs {
			fmt.Fprintf(&b, "\n%s\n", Wrap(p, 80))
		}
		if len(s.Table.Rows) > 0 {
			fmt.Fprintf(&b, "\n%s", s.Table.text())
			if s.Table.Caption != "" {
				fmt.Fprintf(&b, "%s\n", Wrap(s.Table.Caption, 80))
			}
		}
		for _, n := range s.Notes {
			fmt.Fprintf(&b, "\n%s\n", strings.ReplaceAll(Wrap("- "+n, 78), "\n", "\n  "))
		}
	}
	return b.String()
}

// unmarked takes out what Markdown marks bold text and code with.
func unmarked(s string) string { return strings.NewReplacer("**", "", "`", "").Replace(s) }

// caption is what stands under the table where it can have bold cells.
func (t *Table) caption() string {
	if t.Bold == "" {
		return t.Caption
	}
	return "Bold numbers: " + t.Bold + ". " + t.Caption
}

// text prints the table in columns of equal width; what is marked bold there is plain.
func (t *Table) text() string {
	rows := append([][]string{t.Head}, t.Rows...)
	widths := make([]int, len(t.Head))
	for _, r := range rows {
		for i, c := range r {
			widths[i] = max(widths[i], utf8.RuneCountInString(unmarked(c)))
		}
	}
	var b strings.Builder
	for _, r := range rows {
		var line strings.Builder
		for i, c := range r {
			c = unmarked(c)
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c))
			if i == 0 {
				line.WriteString(c + pad)
			} else {
				line.WriteString("  " + pad + c)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

// Wrap breaks a text into lines of at most width characters.
func Wrap(text string, width int) string {
	var b strings.Builder
	n := 0
	for _, word := range strings.Fields(text) {
		l := utf8.RuneCountInString(word)
		switch {
		case n == 0:
		case n+1+l > width:
			b.WriteByte('\n')
			n = 0
		default:
			b.WriteByte(' ')
			n++
		}
		b.WriteString(word)
		n += l
	}
	return b.String()
}
