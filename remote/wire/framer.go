package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// maxSearchLine is how long a line with the numbers of a search may be: a
	// million UIDs and more.
	maxSearchLine = 16 << 20

	// maxBoxes and maxList bound the LIST responses to one command, and their
	// text: imapclient gathers them before its caller sees the first.
	maxBoxes = 1 << 18
	maxList  = 32 << 20

	// maxShort bounds the literals of one response that are held in memory.
	maxShort = 64 << 10
)

// next puts something into c.out, or nothing if a response was dropped.
func (c *Conn) next() error {
	if c.fetch != nil {
		return c.fetchMore()
	}
	if injected, err := c.awaitResponse(); injected || err != nil {
		return err
	}
	line, err := c.readLine(0)
	if err != nil {
		return err
	}
	return c.response(line)
}

// awaitResponse waits between two responses, where lines of our own may be
// handed to imapclient.
func (c *Conn) awaitResponse() (injected bool, err error) {
	for {
		c.mu.Lock()
		if len(c.inject) > 0 {
			c.out = append(c.out, c.inject...)
			c.inject = c.inject[:0]
			c.mu.Unlock()
			return true, nil
		}
		c.boundary = true
		c.mu.Unlock()

		_, err := c.br.Peek(1)

		c.mu.Lock()
		c.boundary = false
		again := len(c.inject) > 0
		c.mu.Unlock()
		if !again {
			return false, err
		}
	}
}

// response passes on, mends, captures or drops one response (RFC 3501 section
// 7), whose first line is given.
func (c *Conn) response(line []byte) error {
	if len(line) == 0 {
		return nil
	}
	if line[0] == '+' {
		c.continuation(string(line[1:]))
		return nil
	}
	tag, _, _ := bytes.Cut(line, []byte(" "))
	if string(tag) != "*" {
		c.tagged(string(tag), strings.TrimPrefix(string(line[len(tag):]), " "))
		return nil
	}
	line = bytes.TrimLeft(line[1:], " ")
	first, rest := word(string(line[:min(len(line), 64)]))
	switch first {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		return c.untaggedStatus(first, string(line[len(first):]))
	}
	if second, _ := word(rest); second == "FETCH" || strings.HasPrefix(second, "FETCH(") {
		return c.fetchFirst(line)
	}
	line, whole, err := c.restOf(line)
	if err != nil {
		return err
	}
	typ, args := word(string(line))
	if !whole {
		c.dropped(typ, args)
		c.spoilt(typ)
		return nil
	}
	if typ == "LIST" || typ == "LSUB" {
		if err := c.countBox(len(line)); err != nil {
			return err
		}
	}
	c.untagged(typ, args)
	return nil
}

// answered begins the counts of what the next command may be answered.
func (c *Conn) answered() { c.text, c.boxes, c.list = 0, 0, 0 }

// countBox counts a LIST response against what one command may be answered.
func (c *Conn) countBox(text int) error {
	if c.boxes++; c.boxes > maxBoxes {
		return &Error{Kind: KindLimit, Doing: "read an answer of " + c.o.Host,
			Err: fmt.Errorf("a list of more than %d mailboxes", maxBoxes)}
	}
	if c.list += int64(text); c.list > maxList {
		return c.tooMuch("a list of mailboxes of", c.list, maxList)
	}
	return nil
}

// untaggedStatus handles an untagged OK, NO, BAD or BYE.
func (c *Conn) untaggedStatus(typ, rest string) error {
	st := parseStatus(rest)
	st.typ = typ
	if v := c.visiting(); v != nil && typ == "OK" && v.code(st) {
		return nil
	}
	c.record(st, "")
	switch {
	case typ == "BYE" && c.pending("LOGOUT"):
		c.mu.Lock()
		c.loggedOut = true
		c.mu.Unlock()
	case typ == "BYE" || typ == "BAD":
		err := errors.New("the server hung up")
		if typ == "BAD" {
			err = errors.New("the server did not understand")
		}
		return c.refusal(KindBye, "talk to "+c.o.Host, st, err)
	case typ == "PREAUTH":
		return nil
	}
	c.out = append(c.out, c.statusLine("*", st)...)
	return nil
}

// untagged writes an untagged response anew, as imapclient parses it, or drops
// it.
func (c *Conn) untagged(typ, args string) {
	var (
		text string
		ok   bool
	)
	if v := c.visiting(); v != nil && v.heard(typ, args) {
		return
	}
	switch typ {
	case "CAPABILITY":
		c.keepCaps(args)
		text, ok = "CAPABILITY "+strings.Join(c.shownCaps(), " "), true
	case "FLAGS":
		text, ok = c.flagsResponse(args)
	case "LIST":
		text, ok = c.listResponse(args)
	case "STATUS":
		text, ok = c.statusResponse(args)
	case "SEARCH", "ESEARCH": // passed on when the command ends
		if typ == "SEARCH" && c.searchResponse(args) || typ == "ESEARCH" && c.esearchResponse(args) {
			return
		}
	case "NAMESPACE":
		text, ok = c.namespaceResponse(args)
	case "MYRIGHTS":
		text, ok = rightsResponse(args)
	case "QUOTA":
		text, ok = quotaResponse(args)
	case "QUOTAROOT":
		text, ok = quotaRootResponse(args)
	default:
		if typ == "ID" && c.keepID(args) || typ == "LSUB" && c.subscription(args) {
			return
		}
		if n, isNumber := seqNumber(typ); isNumber {
			text, ok = numbered(n, args)
			if ok {
				break
			}
			if what, _ := word(args); what == "RECENT" {
				return
			}
		}
		if !ok {
			c.notice(Notice{Kind: NoticeData, Name: c.shortText(typ), Text: args})
			return
		}
	}
	if !ok {
		c.dropped(typ, args)
		c.spoilt(typ)
		return
	}
	c.out = append(c.out, "* "+text+"\r\n"...)
}

// spoilt is spoil for the commands whose silence would read as an empty answer.
func (c *Conn) spoilt(typ string) {
	if typ == "SEARCH" || typ == "ESEARCH" {
		c.spoil("SEARCH", "UID SEARCH")
	}
	if typ == "MYRIGHTS" { // or as no rights
		c.spoil("MYRIGHTS")
	}
}

// numbered handles EXISTS and EXPUNGE.
func numbered(n, args string) (string, bool) {
	what, _ := word(args)
	return n + " " + what, what == "EXISTS" || what == "EXPUNGE" && n != "0"
}

// readLine reads one line without its end; before is how much text of the same
// response came earlier. The line is valid until the next readLine.
func (c *Conn) readLine(before int) ([]byte, error) {
	line := c.buf[:0]
	for {
		part, err := c.br.ReadSlice('\n')
		line = append(line, part...)
		c.text += int64(len(part))
		if limit := c.limit(line); before+len(line) > limit {
			return nil, c.tooMuch("a line of", int64(before+len(line)), int64(limit))
		}
		if c.text > c.maxText {
			return nil, c.tooMuch("without bodies", c.text, c.maxText)
		}
		if err == nil {
			break
		}
		if err != bufio.ErrBufferFull {
			return nil, err
		}
	}
	if c.buf = line; cap(c.buf) > 2*bufferSize {
		c.buf = nil
	}
	line = line[:len(line)-1]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	c.trace(true, line)
	return line, nil
}

func (c *Conn) limit(line []byte) int {
	if len(line) > c.o.MaxLine {
		switch typ, _ := word(strings.TrimPrefix(string(line[:min(len(line), 16)]), "* ")); typ {
		case "SEARCH", "ESEARCH":
			return max(maxSearchLine, c.o.MaxLine)
		}
	}
	return c.o.MaxLine
}

// literalSize checks an announced literal.
func (c *Conn) literalSize(n int64) error {
	if n > c.o.MaxLiteral {
		return c.tooMuch("a literal of", n, c.o.MaxLiteral)
	}
	return nil
}

func (c *Conn) tooMuch(what string, n, most int64) error {
	return &Error{Kind: KindLimit, Doing: "read an answer of " + c.o.Host,
		Err: fmt.Errorf("%s %d bytes, more than %d", what, n, most)}
}

// restOf reads what follows a line that ends with a literal, into one buffer;
// with whole false there was too much and only the beginning is returned.
func (c *Conn) restOf(first []byte) (all []byte, whole bool, err error) {
	_, n, more := literalAtEnd(first)
	if !more {
		return first, true, nil
	}
	all, whole = append(all, first...), true
	for literals := int64(0); more; _, n, more = literalAtEnd(first) {
		if err := c.literalSize(n); err != nil {
			return nil, false, err
		}
		if literals += n; literals > maxShort {
			whole = false
		}
		if c.text += n; c.text > c.maxText {
			return nil, false, c.tooMuch("without bodies", c.text, c.maxText)
		}
		if whole {
			all = append(all, "\r\n"...)
			at := len(all)
			all = append(all, make([]byte, n)...)
			if _, err := io.ReadFull(c.br, all[at:]); err != nil {
				return nil, false, err
			}
		} else if _, err := io.CopyN(io.Discard, c.br, n); err != nil {
			return nil, false, err
		}
		if first, err = c.readLine(len(all)); err != nil {
			return nil, false, err
		}
		all = append(all, first...)
	}
	return all, whole, nil
}

// readResponse reads one whole response of the handshake.
func (c *Conn) readResponse() ([]byte, error) {
	line, err := c.readLine(0)
	if err != nil {
		return nil, err
	}
	data, untagged := strings.CutPrefix(string(line), "* ")
	switch typ, _ := word(data); typ {
	case "OK", "NO", "BAD", "BYE", "PREAUTH": // their text may look like the announcement of a literal
		return line, nil
	}
	if !untagged {
		return line, nil
	}
	line, _, err = c.restOf(line)
	return line, err
}
