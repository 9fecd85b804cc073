package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"imapsync/mail"
	"imapsync/remote/wire"
)

func TestTruncatedBody(t *testing.T) {
	f := newFake(t, allCaps, map[string]answer{
		"UID FETCH": func(c *fakeConn, tag, args string) {
			c.body(1, message(1))
			c.raw("* 2 FETCH (UID 2 BODY[] {1000}\r\nonly nine")
			c.Close()
		},
	})
	m := open(t, f.account(), mail.Inbox)
	bodies, errs, err := fetchAll(t, m, []mail.UID{1, 2, 3})
	if bodies[1] != message(1) || len(bodies) != 1 {
		t.Errorf("bodies %v", bodies)
	}
	if errs[2] != io.ErrUnexpectedEOF || errs[3] != nil {
		t.Errorf("errors %v", errs)
	}
	wantScope(t, err, mail.ScopeFolder, mail.ClassTemporary, "fetch messages")
}

// A body cut short is a broken connection also to who passes its error on.
func TestTruncatedBodyIsABrokenConnection(t *testing.T) {
	f := newFake(t, allCaps, map[string]answer{
		"UID FETCH": func(c *fakeConn, tag, args string) {
			c.raw("* 2 FETCH (UID 2 BODY[] {1000}\r\nonly nine")
			c.Close()
		},
	})
	m := open(t, f.account(), mail.Inbox)
	err := m.Fetch(context.Background(), []mail.UID{2}, func(_ mail.UID, body io.Reader, err error) error {
		if err == nil {
			_, err = io.Copy(io.Discard, body)
		}
		return err
	})
	wantScope(t, err, mail.ScopeFolder, mail.ClassTemporary, "fetch messages")
}

// oddFetches are answers to the first FETCH of the bodies of 1, 2 and 3, all of
// which must end with the three bodies.
var oddFetches = map[string]answer{
	"one body missing": func(c *fakeConn, tag, args string) {
		c.body(1, message(1))
		c.body(3, message(3))
		c.send("%s OK done", tag)
	},
	"an unasked FETCH takes the place of a body": func(c *fakeConn, tag, args string) {
		c.send(`* 2 FETCH (UID 2 FLAGS (\Seen))`)
		for uid := range 3 {
			c.body(uid+1, message(uid+1))
		}
		c.send("%s OK done", tag)
	},
	"UID after the body": func(c *fakeConn, tag, args string) {
		for _, uid := range asked(args, 3) {
			c.raw(fmt.Sprintf("* %d FETCH (BODY[] {%d}\r\n%s UID %d)\r\n", uid, len(message(uid)), message(uid), uid))
		}
		c.send("%s OK done", tag)
	},
	"NIL instead of a body": func(c *fakeConn, tag, args string) {
		c.send("* 1 FETCH (UID 1 BODY[] NIL)")
		c.body(2, message(2))
		c.body(3, message(3))
		c.send("%s OK done", tag)
	},
	"a body twice": func(c *fakeConn, tag, args string) {
		for _, uid := range []int{1, 2, 2, 3, 1} {
			c.body(uid, message(uid))
		}
		c.send("%s OK done", tag)
	},
	"refused": func(c *fakeConn, tag, args string) {
		c.body(1, message(1))
		c.send("%s NO some messages could not be read", tag)
	},
}

func TestOddFetches(t *testing.T) {
	for name, first := range oddFetches {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int32
			f := newFake(t, allCaps, map[string]answer{
				"UID FETCH": func(c *fakeConn, tag, args string) {
					if n.Add(1) == 1 || name == "UID after the body" && strings.Contains(args, "BODY") {
						first(c, tag, args)
						return
					}
					c.honest(tag, "UID FETCH", args)
				},
			})
			m := open(t, f.account(), mail.Inbox)
			bodies, errs, err := fetchAll(t, m, []mail.UID{1, 2, 3})
			if err != nil || len(errs) > 0 {
				t.Fatal(err, errs)
			}
			for uid := range 3 {
				if bodies[mail.UID(uid+1)] != message(uid+1) {
					t.Errorf("bodies %v", bodies)
				}
			}
		})
	}
}

func TestBodyNeverComes(t *testing.T) {
	some := func(c *fakeConn, tag, args string) {
		for _, uid := range asked(args, 4) {
			switch {
			case uid == 4: // is gone
			case !strings.Contains(args, "BODY"):
				c.send(`* %d FETCH (UID %d FLAGS ())`, uid, uid)
			case uid == 2: // the server answers OK without data
			case uid == 3 && strings.HasPrefix(args, "3 "):
				c.send("%s NO [UNAVAILABLE] not this one", tag)
				return
			case uid == 1:
				c.body(uid, message(uid))
			}
		}
		c.send("%s OK done", tag)
	}
	f := newFake(t, allCaps, map[string]answer{"UID FETCH": some, "FETCH": some})
	m := open(t, f.account(), mail.Inbox)
	bodies, errs, err := fetchAll(t, m, []mail.UID{1, 2, 3, 4})
	if err != nil || len(bodies) != 1 || len(errs) != 3 {
		t.Fatal(bodies, errs, err)
	}
	wantScope(t, errs[2], mail.ScopeMessage, mail.ClassFailed, "UID 2", "does not give its content")
	wantScope(t, errs[3], mail.ScopeMessage, mail.ClassTemporary, "UID 3", "not this one")
	if errs[4] != mail.ErrChanged {
		t.Errorf("a message that is gone: %v", errs[4])
	}
	headers, err := m.Headers(t.Context(), []mail.UID{1, 2, 4})
	if _, gone := headers[4]; err != nil || gone || headers[1].Fields != 2 || headers[2].Fields != 0 {
		t.Errorf("headers %v, %v", headers, err)
	}
}

func TestFetchEndsWithTheErrorOfGot(t *testing.T) {
	f := newFake(t, allCaps, nil)
	a := f.account()
	m := open(t, a, mail.Inbox)
	full := errors.New("no room on the disk")
	err := m.Fetch(t.Context(), []mail.UID{1, 2, 3}, func(mail.UID, io.Reader, error) error { return full })
	if err != full {
		t.Errorf("Fetch returned %v", err)
	}
	m.Close()
	if s := snapshot(t, open(t, a, mail.Inbox), mail.Known{}, false); len(s.Messages) != 3 {
		t.Errorf("on a new connection: %v", s.Messages)
	}
}

// box is the answer to a SELECT.
func box(lines string) answer {
	return func(c *fakeConn, tag, args string) { c.send("%s\n%s OK [READ-WRITE] done", lines, tag) }
}

func exists(n int) string { return strings.Replace(selected, "3 EXISTS", fmt.Sprint(n, " EXISTS"), 1) }

func knownAt(modseq uint64, next mail.UID, uids ...mail.UID) mail.Known {
	k := mail.Known{Mark: mail.Mark{UIDValidity: 9, UIDNext: next, HighestModSeq: modseq}, UIDs: uids}
	for _, uid := range uids {
		if uid < next {
			k.Mark.Messages++
		}
	}
	return k
}

// TestSnapshotLadder plays servers that have 1, 2 and 3, all \Seen, and asks
// with different bases.
func TestSnapshotLadder(t *testing.T) {
	seen, flagged := ":S", ":F"
	for _, c := range []struct {
		name     string
		caps     string
		on       map[string]answer
		known    mail.Known
		full     bool
		want     map[mail.UID]string
		doubt    bool
		commands []string // UID commands, as far as they tell
	}{
		{name: "first time", want: map[mail.UID]string{1: seen, 2: seen, 3: seen},
			commands: []string{"UID FETCH 1:* "}},
		{name: "delta", known: knownAt(40, 3, 1, 2), want: map[mail.UID]string{1: flagged, 2: seen, 3: seen},
			on:       map[string]answer{"UID FETCH": changed(2)},
			commands: []string{"UID FETCH 1:2 (UID FLAGS) (CHANGEDSINCE 40)", "UID FETCH 3:* "}},
		{name: "we appended 3 after the watermark", known: knownAt(40, 3, 1, 2, 3), want: map[mail.UID]string{1: flagged, 2: flagged, 3: seen},
			on:       map[string]answer{"UID FETCH": changed()},
			commands: []string{"UID FETCH 1:2 (UID FLAGS) (CHANGEDSINCE 40)", "UID FETCH 3:* "}},
		{name: "full in spite of a mark", known: knownAt(40, 3, 1, 2), full: true, want: map[mail.UID]string{1: seen, 2: seen, 3: seen},
			commands: []string{"UID FETCH 1:2 (UID FLAGS)", "UID FETCH 3:* "}},
		{name: "no CONDSTORE", caps: "IMAP4rev1 UIDPLUS", known: knownAt(40, 3, 1, 2), want: map[mail.UID]string{1: seen, 2: seen, 3: seen},
			on:       map[string]answer{"SELECT": box(strings.ReplaceAll(selected, "HIGHESTMODSEQ 50", "NOMODSEQ"))},
			commands: []string{"UID FETCH 1:2 (UID FLAGS)", "UID FETCH 3:* "}},
		{name: "one vanished", known: knownAt(40, 5, 1, 2, 3, 4), want: map[mail.UID]string{1: flagged, 2: flagged, 3: flagged},
			on:       map[string]answer{"UID FETCH": changed(), "SELECT": box(strings.ReplaceAll(selected, "UIDNEXT 4", "UIDNEXT 5"))},
			commands: []string{"UID FETCH 1:4 (UID FLAGS) (CHANGEDSINCE 40)", "UID FETCH 5:* ", "UID SEARCH RETURN (ALL) ALL"}},
		{name: "one vanished, no ESEARCH", caps: "IMAP4rev1 CONDSTORE", known: knownAt(40, 5, 1, 2, 3, 4), want: map[mail.UID]string{1: flagged, 2: flagged, 3: flagged},
			on:       map[string]answer{"UID FETCH": changed(), "SELECT": box(strings.ReplaceAll(selected, "UIDNEXT 4", "UIDNEXT 5"))},
			commands: []string{"UID FETCH 1:4 (UID FLAGS) (CHANGEDSINCE 40)", "UID FETCH 5:* ", "UID SEARCH ALL"}},
		{name: "an unknown message stands for one that vanished", known: func() mail.Known {
			k := knownAt(40, 5, 1, 2, 4) // 3 was never downloaded, and 4 is gone now
			k.Mark.Messages = 4
			return k
		}(), want: map[mail.UID]string{1: flagged, 2: flagged, 3: seen},
			on:       map[string]answer{"UID FETCH": changed(), "SELECT": box(strings.ReplaceAll(selected, "UIDNEXT 4", "UIDNEXT 5"))},
			commands: []string{"UID FETCH 1:4 (UID FLAGS) (CHANGEDSINCE 40)", "UID FETCH 5:* ", "UID SEARCH RETURN (ALL) ALL", "UID FETCH 3 "}},
		{name: "HIGHESTMODSEQ went back", known: knownAt(60, 4, 1, 2, 3), want: map[mail.UID]string{1: seen, 2: seen, 3: seen},
			commands: []string{"UID FETCH 1:3 (UID FLAGS)", "UID FETCH 4:* "}},
		{name: "UIDNEXT went back", known: knownAt(40, 9, 1, 2, 3), want: map[mail.UID]string{1: seen, 2: seen, 3: seen},
			commands: []string{"UID FETCH 1:8 (UID FLAGS)", "UID FETCH 9:* "}},
		{name: "another UIDVALIDITY", known: func() mail.Known {
			k := knownAt(40, 3, 1, 2)
			k.Mark.UIDValidity = 8
			return k
		}(), want: map[mail.UID]string{1: seen, 2: seen, 3: seen}, commands: []string{"UID FETCH 1:* "}},
		{name: "EXISTS lies", want: map[mail.UID]string{1: seen, 2: seen, 3: seen}, doubt: true,
			on: map[string]answer{"SELECT": box(exists(5))}},
		{name: "the listing is cut short", want: map[mail.UID]string{1: seen, 2: seen, 3: seen},
			on:       map[string]answer{"UID FETCH": short},
			commands: []string{"UID FETCH 1:* ", "UID SEARCH RETURN (ALL) ALL", "UID FETCH 2:3 "}},
		{name: "the listing is refused", want: map[mail.UID]string{1: seen, 2: seen, 3: seen},
			on: map[string]answer{"UID FETCH": refusedOnce()}},
		{name: "an expunge during the listing", want: map[mail.UID]string{1: seen, 3: seen},
			on: map[string]answer{"UID FETCH": expunging, "UID SEARCH": func(c *fakeConn, tag, args string) {
				c.send("* ESEARCH (TAG \"%s\") UID ALL 1,3\n%s OK done", tag, tag)
			}}},
		{name: "an arrival during the listing", want: map[mail.UID]string{1: seen, 2: seen, 3: seen},
			on: map[string]answer{"SELECT": box(exists(2)), "UID FETCH": arriving}},
		{name: "an unasked FETCH takes the place of an answer", want: map[mail.UID]string{1: seen, 2: seen, 3: seen},
			on: map[string]answer{"UID FETCH": stealing}},
		{name: "empty, and was before", want: map[mail.UID]string{}, on: map[string]answer{"SELECT": box(exists(0))}, commands: nil},
		{name: "empty all at once", known: knownAt(40, 4, 1, 2, 3), want: map[mail.UID]string{},
			on: map[string]answer{"SELECT": box(exists(0)), "UID SEARCH": func(c *fakeConn, tag, args string) {
				c.send("* ESEARCH (TAG \"%s\") UID\n%s OK done", tag, tag)
			}}, commands: []string{"UID SEARCH RETURN (ALL) ALL"}},
		{name: "empty by EXISTS alone", known: knownAt(40, 4, 1, 2, 3), want: map[mail.UID]string{1: flagged, 2: flagged, 3: flagged}, doubt: true,
			on: map[string]answer{"SELECT": box(exists(0)), "UID FETCH": changed()}},
		{name: "SEARCH claims absurdly many", want: map[mail.UID]string{1: seen, 2: seen, 3: seen}, doubt: true,
			on: map[string]answer{"SELECT": box(exists(5)), "UID SEARCH": func(c *fakeConn, tag, args string) {
				c.send("* ESEARCH (TAG \"%s\") UID ALL 1:4294967295\n%s OK done", tag, tag)
			}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			caps := c.caps
			if caps == "" {
				caps = allCaps
			}
			f := newFake(t, caps, c.on)
			s := snapshot(t, open(t, f.account(), mail.Inbox), c.known, c.full)
			s.Complete(rowsWith(":F", c.known.UIDs))
			got := map[mail.UID]string{}
			for uid, m := range s.Messages {
				got[uid] = m.Flags.String()
				known := slices.Contains(c.known.UIDs, uid) && c.known.Mark.UIDValidity == 9
				if (m.Size == 0) != known || m.Date.IsZero() != known {
					t.Errorf("UID %d, known %v: size %d, date %v", uid, known, m.Size, m.Date)
				}
			}
			if !maps.Equal(got, c.want) {
				t.Errorf("messages %v, want %v", got, c.want)
			}
			if (s.Doubt != "") != c.doubt {
				t.Errorf("doubt %q, want %v", s.Doubt, c.doubt)
			}
			if s.Mark.UIDValidity != 9 || !s.Exists || s.Folder != mail.Inbox {
				t.Errorf("snapshot %+v", s)
			}
			checkCommands(t, f.sent("UID FETCH", "UID SEARCH"), c.commands)
		})
	}
}

// checkCommands compares commands with the beginnings that are expected; nil
// expects nothing in particular.
func checkCommands(t *testing.T, got, want []string) {
	t.Helper()
	if want == nil {
		return
	}
	ok := len(got) == len(want)
	for i := 0; ok && i < len(got); i++ {
		ok = strings.HasPrefix(got[i], want[i])
	}
	if !ok {
		t.Errorf("commands %q, want %q", got, want)
	}
}

// changed answers a FETCH with CHANGEDSINCE by these messages, others honestly.
func changed(uids ...int) answer {
	return func(c *fakeConn, tag, args string) {
		if !strings.Contains(args, "CHANGEDSINCE") {
			c.honest(tag, "UID FETCH", args)
			return
		}
		for _, uid := range uids {
			c.send(`* %d FETCH (UID %d FLAGS (\Seen) MODSEQ (45))`, uid, uid)
		}
		c.send("%s OK done", tag)
	}
}

func short(c *fakeConn, tag, args string) {
	if strings.HasPrefix(args, "1:*") {
		c.send(listItem+"\n%s OK done", 1, 1, tag)
		return
	}
	c.honest(tag, "UID FETCH", args)
}

func refusedOnce() answer {
	var n atomic.Int32
	return func(c *fakeConn, tag, args string) {
		if n.Add(1) == 1 {
			c.send("%s NO some messages are broken", tag)
			return
		}
		c.honest(tag, "UID FETCH", args)
	}
}

func expunging(c *fakeConn, tag, args string) {
	c.send(listItem+"\n"+listItem+"\n"+listItem, 1, 1, 2, 2, 3, 3)
	c.send("* 2 EXPUNGE\n%s OK done", tag)
}

func arriving(c *fakeConn, tag, args string) {
	c.send(listItem+"\n"+listItem, 1, 1, 2, 2)
	c.send("* 3 EXISTS\n"+listItem+"\n%s OK done", 3, 3, tag)
}

func stealing(c *fakeConn, tag, args string) {
	if strings.HasPrefix(args, "1:*") {
		c.send("* 2 FETCH (UID 2 MODSEQ (99))")
	}
	c.honest(tag, "UID FETCH", args)
}

func TestInternalDateNIL(t *testing.T) {
	f := newFake(t, allCaps, map[string]answer{"SELECT": box(exists(1)), "UID FETCH": func(c *fakeConn, tag, args string) {
		c.send("* 1 FETCH (UID 1 FLAGS (\\Recent) RFC822.SIZE 7 INTERNALDATE NIL)\n%s OK done", tag)
	}})
	s := snapshot(t, open(t, f.account(), mail.Inbox), mail.Known{}, false)
	if m := s.Messages[1]; m.Size != 7 || !m.Date.IsZero() || !m.Flags.IsEmpty() {
		t.Errorf("message %+v", m)
	}
}

func TestSpace(t *testing.T) {
	permanent := `(\Seen \Answered \Flagged \Deleted \Draft \*)`
	for _, c := range []struct {
		name, lines, code string
		want              mail.FlagSpace
		storable          string
	}{
		{"any keyword", selected, "READ-WRITE", mail.FullSpace(), ":DFPRST todo"},
		{"some keywords", strings.ReplaceAll(selected, permanent, `(\Seen \Deleted $Forwarded Work)`), "READ-WRITE",
			mail.FlagSpace{System: mail.Seen | mail.Deleted | mail.Forwarded, Keywords: mail.NewFlags(0, "Work")}, ":PST"},
		{"one for the session only", strings.ReplaceAll(selected, permanent, `(\Seen \Answered \Flagged \Deleted \*)`), "READ-WRITE",
			mail.FlagSpace{System: mail.AllSystem &^ mail.Draft, AnyKeyword: true}, ":FPRST todo"},
		{"those in use only", strings.ReplaceAll(strings.ReplaceAll(selected, permanent, `(\*)`), `* FLAGS (\Seen \Answered \Flagged \Deleted \Draft)`, `* FLAGS ()`), "READ-WRITE",
			mail.FullSpace(), ":DFPRST todo"},
		{"none", strings.ReplaceAll(selected, permanent, "()"), "READ-WRITE", mail.FlagSpace{}, ":"},
		{"not told", strings.ReplaceAll(selected, "[PERMANENTFLAGS "+permanent+"]", ""), "READ-WRITE", mail.FullSpace(), ":DFPRST todo"},
		{"read-only", selected, "READ-ONLY", mail.FlagSpace{ReadOnly: true}, ":"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, allCaps, map[string]answer{"SELECT": func(fc *fakeConn, tag, args string) {
				fc.send("%s\n%s OK [%s] done", c.lines, tag, c.code)
			}})
			m := open(t, f.account(), mail.Inbox)
			s := snapshot(t, m, mail.Known{}, false)
			if s.Space.System != c.want.System || s.Space.AnyKeyword != c.want.AnyKeyword || s.Space.ReadOnly != c.want.ReadOnly || !s.Space.Keywords.Equal(c.want.Keywords) {
				t.Errorf("space %+v, want %+v", s.Space, c.want)
			}
			if err := m.Store(t.Context(), []mail.UID{1}, mail.ParseFlags(":DFPRST todo"), mail.Flags{}); err != nil {
				t.Fatal(err)
			}
			var want []string
			if flags := mail.ParseFlags(c.storable); !flags.IsEmpty() {
				want = []string{"UID STORE 1 +FLAGS.SILENT (" + strings.Join(flags.IMAP(), " ") + ")"}
			}
			if got := f.sent("UID STORE"); !slices.Equal(got, want) {
				t.Errorf("sent %q, want %q", got, want)
			}
		})
	}
	f := newFake(t, allCaps, nil)
	m, err := f.account().Open(t.Context(), mail.Inbox, true)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if s := snapshot(t, m, mail.Known{}, false); s.Space != mail.FullSpace() || len(f.sent("EXAMINE")) != 1 {
		t.Errorf("opened read-only: space %+v, sent %q", s.Space, f.sent("SELECT", "EXAMINE"))
	}
}

func TestUIDValidity(t *testing.T) {
	var n atomic.Int32
	f := newFake(t, allCaps, map[string]answer{"SELECT": func(c *fakeConn, tag, args string) {
		box(strings.ReplaceAll(selected, "UIDVALIDITY 9", fmt.Sprint("UIDVALIDITY ", 8+n.Add(1))))(c, tag, args)
	}})
	a := f.account()
	open(t, a, mail.Inbox)
	m := open(t, a, mail.Inbox)
	err := m.Store(t.Context(), []mail.UID{1}, mail.NewFlags(mail.Seen), mail.Flags{})
	wantScope(t, err, mail.ScopeFolder, mail.ClassFailed, "UIDVALIDITY changed from 9 to 10")
	if got := f.sent("UID STORE"); len(got) > 0 {
		t.Errorf("sent %q", got)
	}
	m.Close()
	if _, err := a.Folders(t.Context()); err != nil { // a new run
		t.Fatal(err)
	}
	open(t, a, mail.Inbox)

	f = newFake(t, allCaps, map[string]answer{"SELECT": box("* 3 EXISTS\n* OK [UIDNEXT 4] ok")})
	_, err = f.account().Open(t.Context(), mail.Inbox, false)
	wantScope(t, err, mail.ScopeFolder, mail.ClassFailed, "no UIDVALIDITY")
}

func TestSelectRefused(t *testing.T) {
	f := newFake(t, allCaps, map[string]answer{"SELECT": func(c *fakeConn, tag, args string) {
		if strings.Contains(args, "INBOX") {
			c.honest(tag, "SELECT", args)
		} else if strings.Contains(args, "Busy") {
			c.send("%s NO [INUSE] somebody compacts it", tag)
		} else {
			c.send("%s NO you may not", tag)
		}
	}})
	a := f.account(func(c *Config) { c.Connections = 1 })
	open(t, a, mail.Inbox).Close()
	_, err := a.Open(t.Context(), "Other", false)
	wantScope(t, err, mail.ScopeFolder, mail.ClassFailed, `folder "Other"`, "select", "NO you may not")
	_, err = a.Open(t.Context(), "Busy", false)
	wantScope(t, err, mail.ScopeFolder, mail.ClassTemporary, "INUSE", "somebody compacts it")
	// After a refused SELECT nothing is selected, whatever imapclient believes.
	if _, err := open(t, a, mail.Inbox).Flags(t.Context(), []mail.UID{1}); err != nil {
		t.Fatal(err)
	}
	if got := f.sent("SELECT"); len(got) != 4 {
		t.Errorf("commands %q", got)
	}
}

func TestCancel(t *testing.T) {
	stuck := make(chan struct{})
	f := newFake(t, allCaps, map[string]answer{"UID FETCH": func(c *fakeConn, tag, args string) { close(stuck) }})
	m := open(t, f.account(), mail.Inbox)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-stuck
		cancel()
	}()
	_, err := m.Snapshot(ctx, mail.Known{}, false)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled Snapshot returned %v", err)
	}
}

func TestDeadConnectionIsReplaced(t *testing.T) {
	f := newFake(t, allCaps, map[string]answer{"UID STORE": func(c *fakeConn, tag, args string) {
		if c.n == 0 {
			c.send("* BYE the server goes down for a moment")
			c.Close()
			return
		}
		c.honest(tag, "UID STORE", args)
	}})
	a := f.account(func(c *Config) { c.Connections = 1 })
	m := open(t, a, mail.Inbox)
	err := m.Store(t.Context(), []mail.UID{1}, mail.ParseFlags(":S"), mail.Flags{})
	wantScope(t, err, mail.ScopeFolder, mail.ClassTemporary, "the server goes down for a moment")
	m.Close()
	m = open(t, a, mail.Inbox)
	if err := m.Store(t.Context(), []mail.UID{1}, mail.ParseFlags(":S"), mail.Flags{}); err != nil {
		t.Errorf("on a new connection: %v", err)
	}
	if s := a.Stats(); s.Commands < 6 || s.BytesIn == 0 {
		t.Errorf("the counters forget the first connection: %+v", s)
	}
}

func TestDialAgain(t *testing.T) {
	f := newFake(t, allCaps, map[string]answer{"greeting": func(c *fakeConn, tag, args string) {
		if c.n < 2 {
			c.send("* BYE [UNAVAILABLE] Request is throttled. Suggested Backoff Time: 5000 milliseconds")
			c.Close()
			return
		}
		c.send("* OK [CAPABILITY %s] fake", allCaps)
	}})
	a := f.account()
	var waits []time.Duration
	a.pause = func(_ context.Context, d time.Duration) error {
		waits = append(waits, d)
		return nil
	}
	if _, err := a.Features(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(waits, []time.Duration{5 * time.Second, 5 * time.Second}) {
		t.Errorf("waited %v", waits)
	}

	refusals := 0
	f = newFake(t, allCaps, map[string]answer{"LOGIN": func(c *fakeConn, tag, args string) {
		refusals++
		c.send("%s NO [AUTHENTICATIONFAILED] no", tag)
	}})
	a = f.account(func(c *Config) { c.Wire.Auth = "login" })
	_, err := a.Features(t.Context())
	wantScope(t, err, mail.ScopeAccount, mail.ClassAuth)
	if a.Close(); refusals != 1 {
		t.Errorf("tried to log in %d times", refusals)
	}
	_, err = a.Features(t.Context())
	if !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestProbe(t *testing.T) {
	f := newFake(t, allCaps+" COMPRESS=DEFLATE", map[string]answer{"GETQUOTAROOT": func(c *fakeConn, tag, args string) {
		c.send("* QUOTAROOT INBOX \"\"\n* QUOTA \"\" (STORAGE 10 512 MESSAGE 3 100)\n%s OK done", tag)
	}})
	auto := func(c *Config) { c.Wire.Compress = wire.CompressAuto }
	p, err := f.account(auto).Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if last := p.Abilities[len(p.Abilities)-2]; last.Name != "COMPRESS=DEFLATE" {
		t.Errorf("%+v in the place of compression", last)
	}
	want := []Quota{{"", "MESSAGE", 3, 100}, {"", "STORAGE", 10 << 10, 512 << 10}}
	if !slices.Equal(p.Quota, want) || p.Delimiter != "/" || p.Prefix != "" {
		t.Errorf("probe %+v", p)
	}
	for _, ability := range p.Abilities {
		if !ability.Offered || ability.Use == "" {
			t.Errorf("%+v", ability)
		}
	}
}

// TestLargeBodyBeforeItsUID has a server that tells the UID of a message too
// large to be held in memory after the body, and once that of another message.
func TestLargeBodyBeforeItsUID(t *testing.T) {
	large := message(1) + strings.Repeat("a large body\r\n", 10_000)
	var n atomic.Int32
	bodyFirst := func(c *fakeConn, tag, args string) {
		if !strings.Contains(args, "BODY") {
			c.honest(tag, "UID FETCH", args)
			return
		}
		uids := asked(args, 3)
		for _, uid := range uids {
			told := uid
			if len(uids) == 1 && n.Add(1) > 4 { // 1 was asked for by UID and by number, and so was 2
				told = 9
			}
			c.raw(fmt.Sprintf("* %d FETCH (BODY[] {%d}\r\n%s UID %d)\r\n", uid, len(large), large, told))
		}
		c.send("%s OK done", tag)
	}
	f := newFake(t, allCaps, map[string]answer{"UID FETCH": bodyFirst, "FETCH": bodyFirst})
	m := open(t, f.account(), mail.Inbox)
	bodies, errs, err := fetchAll(t, m, []mail.UID{1, 2, 3})
	if err != nil || bodies[1] != large || bodies[2] != large {
		t.Errorf("%d and %d bytes of %d, %v", len(bodies[1]), len(bodies[2]), len(large), err)
	}
	if !errors.Is(errs[3], errOtherUID) {
		t.Errorf("another message's body: %v", errs[3])
	}
}

// TestFoldersTakeOneRoundTrip has a server that answers nothing before it was
// sent everything.
func TestFoldersTakeOneRoundTrip(t *testing.T) {
	namespace := make(chan string, 1)
	f := newFake(t, allCaps, map[string]answer{
		"NAMESPACE": func(c *fakeConn, tag, args string) { namespace <- tag },
		"LIST": func(c *fakeConn, tag, args string) {
			c.send("* NAMESPACE ((\"\" \"/\")) NIL NIL\n%s OK done", <-namespace)
			c.send("* LIST () \"/\" INBOX\n* STATUS INBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 9 HIGHESTMODSEQ 50)\n%s OK done", tag)
		},
	})
	folders, err := f.account().Folders(t.Context())
	want := mail.Mark{UIDValidity: 9, UIDNext: 4, Messages: 3, HighestModSeq: 50}
	if err != nil || len(folders) != 1 || folders[0].Mark == nil || *folders[0].Mark != want {
		t.Errorf("folders %+v, %v", folders, err)
	}
}
