package remote

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"imapsync/mail"
)

// listedInbox is a server of which Folders was asked, so that INBOX is known by
// its mark; SELECT is answered as told.
func listedInbox(t *testing.T, selected answer) (*fake, *Account) {
	t.Helper()
	f := newFake(t, allCaps, map[string]answer{
		"LIST": func(c *fakeConn, tag, args string) {
			c.send("* LIST () \"/\" INBOX\n* STATUS INBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 9 HIGHESTMODSEQ 30)\n%s OK done", tag)
		},
		"SELECT": selected,
	})
	a := f.account()
	if _, err := a.Folders(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f, a
}

// A mailbox that was listed is not selected to be uploaded to, unless a keyword
// may be one that it cannot store.
func TestAppendToAListedMailbox(t *testing.T) {
	for flags, selects := range map[string]int{":": 0, ":FRS": 0, ":DT": 0, ":P": 1, ": todo": 1} {
		f, a := listedInbox(t, box(selected))
		m := open(t, a, mail.Inbox)
		if mark := m.Mark(); mark.UIDNext != 4 || mark.UIDValidity != 9 {
			t.Errorf("mark %+v", mark)
		}
		if _, err := appendAll(t, m, outgoing(message(1), ":S"), outgoing(message(2), flags)); err != nil {
			t.Fatal(err)
		}
		m.Close()
		got := f.sent("SELECT", "APPEND")
		if len(got) != 2+selects || selects > 0 && !strings.HasPrefix(got[1], "SELECT") {
			t.Errorf("%s: sent %q", flags, got)
		}
	}
}

// Questions go with the SELECT of a listed mailbox, one that only looks is
// selected at once.
func TestQuestionToAListedMailbox(t *testing.T) {
	f, a := listedInbox(t, after(box(selected)))
	m := open(t, a, mail.Inbox)
	if got := f.sent("SELECT"); len(got) > 0 {
		t.Errorf("sent %q", got)
	}
	if flags, err := m.Flags(t.Context(), []mail.UID{1, 2}); err != nil || len(flags) != 2 {
		t.Errorf("flags %v, %v", flags, err)
	}
	m.Close()
	_, a = listedInbox(t, box(selected))
	m, err := a.Open(t.Context(), mail.Inbox, true)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if !m.selected() {
		t.Error("not selected")
	}
}

// Nothing is changed in a mailbox that the SELECT shows under another
// UIDVALIDITY than it was listed with, and nothing of it believed.
func TestListedMailboxIsAnother(t *testing.T) {
	f, a := listedInbox(t, box(strings.ReplaceAll(selected, "UIDVALIDITY 9", "UIDVALIDITY 10")))
	uids := []mail.UID{1}
	for what, do := range map[string]func(m *Mailbox) error{
		"store":   func(m *Mailbox) error { return m.Store(t.Context(), uids, mail.NewFlags(mail.Seen), mail.Flags{}) },
		"expunge": func(m *Mailbox) error { return m.Expunge(t.Context(), uids) },
		"move":    func(m *Mailbox) error { _, err := m.Move(t.Context(), uids, "Other", 0); return err },
		"flags":   func(m *Mailbox) error { _, err := m.Flags(t.Context(), uids); return err },
		"headers": func(m *Mailbox) error { _, err := m.Headers(t.Context(), uids); return err },
	} {
		m := open(t, a, mail.Inbox)
		err := do(m)
		m.Close()
		if err == nil || !strings.Contains(err.Error(), "UIDVALIDITY changed from 9 to 10") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := f.sent("UID STORE", "UID EXPUNGE", "EXPUNGE", "UID MOVE", "UID COPY"); len(got) > 0 {
		t.Errorf("sent %q", got)
	}
}

// A mailbox still selected from before is looked at under the UIDVALIDITY that
// the next Folders tells.
func TestSelectedMailboxIsRenumberedBetweenRuns(t *testing.T) {
	var validity atomic.Int32
	validity.Store(9)
	f := newFake(t, allCaps, map[string]answer{
		"LIST": func(c *fakeConn, tag, args string) {
			c.send("* LIST () \"/\" INBOX\n* STATUS INBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY %d HIGHESTMODSEQ 30)\n%s OK done", validity.Load(), tag)
		},
		"SELECT": func(c *fakeConn, tag, args string) {
			box(strings.ReplaceAll(selected, "UIDVALIDITY 9", fmt.Sprint("UIDVALIDITY ", validity.Load())))(c, tag, args)
		},
	})
	a := f.account()
	for _, now := range []int32{9, 10} {
		validity.Store(now)
		if _, err := a.Folders(t.Context()); err != nil {
			t.Fatal(err)
		}
		s, err := a.Look(t.Context(), mail.Inbox, false, mail.Known{}, true)
		if err != nil || s.Mark.UIDValidity != uint32(now) || len(s.Messages) != 3 {
			t.Errorf("%+v, %v", s, err)
		}
	}
}
