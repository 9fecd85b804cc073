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
	line    []byte // the command so far, literals left out
	literal int    // bytes of a literal still to skip
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
	if open := strings.LastIndexByte(line, '{'); open >= 0 && strings.HasSuffix(line, "}") {
		size := strings.TrimRight(line[open+1:len(line)-1], "+-")
		if n, err := strconv.Atoi(size); err == nil {
			r.literal = n
			r.line = append(r.line[:open], "{}"...)
			return
		}
	}
	r.line = r.line[:0]
	// A line without a tag continues AUTHENTICATE or ends IDLE.
	_, command, tagged := strings.Cut(line, " ")
	if !tagged {
		return
	}
	if verb := Verb(command); verb == "LOGIN" || verb == "AUTHENTICATE" {
		command = verb
	}
	r.record(command)
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
