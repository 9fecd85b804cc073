package remote

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"imapsync/mail"
)

// The list of what was left out has sizes where the server tells them of the parts
// that the headers tell of; what it does not tell costs nothing else.
func TestStubsTellSizes(t *testing.T) {
	const structure = `(("text" "plain" NIL NIL NIL "7bit" 6 1)("application" "pdf" ("name" "a.pdf") NIL NIL "base64" 4000) "mixed")`
	for told, want := range map[string]string{
		`* 1 FETCH (UID 1 BODYSTRUCTURE ` + structure + ")\n$ OK done":                                     `application/pdf "a.pdf", 4000 bytes`,
		`* 1 FETCH (UID 1 BODYSTRUCTURE ` + strings.ReplaceAll(structure, `"pdf"`, `"x"`) + ")\n$ OK done": "application/pdf \"a.pdf\"\r\n",
		`* 1 FETCH (UID 1 BODYSTRUCTURE (("te"xt"` + ")\n$ OK done":                                        "application/pdf \"a.pdf\"\r\n",
		"$ OK done":         "application/pdf \"a.pdf\"\r\n",
		"$ NO [CANNOT] not": "application/pdf \"a.pdf\"\r\n",
	} {
		f := newFake(t, allCaps, map[string]answer{"UID FETCH": func(c *fakeConn, tag, args string) {
			sections := func(parts ...string) {
				var items strings.Builder
				for i := 0; i < len(parts); i += 2 {
					fmt.Fprintf(&items, " BODY%s {%d}\r\n%s", parts[i], len(parts[i+1]), parts[i+1])
				}
				c.raw("* 1 FETCH (UID 1" + items.String() + ")\r\n")
			}
			switch {
			case strings.Contains(args, "BODYSTRUCTURE"):
				c.send("%s", strings.ReplaceAll(told, "$", tag))
				return
			case strings.Contains(args, "[HEADER]"):
				sections("[HEADER]", "Subject: a\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n")
			case strings.Contains(args, "[1.MIME]"):
				sections("[1.MIME]", "Content-Type: text/plain\r\n\r\n", "[2.MIME]", "Content-Type: application/pdf; name=a.pdf\r\n\r\n")
			case strings.Contains(args, "[1]<"):
				sections("[1]<0>", "Hello.")
			}
			c.send("%s OK done", tag)
		}})
		m := open(t, f.account(), mail.Inbox)
		var got string
		err := m.FetchParts(t.Context(), []mail.UID{1}, map[mail.UID]int64{1: 5000}, true, func(_ mail.UID, body io.Reader, err error) error {
			if err != nil {
				return err
			}
			b, err := io.ReadAll(body)
			got = string(b)
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", told, err)
		}
		for _, part := range []string{"Hello.", want} {
			if !strings.Contains(got, part) {
				t.Errorf("%s: no %q in\n%s", told, part, got)
			}
		}
	}
}
