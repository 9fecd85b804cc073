package remote

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"imapsync/mail"
)

// twoBoxes is a server with INBOX and Next, of the same UIDs and other contents.
// The fetch of INBOX is answered by first, once the SELECT of Next and the FETCH
// behind it have come as well; one message may be missing from both.
func twoBoxes(t *testing.T, missing int, first func(c *fakeConn, uids []int)) *fake {
	var mu sync.Mutex
	at := map[*fakeConn]string{}
	return newFake(t, allCaps, map[string]answer{
		"LIST": func(c *fakeConn, tag, args string) {
			c.send("* LIST () \"/\" INBOX\n* LIST () \"/\" Next\n%s OK done", tag)
		},
		"STATUS": func(c *fakeConn, tag, args string) { c.send("%s NO [NONEXISTENT] none", tag) },
		"SELECT": func(c *fakeConn, tag, args string) {
			mu.Lock()
			defer mu.Unlock()
			if at[c] = "INBOX"; strings.Contains(args, "Next") {
				at[c] = "Next"
			}
			box(selected)(c, tag, args)
		},
		"UID FETCH": func(c *fakeConn, tag, args string) {
			mu.Lock()
			here := at[c]
			mu.Unlock()
			switch {
			case !strings.Contains(args, "BODY"):
				for _, uid := range asked(args, 3) {
					if uid == missing {
						continue
					}
					c.send("* %d FETCH (UID %d FLAGS ())", uid, uid)
				}
			case here == "INBOX":
				if c.n == 0 { // before anything went wrong
					_, _ = c.r.Peek(1)
				}
				first(c, asked(args, 3))
			default:
				c.send("* 2 FETCH (UID 2 FLAGS (\\Seen))") // unasked, before its contents
				for _, uid := range []int{2, 1, 3} {
					c.body(uid, nextMessage(uid))
				}
			}
			c.send("%s OK done", tag)
		},
	})
}

func nextMessage(n int) string { return message(n + 100) }

// fetchInTurn fetches UIDs 1 to 3 of INBOX and then of Next, the second behind the
// first.
func fetchInTurn(t *testing.T, a *Account) (inbox, next map[mail.UID]string, errs map[mail.UID]error) {
	t.Helper()
	if _, err := a.Folders(t.Context()); err != nil {
		t.Fatal(err)
	}
	uids := []mail.UID{1, 2, 3}
	m, err := a.Open(t.Context(), mail.Inbox, false)
	if err != nil {
		t.Fatal(err)
	}
	m.FetchAhead("Next", uids)
	inbox, errs, err = fetchAll(t, m, uids)
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	m = open(t, a, "Next")
	next, _, err = fetchAll(t, m, uids)
	if err != nil {
		t.Fatal(err)
	}
	return inbox, next, errs
}

func wantContents(t *testing.T, name string, got map[mail.UID]string, of func(int) string, uids ...mail.UID) {
	t.Helper()
	if found := slices.Sorted(maps.Keys(got)); !slices.Equal(found, uids) {
		t.Errorf("%s: UIDs %v", name, found)
	}
	for uid, text := range got {
		if text != of(int(uid)) {
			t.Errorf("%s: UID %d is %q", name, uid, text)
		}
	}
}

// What is fetched first in the next mailbox is asked for behind the last FETCH in
// this one, and nothing that the server says of this one is taken for it, though
// the UIDs are the same.
func TestFetchAheadIsOneFlight(t *testing.T) {
	f := twoBoxes(t, 0, func(c *fakeConn, _ []int) {
		c.send("* 2 FETCH (UID 2 FLAGS (\\Seen))") // unasked, before its contents
		for _, uid := range []int{1, 2, 3} {
			c.body(uid, message(uid))
		}
		c.send("* 1 FETCH (UID 1 FLAGS (\\Deleted))\n* 2 EXISTS")
		c.body(3, message(3)) // once more, which nobody asked for
		c.body(1, message(1))
	})
	a := f.account(func(c *Config) { c.Connections = 1 })
	inbox, next, _ := fetchInTurn(t, a)
	wantContents(t, "INBOX", inbox, message, 1, 2, 3)
	wantContents(t, "Next", next, nextMessage, 1, 2, 3)
	if got := f.sent("SELECT", "UID FETCH"); len(got) != 4 || !strings.Contains(got[2], "Next") {
		t.Errorf("sent %q", got)
	}
}

// A message that did not come is asked for once more in its own mailbox, for which
// the connection that went on is given up.
func TestFetchAheadComesBack(t *testing.T) {
	f := twoBoxes(t, 0, func(c *fakeConn, uids []int) {
		for _, uid := range uids {
			if uid != 2 || c.n > 0 {
				c.body(uid, message(uid))
			}
		}
	})
	a := f.account(func(c *Config) { c.Connections = 1 })
	inbox, next, _ := fetchInTurn(t, a)
	wantContents(t, "INBOX", inbox, message, 1, 2, 3)
	wantContents(t, "Next", next, nextMessage, 1, 2, 3)

	gone := twoBoxes(t, 2, func(c *fakeConn, _ []int) { c.body(1, message(1)); c.body(3, message(3)) })
	a = gone.account(func(c *Config) { c.Connections = 1 })
	inbox, next, errs := fetchInTurn(t, a)
	wantContents(t, "INBOX", inbox, message, 1, 3)
	wantContents(t, "Next", next, nextMessage, 1, 2, 3)
	if errs[2] != mail.ErrChanged {
		t.Errorf("UID 2: %v", errs[2])
	}
}

// Contents that nobody takes are thrown away when the connection is used for
// something else, and when the account is closed.
func TestFetchAheadForNobody(t *testing.T) {
	for name, instead := range map[string]func(a *Account) error{
		"another question": func(a *Account) error {
			m, err := a.Open(t.Context(), "Next", false)
			if err == nil {
				_, err = m.Flags(t.Context(), []mail.UID{1, 2, 3})
				m.Close()
			}
			return err
		},
		"another mailbox": func(a *Account) error {
			m, err := a.Open(t.Context(), mail.Inbox, false)
			if err == nil {
				_, err = m.Flags(t.Context(), []mail.UID{1, 2, 3})
				m.Close()
			}
			return err
		},
		"no mailbox":     func(a *Account) error { _, err := a.Missing(t.Context(), "None"); return err },
		"other messages": func(a *Account) error { return fetchOf(t, a, "Next", 1, 2) },
		"nothing":        func(a *Account) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			f := twoBoxes(t, 0, func(c *fakeConn, _ []int) {
				for _, uid := range []int{1, 2, 3} {
					c.body(uid, message(uid))
				}
			})
			a := f.account(func(c *Config) { c.Connections = 1 })
			if _, err := a.Folders(t.Context()); err != nil {
				t.Fatal(err)
			}
			m := open(t, a, mail.Inbox)
			m.FetchAhead("Next", []mail.UID{1, 2, 3})
			if _, _, err := fetchAll(t, m, []mail.UID{1, 2, 3}); err != nil {
				t.Fatal(err)
			}
			m.Close()
			if err := instead(a); err != nil {
				t.Error(err)
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A Fetch that ends before it takes what was fetched ahead leaves nothing behind that
// would block the connection.
func TestFetchAheadEndsEarly(t *testing.T) {
	f := twoBoxes(t, 0, func(c *fakeConn, _ []int) {
		for _, uid := range []int{1, 2, 3} {
			c.body(uid, message(uid))
		}
	})
	a := f.account(func(c *Config) { c.Connections = 1 })
	if _, err := a.Folders(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.sizes["Next"] = map[mail.UID]int64{2: 1 << 40} // more than is ever taken
	uids := []mail.UID{1, 2, 3}
	m := open(t, a, mail.Inbox)
	m.FetchAhead("Next", uids)
	if _, _, err := fetchAll(t, m, uids); err != nil {
		t.Fatal(err)
	}
	m.Close()
	m = open(t, a, "Next")
	err := m.Fetch(t.Context(), uids, func(_ mail.UID, _ io.Reader, err error) error { return err })
	if err == nil {
		t.Error("no error")
	}
	m.Close()
	flags, err := open(t, a, mail.Inbox).Flags(t.Context(), uids)
	if err != nil || len(flags) != 3 {
		t.Errorf("%v, %v", flags, err)
	}
}

func fetchOf(t *testing.T, a *Account, folder mail.FolderName, uids ...mail.UID) error {
	m, err := a.Open(t.Context(), folder, false)
	if err != nil {
		return err
	}
	defer m.Close()
	got, _, err := fetchAll(t, m, uids)
	wantContents(t, string(folder), got, nextMessage, uids...)
	return err
}

// With a real server: folder after folder over two connections, some with more than
// one batch, each message with its own content.
func TestDovecotFetchAhead(t *testing.T) {
	onVariants(t, func(t *testing.T, a *Account) {
		a.limit = 2
		var names []mail.FolderName
		uids := map[mail.FolderName][]mail.UID{}
		text := func(i, n int) string { return strings.Replace(message(n), "body", fmt.Sprint("of folder ", i), 1) }
		for i := range 4 {
			name := mail.FolderName(fmt.Sprint("F", i))
			names = append(names, name)
			if err := a.CreateFolder(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			m := open(t, a, name)
			var out []mail.Outgoing
			for n := range 3 + i*220 {
				out = append(out, outgoing(text(i, n), ""))
			}
			uids[name] = mustAppend(t, m, out...)
			m.Close()
		}
		var wg sync.WaitGroup
		for lane := range 2 {
			wg.Go(func() {
				for i := lane; i < len(names); i += 2 {
					m, err := a.Open(t.Context(), names[i], false)
					if err != nil {
						t.Error(err)
						return
					}
					if i+2 < len(names) {
						m.FetchAhead(names[i+2], uids[names[i+2]])
					}
					err = m.Fetch(t.Context(), uids[names[i]], func(uid mail.UID, body io.Reader, err error) error {
						got, _ := io.ReadAll(body)
						if want := text(i, slices.Index(uids[names[i]], uid)); err != nil || string(got) != want {
							t.Errorf("folder %d UID %d: %v, %q", i, uid, err, got)
						}
						return err
					})
					if err != nil {
						t.Error(err)
					}
					m.Close()
				}
			})
		}
		wg.Wait()
	})
}
