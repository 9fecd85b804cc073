package remote

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"imapsync/mail"
)

// lookingAt is a server with the messages given after a STORE, whatever that says.
// Neither the STORE nor the SELECT behind it is answered before the next command is there.
func lookingAt(t *testing.T, there ...mail.UID) (*fake, map[string]answer, *Mailbox) {
	t.Helper()
	on := map[string]answer{
		"SELECT":    box(selected),
		"UID STORE": after(func(c *fakeConn, tag, args string) { c.send("* 3 FETCH (UID 3 MODSEQ (99))\n%s OK done", tag) }),
		"UID FETCH": func(c *fakeConn, tag, args string) {
			for _, uid := range there {
				c.send("* %d FETCH (UID %d FLAGS ())", uid, uid)
			}
			c.send("%s OK done", tag)
		},
		"NOOP":   func(c *fakeConn, tag, args string) { c.send("%s OK done", tag) },
		"LIST":   func(c *fakeConn, tag, args string) { c.send("* LIST () \"/\" INBOX\n%s OK done", tag) },
		"STATUS": func(c *fakeConn, tag, args string) { c.send("* STATUS INBOX (MESSAGES 3)\n%s OK done", tag) },
	}
	f := newFake(t, allCaps, on)
	a := f.account()
	if _, err := a.Folders(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := open(t, a, mail.Inbox)
	if err := m.selectNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f, on, m
}

var toFlag = []mail.FlagChange{{UIDs: []mail.UID{3, 1}, Add: mail.NewFlags(mail.Flagged)}, {UIDs: []mail.UID{2}, Add: mail.NewFlags(mail.Seen)}}

func TestStoreAndLookIsOneFlight(t *testing.T) {
	f, on, m := lookingAt(t, 1, 2, 4)
	on["SELECT"] = after(on["SELECT"])
	there, err := m.StoreAndLook(t.Context(), toFlag, func(_ int, err error) { t.Error(err) })
	if err != nil || !slices.Equal(there, []mail.UID{1, 2}) { // 3 had an answer to the STORE, and is gone; 4 is nobody's business
		t.Errorf("there are %v, %v", there, err)
	}
	if got := f.sent("UID FETCH"); len(got) != 1 || got[0] != "UID FETCH 1:3 (UID FLAGS)" {
		t.Errorf("asked %q", got)
	}
	on["SELECT"] = func(c *fakeConn, tag, args string) { t.Error("selected once more"); c.send("%s NO", tag) }
	on["UID STORE"] = func(c *fakeConn, tag, args string) { c.send("%s OK done", tag) }
	if err := m.Store(t.Context(), []mail.UID{2}, mail.NewFlags(mail.Seen), mail.Flags{}); err != nil {
		t.Error(err)
	}
}

func TestStoreAndLookGoesOn(t *testing.T) {
	p, a := newPair(t)
	m := open(t, a, "A")
	m.Ahead("B", []mail.UID{1, 3})
	there, err := m.StoreAndLook(t.Context(), toFlag, func(_ int, err error) { t.Error(err) })
	m.Close()
	if err != nil || len(there) != 3 {
		t.Errorf("there are %v, %v", there, err)
	}
	b := open(t, a, "B")
	if flags, err := b.Flags(t.Context(), []mail.UID{1, 3}); err != nil || len(flags) != 2 {
		t.Errorf("flags %v, %v", flags, err)
	}
	if got := p.in("B"); len(got) != 1 {
		t.Errorf("in B %q", got)
	}
}

// Flags that Ahead asks for in the same mailbox come with that flight, for the next
// session there; what is done then needs no SELECT.
func TestStoreAndLookForetells(t *testing.T) {
	for name, ask := range map[string][]mail.UID{"of another": {4}, "of one with other flags, too": {4, 1}, "of one that is gone": {9, 4}} {
		t.Run(name, func(t *testing.T) {
			f, on, m := lookingAt(t, 1, 2, 4)
			on["UID EXPUNGE"] = func(c *fakeConn, tag, args string) { c.send("%s OK done", tag) }
			m.Ahead(mail.Inbox, ask)
			there, err := m.StoreAndLook(t.Context(), toFlag, func(_ int, err error) { t.Error(err) })
			if err != nil || !slices.Equal(there, []mail.UID{1, 2}) {
				t.Errorf("there are %v, %v", there, err)
			}
			a, before := m.a, len(f.sent("SELECT", "UID FETCH"))
			m.Close()
			m = open(t, a, mail.Inbox)
			flags, err := m.Flags(t.Context(), ask)
			want := slices.DeleteFunc(slices.Sorted(slices.Values(ask)), func(uid mail.UID) bool { return uid == 9 })
			if got := slices.Sorted(maps.Keys(flags)); err != nil || !slices.Equal(got, want) {
				t.Errorf("flags of %v, want %v: %v", got, want, err)
			}
			if err := m.Expunge(t.Context(), []mail.UID{4}); err != nil {
				t.Error(err)
			}
			if got := f.sent("SELECT", "UID FETCH")[before:]; len(got) > 0 {
				t.Errorf("asked once more: %q", got)
			}
			if got := f.sent("UID EXPUNGE"); len(got) != 1 {
				t.Errorf("expunged %q", got)
			}
		})
	}
}

// What comes between makes nothing of them.
func TestStoreAndLookForetellsStale(t *testing.T) {
	for name, between := range map[string]func(m *Mailbox) error{
		"other messages are asked for": func(m *Mailbox) error { _, err := m.Flags(t.Context(), []mail.UID{2}); return err },
		"a change": func(m *Mailbox) error {
			return m.Store(t.Context(), []mail.UID{2}, mail.NewFlags(mail.Seen), mail.Flags{})
		},
		"the same session goes on": nil,
	} {
		t.Run(name, func(t *testing.T) {
			f, on, m := lookingAt(t, 1, 2, 4)
			m.Ahead(mail.Inbox, []mail.UID{4})
			if _, err := m.StoreAndLook(t.Context(), toFlag, func(_ int, err error) { t.Error(err) }); err != nil {
				t.Fatal(err)
			}
			if between != nil {
				a := m.a
				m.Close()
				m = open(t, a, mail.Inbox)
				on["UID STORE"] = func(c *fakeConn, tag, args string) { c.send("%s OK done", tag) }
				if err := between(m); err != nil {
					t.Fatal(err)
				}
			}
			before := len(f.sent("UID FETCH"))
			flags, err := m.Flags(t.Context(), []mail.UID{4})
			if _, there := flags[4]; err != nil || !there {
				t.Errorf("flags %v, %v", flags, err)
			}
			if got := f.sent("UID FETCH")[before:]; len(got) != 1 {
				t.Errorf("asked %q", got)
			}
		})
	}
}

func TestStoreAndLookWhereThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		command string
		answer  answer
		want    string
	}{
		"the mailbox is gone": {"SELECT", func(c *fakeConn, tag, _ string) { c.send("%s NO [NONEXISTENT] gone", tag) }, "NONEXISTENT"},
		"it is another": {"SELECT", func(c *fakeConn, tag, args string) {
			box(strings.ReplaceAll(selected, "UIDVALIDITY 9", "UIDVALIDITY 10"))(c, tag, args)
		}, "UIDVALIDITY changed"},
		"it does not answer":    {"UID FETCH", func(c *fakeConn, tag, _ string) { c.send("%s NO [SERVERBUG] no", tag) }, "SERVERBUG"},
		"the connection breaks": {"UID FETCH", func(c *fakeConn, tag, _ string) { c.Close() }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, on, m := lookingAt(t, 1, 2, 3)
			sound := map[string]answer{"SELECT": box(selected), "UID FETCH": func(c *fakeConn, tag, _ string) {
				c.send("* 3 FETCH (UID 3 FLAGS (\\Seen))\n%s OK done", tag)
			}}
			var mended atomic.Bool
			for name, answer := range sound {
				if on[name] = answer; name == c.command {
					on[name] = func(conn *fakeConn, tag, args string) {
						if mended.Load() {
							answer(conn, tag, args)
						} else {
							c.answer(conn, tag, args)
						}
					}
				}
			}
			m.Ahead(mail.Inbox, []mail.UID{3})
			there, err := m.StoreAndLook(t.Context(), toFlag, func(_ int, err error) { t.Error(err) })
			if err == nil || !strings.Contains(err.Error(), c.want) || mail.ScopeOf(err) < mail.ScopeFolder || len(there) > 0 {
				t.Errorf("there are %v, %v", there, err)
			}
			if name == "the connection breaks" { // and what was asked ahead with it
				return
			}
			a := m.a
			m.Close()
			mended.Store(true)
			before := len(f.sent("UID FETCH"))
			flags, err := open(t, a, mail.Inbox).Flags(t.Context(), []mail.UID{3})
			if got := f.sent("UID FETCH")[before:]; err != nil || flags[3].System != mail.Seen || len(got) != 1 {
				t.Errorf("afterwards %v, %v, asked %q", flags, err, got)
			}
		})
	}
}

// What the server refuses is told; the others are looked for all the same.
func TestStoreAndLookTellsRefusals(t *testing.T) {
	_, on, m := lookingAt(t, 1, 2, 3)
	on["UID STORE"] = func(c *fakeConn, tag, args string) {
		if strings.Contains(args, `\Seen`) {
			c.send("%s NO [CANNOT] not that one", tag)
			return
		}
		c.send("%s OK done", tag)
	}
	var refused []int
	there, err := m.StoreAndLook(t.Context(), toFlag, func(i int, err error) { refused = append(refused, i) })
	if err != nil || len(there) != 3 || !slices.Equal(refused, []int{1}) {
		t.Errorf("there are %v, refused %v, %v", there, refused, err)
	}
}

// Where no flag can be stored, or more is to be asked than goes into a flight, a
// flight of its own asks.
func TestStoreAndLookApart(t *testing.T) {
	var scattered []mail.UID // each a range of its own
	for uid := range mail.UID(60_000) {
		scattered = append(scattered, 1_000_000+2*uid)
	}
	for name, change := range map[string]mail.FlagChange{
		"nothing to store": {UIDs: []mail.UID{1, 3}},
		"too many":         {UIDs: scattered, Add: mail.NewFlags(mail.Flagged)},
	} {
		t.Run(name, func(t *testing.T) {
			f, on, m := lookingAt(t, change.UIDs[1])
			on["UID STORE"] = func(c *fakeConn, tag, args string) { c.send("%s OK done", tag) }
			told := false
			on["UID FETCH"] = func(c *fakeConn, tag, args string) {
				if !told {
					told = true
					c.send("* 2 FETCH (UID %d FLAGS ())", change.UIDs[1])
				}
				c.send("%s OK done", tag)
			}
			there, err := m.StoreAndLook(t.Context(), []mail.FlagChange{change}, func(_ int, err error) { t.Error(err) })
			if err != nil || !slices.Equal(there, change.UIDs[1:2]) {
				t.Errorf("there are %v, %v", fmt.Sprint(len(there)), err)
			}
			if n := len(f.sent("SELECT")); n != 2 {
				t.Errorf("selected %d times", n)
			}
		})
	}
}
