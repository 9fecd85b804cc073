package remote

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"imapsync/mail"
)

// lineConn calls at before each line of the server, of all its connections;
// what at returns false for is not sent, nor anything after it.
type lineConn struct {
	net.Conn
	at   func(conn net.Conn) bool
	left int // octets of a literal that are no lines
	dead bool
}

func (l *lineConn) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(l.left, len(rest))
		if l.left -= n; n == 0 {
			if l.dead = l.dead || !l.at(l.Conn); l.dead {
				break
			}
			n = bytes.IndexByte(rest, '\n') + 1
			if m := literalEnd.FindSubmatch(bytes.TrimRight(rest[:n], "\r\n")); m != nil {
				fmt.Sscan(string(m[1]), &l.left)
			}
		}
		if _, err := l.Conn.Write(rest[:n]); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	return len(p), nil
}

// step is one thing a run does, and what it saw; a failure ends no other step.
type step struct {
	name string
	do   func(t *testing.T, a *Account) (saw string, err error)
}

// inInbox does something with INBOX opened.
func inInbox(do func(t *testing.T, m *Mailbox) (string, error)) func(*testing.T, *Account) (string, error) {
	return func(t *testing.T, a *Account) (string, error) {
		m, err := a.Open(t.Context(), mail.Inbox, false)
		if err != nil {
			return "", err
		}
		defer m.Close()
		return do(t, m)
	}
}

// life is what runs do with an account.
var life = []step{
	{"folders", func(t *testing.T, a *Account) (string, error) {
		folders, err := a.Folders(t.Context())
		saw := ""
		for _, f := range folders {
			saw += fmt.Sprint(f.Name, f.Selectable, f.Mark)
		}
		return saw, err
	}},
	{"snapshot", inInbox(func(t *testing.T, m *Mailbox) (string, error) {
		s, err := m.Snapshot(t.Context(), mail.Known{}, true)
		if s.Doubt != "" {
			return "", fmt.Errorf("doubt: %s", s.Doubt)
		}
		saw := fmt.Sprint(s.Mark, s.Space)
		for _, uid := range uidsOf(s) {
			saw += fmt.Sprint(s.Messages[uid])
		}
		return saw, err
	})},
	{"bodies", inInbox(func(t *testing.T, m *Mailbox) (string, error) {
		bodies, errs, err := fetchAll(t, m, []mail.UID{1, 2, 3})
		for uid, text := range bodies { // whatever else went wrong
			if text != message(int(uid)) {
				t.Errorf("UID %d has the body %q", uid, text)
			}
		}
		for _, e := range errs {
			err = e
		}
		return fmt.Sprint(bodies), err
	})},
	{"headers", inInbox(func(t *testing.T, m *Mailbox) (string, error) {
		headers, err := m.Headers(t.Context(), []mail.UID{1, 2, 3})
		return fmt.Sprint(headers), err
	})},
	{"store", inInbox(func(t *testing.T, m *Mailbox) (string, error) {
		return "", m.Store(t.Context(), []mail.UID{2}, mail.ParseFlags(":F"), mail.Flags{})
	})},
	{"append", inInbox(func(t *testing.T, m *Mailbox) (string, error) {
		got, err := appendAll(t, m, outgoing(message(7), ":S"), outgoing(strings.Repeat("x\r\n", 3000), ":"))
		for _, g := range got {
			if g.err != nil {
				err = g.err
			}
		}
		return fmt.Sprint(got), err
	})},
	{"copy", inInbox(func(t *testing.T, m *Mailbox) (string, error) {
		uids, err := m.Copy(t.Context(), []mail.UID{1}, "A", 0)
		return fmt.Sprint(uids), err
	})},
	{"missing", func(t *testing.T, a *Account) (string, error) {
		missing, err := a.Missing(t.Context(), "A")
		return fmt.Sprint(missing), err
	}},
}

// live goes through the account's life.
func live(t *testing.T, f *fake, change ...func(*Config)) (saw []string, errs []error) {
	t.Helper()
	a := f.account(change...)
	for _, s := range life {
		text, err := s.do(t, a)
		saw, errs = append(saw, text), append(errs, err)
	}
	a.Close()
	return saw, errs
}

// tellsAll is a server that also answers a COPY as it should.
var tellsAll = map[string]answer{"UID COPY": func(c *fakeConn, tag, args string) {
	c.send("%s OK [COPYUID 9 1 7] copied", tag)
}}

// strange means nothing to us, wherever it comes.
const strange = "* XFOO bar\r\n* XFOO {9}\r\n* BYE\r\n* \r\n\r\n* VANISHED (EARLIER) 1:3\r\n* 2 UIDFETCH (FLAGS ())\r\nX9 OK what\r\nT999 NO [ALERT] never sent\r\n" +
	"* OK Still here\r\n* NO low on disk\r\n* ENABLED X\r\n* ID (\"a\" NIL)\r\n[COPYUID 1 2 3]\r\n* 5 RECENT\r\n* 2 FETCH (UID 4294967297 FLAGS (\\Deleted))\r\n" +
	"* 0 EXPUNGE\r\n* XLIST () \"/\" Trash\r\n* STATUS Elsewhere (MESSAGES 0)\r\n* 9 FETCH (UID 8 FLAGS (\\Deleted) X-GM-MSGID 1)\r\n"

// TestStrangeAnywhere puts strange lines before each line of the server in turn;
// all is as without them.
func TestStrangeAnywhere(t *testing.T) {
	want, lines := undisturbed(t)
	for n := 1; n < lines; n++ {
		saw, errs := disturbed(t, n, func(conn net.Conn) bool {
			io.WriteString(conn, strange)
			return true
		})
		for i, s := range life {
			if saw[i] != want[i] || errs[i] != nil {
				t.Errorf("before line %d, %s: %v\n%q, want\n%q", n, s.name, errs[i], saw[i], want[i])
			}
		}
	}
}

// TestEndAnywhere ends one connection before each line of the server: one step
// fails for now, or starts over, and nothing is wrong.
func TestEndAnywhere(t *testing.T) {
	want, lines := undisturbed(t)
	for name, end := range map[string]func(conn net.Conn) bool{
		"BYE":     func(conn net.Conn) bool { io.WriteString(conn, "* BYE Try again in 5 minutes\r\n"); return false },
		"close":   func(conn net.Conn) bool { conn.Close(); return false },
		"BAD":     func(conn net.Conn) bool { io.WriteString(conn, "* BAD what\r\n"); return false },
		"silence": func(conn net.Conn) bool { return false },
		"half": func(conn net.Conn) bool {
			io.WriteString(conn, "* 2 FETCH (UID 2 BODY[] {9}\r\nab")
			conn.Close()
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			for n := range lines {
				timeout := time.Minute
				if name == "silence" {
					timeout = 200 * time.Millisecond
				}
				if n%3 != len(name)%3 || n == 0 { // each way at other lines; an odd first line is no IMAP server
					continue
				}
				saw, errs := disturbed(t, n, end, func(c *Config) { c.Wire.Timeout = timeout })
				failed := 0
				for i, s := range life {
					switch {
					case errs[i] == nil && saw[i] != want[i]:
						t.Errorf("before line %d, %s saw %q, want %q", n, s.name, saw[i], want[i])
					case errs[i] != nil:
						failed++
						checkEnded(t, fmt.Sprintf("before line %d, %s", n, s.name), name, errs[i])
					}
				}
				if failed > 1 {
					t.Errorf("before line %d: %d steps failed: %v", n, failed, errs)
				}
			}
		})
	}
}

// checkEnded looks at the error of a step whose connection was ended.
func checkEnded(t *testing.T, where, how string, err error) {
	t.Helper()
	if slices.Contains([]error{io.ErrUnexpectedEOF}, err) { // a body that was cut short
		return
	}
	if mail.ClassOf(err) != mail.ClassTemporary {
		t.Errorf("%s: class %d: %v", where, mail.ClassOf(err), err)
	}
	if how == "BYE" && (mail.AfterOf(err) != 5*time.Minute || !strings.Contains(err.Error(), "Try again in 5 minutes")) {
		t.Errorf("%s: after %v: %v", where, mail.AfterOf(err), err)
	}
}

// undisturbed is what all that must be seen as, and how many lines the server
// says.
func undisturbed(t *testing.T) (saw []string, lines int) {
	t.Helper()
	var n atomic.Int32
	f := newFakeBehind(t, allCaps, tellsAll, func(conn net.Conn) net.Conn {
		return &lineConn{Conn: conn, at: func(net.Conn) bool { n.Add(1); return true }}
	})
	saw, errs := live(t, f)
	for i, err := range errs {
		if err != nil {
			t.Fatalf("undisturbed, %s: %v", life[i].name, err)
		}
	}
	return saw, int(n.Load())
}

// disturbed calls do before line n.
func disturbed(t *testing.T, n int, do func(conn net.Conn) bool, change ...func(*Config)) ([]string, []error) {
	t.Helper()
	var count atomic.Int32
	f := newFakeBehind(t, allCaps, tellsAll, func(conn net.Conn) net.Conn {
		return &lineConn{Conn: conn, at: func(conn net.Conn) bool {
			if int(count.Add(1)) != n+1 {
				return true
			}
			return do(conn)
		}}
	})
	return live(t, f, change...)
}
