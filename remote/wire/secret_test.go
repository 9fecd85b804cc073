package wire_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"imapsync/remote/wire"
)

// TestEchoedSecrets: a careless or malicious server says back what it was told,
// in any of the forms it had, in every place where a server has words. Neither
// error nor trace may show it.
func TestEchoedSecrets(t *testing.T) {
	for _, secret := range []string{
		"unmistakable-Passw0rd", `quo"ted\pass`, "pässwörd-ütf8", "tab\tinside it", "redacted", "reda", "a?b>c~?>~?>", "Line-1\r\nLine-2",
	} {
		b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
		forms := []string{
			secret, strings.ReplaceAll(strings.ReplaceAll(secret, `\`, `\\`), `"`, `\"`),
			b64(secret), b64("\x00" + user + "\x00" + secret), b64("\x00u\x00" + secret), b64("user=" + user + "\x01auth=Bearer " + secret + "\x01\x01"),
			b64("1" + secret), b64("12" + secret), b64("123" + secret), base64.URLEncoding.EncodeToString([]byte("12" + secret)),
		}
		for _, form := range forms {
			for _, line := range []string{
				"%s NO refused: ECHO", "%s NO [ECHO] refused", "%s NO [ALERT] ECHO", "* BYE ECHO", "* BYE [ECHO] x", "* NO ECHO\r\n%s NO x",
				"+ ECHO\r\n%s NO x", "* ECHO x\r\n%s NO x", "%s ECHO x", "* ID (\"ECHO\" \"ECHO\")\r\n%s NO x",
			} {
				checkEcho(t, secret, strings.ReplaceAll(line, "ECHO", form))
			}
		}
	}
}

func checkEcho(t *testing.T, secret, answer string) {
	t.Helper()
	for _, how := range []string{"plain", "login"} {
		var trace strings.Builder
		o := options(listen(t, func(s *server) {
			caps := "AUTH=PLAIN SASL-IR"
			if how == "login" {
				caps = ""
			}
			s.write("* OK [CAPABILITY IMAP4rev1 %s] hi\r\n", caps)
			tag := s.line()[:2]
			if how == "login" && !strings.HasPrefix(secret, "un") { // perhaps a literal
				s.write("+ go\r\n")
				s.write("+ go\r\n")
			}
			s.write("%s\r\n", strings.ReplaceAll(answer, "%s", tag))
			s.conn.(interface{ CloseWrite() error }).CloseWrite()
			s.untilClosed()
		}))
		o.Auth = how
		o.Secret = func(context.Context) (string, error) { return secret, nil }
		o.Trace = func(_ bool, line string) { trace.WriteString(line + "\n") }
		c, err := wire.Dial(t.Context(), o)
		if err == nil {
			c.Close()
			t.Errorf("%q: logged in", answer)
			continue
		}
		shown := err.Error() + "\n" + trace.String()
		if found := secretIn(strings.ReplaceAll(shown, "[redacted]", ""), secret); found != "" {
			t.Errorf("%s, %q: %q is in\n%s", how, answer, found, shown)
		}
	}
}

// secretIn finds a form of the secret: as it is, without control characters, in
// hexadecimal, or what it alone makes of the base64 of anything around it.
func secretIn(text, secret string) string {
	lower := strings.ToLower(text)
	for _, line := range strings.FieldsFunc(secret, func(r rune) bool { return r < ' ' }) {
		if strings.Contains(lower, strings.ToLower(line)) {
			return line
		}
	}
	if form := hex.EncodeToString([]byte(secret)); strings.Contains(lower, form) {
		return form
	}
	for before := range 3 {
		whole := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", before) + secret))
		core := strings.TrimRight(whole, "=")[[]int{0, 2, 3}[before]:]
		core = core[:len(core)-1]
		for _, form := range []string{core, strings.NewReplacer("+", "-", "/", "_").Replace(core)} {
			if len(form) > 3 && strings.Contains(text, form) {
				return form
			}
		}
	}
	return ""
}
