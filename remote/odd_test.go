package remote

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"imapsync/mail"
)

// TestUnfitNames: what becomes of mailbox names no folder can have, and of those
// that are only odd.
func TestUnfitNames(t *testing.T) {
	long := strings.Repeat("n", 300)
	for name, want := range map[string]mail.FolderName{ // "" is skipped
		`"../../x"`:                           "../../x", // maildir escapes it
		`"/a"`:                                "",
		`"a/"`:                                "",
		`"a//b"`:                              "",
		`""`:                                  "",
		"{3}\na\x00b":                         "",
		"{3}\na\nb":                           "",
		"{3}\na\rb":                           "",
		"\"a\x1b[2Jb\"":                       "",
		"\"a\tb\"":                            "",
		"&AAA-":                               "", // NUL in modified UTF-7
		"&AAo-":                               "\n",
		"&AB8-":                               "\x1f",
		"&2AA-":                               "", // half a surrogate pair
		`"` + long + `"`:                      mail.FolderName(long),
		`"` + strings.Repeat("n", 5000):       "",
		`"` + strings.Repeat("n", 5000) + `"`: "",
		"cur":                                 "cur",
		"new/tmp":                             "new/tmp",
		`"."`:                                 ".",
		`".."`:                                "..",
		"inbox/sub":                           "inbox/sub",
		"&AOk-":                               "é",
		"e&AwE-":                              "e\u0301",
		"NIL":                                 "NIL",
	} {
		f := newFake(t, "IMAP4rev1", map[string]answer{"LIST": func(c *fakeConn, tag, args string) {
			c.raw(strings.ReplaceAll(`* LIST () "/" `+name+"\n", "\n", "\r\n"))
			c.send("* LIST () \"/\" fine\n%s OK done", tag)
		}})
		a := f.account()
		folders, err := a.Folders(t.Context())
		if err != nil {
			t.Errorf("%.40q: %v", name, err)
			continue
		}
		var got []mail.FolderName
		for _, folder := range folders {
			got = append(got, folder.Name)
		}
		if expected := slices.DeleteFunc([]mail.FolderName{want, "fine"}, func(n mail.FolderName) bool { return n == "" }); !slices.Equal(got, expected) {
			t.Errorf("%.40q: folders %.40q, want %.40q", name, got, expected)
		}
		if warnings := a.Warnings(); want == "" && len(warnings) == 0 {
			t.Errorf("%.40q: skipped without a word", name)
		}
		a.Close()
	}
}

// TestAlikeNames: mailboxes whose names differ in case or Unicode form only are
// two folders; INBOX is one in any case.
func TestAlikeNames(t *testing.T) {
	f := newFake(t, "IMAP4rev1", map[string]answer{"LIST": func(c *fakeConn, tag, args string) {
		for _, name := range []string{"Inbox", "INBOX", "INBOX/A", "inbox/A", "Work", "work", "&AOk-", "e&AwE-"} {
			c.send(`* LIST () "/" %s`, name)
		}
		c.send("%s OK done", tag)
	}})
	a := f.account()
	folders, err := a.Folders(t.Context())
	var got []string
	for _, folder := range folders {
		got = append(got, string(folder.Name))
	}
	if want := []string{"INBOX", "INBOX/A", "inbox/A", "Work", "work", "é", "e\u0301"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("folders %q, want %q, %v", got, want, err)
	}
}

// TestOddUIDs: what a snapshot makes of numbers that cannot be. The honest
// truth is 1, 2 and 3; what is missing from a snapshot without doubt counts as
// deleted.
func TestOddUIDs(t *testing.T) {
	for name, c := range map[string]struct {
		on    map[string]answer
		doubt bool
	}{
		"descending, twice":     {on: lists(3, 2, 1, 3, 2)},
		"UID 0 besides":         {on: lists(0, 1, 2, 3)},
		"UID above 2^32":        {on: lists(1, 2, 3, 4294967299)},
		"UIDNEXT too low":       {on: map[string]answer{"SELECT": box(strings.ReplaceAll(selected, "UIDNEXT 4", "UIDNEXT 2"))}},
		"no UIDNEXT":            {on: map[string]answer{"SELECT": box(strings.ReplaceAll(selected, "* OK [UIDNEXT 4] ok\n", ""))}},
		"UIDNEXT 2^32":          {on: map[string]answer{"SELECT": box(strings.ReplaceAll(selected, "UIDNEXT 4", "UIDNEXT 4294967296"))}},
		"NOMODSEQ":              {on: map[string]answer{"SELECT": box(strings.ReplaceAll(selected, "HIGHESTMODSEQ 50", "NOMODSEQ"))}},
		"HIGHESTMODSEQ 0":       {on: map[string]answer{"SELECT": box(strings.ReplaceAll(selected, "HIGHESTMODSEQ 50", "HIGHESTMODSEQ 0"))}},
		"HIGHESTMODSEQ 2^64":    {on: map[string]answer{"SELECT": box(strings.ReplaceAll(selected, "HIGHESTMODSEQ 50", "HIGHESTMODSEQ 18446744073709551616"))}},
		"EXISTS shrinks":        {on: lists(1, 2, 3, -2), doubt: true},
		"EXISTS 2^32":           {on: map[string]answer{"SELECT": box(strings.ReplaceAll(selected, "3 EXISTS", "4294967295 EXISTS"))}, doubt: true},
		"VANISHED while there":  {on: lists(1, 2, 3, -3)},
		"search 1:4294967295":   {on: searching("* ESEARCH (TAG \"%s\") UID ALL 1:4294967295"), doubt: true},
		"search not understood": {on: searching("* ESEARCH (TAG \"%s\") UID ALL x"), doubt: true},
		"search of nothing":     {on: searching("* OK %s"), doubt: true},
		"search without end":    {on: searching("* SEARCH 1 2 3 4 5 6 7 8 9 %.0s"), doubt: true},
	} {
		t.Run(name, func(t *testing.T) {
			a := newFake(t, allCaps, c.on).account()
			for _, known := range []mail.Known{{}, knownAt(40, 4, 1, 2, 3), knownAt(60, 4, 1, 2, 3)} {
				m := open(t, a, mail.Inbox)
				s := snapshot(t, m, known, false)
				m.Close()
				if (s.Doubt != "") != c.doubt {
					t.Errorf("doubt %q, want %v", s.Doubt, c.doubt)
				}
				s.Complete(rowsWith(":F", known.UIDs))
				for _, uid := range []mail.UID{1, 2, 3} {
					if _, ok := s.Messages[uid]; !ok && s.Doubt == "" {
						t.Errorf("UID %d is missing from %v", uid, uidsOf(s))
					}
				}
				for _, uid := range uidsOf(s) {
					if uid == 0 || uid > 9 {
						t.Errorf("UID %d is there", uid)
					}
				}
			}
		})
	}
}

// lists answers a FETCH with these UIDs, whatever was asked for; -2 stands for
// an EXISTS that shrinks, -3 for a VANISHED.
func lists(uids ...int) map[string]answer {
	return map[string]answer{"UID FETCH": func(c *fakeConn, tag, args string) {
		if strings.Contains(args, "BODY") {
			c.honest(tag, "UID FETCH", args)
			return
		}
		for i, uid := range uids {
			switch uid {
			case -2:
				c.send("* 2 EXISTS")
			case -3:
				c.send("* VANISHED 1:3\n* VANISHED (EARLIER) 1:9")
			default:
				c.send(`* %d FETCH (UID %d FLAGS (\Seen) RFC822.SIZE 20 INTERNALDATE "01-Feb-2024 10:00:00 +0000")`, i+1, uid)
			}
		}
		c.send("%s OK done", tag)
	}}
}

// searching cuts the listing short, so that a search is needed, and answers it so.
func searching(format string) map[string]answer {
	return map[string]answer{
		"SELECT": box(exists(7)),
		"UID SEARCH": func(c *fakeConn, tag, args string) {
			c.send(format, tag)
			c.send("%s OK done", tag)
		},
	}
}

// TestValidityBetweenListAndSelect: what was listed under another UIDVALIDITY is
// not taken for what is selected.
func TestValidityBetweenListAndSelect(t *testing.T) {
	a := newFake(t, allCaps, map[string]answer{"SELECT": box(strings.ReplaceAll(selected, "UIDVALIDITY 9", "UIDVALIDITY 10"))}).account()
	folders, err := a.Folders(t.Context())
	if err != nil || folders[0].Mark.UIDValidity != 9 {
		t.Fatal(folders, err)
	}
	s, err := a.Look(t.Context(), mail.Inbox, false, knownAt(40, 4, 1, 2, 3), false)
	if err != nil || s.Mark.UIDValidity != 10 || len(s.Messages) != 3 || s.Messages[1].Size == 0 {
		t.Errorf("snapshot %+v", s)
	}
}

// TestTooManyMessages: a listing without end is given up, and costs its folder.
func TestTooManyMessages(t *testing.T) {
	before := maxRecords
	maxRecords = 1000
	t.Cleanup(func() { maxRecords = before })
	f := newFake(t, allCaps, map[string]answer{"UID FETCH": func(c *fakeConn, tag, args string) {
		for i := 1; ; i++ {
			if _, err := fmt.Fprintf(c, "* %d FETCH (UID %d FLAGS ())\r\n", i, i); err != nil {
				return
			}
		}
	}})
	a := f.account()
	m := open(t, a, mail.Inbox)
	_, err := m.Snapshot(t.Context(), mail.Known{}, false)
	wantScope(t, err, mail.ScopeFolder, mail.ClassFailed, "more than fits")
	m.Close()
	if _, err := a.Folders(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestTooManyFolders: so is a LIST.
func TestTooManyFolders(t *testing.T) {
	f := newFake(t, allCaps, map[string]answer{"LIST": func(c *fakeConn, tag, args string) {
		block := strings.Repeat("* LIST () \"/\" a\r\n", 5000)
		for {
			if _, err := io.WriteString(c, block); err != nil {
				return
			}
		}
	}})
	_, err := f.account().Folders(t.Context())
	wantScope(t, err, mail.ScopeAccount, mail.ClassFailed, "mailboxes")
}

// TestHugeMessage: one too large to be taken costs itself, not its neighbours.
func TestHugeMessage(t *testing.T) {
	f := newFake(t, allCaps, map[string]answer{"UID FETCH": func(c *fakeConn, tag, args string) {
		for _, uid := range asked(args, 3) {
			switch {
			case strings.Contains(args, "BODY") && uid == 2:
				c.raw("* 2 FETCH (UID 2 BODY[] {5000000}\r\n")
			case strings.Contains(args, "BODY"):
				c.body(uid, message(uid))
			default:
				c.send(strings.Replace(listItem, "SIZE 20", "SIZE %d", 1), uid, uid, map[int]int{1: 20, 2: 5_000_000, 3: 20}[uid])
			}
		}
		c.send("%s OK done", tag)
	}})
	a := f.account(func(c *Config) { c.Wire.MaxLiteral = 1 << 20 })
	m := open(t, a, mail.Inbox)
	s := snapshot(t, m, mail.Known{}, false)
	bodies, errs, err := fetchAll(t, m, uidsOf(s))
	if err != nil || len(bodies) != 2 || bodies[1] != message(1) || bodies[3] != message(3) {
		t.Errorf("%d bodies, %v, %v", len(bodies), errs, err)
	}
	wantScope(t, errs[2], mail.ScopeMessage, mail.ClassFailed, "more than 1048576")
}

// TestAfter: how long the server wants to be left alone reaches the caller.
func TestAfter(t *testing.T) {
	const throttled = "Request is throttled. Suggested Backoff Time: 29523 milliseconds"
	for _, c := range []struct {
		on    string
		reply string // after the tag; a whole line when it begins with a star
		after time.Duration
	}{
		{"SELECT", "NO " + throttled, 29523 * time.Millisecond},
		{"SELECT", "BAD " + throttled, 29523 * time.Millisecond},
		{"SELECT", "NO [LIMIT] retry after 30 seconds", 30 * time.Second},
		{"SELECT", "NO [UNAVAILABLE] try again in 5 minutes", 5 * time.Minute},
		{"SELECT", "NO [UNAVAILABLE] try again in 5 days", time.Hour},
		{"SELECT", "BAD User is authenticated but not connected.", 0},
		{"SELECT", "* BYE [UNAVAILABLE] try again in 5 minutes", 5 * time.Minute},
		{"LOGIN", "NO [LIMIT] try again in 5 minutes", 5 * time.Minute},
		{"LOGIN", "NO " + strings.Replace(throttled, "29523", "90000", 1), 90 * time.Second},
		{"LOGIN", "* BYE Too many simultaneous connections, wait 2 minutes", 2 * time.Minute},
		{"UID FETCH", "NO " + throttled, 29523 * time.Millisecond},
	} {
		t.Run(c.on+" "+c.reply, func(t *testing.T) {
			f := newFake(t, allCaps, map[string]answer{c.on: func(fc *fakeConn, tag, args string) {
				if c.reply[0] == '*' {
					tag = ""
				}
				fc.send("%s", strings.TrimSpace(tag+" "+c.reply))
			}})
			a := f.account(func(c *Config) { c.Wire.Auth = "login" })
			m, err := a.Open(t.Context(), mail.Inbox, false)
			if err == nil {
				_, err = m.Snapshot(t.Context(), mail.Known{}, true)
				m.Close()
			}
			scope := mail.ScopeFolder
			if c.on == "LOGIN" {
				scope = mail.ScopeAccount
			}
			wantScope(t, err, scope, mail.ClassTemporary)
			if got := mail.AfterOf(err); got != c.after {
				t.Errorf("after %v, want %v: %v", got, c.after, err)
			}
			if n := len(f.sent("LOGIN")); c.on == "LOGIN" && n != 1 {
				t.Errorf("logged in %d times though asked to wait", n)
			}
		})
	}
}

// TestOverQuota costs what was to be uploaded, not the account, and is not
// cured by time, whatever its words.
func TestOverQuota(t *testing.T) {
	f := newFake(t, allCaps, map[string]answer{"APPEND": func(c *fakeConn, tag, args string) {
		c.send("%s NO [OVERQUOTA] Quota exceeded, try again later", tag)
	}})
	m := open(t, f.account(), mail.Inbox)
	got, err := appendAll(t, m, outgoing(message(1), ":"), outgoing(message(2), ":"))
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	for _, g := range got {
		if mail.ScopeOf(g.err) == mail.ScopeAccount || mail.ClassOf(g.err) != mail.ClassFailed || mail.AfterOf(g.err) != 0 {
			t.Errorf("scope %d class %d: %v", mail.ScopeOf(g.err), mail.ClassOf(g.err), g.err)
		}
	}
	if s := snapshot(t, m, mail.Known{}, true); len(s.Messages) != 3 {
		t.Errorf("afterwards %v", uidsOf(s))
	}
}
