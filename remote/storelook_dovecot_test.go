package remote

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"imapsync/internal/dovecot"
	"imapsync/mail"
)

// TestDovecotLooksBack covers what StoreAndLook builds on, with all commands in one
// packet, for a server that sees more waiting may put off telling a session what it
// does not know yet: behind a second SELECT it shows what is there.
func TestDovecotLooksBack(t *testing.T) {
	for _, format := range []string{"maildir", "mdbox"} {
		t.Run(format, func(t *testing.T) {
			srv := dovecot.Start(t, dovecot.WithFormat(format))
			a := accountAt(t, srv.Addr(), "user", srv.Password)
			other := open(t, a, mail.Inbox)
			uids := mustAppend(t, other, outgoing(message(1), ":"), outgoing(message(2), ":"), outgoing(message(3), ":"))
			c := dialRaw(t, srv.Addr(), "user", srv.Password)
			if shown := c.say("SELECT INBOX", "UID FETCH 1:* (UID FLAGS)"); len(shown) != 3 {
				t.Fatalf("shown %v", shown)
			}
			if err := other.Expunge(t.Context(), []mail.UID{uids[0], uids[2]}); err != nil {
				t.Fatal(err)
			}
			shown := c.say(`UID STORE 1:* +FLAGS.SILENT (\Flagged)`, "SELECT INBOX", "UID FETCH 1:* (UID FLAGS)")
			if want := []string{fmt.Sprintf(`* 1 FETCH (UID %d FLAGS (\Flagged))`, uids[1])}; !slices.Equal(shown, want) {
				t.Errorf("shown %q, want %q", shown, want)
			}
		})
	}
}

// TestDovecotForetells: the flags of another message that come with StoreAndLook are
// those that another client gave it behind the back of this session.
func TestDovecotForetells(t *testing.T) {
	onVariants(t, func(t *testing.T, a *Account) {
		if _, err := a.Folders(t.Context()); err != nil {
			t.Fatal(err)
		}
		m := open(t, a, mail.Inbox)
		uids := mustAppend(t, m, outgoing(message(1), ":"), outgoing(message(2), ":"), outgoing(message(3), ":"))
		snapshot(t, m, mail.Known{}, false)
		other := open(t, a, mail.Inbox)
		if err := other.Store(t.Context(), uids[1:2], mail.NewFlags(mail.Answered), mail.Flags{}); err != nil {
			t.Fatal(err)
		}
		m.Ahead(mail.Inbox, uids[1:])
		changes := []mail.FlagChange{{UIDs: uids[:1], Add: mail.NewFlags(mail.Flagged)}}
		if there, err := m.StoreAndLook(t.Context(), changes, func(_ int, err error) { t.Error(err) }); err != nil || !slices.Equal(there, uids[:1]) {
			t.Errorf("there are %v, %v", there, err)
		}
		c := m.c
		m.Close()
		m = open(t, a, mail.Inbox)
		before := c.wire.Stats().Commands
		flags, err := m.Flags(t.Context(), uids[1:])
		if err != nil || len(flags) != 2 || flags[uids[1]].System != mail.Answered || flags[uids[2]].System != 0 {
			t.Errorf("flags %v, %v", flags, err)
		}
		if n := c.wire.Stats().Commands - before; m.c != c || n != 0 {
			t.Errorf("asked by %d commands", n)
		}
		if err := m.Expunge(t.Context(), uids[1:]); err != nil {
			t.Fatal(err)
		}
		if s := snapshot(t, m, mail.Known{}, true); len(s.Messages) != 1 || s.Messages[uids[0]].Flags.System&mail.Flagged == 0 {
			t.Errorf("left are %v", s.Messages)
		}
	})
}

// raw is a session whose packets the test decides on.
type raw struct {
	t *testing.T
	net.Conn
	r    *bufio.Reader
	tags int
}

func dialRaw(t *testing.T, addr, user, password string) *raw {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &raw{t: t, Conn: conn, r: bufio.NewReader(conn)}
	c.say(fmt.Sprintf("LOGIN %s %s", user, password))
	return c
}

// say sends commands in one packet and returns the FETCH responses that come
// behind the answer to the last SELECT.
func (c *raw) say(commands ...string) (fetched []string) {
	c.t.Helper()
	var packet strings.Builder
	for _, command := range commands {
		c.tags++
		fmt.Fprintf(&packet, "t%d %s\r\n", c.tags, command)
	}
	if _, err := c.Write([]byte(packet.String())); err != nil {
		c.t.Fatal(err)
	}
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatal(err)
		}
		line = strings.TrimSpace(line)
		switch tag, rest, _ := strings.Cut(line, " "); {
		case strings.Contains(line, " FETCH ("):
			fetched = append(fetched, line)
		case strings.HasPrefix(tag, "t") && !strings.HasPrefix(rest, "OK"):
			c.t.Fatal(line)
		case strings.HasPrefix(tag, "t") && strings.Contains(rest, "READ-WRITE"):
			fetched = nil
		}
		if strings.HasPrefix(line, fmt.Sprintf("t%d ", c.tags)) {
			return fetched
		}
	}
}
