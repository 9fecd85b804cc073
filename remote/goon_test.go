package remote

import (
	"context"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"imapsync/internal/dovecot"
	"imapsync/mail"
)

// pairOf is a server with the mailboxes A and B, which both have the messages 1,
// 2 and 3. It notes in which mailbox each command is carried out.
type pairOf struct {
	*fake
	mu    sync.Mutex
	at    map[*fakeConn]string
	done  []string                      // "A UID STORE 1 …"
	onB   func(c *fakeConn, tag string) // the answer to a SELECT of B; nil: as it is
	flags string                        // of the messages of B
}

func newPair(t *testing.T) (*pairOf, *Account) {
	t.Helper()
	return newPairListing(t, `* LIST () "/" A`, `* LIST () "/" B`, `* LIST () "/" C`)
}

func newPairListing(t *testing.T, list ...string) (*pairOf, *Account) {
	t.Helper()
	p := &pairOf{at: map[*fakeConn]string{}, flags: `\Flagged`}
	on := map[string]answer{}
	for _, name := range []string{"SELECT", "UNSELECT", "UID FETCH", "UID SEARCH", "UID STORE", "UID COPY", "UID MOVE", "UID EXPUNGE", "NOOP"} {
		on[name] = func(c *fakeConn, tag, args string) { p.answer(c, tag, name, args) }
	}
	on["LIST"] = func(c *fakeConn, tag, args string) {
		c.send("%s\n%s OK done", strings.Join(list, "\n"), tag)
	}
	on["STATUS"] = func(c *fakeConn, tag, args string) { c.send("* STATUS B (MESSAGES 0)\n%s OK done", tag) }
	on["APPEND"] = func(c *fakeConn, tag, args string) { c.send("%s OK [APPENDUID 9 4] done", tag) }
	p.fake = newFake(t, allCaps, on)
	a := p.account(func(c *Config) { c.Connections = 1 })
	if _, err := a.Folders(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p, a
}

func (p *pairOf) answer(c *fakeConn, tag, name, args string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch name {
	case "SELECT":
		p.at[c] = strings.Trim(strings.Fields(args)[0], `"`)
		if p.at[c] == "B" && p.onB != nil {
			p.onB(c, tag)
			return
		}
		c.send("%s\n%s OK [READ-WRITE] in", selected, tag)
		return
	case "UNSELECT":
		delete(p.at, c)
	}
	p.done = append(p.done, strings.TrimSpace(p.at[c]+" "+name+" "+args))
	switch {
	case name == "UID FETCH" && p.at[c] == "B":
		for _, uid := range asked(args, 3) {
			c.send("* %d FETCH (UID %d FLAGS (%s) RFC822.SIZE 5)", uid, uid, p.flags)
		}
		c.send("%s OK done", tag)
	default:
		c.honest(tag, name, args)
	}
}

// in returns what was carried out in a mailbox.
func (p *pairOf) in(folder string) (commands []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.done {
		if command, in := strings.CutPrefix(line, folder+" "); in {
			commands = append(commands, command)
		}
	}
	return commands
}

// change is a change that Ahead follows.
type change struct {
	name string
	last string // its last command
	do   func(ctx context.Context, m *Mailbox, uids []mail.UID) error
}

var changes = []change{
	{"store", "UID STORE", func(ctx context.Context, m *Mailbox, uids []mail.UID) error {
		return m.StoreAll(ctx, []mail.FlagChange{{UIDs: uids, Add: mail.NewFlags(mail.Flagged)}}, func(int, error) {})
	}},
	{"expunge", "UID EXPUNGE", func(ctx context.Context, m *Mailbox, uids []mail.UID) error { return m.Expunge(ctx, uids) }},
	{"move", "UID MOVE", func(ctx context.Context, m *Mailbox, uids []mail.UID) error {
		_, err := m.Move(ctx, uids, "C", 0)
		return err
	}},
	{"copy", "UID COPY", func(ctx context.Context, m *Mailbox, uids []mail.UID) error {
		_, err := m.Copy(ctx, uids, "C", 0)
		return err
	}},
}

// goOnFrom makes a change in A to its message 1, with B ahead, and closes A.
func goOnFrom(t *testing.T, a *Account, c change, flags ...mail.UID) {
	t.Helper()
	m := open(t, a, "A")
	m.Ahead("B", flags)
	if err := c.do(t.Context(), m, []mail.UID{1}); err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	m.Close()
}

// The SELECT of the next mailbox, and the question for flags there, go out with
// the last change in this one; the flags are good for one Flags that asks for
// exactly these messages.
func TestGoOnIsOneFlight(t *testing.T) {
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			p, a := newPair(t)
			if m := open(t, a, "A"); m.selectNow(t.Context()) == nil {
				m.Close()
			}
			for _, name := range []string{"UID STORE", c.last} { // not answered before the next one is there
				answer := p.on[name]
				p.on[name] = after(answer)
			}
			p.onB = after1(func(c *fakeConn, tag string) { c.send("%s\n%s OK [READ-WRITE] in", selected, tag) })
			goOnFrom(t, a, c, 3, 1)
			m := open(t, a, "B")
			for _, ask := range [][]mail.UID{{1, 3}, {1, 3}} {
				flags, err := m.Flags(t.Context(), ask)
				if err != nil || len(flags) != 2 || flags[1].System != mail.Flagged || flags[3].System != mail.Flagged {
					t.Errorf("flags %v, %v", flags, err)
				}
				p.onB = nil
			}
			if got := p.in("B"); len(got) != 2 || got[0] != "UID FETCH 1,3 (UID FLAGS)" {
				t.Errorf("in B %q", got)
			}
		})
	}
}

// after1 is after for the answer to a SELECT of B.
func after1(answer func(c *fakeConn, tag string)) func(*fakeConn, string) {
	return func(c *fakeConn, tag string) {
		if _, err := c.r.Peek(1); err == nil {
			answer(c, tag)
		}
	}
}

// Flags foretold are used for none but those messages, and not once anything else
// was done in the mailbox, or another question came before.
func TestForetoldFlagsGoStale(t *testing.T) {
	for name, between := range map[string]func(m *Mailbox) error{
		"fewer messages": func(m *Mailbox) error { return nil },
		"a change": func(m *Mailbox) error {
			return m.Store(t.Context(), []mail.UID{2}, mail.NewFlags(mail.Seen), mail.Flags{})
		},
		"a question":  func(m *Mailbox) error { _, err := m.Headers(t.Context(), []mail.UID{2}); return err },
		"other flags": func(m *Mailbox) error { _, err := m.Flags(t.Context(), []mail.UID{2}); return err },
		"a listing":   func(m *Mailbox) error { _, err := m.Snapshot(t.Context(), mail.Known{}, true); return err },
	} {
		t.Run(name, func(t *testing.T) {
			p, a := newPair(t)
			goOnFrom(t, a, changes[0], 1, 3)
			m := open(t, a, "B")
			if err := between(m); err != nil {
				t.Fatal(err)
			}
			p.mu.Lock()
			p.flags = `\Answered`
			p.mu.Unlock()
			ask := []mail.UID{1, 3}
			if name == "fewer messages" {
				ask = []mail.UID{1}
			}
			flags, err := m.Flags(t.Context(), ask)
			if err != nil || len(flags) != len(ask) || flags[1].System != mail.Answered {
				t.Errorf("flags %v, %v", flags, err)
			}
		})
	}
}

// What is done in a mailbox after its last change was followed by the SELECT of
// the next one hits that mailbox, and the next one never.
func TestGoOnAndComeBack(t *testing.T) {
	for _, c := range changes {
		for name, do := range everything {
			t.Run(c.name+", "+name, func(t *testing.T) {
				p, a := newPair(t)
				m := open(t, a, "A")
				m.Ahead("B", []mail.UID{1})
				if err := c.do(t.Context(), m, []mail.UID{1}); err != nil {
					t.Fatal(err)
				}
				if err := do(t.Context(), m); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if got := p.in("B"); !slices.Equal(got, []string{"UID FETCH 1 (UID FLAGS)"}) {
					t.Errorf("in B %q", got)
				}
				m.Close()
				m = open(t, a, "B")
				if err := do(t.Context(), m); err != nil {
					t.Errorf("%s in B: %v", name, err)
				}
				if got := p.in("B"); name != "append" && len(got) < 2 {
					t.Errorf("of what was for B only %q was done there", got)
				}
			})
		}
	}
}

// everything is each method of Mailbox, on the message 2.
var everything = map[string]func(ctx context.Context, m *Mailbox) error{
	"store":   func(ctx context.Context, m *Mailbox) error { return changes[0].do(ctx, m, []mail.UID{2}) },
	"expunge": func(ctx context.Context, m *Mailbox) error { return changes[1].do(ctx, m, []mail.UID{2}) },
	"move":    func(ctx context.Context, m *Mailbox) error { return changes[2].do(ctx, m, []mail.UID{2}) },
	"copy":    func(ctx context.Context, m *Mailbox) error { return changes[3].do(ctx, m, []mail.UID{2}) },
	"flags":   func(ctx context.Context, m *Mailbox) error { _, err := m.Flags(ctx, []mail.UID{2}); return err },
	"headers": func(ctx context.Context, m *Mailbox) error { _, err := m.Headers(ctx, []mail.UID{2}); return err },
	"list":    func(ctx context.Context, m *Mailbox) error { _, err := m.Snapshot(ctx, mail.Known{}, true); return err },
	"delta":   func(ctx context.Context, m *Mailbox) error { _, err := m.Snapshot(ctx, knownAll, false); return err },
	"fetch": func(ctx context.Context, m *Mailbox) error {
		return m.Fetch(ctx, []mail.UID{2}, func(_ mail.UID, body io.Reader, err error) error {
			if err == nil {
				_, err = io.Copy(io.Discard, body)
			}
			return err
		})
	},
	"append": func(ctx context.Context, m *Mailbox) error {
		var refused error
		err := m.Append(ctx, slices.Values([]mail.Outgoing{outgoing(message(7), ":P word")}), func(_ int, _ mail.UID, err error) { refused = err })
		return worst([]error{err, refused})
	},
}

// Where the next mailbox cannot be selected, or is another than it was in this
// run, nothing is done in it, and who opens it is told what he were without Ahead.
func TestGoOnToABadMailbox(t *testing.T) {
	for name, bad := range map[string]func(c *fakeConn, tag string){
		"refused": func(c *fakeConn, tag string) { c.send("%s NO [INUSE] not now", tag) },
		"renumbered": func(c *fakeConn, tag string) {
			c.send("%s\n%s OK in", strings.ReplaceAll(selected, "UIDVALIDITY 9", "UIDVALIDITY 10"), tag)
		},
		"no number": func(c *fakeConn, tag string) { c.send("* 3 EXISTS\n%s OK in", tag) },
	} {
		t.Run(name, func(t *testing.T) {
			for method, do := range everything {
				if method == "append" { // needs no SELECT
					continue
				}
				var told []string
				for _, ahead := range []bool{false, true} {
					p, a := newPair(t)
					open(t, a, "B").Close()
					p.onB = bad
					if ahead {
						goOnFrom(t, a, changes[0], 2)
					} else {
						open(t, a, "A").Close()
					}
					m, err := a.Open(t.Context(), "B", false)
					if err == nil {
						err = do(t.Context(), m)
						m.Close()
					}
					if err == nil {
						t.Fatalf("%s: no error", method)
					}
					told = append(told, err.Error())
					for _, command := range p.in("B") {
						if !strings.HasPrefix(command, "UID FETCH") && !strings.HasPrefix(command, "UID SEARCH") {
							t.Errorf("%s: in B %q", method, command)
						}
					}
				}
				if told[0] != told[1] {
					t.Errorf("%s: with Ahead %q, without %q", method, told[1], told[0])
				}
			}
		})
	}
}

// The hint binds nobody: whoever gets the connection may use it for another
// mailbox, or remove the one that it goes on to.
func TestGoOnElsewhere(t *testing.T) {
	p, a := newPair(t)
	goOnFrom(t, a, changes[0], 1)
	m := open(t, a, "C")
	if err := changes[0].do(t.Context(), m, []mail.UID{2}); err != nil {
		t.Fatal(err)
	}
	m.Close()
	if got := p.in("C"); len(got) != 1 || !strings.HasPrefix(got[0], "UID STORE 2") {
		t.Errorf("in C %q", got)
	}
	goOnFrom(t, a, changes[0], 1)
	if err := a.DeleteFolder(t.Context(), "B"); err != nil {
		t.Fatal(err)
	}
	log := p.sent("SELECT", "UNSELECT", "STATUS", "DELETE")
	if tail := log[max(0, len(log)-3):]; !strings.HasPrefix(log[len(log)-4], `SELECT`) || tail[0] != "UNSELECT" || !strings.HasPrefix(tail[2], "DELETE") {
		t.Errorf("sent %q", log)
	}
}

// A connection lost on the way to the next mailbox costs nothing that was done, and
// the next one is opened over another.
func TestGoOnLosesTheConnection(t *testing.T) {
	for _, c := range changes {
		p, a := newPair(t)
		p.onB = func(c *fakeConn, tag string) { c.Close() }
		goOnFrom(t, a, c, 1)
		p.mu.Lock()
		p.onB = nil
		p.mu.Unlock()
		m := open(t, a, "B")
		flags, err := m.Flags(t.Context(), []mail.UID{1})
		if err != nil || flags[1].System != mail.Flagged {
			t.Errorf("%s: flags %v, %v", c.name, flags, err)
		}
	}
}

// TestDovecotGoOn: a real server goes on to the next mailbox and back, and each
// change is in the mailbox that it was meant for, though both have the same UIDs.
func TestDovecotGoOn(t *testing.T) {
	srv := dovecot.Start(t)
	for i, c := range changes {
		for k, name := range slices.Sorted(maps.Keys(everything)) {
			t.Run(c.name+", "+name, func(t *testing.T) {
				user := fmt.Sprint("user", i, "-", k)
				other := accountAt(t, srv.Addr(), user, srv.Password)
				a := accountAt(t, srv.Addr(), user, srv.Password, func(c *Config) { c.Connections = 1 })
				dovecotGoesOn(t, a, other, c, name)
			})
		}
	}
}

func dovecotGoesOn(t *testing.T, a, other *Account, c change, name string) {
	ctx := t.Context()
	before := map[mail.FolderName]mail.RemoteSnapshot{}
	for _, f := range []mail.FolderName{"A", "B", "C"} {
		if err := other.CreateFolder(ctx, f); err != nil {
			t.Fatal(err)
		}
		if f != "C" {
			fill(t, other, f)
		}
		before[f] = seenBy(t, other, f)
	}
	if _, err := a.Folders(ctx); err != nil {
		t.Fatal(err)
	}
	m := open(t, a, "A")
	m.Ahead("B", []mail.UID{1})
	if err := c.do(ctx, m, []mail.UID{1}); err != nil {
		t.Fatal(err)
	}
	if err := everything[name](ctx, m); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	m.Close()
	if got := seenBy(t, other, "B"); !reflect.DeepEqual(got.Messages, before["B"].Messages) {
		t.Errorf("B was changed: %+v", got.Messages)
	}
	afterA := seenBy(t, other, "A")
	for uid, done := range map[mail.UID]string{1: c.name, 2: name} {
		got, there := afterA.Messages[uid]
		gone, flagged := done == "expunge" || done == "move", done == "store"
		if there == gone || there && (got.Flags.System == mail.Flagged) != flagged {
			t.Errorf("message %d of A after %s: there %v, %+v", uid, done, there, got)
		}
	}
	m = open(t, a, "B")
	flags, err := m.Flags(ctx, []mail.UID{1})
	if err != nil || len(flags) != 1 || !flags[1].IsEmpty() {
		t.Errorf("flags in B %v, %v", flags, err)
	}
}

// fill puts the messages 1, 2 and 3 into a mailbox.
func fill(t *testing.T, a *Account, folder mail.FolderName) {
	t.Helper()
	m, err := a.Open(t.Context(), folder, false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	mustAppend(t, m, outgoing(message(1), ":"), outgoing(message(2), ":"), outgoing(message(3), ":"))
}

func seenBy(t *testing.T, a *Account, folder mail.FolderName) mail.RemoteSnapshot {
	t.Helper()
	m, err := a.Open(t.Context(), folder, false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	return inUTC(snapshot(t, m, mail.Known{}, true))
}
