package importer

import (
	"errors"
	"fmt"
	"strings"
)

// pyNode is a piece of a Python expression: op says which, and what kids are.
//
//	name, string, number          text
//	list, dict                    items; keys and values in turn
//	call                          the function and its arguments
//	attribute                     text of kids[0]
//	not, and, or, in, notin, ==, !=
type pyNode struct {
	op, text string
	kids     []*pyNode
}

// is reports whether the node is a name.
func (n *pyNode) is(name string) bool { return n.op == "name" && n.text == name }

// calls reports whether the node calls a function, written "re.sub" or ".get"
// (of anything), with so many arguments at least.
func (n *pyNode) calls(function string, arguments int) bool {
	if n.op != "call" || len(n.kids)-1 < arguments {
		return false
	}
	f := n.kids[0]
	of, attribute, _ := strings.Cut(function, ".")
	return f.op == "attribute" && f.text == attribute && (of == "" || f.kids[0].is(of))
}

// strings are the texts of a list of strings, or of a single one.
func (n *pyNode) strings() (list []string, ok bool) {
	if n.op == "string" {
		return []string{n.text}, true
	}
	if n.op != "list" {
		return nil, false
	}
	for _, k := range n.kids {
		if k.op != "string" {
			return nil, false
		}
		list = append(list, k.text)
	}
	return list, true
}

var errPython = errors.New("it is not one of the forms that can be translated")

// parseLambda reads "lambda NAME: EXPRESSION" as far as expressions of
// configurations go.
func parseLambda(text string) (parameter string, body *pyNode, err error) {
	p := &pyParser{}
	if p.tokens, err = pyTokens(text); err != nil {
		return "", nil, err
	}
	if !p.take("lambda") || len(p.tokens) < 2 {
		return "", nil, errPython
	}
	parameter = p.next().text
	if !p.take(":") {
		return "", nil, errPython
	}
	body = p.or()
	if p.failed || len(p.tokens) > 0 {
		return "", nil, errPython
	}
	return parameter, body, nil
}

// parseStrings reads a list of strings.
func parseStrings(text string) (list []string, ok bool) {
	p := &pyParser{}
	var err error
	if p.tokens, err = pyTokens(text); err != nil {
		return nil, false
	}
	n := p.or()
	if p.failed || len(p.tokens) > 0 {
		return nil, false
	}
	return n.strings()
}

type pyToken struct{ kind, text string } // kind: name, string, number, or the sign itself

// pyTokens parts an expression into tokens.
func pyTokens(text string) (tokens []pyToken, err error) {
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case isBlank(c) || c == '\\': // a line goes on
			i++
		case c == '\'' || c == '"':
			s, n := pyString(text[i:], false)
			if n == 0 {
				return nil, fmt.Errorf("a string does not end")
			}
			tokens, i = append(tokens, pyToken{"string", s}), i+n
		case isWord(c):
			n := i
			for n < len(text) && isWord(text[n]) {
				n++
			}
			word := text[i:n]
			if n < len(text) && (text[n] == '\'' || text[n] == '"') && strings.Trim(strings.ToLower(word), "rub") == "" {
				s, length := pyString(text[n:], strings.ContainsAny(word, "rR"))
				if length == 0 {
					return nil, fmt.Errorf("a string does not end")
				}
				tokens, i = append(tokens, pyToken{"string", s}), n+length
				continue
			}
			kind := "name"
			if c >= '0' && c <= '9' {
				kind = "number"
			}
			tokens, i = append(tokens, pyToken{kind, word}), n
		default:
			n := 1
			if strings.HasPrefix(text[i:], "==") || strings.HasPrefix(text[i:], "!=") {
				n = 2
			}
			tokens, i = append(tokens, pyToken{text[i : i+n], text[i : i+n]}), i+n
		}
	}
	return tokens, nil
}

func isWord(c byte) bool {
	return c == '_' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// pyString reads a string literal and tells how long it was, 0 where it has no
// end. An escape that Python does not know stands for itself.
func pyString(text string, raw bool) (s string, length int) {
	quote := text[:1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(text, triple) {
		quote = triple
	}
	var b strings.Builder
	for i := len(quote); i < len(text); i++ {
		if strings.HasPrefix(text[i:], quote) {
			return b.String(), i + len(quote)
		}
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		switch c := text[i]; {
		case raw:
			b.WriteString(text[i-1 : i+1])
		case c == '\n':
		case c == '\\' || c == '\'' || c == '"':
			b.WriteByte(c)
		default:
			b.WriteString(text[i-1 : i+1])
		}
	}
	return "", 0
}

// pyParser reads an expression by recursive descent.
type pyParser struct {
	tokens []pyToken
	depth  int
	failed bool
}

func (p *pyParser) next() pyToken {
	if len(p.tokens) == 0 {
		p.failed = true
		return pyToken{}
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

// take takes a sign or a word of Python, if it is next.
func (p *pyParser) take(text string) bool {
	if len(p.tokens) == 0 || p.tokens[0].text != text || p.tokens[0].kind == "string" {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *pyParser) or() *pyNode {
	const deepest = 100
	if p.depth++; p.depth > deepest {
		p.failed = true
		return &pyNode{}
	}
	defer func() { p.depth-- }()
	n := p.and()
	for p.take("or") {
		n = &pyNode{"or", "", []*pyNode{n, p.and()}}
	}
	return n
}

func (p *pyParser) and() *pyNode {
	n := p.not()
	for p.take("and") {
		n = &pyNode{"and", "", []*pyNode{n, p.not()}}
	}
	return n
}

func (p *pyParser) not() *pyNode {
	negated := false
	for p.take("not") {
		negated = !negated
	}
	n := p.comparison()
	if negated {
		n = &pyNode{"not", "", []*pyNode{n}}
	}
	return n
}

func (p *pyParser) comparison() *pyNode {
	n := p.postfix()
	switch {
	case p.take("in"):
		return &pyNode{"in", "", []*pyNode{n, p.postfix()}}
	case p.take("not"):
		p.failed = p.failed || !p.take("in")
		return &pyNode{"notin", "", []*pyNode{n, p.postfix()}}
	case p.take("=="):
		return &pyNode{"==", "", []*pyNode{n, p.postfix()}}
	case p.take("!="):
		return &pyNode{"!=", "", []*pyNode{n, p.postfix()}}
	}
	return n
}

func (p *pyParser) postfix() *pyNode {
	n := p.atom()
	for !p.failed {
		switch {
		case p.take("."):
			n = &pyNode{"attribute", p.next().text, []*pyNode{n}}
		case p.take("("):
			n = &pyNode{"call", "", append([]*pyNode{n}, p.items(")", ",")...)}
		default:
			return n
		}
	}
	return n
}

func (p *pyParser) atom() *pyNode {
	switch t := p.next(); t.kind {
	case "name", "number":
		return &pyNode{op: t.kind, text: t.text}
	case "string":
		for len(p.tokens) > 0 && p.tokens[0].kind == "string" { // strings side by side are one
			t.text += p.next().text
		}
		return &pyNode{op: "string", text: t.text}
	case "(":
		items := p.items(")", ",")
		if len(items) == 1 {
			return items[0] // also of a tuple of one, which nobody takes for anything else
		}
		return &pyNode{"list", "", items}
	case "[":
		return &pyNode{"list", "", p.items("]", ",")}
	case "{":
		if len(p.tokens) > 1 && p.tokens[1].kind == ":" {
			return &pyNode{"dict", "", p.items("}", ":,")}
		}
		return &pyNode{"list", "", p.items("}", ",")}
	}
	p.failed = true
	return &pyNode{}
}

// items reads expressions up to a closing sign, parted by any of the signs.
func (p *pyParser) items(closing, parts string) (items []*pyNode) {
	for !p.failed && !p.take(closing) {
		items = append(items, p.or())
		if len(p.tokens) > 0 && p.tokens[0].text != closing {
			p.failed = p.failed || !strings.Contains(parts, p.next().kind)
		}
	}
	return items
}
