package imaptest_test

import (
	"slices"
	"testing"
	"time"

	"imapsync/internal/corpus"
	"imapsync/internal/dovecot"
	"imapsync/internal/imaptest"
	"imapsync/internal/proxy"
	"imapsync/mail"
)

func TestClientOnDovecot(t *testing.T) {
	s := dovecot.Start(t)
	p := imaptest.Proxy(t, s.Addr())
	c := imaptest.DialAddr(t, p.Addr(), "alice", s.Password)
	date := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	body := corpus.Wire(corpus.New(1).Sized(5000).Body)
	c.Create("A", "A/Entwürfe")
	first := c.Append("A", mail.NewFlags(mail.Seen, "todo"), date, body)
	second := c.Append("A", mail.Flags{}, date, []byte("Subject: second\r\n\r\n"))
	c.Store("A", mail.NewFlags(mail.Flagged), mail.NewFlags(mail.Seen), first)
	c.Copy("A", "A/Entwürfe", first)
	c.Move("A", "A/Entwürfe", second)
	c.Rename("A/Entwürfe", "B")

	if got := c.Folders(); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"A", "B", "INBOX"}) {
		t.Errorf("folders %q", got)
	}
	messages := c.Messages("A")
	if len(messages) != 1 {
		t.Fatalf("%d messages in A", len(messages))
	}
	if m := messages[0]; m.UID != first || !m.Flags.Equal(mail.NewFlags(mail.Flagged, "todo")) || !m.Date.Equal(date) || string(m.Body) != string(body) {
		t.Errorf("uid %d, flags %v, date %v, %d bytes", m.UID, m.Flags, m.Date, len(m.Body))
	}
	c.ResetUIDValidity("B")
	if got := c.UIDs("B"); len(got) != 2 {
		t.Errorf("UIDs in B: %v", got)
	}
	c.Expunge("A", first)
	if got := c.UIDs("A"); len(got) != 0 {
		t.Errorf("UIDs in A: %v", got)
	}
	c.Delete("A")
	verbs := map[string]bool{}
	for _, command := range proxy.Changing(p.Commands()) {
		verbs[proxy.Verb(command)] = true
	}
	for _, verb := range []string{"CREATE", "APPEND", "UID STORE", "UID COPY", "UID MOVE", "RENAME", "UID EXPUNGE", "DELETE"} {
		if !verbs[verb] {
			t.Errorf("the proxy did not see %s", verb)
		}
	}
}
