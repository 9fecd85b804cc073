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
				s = tag + " " + name + " " + redacted
			}
		}
	}
	c.tracing.Lock()
	defer c.tracing.Unlock()
	if !c.hushed {
		c.o.Trace(fromServer, c.scrub(printable(s)))
	}
}

// hush ends the trace. imapclient's reader may still have a line in its hands,
// and where the trace went need not outlive the connection.
func (c *Conn) hush() {
	c.tracing.Lock()
	defer c.tracing.Unlock()
	c.hushed = true
}

// keepSecret makes scrub replace the secret and the forms it takes on the wire:
// as it is, quoted, in upper case as part of a response code, and in base64
// inside whatever else a SASL mechanism encodes with it.
func (c *Conn) keepSecret(secret string) {
	if secret == "" {
		return
	}
	quoted := escapes.Replace(secret)
	forms := []string{quoted, secret, printable(quoted), printable(secret), strings.ToUpper(secret)}
	for _, line := range strings.FieldsFunc(secret, func(r rune) bool { return r == '\r' || r == '\n' }) {
		if len(line) > 3 { // a server may have taken it for all there is
			forms = append(forms, line)
		}
	}
	for _, form := range forms {
		if form != "" {
			c.secrets = append(c.secrets, form)
		}
	}
	for before := range 3 {
		c.encoded = append(c.encoded, base64Core(secret, before)...)
	}
}

// base64Core is what the secret alone makes of the base64 of anything that has
// it after so many bytes modulo three, in the alphabets of RFC 4648.
func base64Core(secret string, before int) []string {
	bits := 8 * before
	whole := append(make([]byte, before), secret...)
	from, to := (bits+5)/6, 8*len(whole)/6
	if to-from < 4 { // would be found everywhere
		return nil
	}
	std, url := base64.RawStdEncoding.EncodeToString(whole)[from:to], base64.RawURLEncoding.EncodeToString(whole)[from:to]
	if std == url {
		return []string{std}
	}
	return []string{std, url}
}

const redacted = "[redacted]"

// scrub removes what a careless server may have echoed.
func (c *Conn) scrub(s string) string {
	for _, core := range c.encoded {
		s = scrubBase64(s, core)
	}
	for _, secret := range c.secrets {
		s = strings.ReplaceAll(s, secret, redacted)
	}
	return s
}

// scrubBase64 replaces each run of base64 that holds core.
func scrubBase64(s, core string) string {
	var b strings.Builder
	for {
		at := strings.Index(s, core)
		if at < 0 {
			b.WriteString(s)
			return b.String()
		}
		from, to := at, at+len(core)
		for from > 0 && isBase64(s[from-1]) {
			from--
		}
		for to < len(s) && isBase64(s[to]) {
			to++
		}
		b.WriteString(s[:from] + redacted)
		s = s[to:]
	}
}

func isBase64(ch byte) bool {
	return ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch >= '0' && ch <= '9' || strings.IndexByte("+/-_=", ch) >= 0
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
