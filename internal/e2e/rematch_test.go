package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"imapsync/internal/corpus"
	"imapsync/internal/dovecot"
	"imapsync/internal/imaptest"
	"imapsync/internal/proxy"
	"imapsync/mail"
)

// copyTree copies files and directories as they are.
func (a *account) copyTree(from, to string) {
	a.t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		a.t.Fatalf("%v: %s", err, out)
	}
}

func (a *account) removeTree(dir string) {
	a.t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		a.t.Fatal(err)
	}
}

func (a *account) stateFile() string { return filepath.Join(a.state, "test.db") }

// offline does something while the server is stopped.
func (a *account) offline(do func(home string)) {
	a.t.Helper()
	a.server.Stop()
	do(filepath.Join(a.server.Dir, "home", a.user))
	if err := a.server.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.phone = redial(a)
}

// redial is another client of the account after the server was away.
func redial(a *account) *imaptest.Client {
	a.t.Helper()
	return imaptest.Dial(a.t, a.server, a.user)
}

// rematched insists that a sync found all messages again: none was transferred
// or changed, and one line says what happened.
func (a *account) rematched(said string, want items) {
	a.t.Helper()
	a.proxy.Reset()
	r := a.sync(0)
	a.nothingTransferred()
	for _, c := range proxy.Changing(a.proxy.Commands()) {
		a.t.Errorf("sent %q", c)
	}
	if lines := linesWith(r.stdout, said); len(lines) != 1 || !strings.Contains(lines[0], "nothing is deleted") {
		a.t.Errorf("want one line with %q that says that nothing is deleted, got %v", said, r)
	}
	mustEqual(a.t, "local", a.local(), want)
	mustEqual(a.t, "remote", a.remote(), want)
	a.syncQuiet()
}

func linesWith(text, part string) (found []string) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			found = append(found, line)
		}
	}
	return found
}

// A state that is damaged anywhere is set aside, not followed and not an end.
func TestDamagedStateIsALostOne(t *testing.T) {
	t.Parallel()
	s := dovecot.Start(t)
	damages := map[string]func(b []byte) []byte{
		"empty":             func([]byte) []byte { return nil },
		"cut in the header": func(b []byte) []byte { return b[:50] },
		"cut in a page":     func(b []byte) []byte { return b[:5000] },
		"half":              func(b []byte) []byte { return b[:len(b)/2] },
		"one page less":     func(b []byte) []byte { return b[:len(b)-4096] },
		"other content":     func(b []byte) []byte { return []byte(strings.Repeat("From: me\n\nhello\n", 1000)) },
		"schema overwritten": func(b []byte) []byte {
			copy(b[100:], strings.Repeat("\xff", 3000))
			return b
		},
		"rows overwritten": func(b []byte) []byte {
			for i := 4096; i+4096 <= len(b); i += 4096 {
				copy(b[i:], strings.Repeat("\xa5", 64))
			}
			return b
		},
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, s, strings.ReplaceAll(name, " ", "."))
			a.seedRemote(1, "INBOX", 12)
			a.seedLocal(2, "Work", 12)
			a.sync(0)
			want := a.remote()
			whole, err := os.ReadFile(a.stateFile())
			if err != nil {
				t.Fatal(err)
			}
			broken := damage(slices.Clone(whole))
			if err := os.WriteFile(a.stateFile(), broken, 0o600); err != nil {
				t.Fatal(err)
			}
			a.rematched("the state was damaged", want)
			aside, _ := filepath.Glob(a.stateFile() + ".damaged-*")
			if len(aside) != 1 {
				t.Fatalf("set aside: %q", aside)
			}
			if kept, _ := os.ReadFile(aside[0]); !slices.Equal(kept, broken) {
				t.Error("what was set aside is not what was there")
			}
			if err := os.Remove(aside[0]); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// The state of another account is not believed, not even that its messages are
// gone.
func TestStateOfAnotherAccount(t *testing.T) {
	t.Parallel()
	s := dovecot.Start(t)
	a, b := newAccount(t, s, "alice"), newAccount(t, s, "bob")
	a.seedRemote(1, "INBOX", 20)
	b.seedRemote(2, "INBOX", 30)
	b.seedRemote(2, "INBOX", 30)
	a.sync(0)
	b.sync(0)
	want := a.remote()
	if err := os.Remove(a.stateFile()); err != nil {
		t.Fatal(err)
	}
	a.copyTree(b.stateFile(), a.stateFile())
	if r := a.run("plan"); r.code != 0 || strings.Contains(r.stdout, "delete local") || strings.Contains(r.stdout, "delete remote") {
		t.Errorf("plan: %v", r)
	}
	a.rematched("not of this Maildir", want)
}

// A state from a backup knows less and older things; nothing of what happened
// since is undone, lost or doubled.
func TestStateFromABackup(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.phone.Create("Work", "Old")
	a.seedRemote(1, "INBOX", 20)
	a.seedRemote(2, "Old", 5)
	a.sync(0)
	backup := filepath.Join(a.dir, "backup")
	a.copyTree(a.state, backup)

	uids := a.phone.UIDs("INBOX")
	a.seedRemote(3, "INBOX", 6)
	a.seedLocal(4, "INBOX", 6)
	a.phone.Expunge("INBOX", uids[0], uids[1])
	a.phone.Move("INBOX", "Work", uids[2], uids[3])
	a.phone.Store("INBOX", mail.NewFlags(mail.Flagged, "todo"), mail.Flags{}, uids[4], uids[5])
	a.files("INBOX")[18].remove()
	a.files("INBOX")[17].move("Work")
	a.phone.Delete("Old")
	a.sync(0)
	a.converged()
	want := a.remote()

	a.removeTree(a.state)
	a.copyTree(backup, a.state)
	a.proxy.Reset()
	a.sync(0)
	a.nothingTransferred()
	for _, c := range proxy.Changing(a.proxy.Commands()) {
		t.Errorf("sent %q", c)
	}
	mustEqual(t, "local", a.local(), want)
	mustEqual(t, "remote", a.remote(), want)
	a.syncQuiet()
}

// A server brought back from a backup has lost messages and flags, and gives
// their UIDs to others. It gets back what it lost; what came in since is new.
func TestServerRestoredFromABackup(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name    string
		options []dovecot.Option
	}{{"CONDSTORE", nil}, {"no CONDSTORE", []dovecot.Option{dovecot.Without("CONDSTORE", "QRESYNC")}}} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			a := single(t, kind.options...)
			old := a.seedRemote(1, "INBOX", 10)
			a.sync(0)
			backup := filepath.Join(a.dir, "backup")
			a.offline(func(home string) { a.copyTree(home, backup) })

			uids := a.phone.UIDs("INBOX")
			young := a.seedRemote(2, "INBOX", 5)
			a.phone.Store("INBOX", mail.NewFlags(mail.Flagged, "todo"), mail.Flags{}, uids[0])
			a.phone.Expunge("INBOX", uids[1])
			a.sync(0)
			want := a.local()
			a.offline(func(home string) {
				a.removeTree(home)
				a.copyTree(backup, home)
			})
			late := a.seedRemote(3, "INBOX", 2) // with the UIDs of two that are lost
			want.put("INBOX", old[1])           // deleted after the backup, back with it
			for _, m := range late {
				want.put("INBOX", m)
			}
			r := a.sync(0)
			if lines := linesWith(r.stdout, "gone back in time"); len(lines) != 1 {
				t.Errorf("said %v", r)
			}
			mustEqual(t, "local", a.local(), want)
			mustEqual(t, "remote", a.remote(), want)
			if n := len(a.files("INBOX")); n != len(old)+len(young)+len(late) {
				t.Errorf("%d files", n)
			}
			a.syncQuiet()
		})
	}
}

// The configuration points to another provider, to which the mail was moved by
// other means: without its flags, and not all of it.
func TestAccountMovedToAnotherProvider(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.phone.Create("Work")
	messages := a.seedRemote(1, "INBOX", 20)
	a.seedRemote(2, "Work", 5)
	a.sync(0)
	want := a.local()

	other := dovecot.Start(t)
	phone := imaptest.Dial(t, other, a.user)
	for _, m := range messages[2:] {
		phone.Append("INBOX", mail.Flags{}, m.Date, corpus.Wire(m.Body))
	}
	a.server, a.phone = other, phone
	a.proxy = imaptest.Proxy(t, other.Addr())
	a.configure()
	r := a.sync(0)
	if lines := linesWith(r.stdout, "nothing is deleted"); len(lines) != 1 || !strings.Contains(lines[0], "the account is now") {
		t.Errorf("said %v", r)
	}
	if fetched := a.bodiesFetched(); len(fetched) > 0 {
		t.Errorf("fetched %q", fetched)
	}
	sent := 0
	for _, c := range a.proxy.Commands() {
		if proxy.Verb(c) == "APPEND" {
			sent += strings.Count(c, "{}")
		}
	}
	if sent != 2+5 {
		t.Errorf("%d messages sent, want 7", sent)
	}
	mustEqual(t, "local", a.local(), want)
	mustEqual(t, "remote", a.remote(), want)
	a.syncQuiet()
}
