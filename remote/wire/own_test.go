package wire_test

import (
	"strings"
	"testing"

	"imapsync/remote/wire"
)

// TestCapabilities: those that come with the answer to the login stand until
// the first command; they are asked for again in its flight, ahead of it
// (iCloud's proxy changes the first ones), and some are taken away.
func TestCapabilities(t *testing.T) {
	o := options(listen(t, func(s *server) {
		s.write("* OK [CAPABILITY IMAP4rev1 XAPPLE AUTH=PLAIN SASL-IR] hi\r\n")
		s.write("%s OK [CAPABILITY IMAP4rev1 WRONG ID] in\r\n", s.expect("AUTHENTICATE"))
		tag := s.expect("CAPABILITY")
		id := s.expect(`ID ("name" "imapsync")`)
		s.write("* CAPABILITY  IMAP4rev1 imap4rev2 QRESYNC LITERAL+ UTF8=ACCEPT MOVE b]d ID\r\n%s OK [CAPABILITY IMAP4rev1 IMAP4rev2 QRESYNC LITERAL+ UTF8=ACCEPT MOVE ID] ok\r\n", tag)
		s.write("* ID (\"name\" {7}\r\nDovecot \"version\" NIL \"os\" \"Plan 9\")\r\n%s BAD what\r\n", id)
		s.noop()
	}))
	o.Disable = []string{"move"}
	c, err := wire.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(c.Caps(), " "), "ID IMAP4REV1 WRONG"; got != want {
		t.Errorf("caps at first %q, want %q", got, want)
	}
	cl := client(t, c, nil)
	before := c.Stats()
	alive(t, c, cl)
	if after := c.Stats(); after.Turnarounds != before.Turnarounds+1 || after.Commands != before.Commands+3 {
		t.Errorf("%d turnarounds for %d commands", after.Turnarounds-before.Turnarounds, after.Commands-before.Commands)
	}
	if got, want := strings.Join(c.Caps(), " "), "ID IMAP4REV1 IMAP4REV2 LITERAL+ QRESYNC UTF8=ACCEPT"; got != want {
		t.Errorf("caps %q, want %q", got, want)
	}
	if !c.HasCap("condstore") || !c.HasCap("LITERAL-") || c.HasCap("MOVE") || c.HasCap("WRONG") {
		t.Error("HasCap")
	}
	if got := c.ServerID(); got != "name Dovecot, os Plan 9" {
		t.Errorf("server id %q", got)
	}
	if caps := cl.Caps(); len(caps) != 4 || caps.Has("IMAP4rev2") || caps.Has("MOVE") {
		t.Errorf("imapclient sees %v", caps)
	}
}

// TestLiteralsOnlyWhereSure: literals are sent unasked only once the answer to
// CAPABILITY says that the server takes them.
func TestLiteralsOnlyWhereSure(t *testing.T) {
	for _, caps := range []string{"IMAP4rev1", "IMAP4rev1 LITERAL+"} {
		c, err := wire.Dial(t.Context(), options(listen(t, func(s *server) {
			s.write("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hi\r\n")
			s.write("%s OK [CAPABILITY IMAP4rev1 LITERAL+ LITERAL-] in\r\n", s.expect("AUTHENTICATE"))
			tag := s.expect("CAPABILITY")
			take := func(unasked bool) {
				line := s.line()
				if strings.HasSuffix(line, "{1}") == unasked {
					s.t.Errorf("sent %q to a server with %s", line, caps)
				}
				if !unasked {
					s.write("+ go\r\n")
				}
				s.octets(1)
				s.line()
				id, _, _ := strings.Cut(line, " ")
				s.ok(id)
			}
			s.write("* CAPABILITY %s\r\n%s OK done\r\n", caps, tag)
			take(false)
			take(strings.Contains(caps, "LITERAL+"))
			s.untilClosed()
		})))
		if err != nil {
			t.Fatal(err)
		}
		cl := client(t, c, nil)
		for range 2 {
			if _, err := appendMessage(cl, "x"); err != nil {
				t.Errorf("APPEND: %v (%v)", err, c.Err())
			}
		}
		c.Close()
	}
}
