package wire

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

// word splits off the first word, in upper case.
func word(s string) (first, rest string) {
	first, rest, _ = strings.Cut(s, " ")
	return strings.ToUpper(first), rest
}

// valueKind is what a value was written as.
type valueKind byte

const (
	anAtom valueKind = iota
	aString
	aList
)

// value is one parsed value of a response (RFC 3501 section 4), leniently: an
// atom is whatever is neither a string nor a list.
type value struct {
	kind valueKind
	s    string
	list []value
}

func (v value) isNIL() bool { return v.kind == anAtom && strings.EqualFold(v.s, "NIL") }

// number reads an unsigned decimal number not above most.
func (v value) number(most uint64) (uint64, bool) {
	if v.kind != anAtom {
		return 0, false
	}
	return number(v.s, most)
}

func number(s string, most uint64) (uint64, bool) {
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil && n <= most
}

// maxDepth bounds the nesting of lists; real servers stay below ten. maxValues
// bounds the values of one line, which take far more room than their text.
const (
	maxDepth  = 64
	maxValues = 1 << 16
)

// parser reads values from a response whose short literals stand in it.
type parser struct {
	b     []byte
	depth int
	count int
}

func (p *parser) spaces() {
	for len(p.b) > 0 && p.b[0] == ' ' {
		p.b = p.b[1:]
	}
}

// values reads all there is.
func (p *parser) values() (list []value, ok bool) {
	for p.spaces(); len(p.b) > 0; p.spaces() {
		v, ok := p.value()
		if !ok {
			return nil, false
		}
		list = append(list, v)
	}
	return list, true
}

func (p *parser) value() (value, bool) {
	p.spaces()
	if p.count++; len(p.b) == 0 || p.count > maxValues {
		return value{}, false
	}
	switch p.b[0] {
	case '"':
		s, ok := p.quoted()
		return value{kind: aString, s: s}, ok
	case '(':
		return p.listValue()
	case '{', '~':
		if s, ok := p.literal(); ok {
			return value{kind: aString, s: s}, true
		}
	}
	n := bytes.IndexAny(p.b, " ()\"\r\n")
	if n < 0 {
		n = len(p.b)
	}
	s := string(p.b[:n])
	p.b = p.b[n:]
	return value{kind: anAtom, s: s}, n > 0
}

func (p *parser) listValue() (value, bool) {
	v := value{kind: aList}
	p.b = p.b[1:]
	if p.depth++; p.depth > maxDepth {
		return v, false
	}
	defer func() { p.depth-- }()
	for {
		p.spaces()
		if len(p.b) > 0 && p.b[0] == ')' {
			p.b = p.b[1:]
			return v, true
		}
		item, ok := p.value()
		if !ok {
			return v, false
		}
		v.list = append(v.list, item)
	}
}

func (p *parser) quoted() (string, bool) {
	var s []byte
	for i := 1; i < len(p.b); i++ {
		switch p.b[i] {
		case '"':
			p.b = p.b[i+1:]
			return string(s), true
		case '\\':
			if i++; i == len(p.b) {
				return "", false
			}
		}
		s = append(s, p.b[i])
	}
	return "", false
}

// maxAnnounced is how long the announcement of a literal may be, or the origin of
// a partial body: looked for farther on, at each value anew, a line would cost
// the square of its length.
const maxAnnounced = 32

func (p *parser) literal() (string, bool) {
	end := bytes.Index(p.b[:min(len(p.b), maxAnnounced)], []byte("}\r\n"))
	if end < 0 {
		return "", false
	}
	before, n, ok := literalAtEnd(p.b[:end+1])
	rest := p.b[end+3:]
	if !ok || len(before) > 0 || n > int64(len(rest)) {
		return "", false
	}
	s := string(rest[:n])
	p.b = rest[n:]
	return s, true
}

// literalAtEnd finds the announcement of a literal at the end of a line:
// {n}, {n+} or ~{n} (RFC 3501 section 4.3, RFC 7888, RFC 3516). text is the
// line before it.
func literalAtEnd(line []byte) (text []byte, n int64, ok bool) {
	if len(line) < 3 || line[len(line)-1] != '}' {
		return line, 0, false
	}
	open := bytes.LastIndexByte(line, '{')
	if open < 0 {
		return line, 0, false
	}
	size, err := strconv.ParseInt(strings.TrimSuffix(string(line[open+1:len(line)-1]), "+"), 10, 64)
	if size < 0 || err != nil && !errors.Is(err, strconv.ErrRange) { // too large is a literal too, to be refused
		return line, 0, false
	}
	return bytes.TrimSuffix(line[:open], []byte("~")), size, true
}

// escapes writes what stands between the quotes of a quoted string. It is made
// once: a list of mailboxes has a string for each.
var escapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// quote writes a quoted string, if one can carry s.
func quote(s string) (string, bool) {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return "", false
		}
	}
	return `"` + escapes.Replace(s) + `"`, true
}

// validAtom tells whether imapclient reads s as one atom; 8-bit characters,
// which it reads in part, are left out.
func validAtom(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte(`(){%*"\]`, s[i]) >= 0 {
			return false
		}
	}
	return s != ""
}
