package remote

import (
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"imapsync/mail"
)

// after is a SELECT answered only once the next command has come, so that
// nothing but what was sent without waiting gets an answer.
func after(answer answer) answer {
	return func(c *fakeConn, tag, args string) {
		if _, err := c.r.Peek(1); err == nil {
			answer(c, tag, args)
		}
	}
}

var knownAll = mail.Known{
	Mark: mail.Mark{UIDValidity: 9, UIDNext: 4, Messages: 3, HighestModSeq: 20},
	UIDs: []mail.UID{1, 2, 3},
}

const lookedAt = "* 2 EXISTS\n* OK [UIDVALIDITY 9] ok\n* OK [UIDNEXT 4] ok\n* OK [HIGHESTMODSEQ 30] ok"

// What is asked of a mailbox follows its SELECT without waiting, and where the
// marks told before show that messages are gone, so does the SEARCH.
func TestLookIsOneFlight(t *testing.T) {
	var pending atomic.Int32
	f := newFake(t, allCaps, map[string]answer{
		"LIST": func(c *fakeConn, tag, args string) {
			c.send("* LIST () \"/\" INBOX\n* STATUS INBOX (MESSAGES 2 UIDNEXT 4 UIDVALIDITY 9 HIGHESTMODSEQ 30)\n%s OK done", tag)
		},
		"SELECT":    after(box(lookedAt)),
		"UID FETCH": after(func(c *fakeConn, tag, args string) { pending.Add(1); c.send("%s OK done", tag) }),
		"UID SEARCH": func(c *fakeConn, tag, args string) {
			c.send("* ESEARCH (TAG \"%s\") UID ALL 1,3\n%s OK done", tag, tag)
		},
	})
	a := f.account()
	if _, err := a.Folders(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := a.Look(t.Context(), mail.Inbox, false, knownAll, false)
	if err != nil || s.Doubt != "" || len(s.Messages) != 0 || !slices.Equal(s.Same, []mail.UID{1, 3}) {
		t.Errorf("%v, %+v", err, s)
	}
	if got := f.sent("SELECT", "UID FETCH", "UID SEARCH"); pending.Load() != 2 || len(got) != 4 {
		t.Errorf("sent %q", got)
	}
}

// After a run that deleted messages itself, the base has fewer than the mailbox had
// at its mark, and a SEARCH is needed: it follows the SELECT, too.
func TestLookAfterOwnDeletionsIsOneFlight(t *testing.T) {
	f := newFake(t, allCaps, map[string]answer{
		"LIST": func(c *fakeConn, tag, args string) {
			c.send("* LIST () \"/\" INBOX\n* STATUS INBOX (MESSAGES 2 UIDNEXT 4 UIDVALIDITY 9 HIGHESTMODSEQ 30)\n%s OK done", tag)
		},
		"SELECT": after(box(lookedAt)), "UID FETCH": after(func(c *fakeConn, tag, args string) { c.send("%s OK done", tag) }),
		"UID SEARCH": func(c *fakeConn, tag, args string) {
			c.send("* ESEARCH (TAG \"%s\") UID ALL 1,3\n%s OK done", tag, tag)
		},
	})
	a := f.account()
	if _, err := a.Folders(t.Context()); err != nil {
		t.Fatal(err)
	}
	known := mail.Known{Mark: knownAll.Mark, UIDs: []mail.UID{1, 3}}
	s, err := a.Look(t.Context(), mail.Inbox, false, known, false)
	if err != nil || s.Doubt != "" || len(s.Messages) != 0 || len(s.Same) != 2 {
		t.Errorf("%v, %+v", err, s)
	}
	if got := f.sent("UID SEARCH"); len(got) != 1 {
		t.Errorf("sent %q", got)
	}
}

// Answers to what was asked of another mailbox than the SELECT found are
// thrown away, and it is asked anew what that calls for.
func TestLookForeseesWrongly(t *testing.T) {
	for name, c := range map[string]struct {
		selected string
		full     bool // the second question is for all
	}{
		"renumbered":    {"* 2 EXISTS\n* OK [UIDVALIDITY 10] ok\n* OK [UIDNEXT 4] ok\n* OK [HIGHESTMODSEQ 30] ok", true},
		"went back":     {"* 2 EXISTS\n* OK [UIDVALIDITY 9] ok\n* OK [UIDNEXT 3] ok\n* OK [HIGHESTMODSEQ 10] ok", true},
		"no longer any": {"* 2 EXISTS\n* OK [UIDVALIDITY 9] ok\n* OK [UIDNEXT 4] ok\n* OK [NOMODSEQ] ok", true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, allCaps, map[string]answer{
				"SELECT": box(c.selected),
				"UID FETCH": func(c *fakeConn, tag, args string) {
					switch {
					case strings.Contains(args, "CHANGEDSINCE"): // true of another mailbox, or at another time
						c.send("* 1 FETCH (UID 1 FLAGS (\\Deleted))\n%s OK done", tag)
					case strings.HasPrefix(args, "1:3 "), strings.HasPrefix(args, "1:* "):
						c.send("* 1 FETCH (UID 1 FLAGS (\\Seen) RFC822.SIZE 5)\n* 2 FETCH (UID 2 FLAGS () RFC822.SIZE 6)\n%s OK done", tag)
					default:
						c.send("%s OK done", tag)
					}
				},
			})
			s, err := f.account().Look(t.Context(), mail.Inbox, false, knownAll, false)
			if err != nil || s.Doubt != "" || len(s.Messages) != 2 || !s.Messages[1].Flags.Equal(mail.NewFlags(mail.Seen)) {
				t.Errorf("%v, %+v, sent %q", err, s, f.sent("UID FETCH", "UID SEARCH"))
			}
		})
	}
}

// A FETCH that the server sends unasked while it leaves a mailbox speaks of
// that one, though a message asked for in the next has the same UID.
func TestLeftMailboxSpeaksOn(t *testing.T) {
	f := newFake(t, allCaps, map[string]answer{
		"SELECT": func(c *fakeConn, tag, args string) {
			if strings.Contains(args, "Other") {
				c.send("* 2 FETCH (UID 2 FLAGS (\\Deleted))\n* OK [CLOSED] left")
			}
			box(selected)(c, tag, args)
		},
	})
	a := f.account(func(c *Config) { c.Connections = 1 })
	open(t, a, "Other").Close()
	open(t, a, mail.Inbox).Close()
	m := open(t, a, "Other")
	flags, err := m.Flags(t.Context(), []mail.UID{2})
	if err != nil || flags[2].System&mail.Deleted != 0 || len(flags) != 1 {
		t.Errorf("%v, %v", flags, err)
	}
}

// Nothing is handed on of a mailbox whose SELECT fails, or finds another
// UIDVALIDITY, though it was asked ahead; and nothing in it is changed.
func TestAskedAheadOfBadSelect(t *testing.T) {
	for name, again := range map[string]answer{
		"refused":    func(c *fakeConn, tag, args string) { c.send("%s NO [INUSE] not now", tag) },
		"renumbered": box(strings.ReplaceAll(selected, "UIDVALIDITY 9", "UIDVALIDITY 10")),
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int32
			f := newFake(t, allCaps, map[string]answer{"SELECT": func(c *fakeConn, tag, args string) {
				if n.Add(1) > 2 {
					again(c, tag, args)
					return
				}
				box(selected)(c, tag, args)
			}})
			a := f.account(func(c *Config) { c.Connections = 1 })
			open(t, a, mail.Inbox).Close()
			open(t, a, "Other").Close()
			for what, do := range map[string]func(m *Mailbox) error{
				"flags":   func(m *Mailbox) error { _, err := m.Flags(t.Context(), []mail.UID{1}); return err },
				"headers": func(m *Mailbox) error { _, err := m.Headers(t.Context(), []mail.UID{1}); return err },
				"list":    func(m *Mailbox) error { _, err := m.Snapshot(t.Context(), knownAll, false); return err },
				"fetch": func(m *Mailbox) error {
					return m.Fetch(t.Context(), []mail.UID{1}, func(mail.UID, io.Reader, error) error {
						t.Error("a body was handed on")
						return nil
					})
				},
				"store": func(m *Mailbox) error {
					return m.Store(t.Context(), []mail.UID{1}, mail.NewFlags(mail.Seen), mail.Flags{})
				},
				"expunge": func(m *Mailbox) error { return m.Expunge(t.Context(), []mail.UID{1}) },
				"move":    func(m *Mailbox) error { _, err := m.Move(t.Context(), []mail.UID{1}, "Other", 0); return err },
			} {
				m := open(t, a, mail.Inbox)
				if err := do(m); err == nil {
					t.Errorf("%s: no error", what)
				}
				m.Close()
			}
			if got := f.sent("UID STORE", "UID EXPUNGE", "UID MOVE"); len(got) > 0 {
				t.Errorf("sent %q", slices.Compact(got))
			}
		})
	}
}

// Missing messages of many mailboxes are asked for in one flight; what one
// mailbox answers does not count for another, and one that cannot be asked
// costs itself alone.
func TestStillThere(t *testing.T) {
	var asked atomic.Int32
	mailbox := ""
	f := newFake(t, allCaps, map[string]answer{
		"SELECT": after(func(c *fakeConn, tag, args string) {
			if mailbox = args; strings.Contains(args, "Busy") {
				mailbox = ""
				c.send("%s NO [INUSE] not now", tag)
				return
			}
			if strings.Contains(args, "Other") {
				box(strings.ReplaceAll(selected, "UIDVALIDITY 9", "UIDVALIDITY 10"))(c, tag, args)
				return
			}
			box(selected)(c, tag, args)
		}),
		"UID FETCH": after(func(c *fakeConn, tag, args string) {
			asked.Add(1)
			switch {
			case mailbox == "":
				c.send("%s BAD nothing is selected", tag)
			case strings.Contains(mailbox, "Work"):
				c.send("* 2 FETCH (UID 2 FLAGS ())\n%s OK done", tag)
			default:
				c.send("%s OK done", tag)
			}
		}),
	})
	got := map[mail.FolderName][]mail.UID{}
	refused := map[mail.FolderName]string{}
	err := f.account().StillThere(t.Context(), []mail.Sought{
		{Folder: "Busy", UIDValidity: 9, UIDs: []mail.UID{2}}, {Folder: "Work", UIDValidity: 9, UIDs: []mail.UID{2, 3}},
		{Folder: mail.Inbox, UIDValidity: 9, UIDs: []mail.UID{2, 3}}, {Folder: "Other", UIDValidity: 9, UIDs: []mail.UID{2}},
	}, false, func(folder mail.FolderName, there []mail.UID, err error) {
		if err != nil {
			refused[folder] = err.Error()
			return
		}
		got[folder] = there
	})
	if err != nil || len(got) != 2 || !slices.Equal(got["Work"], []mail.UID{2}) || len(got[mail.Inbox]) != 0 {
		t.Errorf("%v, there %v", err, got)
	}
	if !strings.Contains(refused["Busy"], "INUSE") || !strings.Contains(refused["Other"], "UIDVALIDITY changed from 9 to 10") {
		t.Errorf("refused %q", refused)
	}
	if n := len(f.sent("UNSELECT")); asked.Load() != 4 || n != 1 {
		t.Errorf("asked %d mailboxes, left %d", asked.Load(), n)
	}
}
