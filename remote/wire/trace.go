package wire

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// trace tells Options.Trace one line, secrets and control characters removed.
func (c *Conn) trace(fromServer bool, line []byte) {
	if c.o.Trace == nil {
		return
	}
	s := string(line)
	if !fromServer {
		if tag, rest, ok := strings.Cut(s, " "); ok {
			name, _, _ := strings.Cut(rest, " ")
			switch strings.ToUpper(name) {
			case "LOGIN", "AUTHENTICATE":
				s = tag + " " + name + " [redacted]"
			}
		}
	}
	c.tracing.Lock()
	defer c.tracing.Unlock()
	c.o.Trace(fromServer, c.scrub(printable(s)))
}

// keepSecret makes scrub replace the secret and the forms it takes on the wire.
func (c *Conn) keepSecret(secret, user string) {
	if secret == "" {
		return
	}
	b64 := base64.StdEncoding.EncodeToString
	c.secrets = append(c.secrets,
		b64([]byte("\x00"+user+"\x00"+secret)),
		b64([]byte(secret)),
		strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(secret),
		secret)
}

// scrub removes what a careless server may have echoed.
func (c *Conn) scrub(s string) string {
	for _, secret := range c.secrets {
		s = strings.ReplaceAll(s, secret, "[redacted]")
	}
	return s
}

// maxText bounds the human-readable text that is kept, maxSets the sets of a
// COPYUID, whose order is lost when they are cut: those of a command of 8 KB fit.
const (
	maxText = 1 << 10
	maxSets = 64 << 10
)

// shortText is a text fit for a Notice or an error.
func (c *Conn) shortText(s string) string { return c.cutText(s, maxText) }

func (c *Conn) cutText(s string, limit int) string {
	s = c.scrub(printable(s))
	if len(s) > limit {
		cut := limit
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return s
}

// printable drops control characters, which could drive a terminal, and
// replaces what is not UTF-8.
func printable(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD")))
}
