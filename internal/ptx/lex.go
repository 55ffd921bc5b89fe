package ptx

import (
	"fmt"
	"strings"
)

// A tokenKind classifies a token.
type tokenKind uint8

const (
	tokEOF    tokenKind = iota
	tokWord             // add.s32, .reg, %r1, $L__BB0_1: anything of letters, digits and _$%.
	tokNumber           // a word that begins with a digit
	tokString           // "…", without the quotes
	tokPunct            // one character
)

type token struct {
	kind tokenKind
	text string
	line int
}

// is reports whether t is the word or punctuation mark text.
func (t token) is(text string) bool {
	return (t.kind == tokWord || t.kind == tokPunct) && t.text == text
}

func (t token) String() string {
	switch t.kind {
	case tokEOF:
		return "end of file"
	case tokString:
		return fmt.Sprintf("%q", t.text)
	}
	return fmt.Sprintf("%q", clip(t.text))
}

// clip shortens text that may be hostile before it goes into a message.
func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

// A lexer cuts PTX text into tokens.
type lexer struct {
	src  string
	pos  int
	line int
	// undefined is called with the name of each register that the compiler
	// says, in a comment, it leaves undefined.
	undefined func(register string)
}

// wordByte tells which bytes words and numbers are made of.
var wordByte = func() (t [256]bool) {
	for c := range 256 {
		b := byte(c)
		t[c] = b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' ||
			b == '_' || b == '$' || b == '%' || b == '.'
	}
	return t
}()

// A syntaxError is what the lexer and the parser panic with; Load recovers it.
type syntaxError struct {
	line int
	text string
}

func fail(line int, format string, args ...any) {
	panic(syntaxError{line, fmt.Sprintf(format, args...)})
}

// next returns the next token.
func (x *lexer) next() token {
	x.skip()
	if x.pos == len(x.src) {
		return token{tokEOF, "", x.line}
	}
	start := x.pos
	c := x.src[start]
	switch {
	case wordByte[c]:
		for x.pos < len(x.src) && wordByte[x.src[x.pos]] {
			x.pos++
			if strings.HasPrefix(x.src[x.pos:], "::") { // ld.shared::cluster
				x.pos += 2
			}
		}
		kind := tokWord
		if c >= '0' && c <= '9' {
			kind = tokNumber
		}
		return token{kind, x.src[start:x.pos], x.line}
	case c == '"':
		n := strings.IndexAny(x.src[start+1:], "\"\n")
		if n < 0 || x.src[start+1+n] == '\n' {
			fail(x.line, "string without an end")
		}
		x.pos = start + n + 2
		return token{tokString, x.src[start+1 : start+1+n], x.line}
	case strings.IndexByte(",;:()[]{}<>+-=@!|", c) >= 0:
		x.pos++
		return token{tokPunct, x.src[start:x.pos], x.line}
	}
	fail(x.line, "unexpected character %q", c)
	return token{}
}

// skip moves over white space and comments.
func (x *lexer) skip() {
	for x.pos < len(x.src) {
		rest := x.src[x.pos:]
		switch {
		case rest[0] == '\n':
			x.line++
			x.pos++
		case rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\r':
			x.pos++
		case strings.HasPrefix(rest, "//"):
			text, _, _ := strings.Cut(rest, "\n")
			x.pos += len(text)
			if _, name, ok := strings.Cut(text, "implicit-def: "); ok && x.undefined != nil {
				x.undefined(strings.TrimSpace(name))
			}
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest[2:], "*/")
			if n < 0 {
				fail(x.line, "comment without an end")
			}
			x.line += strings.Count(rest[:n+4], "\n")
			x.pos += n + 4
		default:
			return
		}
	}
}
