package config

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// document is a TOML file as generic values, with the place of each key. The
// decoder of go-toml keeps neither lines nor order; its parser tells them.
type document struct {
	file   string
	root   map[string]any
	places map[string]place // by path
	errs   []*Error

	readable bool // others than the owner may read the file
}

// place is where a key was first written.
type place struct{ line, rank int }

// path names a key by its parts; it is joined by a byte that TOML forbids.
func path(parts ...string) string { return strings.Join(parts, "\x00") }

func newDocument(file string, data []byte) *document {
	d := &document{file: file, places: map[string]place{}}
	if err := toml.Unmarshal(data, &d.root); err != nil {
		e := &Error{File: file, Text: strings.TrimPrefix(err.Error(), "toml: ")}
		var where *toml.DecodeError
		if errors.As(err, &where) {
			e.Line, _ = where.Position()
			e.Key = strings.Join(where.Key(), ".")
		}
		d.errs = append(d.errs, e)
		return d
	}
	d.index(data)
	return d
}

// index notes the place of every key.
func (d *document) index(data []byte) {
	var p unstable.Parser
	p.Reset(data)
	lines := lineCounter{data: data, line: 1}
	var table []string
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = d.note(nil, e.Key(), &lines)
		case unstable.KeyValue:
			d.indexValue(d.note(table, e.Key(), &lines), e.Value(), &lines)
		}
	}
}

func (d *document) indexValue(at []string, value *unstable.Node, lines *lineCounter) {
	if value.Kind != unstable.InlineTable {
		return
	}
	for it := value.Children(); it.Next(); {
		child := it.Node()
		d.indexValue(d.note(at, child.Key(), lines), child.Value(), lines)
	}
}

// note records the place of a dotted key below a table and returns its path.
func (d *document) note(table []string, key unstable.Iterator, lines *lineCounter) []string {
	at := append([]string(nil), table...)
	for key.Next() {
		at = append(at, string(key.Node().Data))
		line := lines.at(int(key.Node().Raw.Offset))
		if p := path(at...); d.places[p].line == 0 {
			d.places[p] = place{line, len(d.places)}
		}
	}
	return at
}

// lineCounter turns ascending offsets into line numbers.
type lineCounter struct {
	data []byte
	upto int
	line int
}

func (l *lineCounter) at(offset int) int {
	if offset > l.upto && offset <= len(l.data) {
		l.line += bytes.Count(l.data[l.upto:offset], []byte{'\n'})
		l.upto = offset
	}
	return l.line
}

// value is one key's value and where it stands.
type value struct {
	doc  *document
	path []string
	v    any
}

// key is the value's dotted key, parts quoted where TOML wants them so.
func (v value) key() string {
	parts := make([]string, len(v.path))
	for i, p := range v.path {
		if parts[i] = p; !isBare(p) {
			parts[i] = fmt.Sprintf("%q", p)
		}
	}
	return strings.Join(parts, ".")
}

func isBare(key string) bool {
	for i := 0; i < len(key); i++ {
		if c := key[i] | 0x20; !('a' <= c && c <= 'z' || '0' <= key[i] && key[i] <= '9' || key[i] == '-' || key[i] == '_') {
			return false
		}
	}
	return key != ""
}

// fail records an error at the value's place.
func (v value) fail(format string, args ...any) {
	v.doc.errs = append(v.doc.errs, v.wrongly(format, args...))
}

// wrongly makes an error at the value's place.
func (v value) wrongly(format string, args ...any) *Error {
	return &Error{File: v.doc.file, Line: v.doc.places[path(v.path...)].line, Key: v.key(), Text: fmt.Sprintf(format, args...)}
}

// entries returns the members of a table in the order of the file; none, and
// an error, when the value is no table.
func (v value) entries() []value {
	table, ok := v.v.(map[string]any)
	if !ok {
		v.wrong("a table")
		return nil
	}
	out := make([]value, 0, len(table))
	for name, member := range table {
		out = append(out, value{v.doc, append(append([]string(nil), v.path...), name), member})
	}
	sort.Slice(out, func(i, j int) bool {
		return v.doc.places[path(out[i].path...)].rank < v.doc.places[path(out[j].path...)].rank
	})
	return out
}

// name is the last part of the value's key.
func (v value) name() string { return v.path[len(v.path)-1] }
