package wire

import (
	"fmt"
	"strings"
	"time"
)

// MultiAppend is an APPEND of several messages (RFC 3502), which imapclient
// cannot send: the server stores all of them or none. It goes out as messages
// are added and is complete with End; until then nothing else is sent on the
// connection. Add and End are called by one goroutine.
type MultiAppend struct {
	c      *Conn
	cmd    *command
	reply  chan Answer
	opened bool // a message was added: the Conn is ours to write on
	head   []byte
	err    error
}

// Answer is the tagged response to a command of the Conn's own.
type Answer struct {
	Status string // OK, NO or BAD
	Code   string // response code in upper case, or ""
	Args   string // what follows the code
	Text   string // the human-readable text; control characters and secrets removed
}

// MultiAppend begins an APPEND to a mailbox, whose name is in Unicode. Nothing
// is sent before the first message.
func (c *Conn) MultiAppend(mailbox string) *MultiAppend {
	m := &MultiAppend{c: c, reply: make(chan Answer, 1), head: []byte("APPEND " + quotedName(mailbox))}
	m.cmd = &command{name: "APPEND", own: func(st status) { m.reply <- c.answer(st) }}
	return m
}

// MultiAppendLimit is the size of the largest message a MultiAppend can carry,
// 0 where the server takes none: its literals are sent unasked (RFC 7888).
func (c *Conn) MultiAppendLimit() int64 {
	switch {
	case !c.HasCap("MULTIAPPEND") || !c.sure.Load():
		return 0
	case c.HasCap("LITERAL+"):
		return c.o.MaxLiteral
	case c.HasCap("LITERAL-"):
		return maxLiteralMinus
	}
	return 0
}

// maxLiteralMinus is the largest literal that LITERAL- lets be sent unasked.
const maxLiteralMinus = 4096

// Add sends one message, which must not be empty (RFC 3502 section 6.3.11 takes
// that for the end) nor larger than MultiAppendLimit. A zero date is left to
// the server. Where it fails, Wait says why.
func (m *MultiAppend) Add(flags []string, date time.Time, body []byte) {
	if !m.opened {
		m.open()
	}
	line := m.head
	m.head = nil
	if len(flags) > 0 {
		line = fmt.Appendf(line, " (%s)", strings.Join(flags, " "))
	}
	if !date.IsZero() {
		line = date.AppendFormat(line, ` "_2-Jan-2006 15:04:05 -0700"`)
	}
	line = fmt.Appendf(line, " {%d+}", len(body))
	if m.err != nil {
		return
	}
	m.c.trace(false, line)
	if _, m.err = m.c.bw.Write(append(line, "\r\n"...)); m.err == nil {
		_, m.err = m.c.bw.Write(body)
	}
}

// open takes the connection for the command.
func (m *MultiAppend) open() {
	c := m.c
	m.opened = true
	c.wmu.Lock()
	if m.err = c.ended(); m.err == nil {
		m.err = c.sendAhead()
	}
	if m.err != nil {
		return
	}
	m.cmd.tag = c.tag()
	m.head = append([]byte(m.cmd.tag+" "), m.head...)
	c.enter(m.cmd)
}

// End completes the command, which holds one message at least.
func (m *MultiAppend) End() {
	defer m.c.wmu.Unlock()
	if m.err == nil {
		m.c.setState(m.cmd, awaitsAnswer)
		m.err = m.c.flushLine(nil)
	}
	if m.err != nil {
		m.err = m.c.fail(m.err)
	}
}

// Wait waits for the answer. An error means that the connection has ended, and
// that it is not known whether the messages were stored.
func (m *MultiAppend) Wait() (Answer, error) {
	select { // an answer that came in time counts
	case a := <-m.reply:
		return a, nil
	default:
	}
	if m.err != nil {
		return Answer{}, m.err
	}
	select {
	case a := <-m.reply:
		return a, nil
	case <-m.c.over:
	}
	select {
	case a := <-m.reply:
		return a, nil
	default:
		return Answer{}, m.c.ended()
	}
}

// AppendedUIDs reads the arguments of an APPENDUID (RFC 4315 section 3) for so
// many messages: their UIDs in order; ok is false where the count differs or
// the order is not told.
func AppendedUIDs(args string, messages int) (validity uint32, uids []uint32, ok bool) {
	v, set, _ := strings.Cut(args, " ")
	n, ok := number(v, 1<<32-1)
	if !ok {
		return 0, nil, false
	}
	for part := range strings.SplitSeq(set, ",") {
		spans, ok := parseSet(part)
		if !ok || len(spans) != 1 || len(uids) > 0 && spans[0].from <= uids[len(uids)-1] ||
			spans.count()+uint64(len(uids)) > uint64(messages) {
			return 0, nil, false
		}
		for uid := uint64(spans[0].from); uid <= uint64(spans[0].to); uid++ {
			uids = append(uids, uint32(uid))
		}
	}
	return uint32(n), uids, len(uids) == messages
}
