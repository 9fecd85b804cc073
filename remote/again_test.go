package remote

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"imapsync/mail"
)

// lacking is a server with so many mailboxes F1, F2, …, each of which has the message 2.
// It tells their marks by LIST where that is asked for, else by STATUS.
func lacking(t *testing.T, caps string, mailboxes int, listing func(answer) answer) (*fake, []mail.Sought) {
	t.Helper()
	var absent []mail.Sought
	for i := range mailboxes {
		absent = append(absent, mail.Sought{Folder: mail.FolderName(fmt.Sprint("F", i+1)), UIDValidity: 9, UIDs: []mail.UID{2, 3}})
	}
	on := map[string]answer{
		"LIST": listing(func(c *fakeConn, tag, args string) {
			for _, gone := range absent {
				c.send(`* LIST () "/" %s`, gone.Folder)
				if strings.Contains(args, "STATUS") {
					c.send(`* STATUS %s (MESSAGES 1 UIDNEXT 4 UIDVALIDITY 9 HIGHESTMODSEQ 7)`, gone.Folder)
				}
			}
			c.send("%s OK done", tag)
		}),
		"STATUS": func(c *fakeConn, tag, args string) {
			c.send("* STATUS %s (MESSAGES 1 UIDNEXT 4 UIDVALIDITY 9 HIGHESTMODSEQ 7)\n%s OK done", strings.Fields(args)[0], tag)
		},
		"SELECT":    box(selected),
		"UID FETCH": func(c *fakeConn, tag, args string) { c.send("* 1 FETCH (UID 2 FLAGS ())\n%s OK done", tag) },
		"UNSELECT":  func(c *fakeConn, tag, args string) { c.send("%s OK done", tag) },
	}
	return newFake(t, caps, on), absent
}

var asking = []string{"LIST", "STATUS", "SELECT", "UID FETCH", "UNSELECT"}

func TestLookAgain(t *testing.T) {
	for name, c := range map[string]struct {
		caps      string
		mailboxes int
		first     string // what the server hears first
	}{
		"in one flight":          {allCaps, 2, "LIST, SELECT, UID FETCH, SELECT, UID FETCH, UNSELECT"},
		"the rest in a second":   {allCaps, mailboxesAtOnce + 3, "LIST, SELECT, UID FETCH"},
		"nothing is looked for":  {allCaps, 0, "LIST"},
		"marks come by a STATUS": {strings.ReplaceAll(allCaps, "LIST-STATUS ", ""), 2, "LIST, STATUS, STATUS, SELECT"},
	} {
		t.Run(name, func(t *testing.T) {
			var again atomic.Bool
			f, absent := lacking(t, c.caps, c.mailboxes, func(list answer) answer {
				return func(conn *fakeConn, tag, args string) {
					if again.Load() && strings.Contains(c.first, "LIST, SELECT") {
						after(list)(conn, tag, args) // which would wait for ever if nothing came behind
						return
					}
					list(conn, tag, args)
				}
			})
			a := f.account(func(c *Config) { c.Connections = 1 })
			if _, err := a.Folders(t.Context()); err != nil {
				t.Fatal(err)
			}
			before := len(f.sent(asking...))
			again.Store(true)
			there := map[mail.FolderName]int{}
			list, err := a.LookAgain(t.Context(), absent, false, func(folder mail.FolderName, uids []mail.UID, err error) {
				if err != nil || !slices.Equal(uids, []mail.UID{2}) {
					t.Errorf("%s has %v, %v", folder, uids, err)
				}
				there[folder]++
			})
			if err != nil || len(list) != c.mailboxes || len(there) != c.mailboxes {
				t.Fatalf("%d listed, %v there, %v", len(list), there, err)
			}
			for _, folder := range list {
				if folder.Mark == nil || folder.Mark.UIDNext != 4 || there[folder.Name] != 1 {
					t.Errorf("%s has the mark %v, told %d times", folder.Name, folder.Mark, there[folder.Name])
				}
			}
			var heard []string
			for _, line := range f.sent(asking...)[before:] {
				heard = append(heard, asking[slices.IndexFunc(asking, func(name string) bool { return strings.HasPrefix(line, name) })])
			}
			if got := strings.Join(heard, ", "); !strings.HasPrefix(got, c.first) {
				t.Errorf("heard %q, want %q first", got, c.first)
			}
			if n := len(f.sent("SELECT")); n != c.mailboxes {
				t.Errorf("%d mailboxes selected", n)
			}
		})
	}
}

// A refused LIST ends it, and what went along counts for nothing. The connection
// serves again.
func TestLookAgainRefused(t *testing.T) {
	var refusing atomic.Bool
	f, absent := lacking(t, allCaps, 2, func(list answer) answer {
		return func(c *fakeConn, tag, args string) {
			if refusing.Load() {
				c.send("%s NO not now", tag)
				return
			}
			list(c, tag, args)
		}
	})
	a := f.account(func(c *Config) { c.Connections = 1 })
	if _, err := a.Folders(t.Context()); err != nil {
		t.Fatal(err)
	}
	refusing.Store(true)
	folders, err := a.LookAgain(t.Context(), absent, false, func(mail.FolderName, []mail.UID, error) { t.Error("told of a mailbox") })
	if err == nil || mail.ScopeOf(err) != mail.ScopeAccount || folders != nil {
		t.Errorf("%v, %v", folders, err)
	}
	refusing.Store(false)
	told := 0
	if _, err := a.LookAgain(t.Context(), absent, false, func(_ mail.FolderName, uids []mail.UID, err error) {
		if told++; err != nil || len(uids) != 1 {
			t.Errorf("%v, %v", uids, err)
		}
	}); err != nil || told != 2 {
		t.Errorf("told %d times, %v", told, err)
	}
	if n := len(f.sent("LOGIN")) + len(f.sent("AUTHENTICATE")); n != 1 {
		t.Errorf("logged in %d times", n)
	}
}
