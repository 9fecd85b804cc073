package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// maxHandshake bounds all a server may send before it is logged in.
const maxHandshake = 256 << 10

// handshake takes the connection from the first byte to the authenticated
// state (RFC 3501 section 3, RFC 8314).
func (c *Conn) handshake(ctx context.Context) error {
	if c.o.Security == Implicit {
		if err := c.startTLS(ctx); err != nil {
			return err
		}
	}
	preauth, err := c.readGreeting()
	if err != nil {
		c.o.stage("greeting", c.greeting, err)
		return err
	}
	c.o.stage("greeting", c.greeting, nil)
	if c.o.Security == StartTLS {
		if err := c.upgrade(ctx, preauth); err != nil {
			c.o.stage("starttls", "", err)
			return err
		}
	}
	if c.o.Security == Plain && !c.o.AllowPlain && c.overNetwork() {
		err := &Error{Kind: KindPlaintext, Doing: "log in to " + c.o.address(),
			Err:  errors.New("the password would cross the network without TLS"),
			Hint: `set tls = "implicit" or "starttls"; insecure = true allows it anyway`}
		c.o.stage("login", "", err)
		return err
	}
	detail := "logged in already (PREAUTH)"
	if !preauth {
		detail, err = c.login(ctx)
	}
	c.o.stage("login", detail, err)
	if err != nil {
		c.o.tellRefused(err)
		return err
	}
	if err := c.capsAfterLogin(); err != nil {
		c.o.stage("capabilities", "", err)
		return err
	}
	c.o.stage("capabilities", strings.Join(c.Caps(), " "), nil)
	return nil
}

// readGreeting reads the first response, which must be OK or PREAUTH.
func (c *Conn) readGreeting() (preauth bool, err error) {
	doing := "read the greeting of " + c.o.address()
	var line []byte
	for len(line) == 0 {
		if line, err = c.readResponse(); err != nil {
			return false, c.greetingError(doing, err)
		}
	}
	typ, rest := word(strings.TrimPrefix(string(line), "* "))
	st := parseStatus(rest)
	c.greeting = c.shortText(st.text)
	if !strings.HasPrefix(string(line), "* ") {
		typ = ""
	}
	switch typ {
	case "OK", "PREAUTH":
		c.handshakeCode(st)
		return typ == "PREAUTH", nil
	case "BYE":
		return false, c.byeError(doing, st)
	}
	return false, &Error{Kind: KindProtocol, Doing: doing, Text: c.shortText(string(line)),
		Err: errors.New("this is not an IMAP server"), Hint: "check host and port"}
}

func (c *Conn) byeError(doing string, st status) *Error {
	return c.refusal(KindBye, doing, st, errors.New("the server hung up"))
}

// upgrade does STARTTLS (RFC 3501 section 6.2.1). It can be neither stripped
// nor injected: no credential is sent without it, nothing that came before
// the TLS handshake is believed after it.
func (c *Conn) upgrade(ctx context.Context, preauth bool) error {
	doing := "start TLS with " + c.o.address()
	if preauth {
		hint := `somebody may be tampering with the connection; tls = "implicit" cannot be tampered with`
		if c.o.Via == ViaTunnel {
			hint = "leave tls out: it is for the tunnel to protect the connection"
		}
		return &Error{Kind: KindTLS, Doing: doing, Hint: hint,
			Err: errors.New("the server greets as logged in already (PREAUTH), so that TLS cannot be started")}
	}
	if len(c.caps) == 0 {
		if _, err := c.command("CAPABILITY"); err != nil {
			return err
		}
	}
	if !c.caps["STARTTLS"] {
		return &Error{Kind: KindTLS, Doing: doing, Err: errors.New("the server does not offer STARTTLS"),
			Hint: `try tls = "implicit" (port 993); if it used to work, somebody may be tampering with the connection`}
	}
	st, err := c.command("STARTTLS")
	if err != nil {
		return err
	}
	if st.typ != "OK" {
		return c.refusal(KindTLS, doing, st, errors.New("STARTTLS refused"))
	}
	if n := c.br.Buffered(); n > 0 {
		return &Error{Kind: KindTLS, Doing: doing,
			Err:  fmt.Errorf("%d bytes followed the answer to STARTTLS in plain text", n),
			Hint: "somebody is tampering with the connection, or the server is broken"}
	}
	clear(c.caps)
	c.mu.Lock()
	c.notices, c.noticed, c.serverID = nil, 0, ""
	c.mu.Unlock()
	return c.startTLS(ctx)
}

const idCommand = `ID ("name" "imapsync")`

// capsAfterLogin asks for the capabilities even if the answer to the login
// held some (iCloud's first ones are not its own), with ID in the same flight
// (RFC 2971). Where it held some, they stand until the answer comes, and the
// questions travel with the first command of imapclient: they cost no round
// trip. ID is never fatal: mail.de answers BAD.
func (c *Conn) capsAfterLogin() error {
	if c.toldAtLogin() {
		c.dropDisabled()
		c.ahead = []string{"CAPABILITY"}
		if c.caps["ID"] {
			c.ahead = append(c.ahead, idCommand)
		}
		return nil
	}
	told := c.caps["ID"] && !c.disabled("ID")
	tags := []string{c.tag()}
	lines := tags[0] + " CAPABILITY\r\n"
	if told {
		tags = append(tags, c.tag())
		lines += tags[1] + " " + idCommand + "\r\n"
	}
	clear(c.caps)
	if err := c.send(lines); err != nil {
		return err
	}
	for i, tag := range tags {
		st, err := c.await(tag, nil)
		if err != nil {
			return err
		}
		if i == 0 && st.typ != "OK" {
			return c.refusal(KindProtocol, "ask "+c.o.Host+" for its capabilities", st, nil)
		}
	}
	if c.caps["ID"] && !told && !c.disabled("ID") {
		if _, err := c.command(idCommand); err != nil {
			return err
		}
	}
	c.dropDisabled()
	c.sure.Store(true)
	return nil
}

// toldAtLogin tells whether the capabilities came with the answer to the login.
// A list that still offers to log in is the one from before.
func (c *Conn) toldAtLogin() bool {
	for name := range c.caps {
		if strings.HasPrefix(name, "AUTH=") || name == "LOGINDISABLED" || name == "STARTTLS" {
			return false
		}
	}
	return c.told
}

func (c *Conn) dropDisabled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range c.caps {
		if c.disabled(name) {
			delete(c.caps, name)
		}
	}
}

// shownCaps is what imapclient may know: nothing that makes it change its
// syntax (IMAP4rev2 would send raw UTF-8), nothing that is over and done with,
// and no literals unasked as long as that is not sure.
func (c *Conn) shownCaps() []string {
	shown := []string{"IMAP4rev1"}
	for _, name := range c.Caps() {
		switch {
		case name == "IMAP4REV1", name == "IMAP4REV2", name == "STARTTLS", name == "LOGINDISABLED", name == "SASL-IR",
			strings.HasPrefix(name, "LITERAL") && !c.sure.Load(),
			strings.HasPrefix(name, "AUTH="), strings.HasPrefix(name, "UTF8="), strings.HasPrefix(name, "COMPRESS="):
		default:
			shown = append(shown, name)
		}
	}
	return shown
}

// setCaps replaces the capabilities by what the server lists.
func (c *Conn) setCaps(list string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = true
	clear(c.caps)
	for name := range strings.FieldsSeq(strings.ToUpper(list)) {
		if validAtom(name) {
			c.caps[name] = true
		}
	}
}

func (c *Conn) handshakeCode(st status) {
	if st.code == "CAPABILITY" {
		c.setCaps(st.args)
	} else if st.code == "ALERT" {
		c.notice(st.notice(NoticeAlert, ""))
	}
}

func (c *Conn) tag() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Commands++
	return "A" + strconv.FormatInt(c.stats.Commands, 10)
}

// send writes lines of our own, tracing each.
func (c *Conn) send(lines string) error {
	for line := range strings.Lines(lines) {
		c.trace(false, []byte(strings.TrimRight(line, "\r\n")))
	}
	return c.sendUntraced(lines)
}

func (c *Conn) sendUntraced(lines string) error {
	if _, err := io.WriteString(c.bw, lines); err != nil {
		return err
	}
	return c.flush()
}

// command sends a command of our own and waits for its end.
func (c *Conn) command(text string) (status, error) {
	tag := c.tag()
	if err := c.send(tag + " " + text + "\r\n"); err != nil {
		return status{}, err
	}
	return c.await(tag, nil)
}

// await reads until the tagged response; on is given the continuations.
func (c *Conn) await(tag string, on func(challenge string) error) (status, error) {
	doing := "log in to " + c.o.address()
	for {
		line, err := c.readResponse()
		if err != nil {
			return status{}, err
		}
		first, rest := word(string(line))
		switch {
		case first == "+" && on != nil:
			if err := on(rest); err != nil {
				return status{}, err
			}
		case first == "*":
			if err := c.handshakeData(doing, rest); err != nil {
				return status{}, err
			}
		case strings.EqualFold(first, tag):
			typ, rest := word(rest)
			st := parseStatus(c.scrub(rest)) // before a code is cut out of what may be the password
			st.typ = typ
			if !slices.Contains([]string{"OK", "NO", "BAD"}, typ) {
				return st, protocolError(doing, "an answer that is neither OK nor NO nor BAD")
			}
			c.handshakeCode(st)
			return st, nil
		}
	}
}

// handshakeData looks at an untagged response before the login is done.
func (c *Conn) handshakeData(doing, line string) error {
	typ, rest := word(line)
	switch typ {
	case "CAPABILITY":
		c.setCaps(rest)
	case "OK", "NO":
		c.handshakeCode(parseStatus(c.scrub(rest)))
	case "BYE", "BAD":
		return c.byeError(doing, parseStatus(c.scrub(rest)))
	case "ID":
		c.serverID = c.idText(rest)
	}
	return nil
}

// idText puts an ID response into words: "name Dovecot, version 2.3".
func (c *Conn) idText(rest string) string {
	v, ok := (&parser{b: []byte(rest)}).value()
	if !ok {
		return ""
	}
	var words []string
	for i := 0; i+1 < len(v.list); i += 2 {
		if v.list[i+1].kind == aString {
			words = append(words, v.list[i].s+" "+v.list[i+1].s)
		}
	}
	return c.shortText(strings.Join(words, ", "))
}
