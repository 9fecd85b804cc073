package wire

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// loginCommand is how the LOGIN command is called among the mechanisms, to
// tell it from SASL LOGIN.
const loginCommand = "LOGIN command"

// login authenticates; how names the mechanism.
func (c *Conn) login(ctx context.Context) (how string, err error) {
	if len(c.caps) == 0 {
		if _, err := c.command("CAPABILITY"); err != nil {
			return "", err
		}
	}
	hows, err := c.mechanisms()
	if err != nil {
		return "", err
	}
	var secret string
	if c.o.Secret != nil {
		if secret, err = c.o.Secret(ctx); err != nil {
			return "", &Error{Kind: KindSecret, Doing: "get the password for " + c.o.User, Err: err}
		}
		c.keepSecret(secret)
		c.greeting = c.scrub(c.greeting) // a server may remember what it was told on another connection
	}
	if secret == "" && hows[0] != "EXTERNAL" {
		return "", &Error{Kind: KindSecret, Doing: "get the password for " + c.o.User, Err: errors.New("it is empty")}
	}
	if strings.Contains(c.o.User+secret, "\x00") {
		return "", &Error{Kind: KindSecret, Doing: "log in as " + printable(c.o.User), Err: errors.New("user or password holds a NUL byte")}
	}
	for _, how = range hows {
		c.told = false
		var st status
		st, err = c.loginBy(how, secret)
		var e *Error
		if !errors.As(err, &e) || e.Kind != KindAuth || st.typ != "NO" {
			break
		}
	}
	return how, err
}

// mechanisms are the ways to try in turn: the one asked for, or the strongest
// that is offered and fits the credential. After SCRAM also the next, where the
// password cannot be overheard: a server that keeps hashes of another kind
// refuses a right password by SCRAM.
func (c *Conn) mechanisms() ([]string, error) {
	prefer := []string{"SCRAM-SHA-256", "PLAIN", loginCommand, "LOGIN"}
	want := strings.ToUpper(c.o.Auth)
	switch {
	case want == "LOGIN":
		prefer = []string{loginCommand, "LOGIN"}
	case want != "" && want != "AUTO":
		if newMechanism(want, "", 0, "", "", nil) == nil {
			return nil, &Error{Kind: KindConfig, Doing: "log in to " + c.o.address(), Err: fmt.Errorf("unknown mechanism %q", c.o.Auth)}
		}
		prefer = []string{want}
	case c.o.Bearer:
		prefer = []string{"OAUTHBEARER", "XOAUTH2"}
	case c.o.Secret == nil:
		prefer = []string{"EXTERNAL"}
	}
	var found []string
	for _, name := range prefer {
		if name == loginCommand && !c.caps["LOGINDISABLED"] || c.caps["AUTH="+name] {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		return nil, c.noMechanism(prefer)
	}
	protected := c.raw != c.tcp || !c.overNetwork()
	if found[0] == "SCRAM-SHA-256" && len(found) > 1 && protected {
		return found[:2], nil
	}
	return found[:1], nil
}

func (c *Conn) noMechanism(prefer []string) error {
	var offered []string
	for name := range c.caps {
		if m, ok := strings.CutPrefix(name, "AUTH="); ok {
			offered = append(offered, m)
		}
	}
	slices.Sort(offered)
	e := &Error{Kind: KindAuth, Doing: "log in to " + c.o.address(),
		Err:  fmt.Errorf("the server offers [%s], none of which is %s", strings.Join(offered, " "), strings.Join(prefer, ", ")),
		Hint: "set auth to one that is offered"}
	switch {
	case c.raw == c.tcp && c.caps["LOGINDISABLED"]:
		e.Kind, e.Hint = KindPlaintext, `the server takes no password without TLS (LOGINDISABLED); set tls = "starttls" or "implicit"`
	case slices.Contains(offered, "OAUTHBEARER") || slices.Contains(offered, "XOAUTH2"):
		e.Hint = "this server wants OAuth 2, not a password"
	case c.o.Bearer:
		e.Hint = "this server takes no OAuth 2 token; use a password"
	}
	return e
}

// loginBy tries one mechanism.
func (c *Conn) loginBy(how, secret string) (st status, err error) {
	var why func() string
	if how == loginCommand {
		st, err = c.sendLogin(secret)
	} else {
		m := newMechanism(how, c.o.Host, c.o.Port, c.o.User, secret, c.o.Logins)
		why = m.why
		st, err = c.authenticate(m)
	}
	if err == nil && st.typ != "OK" {
		err = c.loginRefused(how, st, why)
	}
	return st, err
}

func (c *Conn) loginRefused(how string, st status, why func() string) *Error {
	doing := fmt.Sprintf("log in to %s as %s by %s", c.o.address(), printable(c.o.User), how)
	e := c.refusal(KindAuth, doing, st, nil)
	switch {
	case st.code == "SERVERBUG", st.code == "CONTACTADMIN":
		e.Kind, e.Hint = KindUnavailable, "try again later"
	case e.Kind != KindAuth:
	case c.o.Bearer:
		e.Hint = "the access token may be expired or lack the scope for IMAP: run your token_command by hand and see what token it gives"
	default:
		e.Hint = "check user and password; with two-factor login most providers want an app password or OAuth 2"
	}
	if why != nil && why() != "" {
		e.Err = errors.New(c.shortText(why()))
	}
	return e
}

// authenticate runs a SASL exchange (RFC 3501 section 6.2.2, RFC 4959). An
// empty answer is an empty line; only an empty initial response is "=".
func (c *Conn) authenticate(m *mechanism) (status, error) {
	tag := c.tag()
	line := tag + " AUTHENTICATE " + m.name
	var pending []byte
	if m.initial != nil {
		first, err := m.initial()
		if err != nil {
			return status{}, c.mechanismError(m, err)
		}
		if c.caps["SASL-IR"] {
			line += " " + cmpEmpty(base64.StdEncoding.EncodeToString(first), "=")
		} else {
			pending = first
		}
	}
	wait := m.initial != nil && !c.caps["SASL-IR"]
	if err := c.send(line + "\r\n"); err != nil {
		return status{}, err
	}
	var failed error
	st, err := c.await(tag, func(challenge string) error {
		if failed != nil {
			return nil
		}
		answer := pending
		if wait {
			wait = false
		} else {
			raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(challenge))
			if err == nil {
				answer, err = m.next(raw)
			}
			if err != nil {
				failed = c.mechanismError(m, err)
				return c.send("*\r\n")
			}
		}
		c.trace(false, []byte(redacted))
		return c.sendUntraced(base64.StdEncoding.EncodeToString(answer) + "\r\n")
	})
	switch {
	case failed != nil: // by the server's fault: nothing else is to be tried with it
		return status{}, failed
	case err == nil && st.typ == "OK" && m.done != nil:
		if err := m.done(); err != nil {
			return status{}, c.mechanismError(m, err)
		}
	}
	return st, err
}

func (c *Conn) mechanismError(m *mechanism, err error) *Error {
	return &Error{Kind: KindAuth, Doing: fmt.Sprintf("log in to %s by %s", c.o.address(), m.name),
		Err: errors.New(c.shortText(err.Error()))}
}

func cmpEmpty(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// sendLogin does the LOGIN command (RFC 3501 section 6.2.3). What a quoted
// string cannot carry goes as a literal, awaited.
func (c *Conn) sendLogin(secret string) (status, error) {
	tag := c.tag()
	c.trace(false, []byte(tag+" LOGIN"))
	parts := []string{tag + " LOGIN "}
	add := func(arg, end string) {
		if quoted, ok := quote(arg); ok {
			parts[len(parts)-1] += quoted + end
			return
		}
		parts[len(parts)-1] += fmt.Sprintf("{%d}\r\n", len(arg))
		parts = append(parts, arg+end)
	}
	add(c.o.User, " ")
	add(secret, "\r\n")
	if err := c.sendUntraced(parts[0]); err != nil {
		return status{}, err
	}
	parts = parts[1:]
	return c.await(tag, func(string) error {
		if len(parts) == 0 {
			return nil
		}
		part := parts[0]
		parts = parts[1:]
		return c.sendUntraced(part)
	})
}
