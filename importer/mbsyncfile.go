package importer

import (
	"fmt"
	"strings"
)

// mbBlock is a section of an mbsync configuration; the first of a file, without
// a kind, has the global options.
type mbBlock struct {
	kind    string // lower case: imapaccount, imapstore, maildirstore, channel, group
	name    string
	args    []string // of a group, behind its name
	line    int
	options []mbOption
}

type mbOption struct {
	name string // lower case
	said string // as it is written
	args []string
	line int
}

// arg is the first argument, "" where there is none.
func (o mbOption) arg() string {
	if len(o.args) == 0 {
		return ""
	}
	return o.args[0]
}

var mbSections = map[string]bool{"imapaccount": true, "imapstore": true, "maildirstore": true, "channel": true, "group": true}

// readMbsync takes an mbsync configuration apart. A section ends with an empty
// line or where another begins; comments end none.
func (r *Result) readMbsync(text string) []*mbBlock {
	global := &mbBlock{}
	blocks, in := []*mbBlock{global}, global
	number := 0
	for line := range strings.Lines(text) {
		number++
		words, comment, err := mbWords(line)
		if err != nil {
			r.grave(number, "", "%v: the line is left out", err)
			continue
		}
		if len(words) == 0 {
			if !comment {
				in = global
			}
			continue
		}
		name := strings.ToLower(words[0])
		if mbSections[name] && !(name == "channel" && in.kind == "group") {
			in = &mbBlock{kind: name, line: number}
			if len(words) > 1 {
				in.name, in.args = words[1], words[2:]
			}
			blocks = append(blocks, in)
			continue
		}
		in.options = append(in.options, mbOption{name, words[0], words[1:], number})
	}
	return blocks
}

// mbWords splits a line into words: parted by white space but in double quotes,
// with a backslash before what is to stand for itself. A "#" that begins a word
// begins a comment.
func mbWords(line string) (words []string, comment bool, err error) {
	line = strings.TrimRight(line, "\r\n")
	for i := 0; ; {
		for i < len(line) && isBlank(line[i]) {
			i++
		}
		if i == len(line) || line[i] == '#' {
			return words, i < len(line), nil
		}
		var word []byte
		quoted, escaped := false, false
		for ; i < len(line) && (quoted || escaped || !isBlank(line[i])); i++ {
			switch c := line[i]; {
			case escaped:
				word, escaped = append(word, c), false
			case c == '\\':
				escaped = true
			case c == '"':
				quoted = !quoted
			default:
				word = append(word, c)
			}
		}
		if quoted {
			return nil, false, fmt.Errorf("a closing double quote is missing")
		}
		if escaped {
			return nil, false, fmt.Errorf("there is nothing behind the backslash")
		}
		words = append(words, string(word))
	}
}

func isBlank(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }
