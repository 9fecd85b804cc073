package wire_test

import (
	"strings"
	"testing"
)

// LSUB is answered in full or not at all, among what imapclient asks.
func TestSubscriptions(t *testing.T) {
	for _, c := range []struct{ answers, want string }{
		{"", ""},
		{"* LSUB () \"/\" inbox\r\n* LSUB () \"/\" {8}\r\nA&AOk-bc\r\n* LSUB (\\NoSelect) NIL C\r\n* 3 EXISTS\r\n* LSUB () NIL \"D \\\"x\"\r\n", `INBOX|Aébc|D "x`},
		{"* LSUB () \"/\" A\r\n* LSUB () \"/\"\r\n", "error"},
		{"* LSUB () \"/\" \"\xe9\"\r\n", "error"},
		{"* LSUB () \"/\" &bad\r\n", "error"},
		{"refused", "error"},
	} {
		conn := dial(t, "IMAP4rev1", func(s *server) {
			tag := s.expect(`LSUB "" "*"`)
			if c.answers == "refused" {
				s.write("%s NO not here\r\n", tag)
			} else {
				s.write("%s", c.answers)
				s.ok(tag)
			}
			s.noop()
		})
		cl := client(t, conn, nil)
		got, answer, err := conn.Subscriptions()()
		text := strings.Join(got, "|")
		if err != nil || answer.Status != "OK" {
			text = "error"
		}
		if text != c.want {
			t.Errorf("%q: %q, %v, want %q", c.answers, got, err, c.want)
		}
		alive(t, conn, cl)
	}
}

// A connection that ends leaves nobody waiting.
func TestSubscriptionsCutShort(t *testing.T) {
	conn := dial(t, "IMAP4rev1", func(s *server) {
		s.expect(`LSUB "" "*"`)
		s.write("* LSUB () \"/\" A\r\n")
	})
	client(t, conn, nil)
	wait := conn.Subscriptions()
	if got, _, err := wait(); err == nil {
		t.Errorf("%q", got)
	}
	if _, _, err := conn.Subscriptions()(); err == nil {
		t.Error("nothing can be asked any more")
	}
}
