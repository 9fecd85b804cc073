package wire

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/xdg-go/scram"
)

// login authenticates; detail says how, for Options.Stage.
func (c *Conn) login(ctx context.Context) (detail string, err error) {
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
	return c.tryLogins(hows, c.credentials(secret))
}

// credentials are what the mechanisms make their messages of.
func (c *Conn) credentials(secret string) login {
	return login{
		user: c.o.User, secret: secret, host: c.o.Host, port: c.o.Port, logins: c.o.Logins,
		binding: bindingOf(c.TLSState()),
	}
}

// tryLogins tries one mechanism after the other until one succeeds, or fails
// otherwise than by being refused out of hand; detail is how it went, for
// Options.Stage.
func (c *Conn) tryLogins(hows []string, l login) (detail string, err error) {
	var refused []string
	for {
		how := hows[len(refused)]
		c.told = false
		outOfHand, err := c.loginBy(how, l)
		if err == nil {
			return loggedInBy(how, l, refused), nil
		}
		if refused = append(refused, how); !outOfHand || len(refused) == len(hows) {
			return "", err
		}
	}
}

// loggedInBy says how a login was done.
func loggedInBy(how string, l login, refused []string) string {
	if strings.HasSuffix(how, plus) {
		how += " (" + string(l.binding.Type) + ")"
	}
	if l.user != "" {
		how += " as " + printable(l.user)
	}
	if len(refused) > 0 {
		how += ", after " + strings.Join(refused, ", ") + " was refused"
	}
	return how
}

// loginBy tries one mechanism. outOfHand is a refusal by a server that did not
// take part in the exchange: it was told nothing that depends on the password.
func (c *Conn) loginBy(how string, l login) (outOfHand bool, err error) {
	if c.disabled("AUTH=" + strings.TrimSuffix(how, plus) + plus) {
		l.binding = scram.ChannelBinding{}
	}
	if how == loginCommand {
		st, err := c.sendLogin(l.secret)
		if err == nil && st.typ != "OK" {
			err = c.loginRefused(how, st, "")
		}
		return false, err
	}
	m := newMechanism(how, l)
	st, err := c.authenticate(m)
	if err == nil && st.typ == "OK" {
		return false, nil
	}
	l.logins.forget()
	if err != nil {
		return false, err
	}
	why := ""
	if m.why != nil {
		why = m.why()
	}
	e := c.loginRefused(how, st, why)
	return !m.begun && e.Kind == KindAuth, e
}

func (c *Conn) loginRefused(how string, st status, why string) *Error {
	doing := fmt.Sprintf("log in to %s by %s", c.o.address(), how)
	if c.o.User != "" {
		doing = fmt.Sprintf("log in to %s as %s by %s", c.o.address(), printable(c.o.User), how)
	}
	e := c.refusal(KindAuth, doing, st, nil)
	switch {
	case st.code == "SERVERBUG", st.code == "CONTACTADMIN":
		e.Kind, e.Hint = KindUnavailable, "try again later"
	case e.Kind != KindAuth:
	case tampered(why):
		e.Hint = "this TLS connection does not end at the server: somebody is in between; the password was not told; behind a proxy that you trust set " + unbind
	case bindingUnknown(why):
		e.Hint = "the server offers to bind a login to its TLS connection but cannot do it, or somebody in between prevents it; to do without set " + unbind
	case isScram(how):
		e.Hint = `check user and password; if they are right, the server cannot check them by SCRAM: set auth = "plain"`
		if strings.HasSuffix(how, plus) {
			e.Hint += ", or cannot bind a login to its TLS connection: set " + unbind
		}
	case c.o.Bearer:
		e.Hint = "the access token may be expired or lack the scope for IMAP: run your token_command by hand and see what token it gives"
	case how == "EXTERNAL":
		e.Hint = "the server must know the certificate of client_cert, and may want the user it stands for, or none"
	default:
		e.Hint = "check user and password; with two-factor login most providers want an app password or OAuth 2"
	}
	if why != "" {
		e.Err = errors.New(c.shortText(why))
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
			m.begun = true
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
