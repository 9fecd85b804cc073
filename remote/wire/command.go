package wire

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// commandState is where a command stands.
type commandState byte

const (
	beingSent    commandState = iota // imapclient has not written all of it
	awaitsGo                         // the server owes the continuation of a literal or of IDLE
	awaitsAnswer                     // the server owes the tagged response
	idling                           // IDLE: the next word is ours
)

// command is one the server has not answered yet, or not been shown to have.
type command struct {
	tag    string
	name   string // in upper case, "UID FETCH" with its prefix
	state  commandState
	held   string          // the tagged response, come before the command was all sent
	refuse bool            // held before the literal was invited: the literal is swallowed
	found  found           // of a search: what came so far
	spoilt bool            // an answer to it was dropped: it must not end with OK
	want   spans           // the UIDs of a UID FETCH of contents,
	got    map[uint64]bool // and those imapclient was given
	visit  *Visit          // it is a part of, nil if none
	own    func(status)    // of a command of ours: is given its end, which imapclient is not shown

	subscribed []string     // of LSUB: what came so far
	told       func(*fetch) // of PartSizes and ObjectIDs: is told what comes
}

// Write takes imapclient's bytes, however they are cut, and passes on whole
// lines and literals. It fails once the connection is known to have ended, also
// where it would not touch the socket: imapclient waits for ever for a
// continuation that it began to expect after its reader ended.
func (c *Conn) Write(p []byte) (int, error) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if err := c.ended(); err != nil {
		return 0, err
	}
	for done := 0; done < len(p); {
		n, err := c.take(p[done:])
		done += n
		if err != nil {
			return done, c.fail(err)
		}
	}
	return len(p), nil
}

// take consumes a piece of a literal or of a line.
func (c *Conn) take(p []byte) (int, error) {
	if c.wlit > 0 {
		n := int(min(int64(len(p)), c.wlit))
		c.wlit -= int64(n)
		if c.swallowing() {
			return n, nil
		}
		return c.bw.Write(p[:n])
	}
	n := bytes.IndexByte(p, '\n') + 1
	if n == 0 {
		n = len(p)
	}
	if len(c.line)+n > c.o.MaxLine {
		return 0, &Error{Kind: KindLimit, Doing: "send a command", Err: fmt.Errorf("its line is longer than %d bytes", c.o.MaxLine)}
	}
	c.line = append(c.line, p[:n]...)
	if c.line[len(c.line)-1] != '\n' {
		return n, nil
	}
	line := bytes.TrimRight(c.line, "\r\n")
	c.line = c.line[:0]
	return n, c.sendLine(line)
}

func (c *Conn) swallowing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cmd != nil && c.cmd.refuse
}

// sendLine passes on one line of a command; it is flushed when an answer to it
// is due, so that the header of a LITERAL+ travels with its octets.
func (c *Conn) sendLine(line []byte) error {
	if c.cmd == nil {
		if bytes.EqualFold(line, []byte("DONE")) && c.endIdle() {
			return c.flushLine(line)
		}
		if err := c.sendAhead(); err != nil {
			return err
		}
		c.begin(string(line))
	}
	text, n, literal := literalAtEnd(line)
	if !literal {
		return c.finish(line)
	}
	c.wlit = n
	mustWait := line[len(line)-2] != '+'
	switch {
	case c.swallowing():
		if mustWait {
			c.injectLine("+ swallowed\r\n")
		}
		return nil
	case mustWait && c.noSync(n):
		c.injectLine("+ go ahead\r\n")
		line = fmt.Appendf(nil, "%s{%d+}", text, n)
	case mustWait:
		c.setState(c.cmd, awaitsGo)
		return c.flushLine(line)
	}
	c.trace(false, line)
	_, err := c.bw.Write(append(line[:len(line):len(line)], "\r\n"...))
	return err
}

// noSync tells whether a literal of n octets may be sent unasked (RFC 7888). A
// server that does not know of them would take its lines for commands.
func (c *Conn) noSync(n int64) bool {
	return c.sure.Load() && (c.HasCap("LITERAL+") || n <= maxLiteralMinus && c.HasCap("LITERAL-"))
}

// begin enters a command from its first line.
func (c *Conn) begin(line string) {
	tag, rest, _ := strings.Cut(line, " ")
	c.cmd = &command{tag: tag, name: commandName(rest)}
	if set, items, _ := strings.Cut(strings.TrimPrefix(rest, "UID FETCH "), " "); len(set) < len(rest) && strings.Contains(items, "BODY") {
		c.cmd.want, _ = parseSet(set)
		c.cmd.got = map[uint64]bool{}
	}
	c.enter(c.cmd)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Commands++
}

// commandName is the name of a command without its tag.
func commandName(text string) string {
	name, args := word(text)
	if name == "UID" {
		name, _ = word(args)
		name = "UID " + name
	}
	return name
}

// enter lists a command of which nothing has been sent yet.
func (c *Conn) enter(cmd *command) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cmds = append(c.cmds, cmd)
	c.progressed()
}

// finish sends a command's last line, or, where the server has refused it
// meanwhile, lets imapclient know.
func (c *Conn) finish(line []byte) error {
	cmd := c.cmd
	c.cmd = nil
	c.mu.Lock()
	refused := cmd.refuse
	if cmd.held != "" {
		c.inject = append(c.inject, cmd.held...)
		c.forget(cmd)
		c.wake()
	} else if cmd.name == "IDLE" {
		cmd.state = awaitsGo
	} else {
		cmd.state = awaitsAnswer
	}
	c.mu.Unlock()
	if refused {
		return nil
	}
	return c.flushLine(line)
}

func (c *Conn) flushLine(line []byte) error {
	c.trace(false, line)
	if _, err := c.bw.Write(append(line[:len(line):len(line)], "\r\n"...)); err != nil {
		return err
	}
	return c.flush()
}

func (c *Conn) setState(cmd *command, state commandState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cmd.state = state
}

func (c *Conn) injectLine(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inject = append(c.inject, line...)
	c.wake()
}

// endIdle makes the answer to IDLE due (RFC 2177).
func (c *Conn) endIdle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cmd := range c.cmds {
		if cmd.name == "IDLE" {
			cmd.state = awaitsAnswer
			return true
		}
	}
	return false
}

// forget takes a command off the list. The caller holds c.mu.
func (c *Conn) forget(cmd *command) {
	for i := range c.cmds {
		if c.cmds[i] == cmd {
			c.cmds = append(c.cmds[:i], c.cmds[i+1:]...)
			return
		}
	}
}

// continuation answers "+": to the one command that awaits it, else dropped,
// for imapclient dies of an unasked one.
func (c *Conn) continuation(text string) {
	c.mu.Lock()
	var asked bool
	for _, cmd := range c.cmds {
		if cmd.state == awaitsGo {
			asked = true
			cmd.state = beingSent
			if cmd.name == "IDLE" {
				cmd.state = idling
			}
			break
		}
	}
	c.mu.Unlock()
	if asked {
		c.out = append(c.out, "+ go ahead\r\n"...)
		return
	}
	c.dropped("+", text)
}

// tagged handles the end of a command.
func (c *Conn) tagged(tag, rest string) {
	typ, text := word(rest)
	st := parseStatus(text)
	st.typ = typ
	if typ != "OK" && typ != "NO" && typ != "BAD" {
		c.dropped(tag, rest)
		return
	}
	c.mu.Lock()
	var cmd *command
	for i := range c.cmds {
		if c.cmds[i].tag == tag && c.cmds[i].held == "" {
			cmd = c.cmds[i]
		}
	}
	c.mu.Unlock()
	if cmd == nil {
		c.dropped(tag, rest)
		return
	}
	c.answered()
	c.record(st, tag)
	if cmd.own != nil {
		if cmd.spoilt {
			c.spoiltAnswer(&st)
		}
		c.settleOwn(cmd, st)
		return
	}
	if line, ok := cmd.found.line(cmd); !ok || cmd.spoilt {
		c.spoiltAnswer(&st)
	} else {
		c.out = append(c.out, line...)
	}
	c.settle(cmd, c.statusLine(tag, st))
}

// spoiltAnswer turns an OK into a NO: silence would read as "nothing found".
func (c *Conn) spoiltAnswer(st *status) {
	if st.typ == "OK" {
		*st = status{typ: "NO", text: "the answer of the server could not be understood: " + st.text}
	}
}

// settle passes the tagged response on, or holds it until imapclient has
// written all of the command: it would close the connection otherwise.
func (c *Conn) settle(cmd *command, line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.progressed()
	switch cmd.state {
	case awaitsGo:
		if cmd.name != "IDLE" {
			cmd.held, cmd.refuse, cmd.state = line, true, beingSent
			c.out = append(c.out, "+ swallowed\r\n"...)
			return
		}
	case beingSent:
		cmd.held = line
		return
	}
	if cmd.name == "LOGOUT" {
		c.loggedOut = true
	}
	c.forget(cmd)
	c.out = append(c.out, line...)
}

// spoil makes the pending commands of these names end with NO: what they asked
// for came, but could not be passed on, and silence would read as "nothing".
func (c *Conn) spoil(names ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cmd := range c.cmds {
		for _, name := range names {
			if cmd.name == name {
				cmd.spoilt = true
			}
		}
	}
}

// pending tells whether a command of that name is unanswered.
func (c *Conn) pending(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cmd := range c.cmds {
		if cmd.name == name {
			return true
		}
	}
	return false
}

// seqNumber reads the message number of a response.
func seqNumber(s string) (string, bool) {
	n, ok := number(s, 1<<32-1)
	return strconv.FormatUint(n, 10), ok
}
