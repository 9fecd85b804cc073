package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"imapsync/internal/corpus"
	"imapsync/internal/dovecot"
)

// odd are mailbox names that a file system, a layout or a careless program
// takes for something else.
var odd = []string{
	"Entwürfe", "日本語/メール", "R&D", "A & B/&c", "100%", "a%20b", "cur", "x/new/tmp", "x/cur", ".hidden", "...", "with.dot/a.b",
	"Inbox2", "space at the end ", " space at the start", "quote\"back\\slash", "~home", "#hash", "star*", "per%cent", "[Gmail]/All Mail",
	"dovecot-keywords", ".imapsync-id", "-rf", strings.Repeat("long", 50), "e\u0301 decomposed", "\u00e9 composed",
}

func TestOddNames(t *testing.T) {
	t.Parallel()
	s := dovecot.Start(t)
	layouts := []string{"verbatim", "maildir++", "flat"}
	for i, layout := range layouts {
		t.Run(layout, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, s, fmt.Sprintf("names%d", i), fmt.Sprintf("layout = %q", layout))
			want := items{}
			var names []string
			for i, name := range odd {
				if !a.createIfTaken(name) {
					continue
				}
				names = append(names, name)
				for _, m := range a.seedRemote(uint64(i), name, 1) {
					want.put(name, m)
				}
			}
			if len(names) < len(odd)-4 {
				t.Fatalf("the server took only %q", names)
			}
			a.sync(0)
			a.nothingOutside()
			if n := a.messageFiles(); n != len(names) {
				t.Errorf("%d message files, want %d", n, len(names))
			}
			a.syncQuiet("--full")
			// Read back from disk alone, every name is the same again.
			if err := os.RemoveAll(a.state); err != nil {
				t.Fatal(err)
			}
			a.sync(0)
			mustEqual(t, "remote", a.remote(), want)
			a.syncQuiet()
		})
	}
}

// createIfTaken makes a mailbox if this server can have one of that name.
func (a *account) createIfTaken(name string) bool {
	a.t.Helper()
	if slices.Contains(a.phone.Folders(), name) {
		return true
	}
	return a.phone.TryCreate(name) == nil
}

// nothingOutside insists that the account's directory holds what it should.
func (a *account) nothingOutside() {
	a.t.Helper()
	entries, err := os.ReadDir(a.dir)
	if err != nil {
		a.t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); name != "Mail" && name != "config.toml" && name != "state" {
			a.t.Errorf("%s was made outside the Maildir", name)
		}
	}
}

// messageFiles counts the files in cur and new directories below the root.
func (a *account) messageFiles() int {
	a.t.Helper()
	n := 0
	for path := range a.stamps() {
		if sub := filepath.Base(filepath.Dir(path)); sub == "cur" || sub == "new" {
			n++
		}
	}
	return n
}

func TestLayouts(t *testing.T) {
	t.Parallel()
	s := dovecot.Start(t)
	for i, c := range []struct {
		name, config string
		dir          map[string]string // of each folder below the root
	}{
		{"verbatim", `layout = "verbatim"`, map[string]string{"INBOX": "INBOX", "A/B": "A/B", "Entwürfe": "Entwürfe"}},
		{"maildir++", `layout = "maildir++"`, map[string]string{"INBOX": "", "A/B": ".A.B", "Entwürfe": ".Entwürfe"}},
		{"flat", `layout = "flat"`, map[string]string{"INBOX": "INBOX", "A/B": "A.B", "Entwürfe": "Entwürfe"}},
		{"flat with _", "layout = \"flat\"\nseparator = \"_\"", map[string]string{"INBOX": "INBOX", "A/B": "A_B", "Entwürfe": "Entwürfe"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, s, fmt.Sprintf("layout%d", i), c.config)
			a.folderDir = func(folder string) string { return c.dir[folder] }
			a.phone.Create("A/B", "Entwürfe")
			both := func() {
				t.Helper()
				for folder := range c.dir {
					sameBodies(t, "local "+folder, a.localBodies(folder), a.remoteBodies(folder))
				}
			}
			for i, folder := range []string{"INBOX", "A/B", "Entwürfe"} {
				a.seedRemote(uint64(i), folder, 2)
			}
			a.sync(0)
			both()
			for i, folder := range []string{"INBOX", "A/B", "Entwürfe"} {
				a.deliver(folder, small(uint64(10+i), 1)[0])
			}
			a.files("A/B")[0].move("Entwürfe")
			a.sync(0)
			both()
			if n := len(a.files("Entwürfe")); n != 4 {
				t.Errorf("%d messages in Entwürfe, want 4", n)
			}
			a.syncQuiet()
		})
	}
}

func TestNamespacePrefix(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"sdbox", "maildir"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			a := single(t, dovecot.WithNamespace("INBOX.", "."), dovecot.WithFormat(format))
			a.phone.Create("INBOX.Sent", "INBOX.Archive.2026")
			a.seedRemote(1, "INBOX", 3)
			a.seedRemote(2, "Sent", 3)
			a.seedRemote(3, "Archive/2026", 3)
			a.seedLocal(4, "Projekte/Garten", 2)
			a.sync(0)
			a.converged()
			if got := a.phone.Folders(); !slices.Contains(got, "INBOX.Projekte.Garten") {
				t.Errorf("mailboxes %q", got)
			}
			if got := a.folders(); !slices.Contains(got, "Archive/2026") {
				t.Errorf("folders %q", got)
			}
			a.syncQuiet()
			a.files("Sent")[0].move("Archive/2026")
			a.phone.Create("INBOX.Später")
			a.seedRemote(5, "Später", 1)
			a.sync(0)
			a.converged()
			a.syncQuiet("--full")
		})
	}
}

func TestFolderPatterns(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.configure(`folders = ["*", "!Spam", "!Old/*"]`)
	a.phone.Create("Spam", "Old/2010", "Old", "Kept")
	for i, folder := range []string{"INBOX", "Spam", "Old/2010", "Kept"} {
		a.seedRemote(uint64(i), folder, 2)
	}
	a.deliver("Spam", small(9, 1)[0]) // outside: neither side is touched
	before := a.stamps()
	a.sync(0)
	if got := a.folders(); !slices.Equal(got, []string{"INBOX", "Kept", "Old", "Spam"}) {
		t.Errorf("folders %q", got)
	}
	if n := len(a.phone.UIDs("Spam")); n != 2 {
		t.Errorf("%d messages in Spam on the server, want 2", n)
	}
	for path, stamp := range before {
		if a.stamps()[path] != stamp {
			t.Errorf("%s was touched", path)
		}
	}
}

func TestOtherProgramsFilesAreLeftAlone(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.seedRemote(1, "INBOX", 2)
	a.sync(0)
	foreign := []string{"INBOX/cur/.lock", "INBOX/.mbsyncstate", "INBOX/dovecot-uidlist", ".notmuch/xapian", "INBOX/tmp/unfinished", "README"}
	for _, name := range foreign {
		path := filepath.Join(a.root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		a.write(path, "not mail\n")
	}
	before := a.stamps()
	a.seedRemote(2, "INBOX", 1)
	a.sync(0, "--full")
	after := a.stamps()
	for _, name := range foreign {
		path := filepath.Join(a.root, name)
		if after[path] != before[path] {
			t.Errorf("%s was touched", name)
		}
	}
	sameBodies(t, "remote", a.remoteBodies("INBOX"), bodies(bodiesOf(small(1, 2), small(2, 1))...))
}

func bodiesOf(lists ...[]corpus.Message) (all [][]byte) {
	for _, list := range lists {
		for _, m := range list {
			all = append(all, m.Body)
		}
	}
	return all
}
