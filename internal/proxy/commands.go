package proxy

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// commandReader finds the commands in what a client sends.
type commandReader struct {
	record  func(command string)
	begin   func(tag, command string) // told of a first line; may be nil
	line    []byte                    // the command so far, literals left out
	begun   bool                      // line has had a first line
	literal int                       // bytes of a literal still to skip
}

// maxCommand is how much of a command is kept.
const maxCommand = 64 << 10

func (r *commandReader) feed(b []byte) {
	for len(b) > 0 {
		if r.literal > 0 {
			n := min(r.literal, len(b))
			r.literal -= n
			b = b[n:]
			continue
		}
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			r.add(b)
			return
		}
		r.add(b[:end+1])
		b = b[end+1:]
		r.endLine()
	}
}

func (r *commandReader) add(b []byte) {
	r.line = append(r.line, b[:min(len(b), max(maxCommand-len(r.line), 0))]...)
}

// endLine records the command unless the line announces a literal.
func (r *commandReader) endLine() {
	line := strings.TrimRight(string(r.line), "\r\n")
	tag, command, tagged := strings.Cut(line, " ")
	if tagged && !r.begun && r.begin != nil {
		r.begin(tag, command)
	}
	if n, open, is := literal(line); is {
		r.literal, r.begun = n, true
		r.line = append(r.line[:open], "{}"...)
		return
	}
	r.line, r.begun = r.line[:0], false
	// A line without a tag continues AUTHENTICATE or ends IDLE.
	if !tagged {
		return
	}
	if verb := Verb(command); verb == "LOGIN" || verb == "AUTHENTICATE" {
		command = verb
	}
	r.record(command)
}

// literal tells the size of the literal that a line announces, and where.
func literal(line string) (size, open int, is bool) {
	open = strings.LastIndexByte(line, '{')
	if open < 0 || !strings.HasSuffix(line, "}") {
		return 0, 0, false
	}
	size, err := strconv.Atoi(strings.TrimRight(line[open+1:len(line)-1], "+-"))
	return size, open, err == nil
}

// replyReader finds the lines that end commands in what a server sends.
type replyReader struct {
	reply   func(tag string)
	line    []byte
	inside  bool // after a literal: the line is not a first one
	literal int
}

func (r *replyReader) feed(b []byte) {
	for len(b) > 0 {
		if r.literal > 0 {
			n := min(r.literal, len(b))
			r.literal -= n
			b = b[n:]
			continue
		}
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			r.line = append(r.line, b...)
			return
		}
		line := strings.TrimRight(string(append(r.line, b[:end]...)), "\r")
		r.line, b = r.line[:0], b[end+1:]
		if tag, _, ok := strings.Cut(line, " "); ok && !r.inside {
			r.reply(tag)
		}
		r.literal, _, r.inside = literal(line)
	}
}

// Verb is the command's name in upper case, "UID STORE" for UID commands.
func Verb(command string) string {
	words := strings.Fields(strings.ToUpper(command))
	switch {
	case len(words) == 0:
		return ""
	case words[0] == "UID" && len(words) > 1:
		return "UID " + words[1]
	}
	return words[0]
}

// changing are the commands that change what the server holds. CLOSE is among
// them because it expunges.
var changing = []string{
	"APPEND", "STORE", "UID STORE", "EXPUNGE", "UID EXPUNGE", "CLOSE", "COPY", "UID COPY", "MOVE", "UID MOVE", "REPLACE", "UID REPLACE",
	"CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE", "SETQUOTA", "SETACL", "DELETEACL", "SETMETADATA",
}

// Changing returns those of the commands that change what the server holds.
func Changing(commands []string) []string {
	var found []string
	for _, c := range commands {
		if slices.Contains(changing, Verb(c)) {
			found = append(found, c)
		}
	}
	return found
}
