package remote

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"imapsync/mail"
)

// storing answers APPENDs with APPENDUIDs from 4 on, but for messages that hold
// a word of refusals, with that answer.
func storing(refusals map[string]string) answer {
	var next atomic.Int32
	next.Store(3)
	return func(c *fakeConn, tag, args string) {
		c.f.mu.Lock()
		text := c.f.data[len(c.f.data)-1]
		c.f.mu.Unlock()
		for word, refusal := range refusals {
			if strings.Contains(text, word) {
				c.send("%s %s", tag, refusal)
				return
			}
		}
		c.send("%s OK [APPENDUID 9 %d] done", tag, next.Add(1))
	}
}

func TestAppendRefused(t *testing.T) {
	for _, caps := range []string{allCaps, "IMAP4rev1 UIDPLUS"} {
		f := newFake(t, caps, map[string]answer{"APPEND": storing(map[string]string{
			"huge": "NO [TOOBIG] too big for us", "nul": "BAD NUL in the message", "old": "NO no such date"})})
		m := open(t, f.account(), mail.Inbox)
		got, err := appendAll(t, m, outgoing("one", ":"), outgoing("huge", ":"), outgoing("nul", ":"), outgoing("old", ":"), outgoing("two", ":"))
		if err != nil || len(got) != 5 {
			t.Fatal(got, err)
		}
		if got[0] != (appended{4, nil}) || got[4] != (appended{5, nil}) {
			t.Errorf("the good ones: %v", got)
		}
		wantScope(t, got[1].err, mail.ScopeMessage, mail.ClassFailed, "TOOBIG", "too big for us")
		wantScope(t, got[2].err, mail.ScopeMessage, mail.ClassFailed, "BAD NUL in the message")
		wantScope(t, got[3].err, mail.ScopeMessage, mail.ClassFailed, "no such date")
		if n := len(f.sent("SELECT")); n != 1 {
			t.Errorf("%d connections were needed", n)
		}
	}
}

func TestAppendRefusedBeforeItsLiteral(t *testing.T) {
	var n atomic.Int32
	f := newFake(t, "IMAP4rev1 UIDPLUS", map[string]answer{"before literal": func(c *fakeConn, tag, line string) {
		if c.refused = n.Add(1) == 1; c.refused {
			c.send("%s NO [TOOBIG] too big for us", tag)
		}
	}, "APPEND": storing(nil)})
	m := open(t, f.account(), mail.Inbox)
	got, err := appendAll(t, m, outgoing("huge", ":"), outgoing("one", ":"))
	if err != nil || len(got) != 2 || got[1] != (appended{4, nil}) {
		t.Fatal(got, err)
	}
	wantScope(t, got[0].err, mail.ScopeMessage, mail.ClassFailed, "TOOBIG")
	if l := f.literals(); !slices.Equal(l, []string{"one"}) || len(f.sent("SELECT")) != 1 {
		t.Errorf("literals %q over %d connections", l, len(f.sent("SELECT")))
	}
}

func TestAppendStopsWhenTheFolderIsFull(t *testing.T) {
	f := newFake(t, "IMAP4rev1 UIDPLUS", map[string]answer{"APPEND": storing(map[string]string{"two": "NO [OVERQUOTA] full"})})
	m := open(t, f.account(), mail.Inbox)
	var messages []mail.Outgoing
	for i := range 60 {
		messages = append(messages, outgoing([]string{"one", "two", "three"}[min(i, 2)], ":"))
	}
	got, err := appendAll(t, m, messages...)
	if err != nil || len(got) != 60 {
		t.Fatal(len(got), err)
	}
	wantScope(t, got[1].err, mail.ScopeFolder, mail.ClassFailed, "OVERQUOTA", "delete mail there")
	wantScope(t, got[59].err, mail.ScopeFolder, mail.ClassFailed, "OVERQUOTA")
	if n := len(f.sent("APPEND")); n > 1+awaitedMessages {
		t.Errorf("%d messages were sent", n)
	}
}

func TestAppendOfAMessageThatChanged(t *testing.T) {
	shrunk, grown := outgoing(message(1), ":"), outgoing(message(2), ":")
	shrunk.Size += 5
	grown.Size -= 5
	large := strings.Repeat("x", wholeUpload+10)
	largeShrunk, largeGrown := outgoing(large, ":"), outgoing(large, ":")
	largeShrunk.Size += 5
	largeGrown.Size -= 5
	broken := outgoing(large+"!", ":")
	broken.Open = func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader(large), errorReader{fmt.Errorf("input/output error")})), nil
	}
	gone := outgoing("gone", ":")
	gone.Open = func() (io.ReadCloser, error) { return nil, mail.ErrChanged }

	f := newFake(t, allCaps, map[string]answer{"APPEND": storing(nil)})
	m := open(t, f.account(func(c *Config) { c.Connections = 1 }), mail.Inbox)
	got, err := appendAll(t, m, outgoing("one", ":"), shrunk, grown, largeShrunk, outgoing("two", ":"), largeGrown, broken, gone, outgoing(large, ":"))
	if err != nil || len(got) != 9 {
		t.Fatal(len(got), err)
	}
	for _, i := range []int{1, 2, 3, 5} {
		wantScope(t, got[i].err, mail.ScopeMessage, mail.ClassFailed, "no longer of the size", "changed meanwhile")
	}
	wantScope(t, got[6].err, mail.ScopeMessage, mail.ClassFailed, "input/output error")
	wantScope(t, got[7].err, mail.ScopeMessage, mail.ClassFailed, "changed meanwhile")
	if l := f.literals(); !slices.Equal(l, []string{"one", "two", large}) {
		t.Errorf("%d messages arrived", len(l))
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

func TestAppendReplyLost(t *testing.T) {
	var n atomic.Int32
	f := newFake(t, allCaps, map[string]answer{"APPEND": func(c *fakeConn, tag, args string) {
		if n.Add(1) == 2 {
			c.Close()
			return
		}
		c.send("%s OK [APPENDUID 8 77] another mailbox's UIDVALIDITY", tag)
	}})
	m := open(t, f.account(), mail.Inbox)
	got, err := appendAll(t, m, outgoing("one", ":"), outgoing("two", ":"), outgoing("three", ":"))
	wantScope(t, err, mail.ScopeFolder, mail.ClassTemporary)
	if !slices.Equal(got, []appended{{0, nil}}) {
		t.Errorf("done was called with %v", got)
	}
}

func TestAppendTellsDateAndFlags(t *testing.T) {
	space := strings.ReplaceAll(selected, ` \*`, "")
	f := newFake(t, allCaps, map[string]answer{"SELECT": box(space), "APPEND": storing(nil)})
	undated := outgoing("two", ":")
	undated.Date = undated.Date.AddDate(-2024, 0, 0)
	got, err := appendAll(t, open(t, f.account(), mail.Inbox), outgoing("one", ":FPS todo"), undated)
	if err != nil || got[0].err != nil || got[1].err != nil {
		t.Fatal(got, err)
	}
	want := []string{`APPEND INBOX (\Flagged \Seen) "29-Feb-2024 13:14:15 +0100" {3+}`, `APPEND INBOX {3+}`}
	if sent := f.sent("APPEND"); !slices.Equal(sent, want) {
		t.Errorf("sent %q, want %q", sent, want)
	}
}

func TestCopyAndMove(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		want         map[mail.UID]mail.UID
	}{
		{"in order", "[COPYUID 5 1,3 10:11]", map[mail.UID]mail.UID{1: 10, 3: 11}},
		{"out of order", "[COPYUID 5 3,1 10:11]", map[mail.UID]mail.UID{3: 10, 1: 11}},
		{"one was gone", "[COPYUID 5 3 10]", map[mail.UID]mail.UID{3: 10}},
		{"lost", "", map[mail.UID]mail.UID{}},
		{"nonsense", "[COPYUID 5 1:9 3]", map[mail.UID]mail.UID{}},
		{"not asked for", "[COPYUID 5 7,8 10:11]", map[mail.UID]mail.UID{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, allCaps, map[string]answer{
				"UID COPY": func(fc *fakeConn, tag, args string) { fc.send("%s OK %s done", tag, c.answer) },
				"UID MOVE": func(fc *fakeConn, tag, args string) {
					fc.send("* OK %s moved\n* 1 EXPUNGE\n* 2 EXPUNGE\n%s OK done", c.answer, tag)
				},
			})
			m := open(t, f.account(), mail.Inbox)
			copied, err := m.Copy(t.Context(), []mail.UID{3, 1}, "A", 0)
			if err != nil || !maps.Equal(copied, c.want) {
				t.Errorf("Copy: %v, %v, want %v", copied, err, c.want)
			}
			moved, err := m.Move(t.Context(), []mail.UID{3, 1}, "A", 0)
			if err != nil || !maps.Equal(moved, c.want) {
				t.Errorf("Move: %v, %v, want %v", moved, err, c.want)
			}
		})
	}
}

// TestCopyRefusedExpungesNothing is the trap of imapclient's Move on servers
// without MOVE.
func TestCopyRefusedExpungesNothing(t *testing.T) {
	f := newFake(t, "IMAP4rev1 UIDPLUS", map[string]answer{"UID COPY": func(c *fakeConn, tag, args string) {
		c.send("%s NO [OVERQUOTA] full", tag)
	}})
	m := open(t, f.account(), mail.Inbox)
	_, err := m.Move(t.Context(), []mail.UID{1}, "A", 0)
	wantScope(t, err, mail.ScopeFolder, mail.ClassFailed, "no MOVE")
	_, err = m.Copy(t.Context(), []mail.UID{1}, "A", 0)
	wantScope(t, err, mail.ScopeFolder, mail.ClassFailed, "OVERQUOTA")
	if sent := f.sent("UID STORE", "UID EXPUNGE", "EXPUNGE", "UID MOVE"); len(sent) > 0 {
		t.Errorf("sent %q", sent)
	}
}

// deleted plays a server without UIDPLUS on which 2, of somebody else, is
// marked \Deleted.
type deleted struct {
	mu     sync.Mutex
	marked map[int]bool
	gone   map[int]bool
	onExp  func(c *fakeConn, tag string) // in place of the EXPUNGE
}

func newDeleted() *deleted {
	return &deleted{marked: map[int]bool{2: true}, gone: map[int]bool{}}
}

func (d *deleted) answers() map[string]answer {
	return map[string]answer{
		"UID STORE": func(c *fakeConn, tag, args string) {
			d.mu.Lock()
			defer d.mu.Unlock()
			for _, uid := range asked(args, 3) {
				d.marked[uid] = strings.Contains(args, "+FLAGS")
			}
			c.send("%s OK done", tag)
		},
		"UID SEARCH": func(c *fakeConn, tag, args string) {
			d.mu.Lock()
			defer d.mu.Unlock()
			found := "* SEARCH"
			for uid := 1; uid <= 3; uid++ {
				if !d.gone[uid] && (d.marked[uid] || args != "DELETED") && (args == "DELETED" || slices.Contains(asked(strings.TrimPrefix(args, "UID "), 3), uid)) {
					found += fmt.Sprint(" ", uid)
				}
			}
			c.send("%s\n%s OK done", found, tag)
		},
		"EXPUNGE": func(c *fakeConn, tag, args string) {
			if d.onExp != nil {
				d.onExp(c, tag)
				return
			}
			d.mu.Lock()
			defer d.mu.Unlock()
			for uid := range d.marked {
				d.gone[uid] = d.marked[uid]
			}
			c.send("%s OK done", tag)
		},
	}
}

func TestExpungeWithoutUIDPLUS(t *testing.T) {
	for _, c := range []struct {
		name  string
		onExp func(c *fakeConn, tag string)
		class mail.Class
		words string
	}{
		{name: "well"},
		{name: "refused", onExp: func(c *fakeConn, tag string) { c.send("%s NO not today", tag) }, words: "not today"},
		{name: "a lie", onExp: func(c *fakeConn, tag string) { c.send("%s OK done", tag) }, words: "1 of 1 messages are still there"},
		{name: "cut off", onExp: func(c *fakeConn, tag string) { c.Close() }, class: mail.ClassTemporary, words: "closed the connection"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDeleted()
			d.onExp = c.onExp
			f := newFake(t, "IMAP4rev1", d.answers())
			a := f.account(func(c *Config) { c.Connections = 1 })
			m := open(t, a, mail.Inbox)
			err := m.Expunge(t.Context(), []mail.UID{1})
			if c.words == "" {
				if err != nil {
					t.Fatal(err)
				}
			} else {
				wantScope(t, err, mail.ScopeFolder, c.class, "expunge", c.words)
			}
			m.Close()
			d.mu.Lock()
			defer d.mu.Unlock()
			if !d.marked[2] || d.gone[2] || d.gone[3] || d.gone[1] != (c.words == "") {
				t.Errorf("marked %v, gone %v", d.marked, d.gone)
			}
		})
	}
}

func TestExpungeWhereDeletedCannotBeStored(t *testing.T) {
	f := newFake(t, allCaps, map[string]answer{"SELECT": box(strings.ReplaceAll(selected, `\Deleted \Draft \*`, `\Draft \*`))})
	err := open(t, f.account(), mail.Inbox).Expunge(t.Context(), []mail.UID{1})
	wantScope(t, err, mail.ScopeFolder, mail.ClassFailed, "cannot store")
	if sent := f.sent("UID STORE", "UID EXPUNGE"); len(sent) > 0 {
		t.Errorf("sent %q", sent)
	}
}

func TestFoldersOfAnOddServer(t *testing.T) {
	f := newFake(t, allCaps, map[string]answer{
		"NAMESPACE": func(c *fakeConn, tag, args string) {
			c.send("* NAMESPACE ((\"INBOX.\" \".\")) NIL NIL\n%s OK done", tag)
		},
		"LIST": func(c *fakeConn, tag, args string) {
			c.send(strings.Join([]string{
				`* LIST (\HasChildren) "." INBOX`,
				`* LIST (\Subscribed \Sent) "." INBOX.Sent`,
				`* LIST (\NonExistent) "." INBOX.Gone`,
				`* LIST (\NoSelect \HasChildren) "." INBOX.Parent`,
				`* LIST () "." INBOX.a/b`,
				`* LIST () "." INBOX.a%%2Fb`,
				`* LIST () "." INBOX..dot`,
				`* LIST () "." INBOX.inbox`,
				`* LIST () "." INBOX.Forbidden`,
				`* LIST () "." INBOX.Sent`,
				`* STATUS INBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 9 HIGHESTMODSEQ 50)`,
				`* STATUS INBOX.Sent (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 9 HIGHESTMODSEQ 50)`,
				`%s OK done`,
			}, "\n"), tag)
		},
		"STATUS": func(c *fakeConn, tag, args string) {
			if strings.Contains(args, "Forbidden") {
				c.send("%s NO you may not", tag)
				return
			}
			c.honest(tag, "STATUS", args)
		},
	})
	a := f.account()
	folders, err := a.Folders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[mail.FolderName]string{}
	for _, f := range folders {
		got[f.Name] = fmt.Sprintf("selectable %v marked %v subscribed %v", f.Selectable, f.Mark != nil, f.Subscribed)
	}
	want := map[mail.FolderName]string{
		"INBOX":     "selectable true marked true subscribed false",
		"Sent":      "selectable true marked true subscribed true",
		"Gone":      "selectable false marked false subscribed false",
		"Parent":    "selectable false marked false subscribed false",
		"a%2Fb":     "selectable true marked true subscribed false",
		"a%252Fb":   "selectable true marked true subscribed false",
		"Forbidden": "selectable true marked false subscribed false",
	}
	if !maps.Equal(got, want) {
		t.Errorf("folders %v, want %v", got, want)
	}
	warnings := strings.Join(a.Warnings(), "\n")
	for _, words := range []string{`"INBOX..dot" skipped`, `"INBOX.inbox" skipped`} {
		if !strings.Contains(warnings, words) {
			t.Errorf("warnings %q lack %q", warnings, words)
		}
	}
	if again := a.Warnings(); len(again) > 0 {
		t.Errorf("warned twice: %q", again)
	}
	if err := open(t, a, "a%2Fb").selectNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sent := f.sent("SELECT"); !slices.Equal(sent, []string{`SELECT "INBOX.a/b" (CONDSTORE)`}) {
		t.Errorf("sent %q", sent)
	}
}

func TestMissing(t *testing.T) {
	for _, c := range []struct {
		name, status, list string
		want, fails        bool
	}{
		{name: "there", status: "OK done"},
		{name: "nonexistent", status: "NO [NONEXISTENT] no such mailbox", want: true},
		{name: "NO, listed", status: "NO cannot", list: "* LIST () \"/\" A\n"},
		{name: "NO, not listed", status: "NO cannot", want: true},
		{name: "NO, another listed", status: "NO cannot", list: "* LIST () \"/\" a\n"},
		{name: "NO in Dovecot's words, listed", status: "NO Mailbox doesn't exist: A (0.001 + 0.000 secs).", list: "* LIST () \"/\" A\n", want: true},
		{name: "busy", status: "NO [INUSE] later", fails: true},
		{name: "listing not understood", status: "NO cannot", list: "* LIST (\\( \"/\" A\n", fails: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, "IMAP4rev1 NAMESPACE", map[string]answer{
				"STATUS": func(fc *fakeConn, tag, args string) { fc.send("%s %s", tag, c.status) },
				"LIST": func(fc *fakeConn, tag, args string) {
					if args == `"" ""` {
						fc.send("* LIST (\\NoSelect) \"/\" \"\"\n%s OK done", tag)
					} else {
						fc.send("%s%s OK done", c.list, tag)
					}
				},
			})
			missing, err := f.account().Missing(t.Context(), "A")
			if missing != c.want || (err != nil) != c.fails {
				t.Errorf("Missing = %v, %v", missing, err)
			}
		})
	}
}

func TestCreateFolder(t *testing.T) {
	for _, c := range []struct {
		create, list string
		fails        bool
	}{
		{create: "OK done"},
		{create: "NO [ALREADYEXISTS] it is there"},
		{create: "NO it is there", list: "* LIST () \"/\" A/B\n"},
		{create: "NO it is there", list: "* LIST (\\NoSelect) \"/\" A/B\n", fails: true},
		{create: "NO [NOPERM] you may not", fails: true},
	} {
		f := newFake(t, "IMAP4rev1", map[string]answer{
			"CREATE": func(fc *fakeConn, tag, args string) { fc.send("%s %s", tag, c.create) },
			"LIST": func(fc *fakeConn, tag, args string) {
				if args == `"" ""` {
					fc.send("* LIST (\\NoSelect) \"/\" \"\"\n%s OK done", tag)
				} else {
					fc.send("%s%s OK done", c.list, tag)
				}
			},
			"SUBSCRIBE": func(fc *fakeConn, tag, args string) { fc.send("%s NO full", tag) },
		})
		a := f.account()
		err := a.CreateFolder(t.Context(), "A/B")
		if c.fails {
			wantScope(t, err, mail.ScopeFolder, mail.ClassFailed, "create the folder", `"A/B"`)
		} else if err != nil {
			t.Errorf("%s: %v", c.create, err)
		} else if w := a.Warnings(); len(w) != 1 || !strings.Contains(w[0], "not subscribed") {
			t.Errorf("warnings %q", w)
		}
	}
}

func TestAppendLimit(t *testing.T) {
	f := newFake(t, allCaps+" APPENDLIMIT=10", map[string]answer{"APPEND": storing(nil)})
	got, err := appendAll(t, open(t, f.account(), mail.Inbox), outgoing("ten bytes!", ":"), outgoing("eleven byte", ":"))
	if err != nil || got[0].err != nil {
		t.Fatal(got, err)
	}
	wantScope(t, got[1].err, mail.ScopeMessage, mail.ClassFailed, "its 11 bytes are more than the 10")
	if l := f.literals(); !slices.Equal(l, []string{"ten bytes!"}) {
		t.Errorf("literals %q", l)
	}
}

// TestLongCopyUID has a response code of many kilobytes in an order of its own.
func TestLongCopyUID(t *testing.T) {
	var uids []mail.UID
	var src, dst []string
	for i := range 400 {
		uids = append(uids, mail.UID(2*i+1))
		src = append(src, fmt.Sprint(2*i+1))
		dst = append(dst, fmt.Sprint(9000-3*i))
	}
	f := newFake(t, allCaps, map[string]answer{"UID COPY": func(c *fakeConn, tag, args string) {
		c.send("%s OK [COPYUID 5 %s %s] done", tag, strings.Join(src, ","), strings.Join(dst, ","))
	}})
	copied, err := open(t, f.account(), mail.Inbox).Copy(t.Context(), uids, "A", 0)
	if err != nil || len(copied) != 400 || copied[1] != 9000 || copied[799] != 9000-3*399 {
		t.Errorf("%d copies, %v", len(copied), err)
	}
}

// TestAppendSendsAhead has a server that answers no upload before it has them
// all.
func TestAppendSendsAhead(t *testing.T) {
	var tags []string
	f := newFake(t, allCaps, map[string]answer{"APPEND": func(c *fakeConn, tag, args string) {
		if tags = append(tags, tag); len(tags) < awaitedMessages {
			return
		}
		for i, tag := range tags {
			c.send("%s OK [APPENDUID 9 %d] done", tag, 4+i)
		}
	}})
	var messages []mail.Outgoing
	for i := range awaitedMessages {
		messages = append(messages, outgoing(message(i), ":"))
	}
	got, err := appendAll(t, open(t, f.account(), mail.Inbox), messages...)
	if err != nil || len(got) != awaitedMessages || got[awaitedMessages-1] != (appended{4 + awaitedMessages - 1, nil}) {
		t.Errorf("%v, %v", got, err)
	}
}
